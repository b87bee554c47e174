"""One story: a cluster, the deeds done to it, and whether all held and came to rest.

`tell(seed, ...)` runs it in virtual time. Faults are mended when their time is over, at the latest when the deeds are; from
then on the cluster has `REST` seconds to be as its user asked, on every side: in the API, in the engines, for its watchers.
"""

from __future__ import annotations

import asyncio
import functools
import random
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from kubeapi.apps_v1.types import Deployment
from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.core_v1.types import Pod
from kubeapi.errors import ApiError
from kubeapi.registry import load
from naru.simulation.cluster import Cluster, Node
from naru.simulation.deeds import USER, Deed, plan_deeds
from naru.simulation.rest import unrest
from naru.simulation.virtual import StuckError, virtually
from naru.simulation.watchman import Watchman
from naru.simulation.wire import Weather

SETTLE = 5.0  # seconds that a cluster has before the first deed
REST = 900.0  # seconds after the last fault: an eviction takes 300, and so does the longest back-off of a container
AGAIN = 0.5
FAIR = Weather()


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
            return Outcome(seed, [str(error)], 0.0, 0, done)


class _Story:
    def __init__(self, seed: int, nodes: int, deeds: list[Deed], directory: Path) -> None:
        self._seed, self._deeds = seed, deeds
        self._cluster = Cluster(str(seed), nodes, directory)
        self._watchman = Watchman(self._cluster)
        self._wire = self._cluster.wire("user", self._watchman.answered)
        self._client = Client(self._wire, load(), "user")
        self._wanted: dict[str, dict[str, Any] | None] = {}
        self._mending: set[asyncio.Task[None]] = set()
        self._asking: asyncio.Queue[Deed | None] = asyncio.Queue()

    async def run(self) -> Outcome:
        """Until all rests, or something is wrong."""
        loop, cluster = asyncio.get_running_loop(), self._cluster
        await cluster.start()
        observer = Informer(Client(cluster.wire("observer"), load(), "observer"), Pod)
        await observer.start()
        user = loop.create_task(self._use(), name="user")
        alarm = loop.create_task(self._watchman.alarm.wait(), name="alarm")
        doing = loop.create_task(self._do_all(user), name="deeds")
        await asyncio.wait({alarm, doing}, return_when=asyncio.FIRST_COMPLETED)
        wrong = self._watchman.found
        if not wrong:
            doing.result()
            wrong = await self._rest(alarm, observer)
        for task in (alarm, doing, user, *self._mending):
            task.cancel()
        outcome = Outcome(self._seed, [*wrong], loop.time(), cluster.store.revision, self._deeds)
        await observer.stop()
        await cluster.stop()
        return outcome

    async def _do_all(self, user: asyncio.Task[None]) -> None:
        loop, begun = asyncio.get_running_loop(), SETTLE
        for deed in self._deeds:
            await asyncio.sleep(max(begun + deed.at - loop.time(), 0))
            if deed.name in USER:
                self._asking.put_nowait(deed)
            else:
                await self._do(deed)
        if self._mending:
            await asyncio.wait(self._mending)
        await self._cluster.start()
        self._asking.put_nowait(None)
        await user

    async def _rest(self, alarm: asyncio.Task[Any], observer: Informer[Pod]) -> list[str]:
        loop = asyncio.get_running_loop()
        until = loop.time() + REST
        while (left := unrest(self._cluster, self._wanted, observer)) and loop.time() < until:
            await asyncio.wait({alarm}, timeout=1.0)
            if self._watchman.found:
                return self._watchman.found
        return [f"not at rest {REST:.0f} s after the last fault: {why}" for why in left]

    # The user

    async def _use(self) -> None:
        """Ask for one thing after the other, each until it is answered: then it is known what was asked for."""
        while deed := await self._asking.get():
            name, told = deed.arguments["deployment"], deed.arguments
            wanted = self._wanted.get(name)
            if deed.name == "apply":
                wanted = told
            elif wanted is None:
                continue
            elif deed.name == "delete":
                wanted = None
            else:
                wanted = wanted | {key: value for key, value in told.items() if key != "deployment"}
            await self._until_answered(functools.partial(self._ask, name, wanted))
            self._wanted[name] = wanted

    async def _until_answered(self, ask: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await ask()
            except (OSError, ApiError):
                await asyncio.sleep(AGAIN)

    async def _ask(self, name: str, wanted: dict[str, Any] | None) -> None:
        if wanted is not None:
            patch = manifest(name, wanted)
            await self._client.patch(Deployment, name, patch, "default", type="apply", manager="user", force=True)
            return
        try:
            await self._client.delete(Deployment, name, "default")
        except ApiError as error:
            if error.code != 404:
                raise

    # The adversary

    async def _do(self, deed: Deed) -> None:
        told, cluster = deed.arguments, self._cluster
        node = cluster.nodes[told.get("node", 0)] if told.get("node", 0) >= 0 else None
        match deed.name:
            case "crash-server":
                await cluster.crash_server()
                self._later(told["seconds"], cluster.start_server)
            case "disk-full":
                cluster.store.full = True
                self._later(told["seconds"], lambda: setattr(cluster.store, "full", False))
            case "compact":
                await cluster.store.compact(cluster.store.revision)
            case "clock":
                clock = node.clock if node else cluster.clock
                clock.skew = told["skew"]
                self._later(told["seconds"], lambda: setattr(clock, "skew", 0.0))
            case _ if node is not None:
                self._watchman.troubled_until(asyncio.get_running_loop().time() + told.get("seconds", 0.0))
                await self._do_to(node, deed.name, told)

    async def _do_to(self, node: Node, name: str, told: dict[str, Any]) -> None:
        engine, seconds = node.engine, told.get("seconds", 0.0)
        match name:
            case "crash-agent":
                await node.crash()
                self._later(seconds, node.start)
            case "engine-down":
                engine.go_down()
                self._later(seconds, engine.come_up)
            case "kill" | "remove":
                if running := engine.running():
                    victim = running[int(told["which"] * len(running))].id
                    if name == "kill":
                        engine.kill(victim, told["code"], oom=told["oom"])
                    else:
                        engine.lose(victim)
            case "kill-sandbox":
                if sandboxes := engine.sandboxes():
                    engine.kill(sandboxes[int(told["which"] * len(sandboxes))].id)
            case "partition":
                node.wire.weather.cut = True
                self._later(seconds, lambda: setattr(node.wire.weather, "cut", False))
            case "weather":
                weather, bad = node.wire.weather, {key: told[key] for key in told.keys() & asdict(FAIR).keys()}
                _set(weather, bad)
                self._later(seconds, lambda: _set(weather, {key: getattr(FAIR, key) for key in bad}))
            case "mischief" | "engine-errors":
                mischief = {key: value for key, value in told.items() if key not in ("node", "seconds")}
                _set(engine.mischief, mischief)
                self._later(seconds, lambda: _set(engine.mischief, dict.fromkeys(mischief, 0.0)))
            case _:
                raise ValueError(f"no deed is called {name}")

    def _later(self, seconds: float, mend: Callable[[], object]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            mend()

        task = asyncio.get_running_loop().create_task(wait(), name="mending")
        self._mending.add(task)
        task.add_done_callback(self._mending.discard)


def _set(what: object, values: dict[str, Any]) -> None:
    for key, value in values.items():
        setattr(what, key, value)


def manifest(name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """The Deployment that a user's wish stands for."""
    labels = {"app": name}
    rolling = {"maxSurge": wanted["surge"], "maxUnavailable": wanted["unavailable"]}
    strategy: dict[str, Any] = {"type": "RollingUpdate", "rollingUpdate": rolling}
    if wanted["recreate"]:
        strategy = {"type": "Recreate"}
    containers = [{"name": "app", "image": wanted["image"]}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": wanted["replicas"],
            "selector": {"matchLabels": labels},
            "strategy": strategy,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }
