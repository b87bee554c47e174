"""Checks a story while it goes on: each commit and each start of a container, in the moment in which it happens.

What must hold whatever the adversary does: an answered write is in the log, as it was answered; revisions grow by one; a pod
is never given to a second node; no container of a pod lives twice; a Deployment never has more pods than its replicas and
maxSurge allow, and no controller takes down a ready pod that maxUnavailable does not let go.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from controlplane.store import Change
from kubeapi.client.transport import Request, Response
from naru.simulation.cluster import Cluster

LAG = 5.0  # seconds for which a controller may act on the spec before the last: it has to hear of it first
AFTERMATH = 60.0  # seconds after a fault in which a pod may still be taken down because of it
PODS, SETS, DEPLOYMENTS = "//pods/", "/apps/replicasets/", "/apps/deployments/"


class Watchman:
    """Watches a cluster; `found` says what was wrong, with the time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.found: list[str] = []
        self.alarm = asyncio.Event()
        self._revision = 0
        self._pods: dict[str, dict[str, Any]] = {}  # by key
        self._sets: dict[str, dict[str, Any]] = {}  # by uid
        self._bounds: dict[str, list[tuple[float, int, int]]] = {}  # by Deployment's uid: since when, at most, at least
        self._troubled = 0.0
        cluster.store.on_commit.append(self._committed)
        for node in cluster.nodes:
            node.engine.on_start.append(self._started)

    def troubled_until(self, at: float) -> None:
        """The adversary has a node in hand until then: pods may fall for other reasons than a controller's."""
        self._troubled = max(self._troubled, at + AFTERMATH)

    def answered(self, request: Request, response: Response) -> None:
        """A client was told that its write was done."""
        if request.method == "GET" or response.status >= 300 or response.stream is not None:
            return
        told = orjson.loads(response.body)
        revision = int(told.get("metadata", {}).get("resourceVersion") or 0)
        if revision > self._revision:
            self._say(
                f"answered revision {revision}, but the log ends at {self._revision}: {request.method} {request.path}"
            )

    def _say(self, what: str) -> None:
        now = asyncio.get_running_loop().time()
        self.found.append(f"{now:.2f}: {what}")
        self.alarm.set()

    def _committed(self, change: Change) -> None:
        if change.revision != self._revision + 1:
            self._say(f"revision {change.revision} after {self._revision}")
        self._revision = change.revision
        if change.key.startswith(PODS):
            self._pod(change)
        elif change.key.startswith(SETS):
            found = orjson.loads(change.value)
            self._sets[found["metadata"]["uid"]] = found
        elif change.key.startswith(DEPLOYMENTS):
            self._deployment(orjson.loads(change.value), gone=change.type == "DELETED")

    def _deployment(self, found: dict[str, Any], gone: bool) -> None:
        replicas, strategy = found["spec"]["replicas"], found["spec"]["strategy"]
        rolling = strategy.get("rollingUpdate", {})
        most = replicas + rolling.get("maxSurge", 0)
        least = 0 if strategy["type"] == "Recreate" else replicas - rolling.get("maxUnavailable", 0)
        if gone or found["metadata"].get("deletionTimestamp"):
            least = 0
        bounds = self._bounds.setdefault(found["metadata"]["uid"], [])
        if not bounds or bounds[-1][1:] != (most, least):
            bounds.append((asyncio.get_running_loop().time(), most, least))

    def _recent(self, uid: str) -> list[tuple[float, int, int]]:
        """The bounds that a controller may still go by."""
        now, bounds = asyncio.get_running_loop().time(), self._bounds.get(uid, [])
        return [
            bound
            for bound, following in zip(bounds, [*bounds[1:], (now + 1, 0, 0)], strict=True)
            if following[0] > now - LAG
        ]

    def _pod(self, change: Change) -> None:
        pod, was = orjson.loads(change.value), self._pods.get(change.key)
        if was and was["metadata"]["uid"] == pod["metadata"]["uid"]:
            before, after = was["spec"].get("nodeName"), pod["spec"].get("nodeName")
            if before and before != after:
                self._say(f"{change.key} was moved from {before} to {after}")
        if change.type == "DELETED":
            self._pods.pop(change.key, None)
        else:
            self._pods[change.key] = pod
        owner = self._deployment_of(pod)
        if owner is None:
            return
        siblings = [p for p in self._pods.values() if self._deployment_of(p) == owner and _active(p)]
        if change.type == "ADDED":
            most = max((bound[1] for bound in self._recent(owner)), default=len(siblings))
            if len(siblings) > most:
                self._say(f"{change.key}: {len(siblings)} pods of its Deployment, {most} allowed")
        taken = change.type == "MODIFIED" and was is not None and _active(was) and not _active(pod)
        if taken and _ready(pod) and not self._in_trouble() and "deletionTimestamp" in pod["metadata"]:
            least = min((bound[2] for bound in self._recent(owner)), default=0)
            if (left := sum(map(_ready, siblings))) < least:
                self._say(f"{change.key} was taken down: {left} ready pods are left, {least} have to be")

    def _in_trouble(self) -> bool:
        return asyncio.get_running_loop().time() < self._troubled

    def _deployment_of(self, pod: dict[str, Any]) -> str | None:
        """The uid of the Deployment that a pod belongs to, by its ReplicaSet."""
        for reference in pod["metadata"].get("ownerReferences", ()):
            parents = self._sets.get(reference["uid"], {}).get("metadata", {}).get("ownerReferences", ())
            for parent in parents:
                return str(parent["uid"])
        return None

    def _started(self, container_id: str) -> None:
        alive: dict[tuple[str, str], str] = {}
        for node in self._cluster.nodes:
            for container in node.engine.running():
                key = (container.pod.uid, container.name)
                if key in alive:
                    self._say(f"{container.pod.name}/{container.name} lives twice: on {alive[key]} and {node.name}")
                alive[key] = node.name


def _active(pod: dict[str, Any]) -> bool:
    finished = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not finished and "deletionTimestamp" not in pod["metadata"]


def _ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
