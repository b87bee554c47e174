"""What the rules look at: the objects of one namespace and of the cluster, and the Events of each. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from kubeapi.apps_v1.types import Deployment, ReplicaSet
from kubeapi.client.client import meta_of
from kubeapi.core_v1.types import Event, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, Service
from kubeapi.discovery_v1.types import EndpointSlice
from kubeapi.model import Model
from kubeapi.storage_v1.types import StorageClass

M = TypeVar("M", bound=Model)
NEVER = datetime.min.replace(tzinfo=UTC)
READ: tuple[type[Model], ...] = (
    Deployment, ReplicaSet, Pod, Service, EndpointSlice, PersistentVolumeClaim, Event,  # of the namespace
    Node, Namespace, PersistentVolume, StorageClass,
)  # fmt: skip


class World:
    """Objects by their model, and the time it is."""

    def __init__(self, now: datetime, objects: Mapping[type[Model], list[Any]]) -> None:
        self.now, self._objects = now, objects
        self._events: dict[tuple[str, str], list[Event]] = {}
        for event in sorted(self.all(Event), key=when, reverse=True):
            about = event.involved_object
            self._events.setdefault((about.kind, about.name), []).append(event)

    def all(self, model: type[M]) -> list[M]:
        """All of a kind, by name."""
        found: list[M] = self._objects.get(model, [])
        return found

    def get(self, model: type[M], name: str) -> M | None:
        """One by its name."""
        return next((o for o in self.all(model) if meta_of(o).name == name), None)

    def owned(self, model: type[M], owner: Model) -> list[M]:
        """Those whose controller is `owner`."""
        uid = meta_of(owner).uid
        return [o for o in self.all(model) if any(r.controller and r.uid == uid for r in meta_of(o).owner_references)]

    def events(self, obj: Model, *reasons: str) -> list[Event]:
        """The Events about an object, newest first; only those with one of the reasons, if any are given."""
        uid = meta_of(obj).uid
        told = self.events_about(type(obj).__name__, meta_of(obj).name, *reasons)
        return [e for e in told if e.involved_object.uid in ("", uid)]  # another of that name may have been there

    def events_about(self, kind: str, name: str, *reasons: str) -> list[Event]:
        """The same, of whatever had that name."""
        return [e for e in self._events.get((kind, name), ()) if not reasons or e.reason in reasons]


def name_of(obj: Model) -> str:
    """`pod/web-1`."""
    return f"{str(getattr(obj, 'kind', '')).lower()}/{meta_of(obj).name}"


def when(event: Event) -> datetime:
    """When it was seen last."""
    series = event.series.last_observed_time if event.series else None
    return series or event.last_timestamp or event.event_time or event.metadata.creation_timestamp or NEVER


def quoted(event: Event) -> str:
    """An Event as evidence: its reason, how often, and its words."""
    times = event.series.count if event.series else event.count
    often = f" (seen {times} times)" if times > 1 else ""
    return f"Event {event.reason}{often}: {event.message.strip()}"


def quotes(events: Iterable[Event], most: int = 2) -> tuple[str, ...]:
    """The newest Events as evidence, each wording once."""
    return tuple(list(dict.fromkeys(quoted(e) for e in events))[:most])


def condition(obj: Any, kind: str) -> Any:
    """The condition of that type, or None."""
    return next((c for c in obj.status.conditions if c.type == kind), None)


def told(one: Any) -> str:
    """A condition as evidence."""
    why = ": ".join(filter(None, (one.reason, one.message)))
    return f"condition {one.type} = {one.status}" + (f" ({why})" if why else "")


def ago(world: World, at: datetime | None) -> str:
    """`5 min ago`, by the coarsest unit that fits."""
    if at is None:
        return "at an unknown time"
    seconds = max(int((world.now - at).total_seconds()), 0)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
