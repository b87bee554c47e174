"""Who breaks what a cluster stands on, and mends it when a deed's time is over: what comes after is the cluster's affair.

Where two faults of one kind overlap, the first to end mends both.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from agent.runtime.protocol import Container, Sandbox
from agent.runtime.simulated import KILLED
from kubeapi.client.client import Client
from kubeapi.core_v1.types import Pod
from kubeapi.errors import ApiError
from kubeapi.registry import load
from naru.simulation.cluster import Cluster, Node
from naru.simulation.deeds import EVERYBODY, Deed
from naru.simulation.invariants.base import CONTROL_PLANE, DISK, Scene, is_ready
from naru.simulation.node import Engine, app_of
from naru.simulation.observer import Observer
from naru.simulation.virtual import VirtualLoop
from naru.simulation.wire import Weather, Wire

T = TypeVar("T")
FAIR = Weather()
SHAKEN = {"crash-server": CONTROL_PLANE, "slow-controllers": CONTROL_PLANE, "clock": CONTROL_PLANE, "disk-full": DISK}
LONGEST_WAIT = 5.0  # seconds in which the turn comes in which a process is to crash, or it crashes then


class Adversary:
    """Does deeds to a cluster, to a user's wire and to an observer's patience."""

    def __init__(self, cluster: Cluster, scene: Scene, user: Wire, slow: Observer) -> None:
        self._cluster, self._scene, self._user, self._slow = cluster, scene, user, slow
        self._client = Client(cluster.wire("adversary"), load(), "adversary")
        self._tasks: set[asyncio.Task[None]] = set()

    async def mended(self) -> None:
        """Return once everything is as it should be again."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._cluster.start()

    def stop(self) -> None:
        """Leave all as it is."""
        for task in self._tasks:
            task.cancel()

    async def do(self, deed: Deed) -> None:
        """One deed."""
        told, seconds = deed.arguments, deed.arguments.get("seconds", 0.0)
        node = self._cluster.nodes[told["node"]] if told.get("node", EVERYBODY) != EVERYBODY else None
        if node:
            self._scene.trouble(node.name, self._scene.now + seconds)
        elif deed.name in SHAKEN:
            self._scene.trouble(SHAKEN[deed.name], self._scene.now + seconds)
        match deed.name:
            case "crash-server":
                self._spawn(self._crash(self._cluster.crash_server, self._cluster.start_server, CONTROL_PLANE, told))
            case "disk-full":
                self._cluster.store.full = True
                self._later(seconds, lambda: setattr(self._cluster.store, "full", False))
            case "compact":
                await self._cluster.store.compact(self._cluster.store.revision)
            case "slow-watcher":
                self._slow.slowness = told["delay"]
                self._later(seconds, lambda: setattr(self._slow, "slowness", 0.0))
            case "slow-controllers":
                self._turn(self._cluster.inside, asdict(FAIR), told)
            case "clock":
                clock = node.clock if node else self._cluster.clock
                clock.skew = told["skew"]
                self._scene.trouble(f"{node.name if node else 'server'}'s clock", self._scene.now + seconds)
                self._later(seconds, lambda: setattr(clock, "skew", 0.0))
            case "kill" | "remove" | "unwell" | "crash-loop" | "kill-sandbox":
                self._strike(deed.name, told)
            case "overwrite":
                self._spawn(self._overwrite(told))
            case "weather":
                self._turn((node.wire if node else self._user).weather, asdict(FAIR), told)
            case _ if node is not None:
                await self._do_to(node, deed.name, told, seconds)
            case _:
                raise ValueError(f"no deed is called {deed.name}")

    async def _do_to(self, node: Node, name: str, told: dict[str, Any], seconds: float) -> None:
        engine = node.engine
        match name:
            case "crash-agent":
                self._spawn(self._crash(node.crash, node.start, node.name, told))
            case "reboot":
                await node.reboot()
                self._later(seconds, node.start)
            case "engine-down":
                engine.go_down()
                self._later(seconds, engine.come_up)
            case "engine-hangs":
                engine.thawed.clear()
                self._later(seconds, engine.thawed.set)
            case "engine-errors" | "engine-full" | "events":
                self._turn(engine.mischief, asdict(type(engine.mischief)()), told)
            case "partition":
                node.wire.weather.cut = True
                self._later(seconds, lambda: setattr(node.wire.weather, "cut", False))
            case _:
                raise ValueError(f"no deed is called {name}")

    def _strike(self, name: str, told: dict[str, Any]) -> None:
        """Harm one of all containers, or sandboxes, that live: a node that is well has to notice at once."""
        nodes = self._cluster.nodes
        alive: list[tuple[Engine, Container | Sandbox]] = [
            (node.engine, made)
            for node in nodes
            for made in (node.engine.sandboxes() if name == "kill-sandbox" else node.engine.running())
        ]
        if name == "unwell":  # of those that somebody asks, if there are any
            alive = [(engine, made) for engine, made in alive if made.id in engine.asked] or alive
        if not alive:
            return
        engine, victim = _chosen(alive, told)
        match name:
            case "remove":
                engine.lose(victim.id)
            case "unwell":
                assert isinstance(victim, Container)
                whom = app_of(victim) if told["all"] else victim.id
                for node in nodes:  # an id is one engine's only
                    self._sicken(node.engine, whom, told["seconds"])
            case "crash-loop":
                self._turn(engine.mischief, asdict(type(engine.mischief)()), told)
                engine.kill(victim.id, 1)
            case _:
                engine.kill(victim.id, told.get("code", KILLED), oom=told.get("oom", False))

    def _sicken(self, engine: Engine, whom: str, seconds: float) -> None:
        engine.unwell.add(whom)
        self._later(seconds, lambda: engine.unwell.discard(whom))

    async def _overwrite(self, told: dict[str, Any]) -> None:
        """Somebody who may says of a pod what is its node's to say."""
        pods = self._scene.pods()
        if not (pods := [pod for pod in pods if is_ready(pod)] or pods):
            return
        meta = _chosen(pods, told)["metadata"]
        status = {"conditions": [{"type": "Ready", "status": "True" if told["ready"] else "False"}]}
        if address := told["address"]:
            status |= {"podIP": address, "podIPs": [{"ip": address}]}
        patch = {"metadata": {"uid": meta["uid"]}, "status": status}
        with contextlib.suppress(ApiError, OSError):
            await self._client.patch(
                Pod, meta["name"], patch, meta["namespace"], type="strategic", subresource="status"
            )

    async def _crash(
        self, crash: Callable[[], Any], start: Callable[[], Any], place: str, told: dict[str, Any]
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                await loop.turn(told["turns"])
        self._scene.trouble(place, self._scene.now + told["seconds"])
        await crash()
        await asyncio.sleep(told["seconds"])
        start()

    def _turn(self, what: object, good: dict[str, Any], told: dict[str, Any]) -> None:
        """Set what a deed says of something, for the deed's time."""
        bad = {key: told[key] for key in told.keys() & good.keys()}
        _set(what, bad)
        self._later(told["seconds"], lambda: _set(what, {key: good[key] for key in bad}))

    def _later(self, seconds: float, mend: Callable[[], object]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            mend()

        self._spawn(wait())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work, name="adversary")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _chosen(those: Sequence[T], told: dict[str, Any]) -> T:
    return those[int(told["which"] * len(those))]


def _set(what: object, values: dict[str, Any]) -> None:
    for key, value in values.items():
        setattr(what, key, value)
