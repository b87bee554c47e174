"""GET: one object, or a collection by selectors, in pages, at a revision.

A page ends with a continue token that holds the revision and the last key, so that all pages show one moment.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from controlplane.apiserver import options
from controlplane.apiserver.forms import Form, listed, shaped
from controlplane.apiserver.routing import Target
from controlplane.store import Store
from kubeapi import selectors
from kubeapi.clock import Clock
from kubeapi.errors import ApiError, Cause, bad_request, forbidden, invalid_object
from kubeapi.registry import Kind


class Filter(NamedTuple):
    """What a collection is narrowed to; `trivial` when nothing narrows it, so that no object need be decoded."""

    matches: Callable[[bytes], bool]
    trivial: bool


def filter_of(kind: Kind, query: dict[str, str]) -> Filter:
    """The filter of labelSelector and fieldSelector; 400 for a selector, or a field, that Kubernetes would not take."""
    label_text, field_text = query.get("labelSelector", ""), query.get("fieldSelector", "")
    if not label_text and not field_text:
        return Filter(lambda _value: True, trivial=True)
    labels, fields = selectors.parse_labels(label_text), selectors.parse_fields(field_text)
    known = {"metadata.name", *(("metadata.namespace",) if kind.namespaced else ()), *kind.fields}
    for name in fields.names:
        if name not in known:
            raise bad_request(f"field label not supported: {name}")

    def matches(value: bytes) -> bool:
        meta = orjson.loads(value)["metadata"]
        if not labels.matches(meta.get("labels") or {}):
            return False
        if not field_text:
            return True
        named = {"metadata.name": meta["name"], "metadata.namespace": meta.get("namespace", "")}
        if not fields.names <= named.keys():
            obj = kind.model.from_json(value)
            named |= {name: read(obj) for name, read in kind.fields.items()}
        return fields.matches(named)

    return Filter(matches, trivial=False)


class Reader:
    """Reads objects and collections from the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock

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
        found = [e for e in entries if e.key > after and keep(e.value)]
        meta: dict[str, Any] = {"resourceVersion": str(revision)}
        if limit and len(found) > limit:
            meta["continue"] = _token(revision, found[limit - 1].key)
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                meta["remainingItemCount"] = len(found) - limit
            found = found[:limit]
        values = [e.value for e in found]
        return listed(target.kind, values, meta, form, query.get("includeObject", ""), self.clock.now())


def _token(revision: int, key: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": key})).decode()


def _moment(query: dict[str, str]) -> tuple[int | None, str]:
    """The revision to list at (None is now) and the key to go on after."""
    if text := query.get("continue", ""):
        try:
            token = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return int(token["rv"]), str(token["start"])
        except (binascii.Error, ValueError, KeyError, TypeError):
            raise bad_request("invalid continue token: continue key is not valid") from None
    revision, match = options.revision(query), query.get("resourceVersionMatch", "")
    why = ""
    if match and revision is None:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
    elif match == "Exact" and revision == 0:
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
    if why:
        raise list_refused(forbidden("resourceVersionMatch", why))
    return (revision if match == "Exact" else None), ""


def list_refused(cause: Cause) -> ApiError:
    """422 for ListOptions that contradict themselves."""
    error = invalid_object("ListOptions", "meta.k8s.io", "", [cause])
    return ApiError(422, error.reason, error.message, details={k: v for k, v in (error.details or {}).items() if v})
