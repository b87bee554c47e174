"""The world of one pod: a real worker on a simulated engine in virtual time, and what the API hears of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agent.images import Images
from agent.network.protocol import SimulatedNetwork
from agent.objects import Objects
from agent.parts import Parts
from agent.podworker import PodWorker
from agent.runtime.protocol import Container, ContainerSpec, EngineDownError, ExecResult, Image, Sandbox, SandboxSpec
from agent.runtime.simulated import Life, SimulatedRuntime, life_of
from agent.volumes import Volumes
from kubeapi.core_v1.types import ContainerStatus, Pod, PodStatus
from naru.simulation.virtual import VirtualClock

IMAGE = "app:1"
PATIENCE = 7200.0


class NoServices:
    """The cache of a cluster without Services."""

    def list(self, namespace: str | None = None) -> list[None]:
        return []

    def get(self, namespace: str, name: str) -> None:
        return None


class Counting(SimulatedRuntime):
    """An engine that counts the sandboxes it was asked for, and how often it was asked what there is of the pod."""

    looks = sandboxes = 0

    async def observe(self, pod_uid: str = "") -> tuple[list[Sandbox], list[Container]]:
        self.looks += bool(pod_uid)
        return await super().observe(pod_uid)

    async def create_sandbox(self, spec: SandboxSpec) -> Sandbox:
        self.sandboxes += 1
        return await super().create_sandbox(spec)


class World:
    """One pod, an engine of some kind with its image, and all that the API heard."""

    def __init__(
        self,
        directory: Path,
        lives: Callable[[ContainerSpec], Life] = life_of,
        probe: Any = None,
        runtime: type[SimulatedRuntime] = SimulatedRuntime,
    ) -> None:
        self.clock = VirtualClock()
        commands = probe or (lambda *_: ExecResult(0))
        self.runtime: Any = runtime(self.clock, random.Random(1), lives, commands=commands)
        self.runtime.present[IMAGE] = Image("sha256:app", (IMAGE,))
        self.network = SimulatedNetwork("10.99.0.0/24")
        self.status, self.events = PodStatus(), list[tuple[str, str]]()
        self.worker: PodWorker
        self.work: asyncio.Task[None]
        self._changed, self.forgotten = asyncio.Event(), asyncio.Event()
        self._directory = directory

    def _report(self, pod: Pod, status: PodStatus) -> None:
        self.status = status
        told = self.worker.pod.clone()
        told.status = PodStatus.from_json(status.to_json())
        self.worker.update(told)  # as the watch brings it back
        self._changed.set()

    async def _finish(self, pod: Pod) -> None:
        self.forgotten.set()

    def _say(self, pod: Pod, path: str, type_: str, reason: str, message: str) -> None:
        self.events.append((reason, message))

    async def _listen(self) -> None:
        while True:
            try:
                async for event in self.runtime.events():
                    if event.pod_uid:
                        self.worker.hear(event)
                    else:
                        self.worker.wake()
            except EngineDownError:
                self.worker.lose_engine()
                await asyncio.sleep(0.5)

    @asynccontextmanager
    async def running(self, *, status: PodStatus | None = None, **spec: Any) -> AsyncIterator[None]:
        """The pod's worker, at work until the block ends; `status` is what the API knew before."""
        pod = Pod.model_validate({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec})
        pod.status = status or PodStatus()
        objects = Objects(None, NoServices())  # type: ignore[arg-type]
        parts = Parts(
            runtime=self.runtime,
            network=self.network,
            images=Images(self.runtime, self.clock),
            volumes=Volumes(objects, self.runtime, self._directory),
            objects=objects,
            clock=self.clock,
            say=self._say,
            directory=self._directory,
            host_ip="127.0.0.1",
        )
        self.worker = PodWorker(pod, parts, self._report, self._finish)
        self.work = asyncio.create_task(self.worker.run())
        tasks = [asyncio.create_task(self._listen()), self.work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, holds: Callable[[PodStatus], Any]) -> PodStatus:
        """The first status that holds."""
        async with asyncio.timeout(PATIENCE):
            while not holds(self.status):
                self._changed.clear()
                await self._changed.wait()
        return self.status

    async def run(self, restarts: int = 0) -> ContainerStatus:
        """The container `c` once it runs, after so many restarts."""
        status = await self.until(lambda s: s.container_statuses and _runs(s, restarts))
        return status.container_statuses[0]

    async def container(self) -> Container:
        """The newest container on the engine."""
        _, containers = await self.runtime.observe()
        return max(containers, key=lambda c: c.attempt)

    def delete(self, grace: int) -> None:
        """What the API tells of a pod that is being deleted."""
        pod = self.worker.pod.clone()
        pod.metadata.deletion_timestamp, pod.metadata.deletion_grace_period_seconds = self.clock.now(), grace
        self.worker.update(pod)

    def heard(self, reason: str) -> list[str]:
        return [message for said, message in self.events if said == reason]


def _runs(status: PodStatus, restarts: int) -> bool:
    seen = status.container_statuses[0]
    return seen.state.running is not None and seen.restart_count == restarts


def seconds() -> float:
    """The virtual time."""
    return asyncio.get_running_loop().time()


def container(**more: Any) -> dict[str, Any]:
    """A container `c` of a pod's spec."""
    return {"name": "c", "image": IMAGE, **more}
