"""Watches a story while it goes on: each commit, each answer, each start of a container in the moment in which it happens.

What must hold is told by the invariants (`invariants/`); here they are given their eyes.
"""

from __future__ import annotations

import asyncio
import functools

import orjson

from agent.runtime.protocol import Container
from controlplane.store import Change
from kubeapi.client.transport import Request, Response
from naru.simulation.cluster import Cluster, Node
from naru.simulation.invariants import ALL
from naru.simulation.invariants.base import HEARTBEATS, SETS, Scene, Seen, Told


class Watchman:
    """Watches a cluster until it is relieved."""

    def __init__(self, cluster: Cluster) -> None:
        self.scene = Scene(cluster)
        self._invariants = [kind(self.scene) for kind in ALL]
        self._ticking: asyncio.Task[None] | None = None
        cluster.store.on_commit.append(self._committed)
        cluster.on_answer.append(self._answered)
        for node in cluster.nodes:
            node.engine.on_start.append(functools.partial(self._started, node))

    def start(self) -> None:
        """Look around once a second."""
        self._ticking = asyncio.get_running_loop().create_task(self._tick(), name="watchman")

    def stop(self) -> None:
        """Look no more; what is done to the cluster from now on is no part of the story."""
        if self._ticking:
            self._ticking.cancel()
        self._invariants.clear()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for invariant in self._invariants:
                invariant.ticked()

    def _committed(self, change: Change) -> None:
        scene, found = self.scene, orjson.loads(change.value)
        seen = Seen(change.type, change.key, change.revision, found, scene.objects.get(change.key))
        scene.keep(change.key, None if change.type == "DELETED" else found)
        if not change.key.startswith(HEARTBEATS):
            scene.wrote = (scene.now, change.key)
        if change.key.startswith(SETS):
            scene.sets[found["metadata"]["uid"]] = found
        scene.uids.append(found["metadata"]["uid"])
        for invariant in self._invariants:
            invariant.committed(seen)

    def _answered(self, request: Request, response: Response) -> None:
        if request.method == "GET" or response.status >= 300 or response.stream is not None:
            return
        told = Told(orjson.loads(response.body), f"{request.method} {request.path}")
        for invariant in self._invariants:
            invariant.answered(told)

    def _started(self, node: Node, container: Container) -> None:
        for invariant in self._invariants:
            invariant.started(node, container)
