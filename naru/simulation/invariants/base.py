"""The seam of an invariant: what it is told of, and how it says that something was wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from agent.runtime.protocol import Container
from naru.simulation.cluster import Cluster, Node

Object = dict[str, Any]
PODS, NODES, SERVICES = "//pods/", "//nodes/", "//services/"
SETS, DEPLOYMENTS, SLICES = "/apps/replicasets/", "/apps/deployments/", "/discovery.k8s.io/endpointslices/"
HEARTBEATS = ("/coordination.k8s.io/leases/", NODES)
CONTROL_PLANE, DISK = "", "disk"  # places that can be in trouble, as nodes can by their names


class Seen(NamedTuple):
    """A commit in the moment when it became durable: the object as it is now (or last was), and as it was before."""

    type: str
    key: str
    revision: int
    object: Object
    before: Object | None


class Told(NamedTuple):
    """An answer that a client has received for a write: the object in it, and what was asked."""

    object: Object
    asked: str


class Scene:
    """What all invariants see: the objects as the log has them, the engines, and where the adversary has his hands."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.objects: dict[str, Object] = {}  # by key
        self._kinds: dict[str, dict[str, Object]] = {}  # the same, by the part of their keys that names their kind
        self.sets: dict[str, Object] = {}  # ReplicaSets by uid, also those that are gone: their pods may be there still
        self.uids: list[str] = [""]  # whose object each revision is
        self.held: set[str] = set()  # the keys of what its user holds by a finalizer
        self.forced: set[str] = set()  # the names of pods that were deleted without waiting for their end
        self.wrote = (0.0, "")  # when what was written last that is no heartbeat
        self.found: list[str] = []
        self.alarm = asyncio.Event()
        self._troubled: dict[str, float] = {}

    @property
    def now(self) -> float:
        """Seconds since the story's begin."""
        return asyncio.get_running_loop().time()

    def say(self, name: str, what: str) -> None:
        """Something was wrong."""
        self.found.append(f"{self.now:.2f}: {name}: {what}")
        self.alarm.set()

    def trouble(self, place: str, until: float) -> None:
        """The adversary has a node, or the control plane, in hand until then; what follows from it may still be seen."""
        self._troubled[place] = max(self._troubled.get(place, 0.0), until)

    def calm(self, place: str, seconds: float) -> bool:
        """Whether for so long nobody has done anything to a place."""
        return self._troubled.get(place, -seconds) + seconds <= self.now

    def keep(self, key: str, found: Object | None) -> None:
        """An object is so from now on; None: it is gone."""
        for objects in (self.objects, self._kinds.setdefault(kind_of(key), {})):
            if found is None:
                objects.pop(key, None)
            else:
                objects[key] = found

    def pods(self) -> list[Object]:
        """The pods in the API."""
        return [*self.under(PODS)]

    def under(self, prefix: str) -> Iterator[Object]:
        """The objects of a kind, by what their keys begin with."""
        return iter(self._kinds.get(prefix, {}).values())

    def set_of(self, pod: Object) -> str:
        """The uid of the ReplicaSet that a pod belongs to; empty without one."""
        references = pod["metadata"].get("ownerReferences", ())
        return next((str(reference["uid"]) for reference in references if reference["uid"] in self.sets), "")

    def deployment_of(self, pod: Object) -> str:
        """The uid of the Deployment that a pod belongs to, by its ReplicaSet; empty without one."""
        owner = self.sets.get(self.set_of(pod), {})
        return next((str(parent["uid"]) for parent in owner.get("metadata", {}).get("ownerReferences", ())), "")


class Invariant:
    """Watches a story for one kind of wrong; hears of what concerns it by overriding."""

    name: ClassVar[str]

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def committed(self, seen: Seen) -> None:
        """A commit became durable; the scene's objects have it already."""

    def answered(self, told: Told) -> None:
        """A client has heard that its write is done."""

    def started(self, node: Node, container: Container) -> None:
        """A container began to run."""

    def ticked(self) -> None:
        """Another second has passed."""

    def say(self, what: str) -> None:
        """It does not hold."""
        self.scene.say(self.name, what)


def kind_of(key: str) -> str:
    """What the keys of an object's kind begin with."""
    _, group, plural, _ = key.split("/", 3)
    return f"/{group}/{plural}/"


def is_active(pod: Object) -> bool:
    """Neither at its end nor on its way there."""
    finished = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not finished and "deletionTimestamp" not in pod["metadata"]


def is_ready(pod: Object) -> bool:
    """As the pod's condition says."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
