"""The cluster of a story: one disk, one control plane at a time, some nodes; each can be crashed and started again.

A crash is a process's end at whatever it awaits: its wires are dead from that moment, so nothing that its tasks do on their
way out reaches anybody, while what it had asked of an engine or of the server is carried on there, as it would be.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from agent.agent import AgentConfig
from agent.node import Machine
from agent.runtime.protocol import EngineDownError, EngineError
from controlplane.admission.chain import Admission
from controlplane.apiserver.authentication import ADMIN, node_identity
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.server import ApiServer
from controlplane.controllers.manager import Manager
from controlplane.store import StoreError
from kubeapi.client.client import Client
from kubeapi.client.transport import Request, Response
from kubeapi.registry import load
from naru.simulation.node import CPUS, DISK, INFO, MEMORY, Engine, SimulatedAgent
from naru.simulation.store import MemoryStore
from naru.simulation.virtual import MACHINE, VirtualClock
from naru.simulation.wire import Weather, Wire

POD_RANGE, SERVICE_RANGE = "10.244.0.0/16", "10.96.0.0/16"
IMAGES = {f"app:{version}": 20_000_000 for version in range(1, 10)}


class _Server:
    """One life of the API server. Requests are its own: a client that dies does not take them along."""

    def __init__(self, api: ApiServer) -> None:
        self.api, self.dead = api, False
        self._requests: set[asyncio.Task[Response]] = set()

    async def send(self, request: Request) -> Response:
        """As `Transport` says."""
        if self.dead:
            raise ConnectionRefusedError("no server listens")
        task = asyncio.get_running_loop().create_task(self.api.send(request))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        await asyncio.wait({task})
        if task.cancelled():
            raise ConnectionError("the server hung up")
        return task.result()

    async def close(self) -> None:
        """As `Transport` says."""

    def die(self) -> None:
        """Be gone in this moment."""
        self.dead = True
        for task in self._requests:
            task.cancel()


class _Attached:
    """One agent's hold of its node's engine. What the engine was asked it does, whether or not the agent lives to hear; an
    agent that lives and waits no more for what it has made removes it, as `DockerRuntime` does."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.dead = engine, False

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._engine, name)
        if name in ("events", "logs"):
            return call

        async def asked(*args: Any, **more: Any) -> Any:
            if self.dead:
                raise EngineDownError("nobody asks any more")

            async def heard() -> Any:
                await self._engine.hurdle()
                return await call(*args, **more)

            async def undo() -> None:
                with contextlib.suppress(EngineError):
                    made = await task
                    if not self.dead:
                        await self._engine.remove(getattr(made, "id", made))

            task = asyncio.get_running_loop().create_task(heard())
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                if name.startswith("create_") and not self.dead:
                    await asyncio.wait({asyncio.get_running_loop().create_task(undo())})
                raise
            return task.result()

        return asked

    async def close(self) -> None:
        """The engine goes on."""


class Node:
    """A machine: an engine that stays, and an agent that may not."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name, self._cluster = name, cluster
        self.clock = VirtualClock()
        rng = cluster.rng(name)
        self.engine = Engine(self.clock, rng, cluster.rng(f"{name}/chance"), IMAGES)
        user, groups = node_identity(name)
        self.wire = Wire(lambda: cluster.server, cluster.rng(f"{name}/wire"), user, groups, cluster.answered)
        self.addresses: dict[str, str] = {}  # of the pods that are plugged in, by their uids
        self.fallen: BaseException | None = None  # why an agent, or a part of it, ended that nobody ended
        self._life: asyncio.Task[None] | None = None
        self._attached: _Attached | None = None
        self._line: Wire | None = None

    @property
    def up(self) -> bool:
        """Whether an agent runs."""
        return self._life is not None

    def start(self) -> None:
        """Start an agent, unless one runs."""
        if self._life is None:
            self._life = asyncio.get_running_loop().create_task(self._live(), name=f"agent {self.name}")

    async def crash(self) -> None:
        """The agent's process is gone."""
        life, self._life = self._life, None
        if life is None or self._attached is None or self._line is None:
            return
        self._attached.dead = True
        self._line.dead = True
        life.cancel()
        await asyncio.wait({life})

    async def reboot(self) -> None:
        """The machine is gone, and what ran on it; a disk is left, and what the engine has on it."""
        await self.crash()
        self.engine.reboot()
        self.addresses.clear()

    async def _live(self) -> None:
        MACHINE.set(self.clock)
        self._attached, self._line = _Attached(self.engine), self.wire.another()
        config = AgentConfig("sim", self.name, POD_RANGE, SERVICE_RANGE, self._cluster.directory / self.name)
        client = Client(self._line, load(), "naru-agent")
        machine = Machine(CPUS, MEMORY, DISK, "192.0.2.1", self.name, INFO)
        agent = SimulatedAgent(client, self._attached, config, self.clock, machine, self.addresses, self._fell)
        try:
            async with agent.running():
                await asyncio.Event().wait()
        except Exception as error:
            self._fell(error)

    def _fell(self, error: BaseException) -> None:
        self.fallen = error


class Cluster:
    """seed decides all chance in it; directory is for the agents' few files."""

    def __init__(self, seed: str, nodes: int, directory: Path) -> None:
        self._seed, self.directory = seed, directory
        self.store = MemoryStore(self.rng("store"))
        self.on_answer: list[Callable[[Request, Response], None]] = []
        self.clock = VirtualClock()
        self.server: _Server | None = None
        self.nodes = [Node(self, f"node-{n}") for n in range(nodes)]
        self.fallen: BaseException | None = None  # why no control plane came up
        self.inside = Weather()  # between the controllers and their server
        self._line: Wire | None = None
        self._manager: Manager | None = None
        self._starting: asyncio.Task[None] | None = None
        self._lives = 0

    def rng(self, part: str) -> random.Random:
        """A source of chance for one part: what others draw does not change what it draws."""
        return random.Random(f"{self._seed}/{part}")

    def wire(self, name: str) -> Wire:
        """An administrator's line to the cluster."""
        user, groups = ADMIN
        return Wire(lambda: self.server, self.rng(name), user, groups, self.answered)

    def answered(self, request: Request, response: Response) -> None:
        """An answer has arrived at whoever asked."""
        for tell in self.on_answer:
            tell(request, response)

    async def start(self) -> None:
        """Start everything that does not run."""
        self.start_server()
        for node in self.nodes:
            node.start()

    def start_server(self) -> None:
        """Start a control plane, unless one runs or starts."""
        if self.server is None and self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start_server(), name="control plane")
            self._starting.add_done_callback(self._started)

    def _started(self, starting: asyncio.Task[None]) -> None:
        if not starting.cancelled() and (error := starting.exception()):
            self.fallen = error

    async def _start_server(self) -> None:
        MACHINE.set(self.clock)
        self._lives += 1
        registry, rng = load(), self.rng(f"server/{self._lives}")
        admission = Admission(self.store, rng)
        api = ApiServer(self.store, registry, self.clock, rng, admission)
        while True:
            try:
                await bootstrap(api, admission.ranges.addresses, "127.0.0.1", 6443)
                break
            except StoreError:
                await asyncio.sleep(1.0)
        server = _Server(api)
        line = self._line = self.wire(f"controllers/{self._lives}")
        line.weather = self.inside
        client = Client(line, registry, "naru-controllers")
        manager = Manager(client, registry, self.clock, rng, root_ca="CA", pod_network=POD_RANGE)
        self.server, self._manager = server, manager
        await manager.start()
        self._starting = None

    async def crash_server(self) -> None:
        """The control plane's process is gone."""
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
        server, self.server = self.server, None
        if self._line is not None:
            self._line.dead = True
        if server is not None:
            server.die()
        manager, self._manager = self._manager, None
        if starting is not None:
            await asyncio.wait({starting})
        if manager is not None:
            await _quietly(manager.stop())

    async def stop(self) -> None:
        """End everything."""
        for node in self.nodes:
            await node.crash()
        await self.crash_server()


async def _quietly(ending: Coroutine[Any, Any, None]) -> None:
    """Let a dead process's tasks come to their end; what they say on the way is nobody's concern."""
    with contextlib.suppress(Exception):
        await ending
