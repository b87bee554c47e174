"""One story: a cluster, the deeds done to it, and whether all held and came to rest.

`tell(seed, ...)` runs it in virtual time. Faults are mended when their time is over, at the latest when the deeds are; from
then on the cluster has `REST` seconds to be as its user asked, on every side: in the API, in the engines, for its watchers.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.core_v1.types import Pod
from kubeapi.registry import load
from naru.simulation.adversary import Adversary
from naru.simulation.cluster import Cluster
from naru.simulation.deeds import USER, Deed, plan_deeds
from naru.simulation.invariants.base import PODS, SLICES
from naru.simulation.observer import Observer
from naru.simulation.rest import unrest
from naru.simulation.user import User
from naru.simulation.virtual import StuckError, virtually
from naru.simulation.watchman import Watchman

SETTLE = 2.0  # seconds that a cluster has before the first deed
REST = 900.0  # seconds after the last fault: an eviction takes 300, and so does the longest back-off of a container
STAY = 50.0  # seconds for which it then has to stay so: a node that has fallen silent is noticed after 40
STILL = 20.0  # the last of these seconds, in which nothing but heartbeats is written


class Outcome(NamedTuple):
    """What a story came to: what was wrong (nothing: it held), seconds of virtual time, commits, and its deeds."""

    seed: int
    wrong: list[str]
    seconds: float
    revisions: int
    deeds: list[Deed]


def tell(seed: int, nodes: int = 3, seconds: float = 300.0, deeds: Sequence[Deed] | None = None) -> Outcome:
    """Run a story; its deeds are made from the seed unless they are given."""
    done = list(deeds) if deeds is not None else plan_deeds(random.Random(seed), nodes, seconds)
    with tempfile.TemporaryDirectory(prefix="naru-story-") as directory:
        try:
            return virtually(lambda: _Story(seed, nodes, done, Path(directory)).run())
        except StuckError as error:
            return Outcome(seed, [f"stuck: {error}"], 0.0, 0, done)


class _Story:
    def __init__(self, seed: int, nodes: int, deeds: list[Deed], directory: Path) -> None:
        self._seed, self._deeds = seed, deeds
        cluster = self._cluster = Cluster(str(seed), nodes, directory)
        self._watchman = Watchman(cluster)
        self._scene = self._watchman.scene
        wire = cluster.wire("user")
        self._user = User(Client(wire, load(), "user"), self._scene)
        self._informer = Informer(Client(cluster.wire("informer"), load(), "informer"), Pod)
        self._pods = Observer(cluster, self._scene, "/api/v1/pods", PODS)
        self._slices = Observer(cluster, self._scene, "/apis/discovery.k8s.io/v1/endpointslices", SLICES)
        self._adversary = Adversary(cluster, self._scene, wire, self._pods)

    async def run(self) -> Outcome:
        """Until all rests, or something is wrong."""
        loop, cluster, observers = asyncio.get_running_loop(), self._cluster, (self._pods, self._slices)
        await cluster.start()
        await self._informer.start()
        for watching in (self._watchman, *observers):
            watching.start()
        tasks = [
            loop.create_task(self._scene.alarm.wait(), name="alarm"),
            loop.create_task(self._do_all(), name="deeds"),
        ]
        alarm, doing = tasks
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        wrong = self._scene.found
        if not wrong:
            doing.result()
            wrong = await self._rest(alarm)
        outcome = Outcome(self._seed, [*wrong], loop.time(), cluster.store.revision, self._deeds)
        for watching in (self._watchman, *observers):
            watching.stop()
        self._adversary.stop()
        for task in tasks:
            task.cancel()
        await self._informer.stop()
        await cluster.stop()
        return outcome

    async def _do_all(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            using = group.create_task(self._user.run(), name="user")
            for deed in self._deeds:
                await asyncio.sleep(max(SETTLE + deed.at - loop.time(), 0))
                if deed.name in USER:
                    self._user.ask(deed)
                else:
                    await self._adversary.do(deed)
            await self._adversary.mended()
            self._user.ask(None)
            await asyncio.wait({using}, timeout=REST)
            if using.cancel():
                self._scene.say("rest", f"{REST:.0f} s after the last fault its user still waits: {self._user.doing}")

    async def _rest(self, alarm: asyncio.Task[Any]) -> list[str]:
        loop = asyncio.get_running_loop()
        until = loop.time() + REST
        while (left := self._unrest()) and loop.time() < until:
            await asyncio.wait({alarm}, timeout=1.0)
            if self._scene.found:
                return self._scene.found
        if left:
            return [f"rest: {REST:.0f} s after the last fault: {why}" for why in left]
        until = loop.time() + STAY
        while not (left := self._unrest()) and not self._scene.found and loop.time() < until:
            await asyncio.wait({alarm}, timeout=1.0)
        if not left and not self._scene.found:
            left = self._restless()
        return self._scene.found or [f"rest: it did not last: {why}" for why in left]

    def _restless(self) -> list[str]:
        """What was written though all has rested for long."""
        at, key = self._scene.wrote
        ago = self._scene.now - at
        return [f"{key} was written {ago:.0f} s ago"] if ago < STILL else []

    def _unrest(self) -> list[str]:
        seen = {pod.metadata.uid: pod.metadata.resource_version for pod in self._informer.list()}
        return unrest(self._cluster, self._scene, self._user.wanted, (seen, self._pods.seen))
