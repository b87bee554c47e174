"""A client's cache of one kind, kept true by one list and a watch that resumes where it broke.

Handlers hear of each change as (old, new): old is None for what is new, new is None for what is gone. They are called in
order, on the event loop, and must not wait. What the informer hands out is shared: clone before changing. It is without its
managedFields, which an update leaves as they are and a cache has no room for. When the server
says that the revision is too old, or is out of reach, the informer lists again (after a growing pause) and tells handlers
what has changed in between, so losing any number of events loses nothing.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import structlog

from kubeapi.client.client import Bookmark, Client, meta_of
from kubeapi.errors import ApiError
from kubeapi.model import Model, forget_given

M = TypeVar("M", bound=Model)
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
log = structlog.get_logger()


class Informer(Generic[M]):
    """The cache of one kind, or of the part that is in one namespace and that the selectors let through."""

    def __init__(self, client: Client, model: type[M], fields: str = "", labels: str = "", namespace: str = "") -> None:
        self.model = model
        self._client, self._fields, self._labels, self._namespace = client, fields, labels, namespace
        self._objects: dict[str, dict[str, M]] = {}  # by namespace (empty for cluster-wide kinds) and name
        self._indices: dict[str, tuple[Callable[[M], Iterable[str]], dict[str, dict[tuple[str, str], M]]]] = {}
        self._handlers: list[Callable[[M | None, M | None], None]] = []
        self._synced = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow the server, in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name=f"informer {self.model.__name__}")

    async def synced(self) -> None:
        """Return once the first list is in the cache."""
        await self._synced.wait()

    async def stop(self) -> None:
        """Stop following; the cache stays as it is."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def get(self, namespace: str, name: str) -> M | None:
        """One object, or None."""
        return self._objects.get(namespace, {}).get(name)

    def list(self, namespace: str | None = None) -> list[M]:
        """The objects of one namespace, or all."""
        if namespace is None:
            return [obj for objects in self._objects.values() for obj in objects.values()]
        return [*self._objects.get(namespace, {}).values()]

    def by(self, index: str, value: str) -> builtins.list[M]:
        """The objects for which the index's function gave `value`."""
        return [*self._indices[index][1].get(value, {}).values()]

    def add_index(self, name: str, function: Callable[[M], str | Iterable[str] | None]) -> None:
        """Find objects by a value, or values, computed from them; those already cached are indexed now."""

        def values(obj: M) -> Iterable[str]:
            found = function(obj)
            return (found,) if isinstance(found, str) else set(found or ())

        self._indices[name] = (values, {})
        for obj in self.list():
            self._index(name, _key(obj), None, obj)

    def on_change(self, handler: Callable[[M | None, M | None], None]) -> None:
        """Tell `handler` of each change from now on, and at once of what is cached already."""
        self._handlers.append(handler)
        for obj in self.list():
            handler(None, obj)

    async def _follow(self) -> None:
        pause, revision = FIRST_PAUSE, ""
        while True:
            try:
                if not revision:
                    revision = await self._list()
                    self._synced.set()
                watch = self._client.watch(self.model, revision, self._namespace, self._labels, self._fields)
                async for event in watch:
                    pause = FIRST_PAUSE
                    if isinstance(event, Bookmark):
                        revision = event.revision
                        continue
                    revision = meta_of(event.object).resource_version
                    self._set(event.object, gone=event.type == "DELETED")
            except ApiError as error:
                if error.code == 410:
                    revision = ""
                else:
                    log.warning("informer.refused", kind=self.model.__name__, code=error.code, why=error.message)
            except OSError as error:
                log.info("informer.unreachable", kind=self.model.__name__, why=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _list(self) -> str:
        page = await self._client.list(self.model, self._namespace, self._labels, self._fields)
        listed = {_key(obj) for obj in page.items}
        for obj in self.list():
            if _key(obj) not in listed:
                self._set(obj, gone=True)
        for obj in page.items:
            self._set(obj)
        return page.revision

    def _set(self, obj: M, gone: bool = False) -> None:
        namespace, name = key = _key(obj)
        old, new = self.get(namespace, name), None if gone else obj
        if new is not None:
            meta_of(new).managed_fields = []
            forget_given(new)
            self._objects.setdefault(namespace, {})[name] = new
        elif old is not None:
            del self._objects[namespace][name]
        if old is None and new is None:
            return
        if old is not None and new is not None and _version(old) == _version(new):
            return
        for index in self._indices:
            self._index(index, key, old, new)
        # A deletion is told with the last state, which may be newer than the cached one.
        for handler in self._handlers:
            try:
                handler(obj if new is None else old, new)
            except Exception:  # the fault of one handler must not keep the others, or the cache, from the truth
                log.exception("informer.handler_failed", kind=self.model.__name__, key="/".join(key))

    def _index(self, name: str, key: tuple[str, str], old: M | None, new: M | None) -> None:
        values, table = self._indices[name]
        for value in values(old) if old is not None else ():
            table[value].pop(key, None)
            if not table[value]:
                del table[value]
        for value in values(new) if new is not None else ():
            table.setdefault(value, {})[key] = new  # type: ignore[assignment]


def _key(obj: Model) -> tuple[str, str]:
    meta = meta_of(obj)
    return meta.namespace, meta.name


def _version(obj: Model) -> tuple[str, str]:
    meta = meta_of(obj)
    return meta.uid, meta.resource_version
