"""A simulated node: the real agent on an engine, a network and volumes that are in memory.

The engine outlives the agent, as Docker does. `Engine` adds what goes wrong to the simulated runtime: events that are lost,
late, told twice or out of order, calls that fail or hang.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import dataclass

from agent.agent import Agent, AgentConfig
from agent.network.config import NetworkConfig
from agent.network.protocol import Network, SimulatedNetwork
from agent.node import Machine
from agent.runtime.protocol import (
    Container,
    ContainerSpec,
    EngineError,
    ExecResult,
    Mount,
    Runtime,
    RuntimeEvent,
    Sandbox,
)
from agent.runtime.simulated import KILLED, Life, SimulatedRuntime
from agent.server import AgentServer
from agent.volumes import Volumes
from kubeapi.client.client import Client
from kubeapi.clock import Clock
from kubeapi.core_v1.types import Container as Template
from kubeapi.core_v1.types import NodeSystemInfo, Pod

INFO = NodeSystemInfo(
    kernel_version="simulated", architecture="amd64", kubelet_version="v1.36.0", operating_system="linux"
)
CPUS, MEMORY, DISK = 6, 16 * 2**30, 100 * 2**30  # of a story's machine
STUBBORN = "--stubborn"


@dataclass(slots=True)
class Mischief:
    """What goes wrong in an engine: chances by event or by call."""

    lost: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    fails: float = 0.0
    hangs: float = 0.0
    full: bool = False  # no room for images and containers
    doomed: bool = False  # what starts crashes soon


class Engine(SimulatedRuntime):
    """A simulated runtime that misbehaves as its `mischief` says; chance is a source of its own."""

    HANG, LATE, DOOM = 8.0, 2.0, 0.5  # seconds at most

    def __init__(self, clock: Clock, rng: random.Random, chance: random.Random, registry: Mapping[str, int]) -> None:
        super().__init__(clock, rng, _life_of, registry, commands=self._well)
        self._chance, self.mischief = chance, Mischief()
        self.thawed = asyncio.Event()  # not set: it hangs
        self.thawed.set()
        self.unwell: set[str] = set()  # containers, or Deployments by name, that are so: who probes them hears of it
        self.asked: set[str] = set()  # containers that were probed
        self.ended: dict[str, float] = {}  # when containers ended
        self.ending: set[str] = set()  # what somebody waits for to end
        self.on_start: list[Callable[[Container], None]] = []  # told of each container that has just begun to live

    async def hurdle(self) -> None:
        """What stands between a call and its being heard."""
        await self.thawed.wait()
        if self._happens(self.mischief.hangs):
            await asyncio.sleep(self._chance.uniform(0, self.HANG))
        if self._happens(self.mischief.fails):
            raise EngineError("Error response from daemon: something went wrong")

    async def _take(self, seconds: float) -> None:
        await super()._take(seconds)
        if self.mischief.full:
            raise EngineError("Error response from daemon: no space left on device")

    async def start(self, container_id: str) -> Container:
        """As `Runtime` says."""
        container = await super().start(container_id)
        for tell in self.on_start:
            tell(container)
        if self.mischief.doomed:
            asyncio.get_running_loop().call_later(self._chance.uniform(0, self.DOOM), self._doom, container_id)
        return container

    def _doom(self, container_id: str) -> None:
        if self.mischief.doomed:  # else it has been spared: after the last fault nothing goes wrong
            self.kill(container_id, 1)

    async def stop(self, container_id: str, grace: float, signal: str = "") -> None:
        """As `Runtime` says."""
        self.ending.add(container_id)
        try:
            await super().stop(container_id, grace, signal)
        finally:
            self.ending.discard(container_id)

    def _end(self, container_id: str, exit_code: int, oom: bool = False) -> None:
        self.ended.setdefault(container_id, asyncio.get_running_loop().time())
        super()._end(container_id, exit_code, oom)

    def _well(self, container: Container, command: list[str]) -> ExecResult:
        self.asked.add(container.id)
        return ExecResult(1 if self.is_unwell(container) else 0)

    def is_unwell(self, container: Container) -> bool:
        """Whether a container would say so to whoever probes it."""
        return not self.unwell.isdisjoint((container.id, app_of(container)))

    async def events(self) -> AsyncGenerator[RuntimeEvent, None]:
        """As `Runtime` says; what comes late comes out of order."""
        out: asyncio.Queue[RuntimeEvent | Exception | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def read() -> None:
            try:
                async for event in super(Engine, self).events():
                    if event.action != "listening" and self._happens(self.mischief.lost):
                        continue
                    for _ in range(2 if self._happens(self.mischief.twice) else 1):
                        pause = self._chance.uniform(0, self.LATE) if self._happens(self.mischief.late) else 0.0
                        loop.call_later(pause, out.put_nowait, event) if pause else out.put_nowait(event)
            except EngineError as error:
                out.put_nowait(error)

        reader = loop.create_task(read())
        try:
            while event := await out.get():
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            reader.cancel()

    def running(self) -> list[Container]:
        """What really runs, whoever knows of it."""
        return [container for container in self.containers() if container.phase == "running"]

    def sandboxes(self) -> list[Sandbox]:
        """The sandboxes that live."""
        values = [made.value for made in self._made.values()]
        return [v for v in values if isinstance(v, Sandbox) and v.running]

    def containers(self) -> list[Container]:
        """Those that run and those that ran."""
        return [made.value for made in self._made.values() if isinstance(made.value, Container)]

    def reboot(self) -> None:
        """The machine's power was lost: nothing runs any more."""
        for container_id in [*self._made]:
            self._end(container_id, KILLED)

    def lose(self, container_id: str) -> None:
        """Somebody else removes it."""
        self._end(container_id, KILLED)
        self._made.pop(container_id, None)
        self.ended.pop(container_id, None)

    def everything(self) -> set[str]:
        """The uids of all pods of which something is left."""
        return {made.value.pod.uid for made in self._made.values()}

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._chance.random() < probability


def app_of(container: Container) -> str:
    """The Deployment of a story that a container belongs to."""
    return container.pod.name.partition("-")[0]


def _life_of(spec: ContainerSpec) -> Life:
    """A life that listens to no signal, for those whose command says so."""
    return Life(obeys_after=None) if STUBBORN in spec.args else Life()


class _NoServer(AgentServer):
    """Logs and commands of a simulated node: who asks for them is refused."""

    def __init__(self) -> None:
        """Nothing is needed."""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """A port where nobody listens."""
        return 1

    async def stop(self) -> None:
        """Nothing listens."""


class _NoVolumes(Volumes):
    """Volumes that are always there: nothing of them is on this machine."""

    def __init__(self) -> None:
        """Nothing is needed."""

    async def prepare(self, pod: Pod) -> None:
        """They are."""

    def mounts(self, pod: Pod, container: Template, variables: Mapping[str, str]) -> tuple[Mount, ...]:
        """None."""
        return ()

    async def refresh(self, pod: Pod) -> None:
        """Nothing to follow."""

    async def release(self, pod_uid: str) -> None:
        """Nothing to give back."""

    async def remove(self, pod_uid: str) -> None:
        """Nothing to delete."""

    async def collect(self, known: Collection[str]) -> None:
        """Nothing was left."""


class SimulatedAgent(Agent):
    """The agent of a machine that there is not. addresses are the kernel's: they are there before it, and after it.
    fallen hears why a part of it ended that nobody ended."""

    def __init__(
        self,
        client: Client,
        runtime: Runtime,
        config: AgentConfig,
        clock: Clock,
        machine: Machine,
        addresses: dict[str, str],
        fallen: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._simulated, self._addresses, self._fallen = machine, addresses, fallen
        super().__init__(client, runtime, config, clock, None)

    def _machine(self) -> Machine:
        return self._simulated

    def _make_server(self, tls: ssl.SSLContext | None) -> AgentServer:
        return _NoServer()

    def _fell(self, part: str, error: BaseException) -> None:
        super()._fell(part, error)
        if self._fallen:
            self._fallen(error)

    async def _keep_machine(self) -> None:
        """There is nothing to look at."""

    def _make_network(self, config: NetworkConfig) -> Network:
        network = SimulatedNetwork(config.pod_cidr)
        network.addresses = self._addresses
        return network

    def _make_volumes(self, allocatable: Mapping[str, str | int | float]) -> Volumes:
        return _NoVolumes()
