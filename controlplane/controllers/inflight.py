"""What a controller has just written and its informer does not show yet.

Laid over the informer's view, so that a controller goes by its own writes also where the informer is late: else it would do
a thing twice, or count on what it took.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from controlplane.controllers.owners import controller_of

T = TypeVar("T", bound=Any)


class InFlight(Generic[T]):
    """Writes to one kind, by the key of the objects' controller. What is not shown for so long as `patience` was undone by
    somebody else."""

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience
        self._written: dict[str, dict[str, tuple[T, datetime]]] = {}
        self._deleted: dict[str, dict[str, datetime]] = {}

    def wrote(self, obj: T, now: datetime) -> None:
        """The API server has answered with this: it was created, or changed."""
        self._written.setdefault(_owner(obj), {})[obj.metadata.uid] = obj, now

    def deleted(self, obj: T, now: datetime) -> None:
        """The API server has accepted this object's deletion."""
        self._deleted.setdefault(_owner(obj), {})[obj.metadata.uid] = now

    def made(self, obj: T) -> T | None:
        """An object as it was written here, until `shown` hears of it."""
        written, _ = self._written.get(_owner(obj), {}).get(obj.metadata.uid, (None, None))
        return written

    def shown(self, old: T | None, new: T | None) -> None:
        """A change that the informer shows: what was written before it is in flight no more."""
        for obj in [obj for obj in (old, new) if obj is not None]:
            gone = new is None or new.metadata.uid != obj.metadata.uid
            written = self.made(obj)
            if written is not None and (gone or not _is_older(new, written)):
                del self._written[_owner(obj)][obj.metadata.uid]

    def overlay(self, key: str, objects: Iterable[T], now: datetime) -> list[T]:
        """The informer's objects with those that are in flight as they were written, and without what is being deleted."""
        written, deleted = self._written.get(key, {}), self._deleted.get(key, {})
        view = {obj.metadata.uid: obj for obj in objects}
        for uid, (obj, at) in [*written.items()]:
            if now - at >= self._patience:
                del written[uid]
            elif uid not in view or _is_older(view[uid], obj):
                view[uid] = obj
        for uid, at in [*deleted.items()]:
            shown = view.get(uid)
            if shown is None or shown.metadata.deletion_timestamp is not None or now - at >= self._patience:
                del deleted[uid]
            else:
                del view[uid]
        return [*view.values()]

    def forget(self, key: str) -> None:
        """The controller's object is gone."""
        self._written.pop(key, None)
        self._deleted.pop(key, None)


def _owner(obj: Any) -> str:
    owner = controller_of(obj.metadata)
    return f"{obj.metadata.namespace}/{owner.name}" if owner else ""


def _is_older(obj: Any, than: Any) -> bool:
    return int(obj.metadata.resource_version) < int(than.metadata.resource_version)
