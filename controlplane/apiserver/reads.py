"""GET: one object, or a collection by selectors, in pages, at a revision.

A page ends with a continue token that holds the revision and the last key, so that all pages show one moment.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from controlplane.apiserver import options
from controlplane.apiserver.forms import Form, enclosed, items_of, listed, shaped
from controlplane.apiserver.routing import Target
from controlplane.store import Entry, Store
from kubeapi import selectors
from kubeapi.clock import Clock
from kubeapi.errors import bad_request, forbidden, not_supported
from kubeapi.go_json import syntax_error
from kubeapi.registry import Kind

TOKEN_VERSION = "meta.k8s.io/v1"
DECODED = 512  # objects whose selectable parts are remembered: most bursts, which all watchers hear of
FILTERS = 32  # that are remembered
KEPT, KEPT_BYTES = 4, 1 << 20  # collections whose items are remembered, and how large they are at most


class Filter(NamedTuple):
    """What a collection is narrowed to; `trivial` when nothing narrows it, so that no object need be decoded."""

    matches: Callable[[bytes], bool]
    trivial: bool


def filter_of(kind: Kind, query: dict[str, str]) -> Filter:
    """The filter of labelSelector and fieldSelector; 400 for a selector, or a field, that Kubernetes would not take."""
    return _filter(kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))


@functools.lru_cache(maxsize=FILTERS)
def _filter(kind: Kind, label_text: str, field_text: str) -> Filter:
    if not label_text and not field_text:
        return Filter(lambda _value: True, trivial=True)
    labels, fields = selectors.parse_labels(label_text), selectors.parse_fields(field_text)
    known = {"metadata.name", *(("metadata.namespace",) if kind.namespaced else ()), *kind.fields}
    for name in fields.names:
        if name in known:
            continue
        if kind.fields:
            raise bad_request(f"field label not supported: {name}")
        raise bad_request(f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"')

    def matches(value: bytes) -> bool:
        own, named = _selected_by(value)
        if not labels.matches(own):
            return False
        if not fields.names <= named.keys():
            named = {**named, **_read_fields(kind, value)}
        return fields.matches(named)

    return Filter(matches, trivial=False)


# A cluster of a hundred nodes has a hundred watchers of pods, each with a filter, and a change is decoded once for all.
@functools.lru_cache(maxsize=DECODED)
def _selected_by(value: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """An object's labels, and the fields by which every kind can be selected."""
    meta = orjson.loads(value)["metadata"]
    return meta.get("labels") or {}, {"metadata.name": meta["name"], "metadata.namespace": meta.get("namespace", "")}


@functools.lru_cache(maxsize=DECODED)
def _read_fields(kind: Kind, value: bytes) -> dict[str, str]:
    """The fields by which this kind can be selected besides."""
    obj = kind.model.from_json(value)
    return {name: read(obj) for name, read in kind.fields.items()}


class _Repeats:
    """The items of collections for which many ask while nothing in them changes: kept from the second time on."""

    def __init__(self) -> None:
        # By question: the revisions of all entries, and the chosen items.
        self._kept: dict[tuple[str, ...], tuple[list[int], bytes]] = {}

    def items(self, question: tuple[str, ...], entries: list[Entry], make: Callable[[], bytes]) -> bytes:
        """What `make` makes of these entries for this question, or made of the very same."""
        revisions = [entry.revision for entry in entries]
        before, items = self._kept.pop(question, ([], b""))
        same = before == revisions
        if not same or not items:
            items = make()
        self._kept[question] = revisions, items if same and len(items) <= KEPT_BYTES else b""
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return items


class Reader:
    """Reads objects and collections from the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self._repeats = _Repeats()

    async def get(self, target: Target, form: Form, query: dict[str, str]) -> bytes:
        """One object's bytes; 404 when there is none."""
        options.revision(query)
        entry = self.store.get(target.key)
        if entry is None:
            raise target.not_found()
        return shaped(target.kind, entry.value, form, query.get("includeObject", ""), self.clock.now())

    async def list(self, target: Target, form: Form, query: dict[str, str]) -> bytes:
        """A collection's bytes."""
        limit = max(options.integer(query, "limit") or 0, 0)
        wanted, after = _moment(query)
        entries, revision = self.store.list(target.prefix, wanted)
        keep = filter_of(target.kind, query).matches
        meta: dict[str, Any] = {"resourceVersion": str(revision)}
        if not (form.what or limit or after):

            def items() -> bytes:
                return items_of(target.kind, (e.value for e in entries if keep(e.value)))

            narrowed = query.get("labelSelector", ""), query.get("fieldSelector", "")
            question = (target.kind.api_version, target.prefix, *narrowed)
            return enclosed(target.kind, self._repeats.items(question, entries, items), meta)
        found = [e for e in entries if e.key > after and keep(e.value)]
        if limit and len(found) > limit:
            meta["continue"] = _token(revision, found[limit - 1].key)
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                meta["remainingItemCount"] = len(found) - limit
            found = found[:limit]
        values = [e.value for e in found]
        return listed(target.kind, values, meta, form, query.get("includeObject", ""), self.clock.now())


def _token(revision: int, key: str) -> str:
    token = orjson.dumps({"v": TOKEN_VERSION, "rv": revision, "start": key})
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _read_token(text: str) -> tuple[int, str]:
    """The revision and the last key of a continue token; 400 in Go's words when it is none."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:  # binascii.Error is one; another is told of what is not ASCII
        bad = re.search(r"[^A-Za-z0-9_-]", text)
        why = f"illegal base64 data at input byte {bad.start() if bad else len(text)}"
        raise bad_request(f"invalid continue token: continue key is not valid: {why}") from None
    try:
        token = orjson.loads(data)
        if token["v"] != TOKEN_VERSION:
            raise ValueError(f'server does not recognize this encoded version "{token["v"]}"')
        return int(token["rv"]), str(token["start"])
    except (ValueError, KeyError, TypeError) as error:
        why = syntax_error(data) or (str(error) if type(error) is ValueError else "encoded start key empty")
        raise bad_request(f"invalid continue token: continue key is not valid: {why}") from None


def _moment(query: dict[str, str]) -> tuple[int | None, str]:
    """The revision to list at (None is now) and the key to go on after."""
    if text := query.get("continue", ""):
        if options.revision(query):
            raise bad_request("specifying resource version is not allowed when using continue")
        return _read_token(text)
    revision, match = options.revision(query), query.get("resourceVersionMatch", "")
    why = ""
    if match and revision is None:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
    elif match == "Exact" and revision == 0:
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
    if why:
        raise options.refused_options("ListOptions", [forbidden("resourceVersionMatch", why)])
    if match not in ("", "Exact", "NotOlderThan"):
        cause = not_supported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""])
        raise options.refused_options("ListOptions", [cause])
    return (revision if match == "Exact" else None), ""
