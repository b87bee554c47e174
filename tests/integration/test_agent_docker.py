"""A pod's worker on a real Docker Engine: it runs, it is replaced when killed, its sandbox too, and it leaves nothing."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.images import Images
from agent.network.protocol import SimulatedNetwork
from agent.objects import Objects
from agent.parts import Parts
from agent.podworker import PodWorker
from agent.runtime.docker import DockerRuntime
from agent.volumes import Volumes, kernel
from kubeapi.clock import SystemClock
from kubeapi.core_v1.types import Pod, PodStatus

pytestmark = pytest.mark.docker
IMAGE = "naru/base"
FOREVER = ["sh", "-c", "trap 'exit 0' TERM; sleep 999 & wait"]


class NoServices:
    """The cache of a cluster without Services."""

    def list(self, namespace: str | None = None) -> list[None]:
        return []

    def get(self, namespace: str, name: str) -> None:
        return None


class World:
    """One pod on the engine, and everything that was said about it."""

    def __init__(self, runtime: DockerRuntime, directory: Path) -> None:
        self.runtime, self.directory = runtime, directory
        self.status, self.events, self.changed = PodStatus(), [], asyncio.Event()
        self.forgotten = asyncio.Event()

    def report(self, pod: Pod, status: PodStatus) -> None:
        self.status = status
        self.changed.set()

    async def finish(self, pod: Pod) -> None:
        self.forgotten.set()

    async def until(self, holds) -> None:  # type: ignore[no-untyped-def]
        async with asyncio.timeout(8):
            while not holds(self.status):
                self.changed.clear()
                await self.changed.wait()

    @contextlib.asynccontextmanager
    async def run(self, spec: dict) -> AsyncIterator[PodWorker]:
        body = {"metadata": {"name": "p", "namespace": "ns", "uid": str(uuid.uuid4())}, "spec": spec}
        pod = Pod.model_validate(body)
        clock = SystemClock()
        objects = Objects(None, NoServices())  # type: ignore[arg-type]
        parts = Parts(
            runtime=self.runtime,
            network=SimulatedNetwork("10.99.0.0/24"),
            images=Images(self.runtime, clock),
            volumes=Volumes(objects, self.runtime, self.directory),
            objects=objects,
            clock=clock,
            say=lambda pod, path, *said: self.events.append(said),
            directory=self.directory,
            host_ip="127.0.0.1",
        )
        worker = PodWorker(pod, parts, self.report, self.finish)

        async def listen() -> None:
            async for _ in self.runtime.events():
                worker.wake()

        tasks = [asyncio.create_task(listen()), asyncio.create_task(worker.run())]
        try:
            yield worker
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    runtime = DockerRuntime("test-" + uuid.uuid4().hex[:8])
    if await runtime.image(IMAGE) is None:
        pytest.skip(f"image {IMAGE} is not on this engine")
    try:
        yield World(runtime, tmp_path)
    finally:
        sandboxes, containers = await runtime.observe()
        for made in [*containers, *sandboxes]:
            await runtime.remove(made.id)
        await runtime.close()


def container(**more: object) -> dict:
    return {"name": "c", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": FOREVER, **more}


async def test_killed_container_is_replaced_in_the_same_sandbox(world: World) -> None:
    async with world.run({"containers": [container()], "restartPolicy": "Always"}):
        begun = time.monotonic()
        await world.until(lambda s: s.phase == "Running" and s.container_statuses[0].ready)
        print(f"create to Running {1000 * (time.monotonic() - begun):.0f} ms")
        (sandbox,), (first,) = await world.runtime.observe()
        begun = time.monotonic()
        await world.runtime.stop(first.id, 0)
        await world.until(lambda s: s.container_statuses[0].ready and s.container_statuses[0].restart_count == 1)
        print(f"kill to running {1000 * (time.monotonic() - begun):.0f} ms")
        (after,), _ = await world.runtime.observe()
        assert after.id == sandbox.id
        assert world.status.container_statuses[0].last_state.terminated.exit_code == 137


async def test_killed_sandbox_is_replaced_with_its_containers(world: World) -> None:
    spec = {"containers": [container()], "restartPolicy": "Always", "terminationGracePeriodSeconds": 1}
    async with world.run(spec):
        await world.until(lambda s: s.phase == "Running" and s.container_statuses[0].ready)
        (sandbox,), _ = await world.runtime.observe()
        await world.runtime.stop(sandbox.id, 0)
        await world.until(lambda s: s.container_statuses[0].ready and s.container_statuses[0].restart_count == 1)
        (after,), _ = await world.runtime.observe()
        assert after.running and after.id != sandbox.id
        said = {(reason, message) for _, reason, message in world.events}
        assert ("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.") in said


async def test_ended_pod_gives_its_memory_back(world: World) -> None:
    mounts = [{"name": "m", "mountPath": "/m"}]
    spec = {"containers": [container(command=["true"], volumeMounts=mounts)], "restartPolicy": "Never"}
    async with world.run({**spec, "volumes": [{"name": "m", "emptyDir": {"medium": "Memory"}}]}):
        await world.until(lambda s: s.phase == "Succeeded")
        assert not kernel.mounted_below(world.directory)


async def test_ended_pod_fails_with_code_and_message(world: World) -> None:
    command = ["sh", "-c", "echo why >/dev/termination-log; exit 4"]
    async with world.run({"containers": [container(command=command)], "restartPolicy": "Never"}):
        await world.until(lambda s: s.phase == "Failed")
        ended = world.status.container_statuses[0].state.terminated
        assert (ended.exit_code, ended.reason, ended.message) == (4, "Error", "why\n")


async def test_command_that_does_not_exist_is_a_start_error(world: World) -> None:
    async with world.run({"containers": [container(command=["/nonexistent"])], "restartPolicy": "Never"}):
        await world.until(lambda s: s.phase == "Failed")
        ended = world.status.container_statuses[0].state.terminated
        assert (ended.exit_code, ended.reason) == (128, "StartError")
        assert "/nonexistent" in ended.message


async def test_deleted_pod_leaves_nothing_on_the_engine(world: World) -> None:
    async with world.run({"containers": [container()], "terminationGracePeriodSeconds": 2}) as worker:
        await world.until(lambda s: s.phase == "Running")
        gone = worker.pod.clone()
        gone.metadata.deletion_timestamp, gone.metadata.deletion_grace_period_seconds = datetime.now(UTC), 2
        worker.update(gone)
        async with asyncio.timeout(15):
            await world.forgotten.wait()
        assert await world.runtime.observe() == ([], [])
        assert ("Normal", "Killing", "Stopping container c") in world.events


async def test_a_container_is_ended_by_the_signal_that_it_asks_for(world: World) -> None:
    command = ["sh", "-c", "trap 'echo by USR1 >/dev/termination-log; exit 7' USR1; sleep 999 & wait"]
    asked = container(command=command, lifecycle={"stopSignal": "SIGUSR1"})
    async with world.run({"containers": [asked], "restartPolicy": "Never", "os": {"name": "linux"}}) as worker:
        await world.until(lambda s: s.phase == "Running")
        gone = worker.pod.clone()
        gone.metadata.deletion_timestamp, gone.metadata.deletion_grace_period_seconds = datetime.now(UTC), 5
        worker.update(gone)
        await world.until(lambda s: bool(s.container_statuses[0].state.terminated))
        ended = world.status.container_statuses[0].state.terminated
        assert (ended.exit_code, ended.message) == (7, "by USR1\n")
