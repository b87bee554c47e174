"""A Deployment under way: never more pods than maxSurge lets come, nor fewer ready ones than maxUnavailable lets go.

A controller acts on what it has heard of: for LAG seconds it may still go by an earlier spec, or count on a pod that was
ready then (where nothing can be written, for longer). A Deployment counts what it has asked its ReplicaSets for, as in
Kubernetes: a pod that its ReplicaSet is to let go makes room before it goes. What the adversary or an eviction takes is not
a controller's doing.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from naru.simulation.invariants.base import (
    DEPLOYMENTS,
    DISK,
    NODES,
    PODS,
    SETS,
    Invariant,
    Object,
    Scene,
    Seen,
    is_active,
    is_ready,
)

HEARD = 2.0  # until then a controller may not know that a pod has become ready
LAG = 8.0  # a controller may hear of things up to a second late, and several hear one after the other


class Bounds(NamedTuple):
    """What a Deployment's spec asked for since a time: pods at most, ready ones at least, and whether old ones go first."""

    since: float
    replicas: int
    most: int
    least: int
    recreate: bool


class Rollout(Invariant):
    """Knows the bounds that a Deployment's controller may go by."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._bounds: dict[str, list[Bounds]] = {}  # by the Deployment's uid

    def committed(self, seen: Seen) -> None:
        """As `Invariant` says."""
        if seen.key.startswith(DEPLOYMENTS):
            bounds = bounds_of(seen, self.scene.now)
            known = self._bounds.setdefault(seen.object["metadata"]["uid"], [])
            if not known or known[-1][1:] != bounds[1:]:
                known.append(bounds)
        elif seen.key.startswith(PODS):
            owner = self.scene.deployment_of(seen.object)
            if recent := self._recent(owner):
                self.check(seen, [p for p in self.scene.pods() if self.scene.deployment_of(p) == owner], recent)

    def _recent(self, owner: str) -> list[Bounds]:
        known = self._bounds.get(owner, [])
        ends = [*(following.since for following in known[1:]), self.scene.now]
        return [bounds for bounds, end in zip(known, ends, strict=False) if end > self.scene.now - LAG]

    def check(self, seen: Seen, pods: list[Object], recent: list[Bounds]) -> None:
        """A pod has changed; pods are all of its Deployment."""
        raise NotImplementedError


class Surge(Rollout):
    """Never above replicas and maxSurge."""

    name = "maxSurge"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._before: dict[str, list[tuple[float, int]]] = {}  # by ReplicaSet: until when it was asked for how many

    def committed(self, seen: Seen) -> None:
        """As `Invariant` says."""
        if seen.key.startswith(SETS) and seen.before:
            was = self._before.setdefault(seen.object["metadata"]["uid"], [])
            was[:] = [*self._recently(was), (self.scene.now, seen.before["spec"]["replicas"])]
        super().committed(seen)

    def check(self, seen: Seen, pods: list[Object], recent: list[Bounds]) -> None:
        """As `Rollout` says."""
        if seen.type != "ADDED":
            return
        of_sets = Counter(self.scene.set_of(pod) for pod in pods if is_active(pod))
        own = self.scene.set_of(seen.object)
        count = sum(self._kept(uid, number, uid == own) for uid, number in of_sets.items())
        most = max(bounds.most for bounds in recent)
        if count > most:
            self.say(f"{seen.key}: {count} pods of its Deployment, {most} allowed")

    def _kept(self, uid: str, pods: int, made: bool) -> int:
        """How many of a ReplicaSet's pods count: none that it is to let go, unless it made more than it was asked for."""
        asked: int = self.scene.sets[uid]["spec"]["replicas"]
        lately = max([asked, *(replicas for _, replicas in self._recently(self._before.get(uid, [])))])
        return pods if made and pods > lately else min(pods, asked)

    def _recently(self, was: list[tuple[float, int]]) -> list[tuple[float, int]]:
        return [(until, replicas) for until, replicas in was if until > self.scene.now - LAG]


class Available(Rollout):
    """No controller takes down a ready pod that maxUnavailable does not let go. (In the middle of a rollout, scaling down
    takes from each ReplicaSet its share, as Kubernetes has it, whichever pods are ready.)"""

    name = "maxUnavailable"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ready: dict[str, float] = {}  # when pods were ready last
        self._unready: dict[str, float] = {}  # when they were not
        self._tainted: dict[str, float] = {}  # when nodes drove pods away last

    def committed(self, seen: Seen) -> None:
        """As `Invariant` says."""
        if seen.key.startswith(NODES):
            taints = (*seen.object["spec"].get("taints", ()), *((seen.before or {}).get("spec", {}).get("taints", ())))
            if any(taint["effect"] == "NoExecute" for taint in taints):
                self._tainted[seen.object["metadata"]["name"]] = self.scene.now
        elif seen.key.startswith(PODS) and seen.before:
            last = self._ready if is_ready(seen.before) else self._unready
            last[seen.object["metadata"]["uid"]] = self.scene.now
        super().committed(seen)

    def check(self, seen: Seen, pods: list[Object], recent: list[Bounds]) -> None:
        """As `Rollout` says."""
        before, after = seen.before, seen.object
        if (
            seen.type != "MODIFIED"
            or not before
            or not is_active(before)
            or "deletionTimestamp" not in after["metadata"]
        ):
            return
        evicted = self.scene.now - self._tainted.get(after["spec"].get("nodeName"), -LAG) < LAG
        scaled = len({bounds.replicas for bounds in recent}) > 1
        news = self.scene.now - self._unready.get(after["metadata"]["uid"], -HEARD) < HEARD
        if not is_ready(after) or news or evicted or scaled or not self.scene.calm(DISK, LAG):
            return
        left, least = sum(self._counts(pod) for pod in pods if is_active(pod)), min(bounds.least for bounds in recent)
        if left < least:
            self.say(f"{seen.key} was taken down: {left} ready pods are left, {least} have to be")

    def _counts(self, pod: Object) -> bool:
        return is_ready(pod) or self.scene.now - self._ready.get(pod["metadata"]["uid"], -LAG) < LAG


class Recreate(Rollout):
    """With strategy Recreate, new pods come when the last old one is gone."""

    name = "recreate"

    def check(self, seen: Seen, pods: list[Object], recent: list[Bounds]) -> None:
        """As `Rollout` says."""
        if seen.type != "ADDED" or not all(bounds.recreate for bounds in recent):
            return
        for pod in pods:
            finished = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
            if not finished and _hash(pod) != _hash(seen.object):
                self.say(f"{seen.key} was made while {pod['metadata']['name']} was there")


def bounds_of(seen: Seen, now: float) -> Bounds:
    """What a Deployment's spec asks for."""
    found, spec = seen.object, seen.object["spec"]
    replicas, rolling = spec["replicas"], spec["strategy"].get("rollingUpdate", {})
    recreate = spec["strategy"]["type"] == "Recreate"
    going = seen.type == "DELETED" or "deletionTimestamp" in found["metadata"]
    least = 0 if recreate or going else replicas - rolling.get("maxUnavailable", 0)
    return Bounds(now, replicas, replicas + rolling.get("maxSurge", 0), least, recreate)


def _hash(pod: Object) -> str:
    return str(pod["metadata"]["labels"].get("pod-template-hash"))
