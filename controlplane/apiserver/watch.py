"""WATCH: the store's log as frames of JSON lines, from a revision on, narrowed as a list is.

Without a resourceVersion (or with 0) a watch begins with what is there, as ADDED. With a selector an object that comes to
match is ADDED and one that ceases to is DELETED, whatever the write was. Bookmarks tell a quiet watcher how far it is. The
frame's object is the stored bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from random import Random

import orjson

from controlplane.apiserver import options
from controlplane.apiserver.forms import Form, shaped
from controlplane.apiserver.reads import Filter, filter_of
from controlplane.apiserver.routing import Target
from controlplane.store import Change, Compacted, Store, StoreError
from kubeapi.clock import Clock
from kubeapi.errors import ApiError, forbidden, internal_error

BOOKMARK_EVERY = 60.0
SHORTEST, LONGEST = 1800.0, 3600.0


def frame(kind: str, value: bytes) -> bytes:
    """One line of a watch."""
    return b'{"type":"' + kind.encode() + b'","object":' + value + b"}\n"


def transition(change: Change, wanted: Filter) -> str | None:
    """What a change is to a watcher with a filter: ADDED, MODIFIED, DELETED, or None when it never saw the object."""
    if wanted.trivial:
        return change.type
    before = change.previous is not None and wanted.matches(change.previous)
    after = change.type != "DELETED" and wanted.matches(change.value)
    return {(False, True): "ADDED", (True, True): "MODIFIED", (True, False): "DELETED"}.get((before, after))


def at_revision(value: bytes, revision: int) -> bytes:
    """A deleted object's last bytes with the revision of its deletion, as watchers are told."""
    obj = orjson.loads(value)
    obj["metadata"]["resourceVersion"] = str(revision)
    return orjson.dumps(obj)


class Watcher:
    """Answers watches."""

    def __init__(self, store: Store, clock: Clock, rng: Random) -> None:
        self.store, self.clock, self.rng = store, clock, rng

    def check(self, target: Target, query: dict[str, str]) -> None:
        """Refuse what can't be watched before the stream begins."""
        try:
            options.revision(query)
        except ApiError as error:
            raise ApiError(500, "", error.message.removeprefix("invalid resource version: ")) from None
        options.integer(query, "timeoutSeconds")
        filter_of(target.kind, query)
        if "sendInitialEvents" in query and query.get("resourceVersionMatch") != "NotOlderThan":
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            raise options.refused_options("ListOptions", [forbidden("resourceVersionMatch", why)])

    async def stream(self, target: Target, form: Form, query: dict[str, str]) -> AsyncGenerator[bytes, None]:
        """The frames, until timeoutSeconds are over or the reader leaves."""
        kind, include = target.kind, query.get("includeObject", "")
        wanted = filter_of(kind, query)
        if target.name:
            wanted = filter_of(kind, query | {"fieldSelector": f"metadata.name={target.name}"})
        revision = options.revision(query) or 0
        bookmarks = options.flag(query, "allowWatchBookmarks")
        initial = options.flag(query, "sendInitialEvents") if "sendInitialEvents" in query else revision == 0
        seconds = options.integer(query, "timeoutSeconds") or self.rng.uniform(SHORTEST, LONGEST)

        headed = False

        def framed(event: str, value: bytes) -> bytes:
            nonlocal headed
            shown = shaped(kind, value, form, include, self.clock.now(), headed=not headed)
            headed = True
            return frame(event, shown)

        def bookmark(at: int, *, ends_initial: bool = False) -> bytes:
            meta: dict[str, object] = {"resourceVersion": str(at), "creationTimestamp": None}
            if ends_initial:
                meta["annotations"] = {"k8s.io/initial-events-end": "true"}
            return frame(
                "BOOKMARK", orjson.dumps({"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta})
            )

        async def seen() -> AsyncGenerator[tuple[str, Change], None]:
            nonlocal revision
            async with aclosing(self.store.watch(target.prefix, revision)) as changes:
                async for change in changes:
                    if event := transition(change, wanted):
                        yield event, change
                    else:  # most of them, to who watches one node of many: no task is made for these
                        revision = change.revision

        try:
            if initial or revision == 0:
                entries, revision = self.store.list(target.prefix)
                for entry in entries if initial else ():
                    if wanted.matches(entry.value):
                        yield framed("ADDED", entry.value)
                if bookmarks and "sendInitialEvents" in query:
                    yield bookmark(revision, ends_initial=True)
            loop = asyncio.get_running_loop()
            ends = loop.time() + seconds
            async with aclosing(seen()) as changes:
                following = asyncio.ensure_future(anext(changes))
                try:
                    while (left := ends - loop.time()) > 0:
                        done, _ = await asyncio.wait({following}, timeout=min(left, BOOKMARK_EVERY))
                        if not done:
                            if bookmarks and loop.time() < ends:
                                yield bookmark(revision)
                            continue
                        event, change = following.result()
                        following = asyncio.ensure_future(anext(changes))
                        revision = change.revision
                        last = change.previous or change.value
                        yield framed(event, at_revision(last, revision) if event == "DELETED" else change.value)
                finally:
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
        except Compacted as gone:
            error = ApiError(410, "Expired", f"too old resource version: {gone}")
            yield frame("ERROR", orjson.dumps(error.status()))
        except StoreError as failed:
            yield frame("ERROR", orjson.dumps(internal_error(str(failed)).status()))
