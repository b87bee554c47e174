"""What the engine answers to what it is asked to do, a pod's worker needs not ask it again; unless it spoke meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agent.runtime.protocol import Container, ContainerSpec, EngineError, Sandbox, SandboxSpec
from kubeapi.core_v1.types import Pod, PodStatus
from naru.simulation.virtual import virtually
from tests.unit.pod_world import Counting, World, container


class Fatal(Counting):
    """An engine whose first container dies while its answer, that it has begun, is on its way."""

    spared = False

    async def start(self, container_id: str) -> Container:
        begun = await super().start(container_id)
        if not self.spared:
            self.spared = True
            self.kill(container_id)
            await asyncio.sleep(1)
        return begun


class Crossing(Counting):
    """An engine whose first sandbox can't be started, and which creates a container for it while it creates the second."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.fail("start_sandbox", EngineError("no space left on device"))
        self.second, self.created = asyncio.Event(), asyncio.Event()

    async def create_sandbox(self, spec: SandboxSpec) -> Sandbox:
        if self.sandboxes == 1:
            self.second.set()
            await self.created.wait()
        return await super().create_sandbox(spec)

    async def create_container(self, spec: ContainerSpec) -> str:
        await self.second.wait()
        made = await super().create_container(spec)
        self.created.set()
        return made


class Told(World):
    """A world that notes what is told of the containers that run: after how many questions, name and restarts."""

    def __init__(self, directory: Path, runtime: type[Counting] = Counting) -> None:
        super().__init__(directory, runtime=runtime)
        self.told: list[tuple[int, str, int]] = []

    def _report(self, pod: Pod, status: PodStatus) -> None:
        running = [c for c in status.container_statuses if c.state.running]
        self.told += [(self.runtime.looks, c.name, c.restart_count) for c in running]
        super()._report(pod, status)


def test_what_came_to_be_after_the_last_look_is_found_and_replaced(tmp_path: Path) -> None:
    async def story() -> None:
        world = Told(tmp_path, Crossing)
        async with world.running(containers=[container()]):
            await world.run()
            _, containers = await world.runtime.observe()
            assert [c.phase for c in containers] == ["running"]

    virtually(story)


def test_the_engine_is_asked_once_what_there_is_before_a_pod_runs(tmp_path: Path) -> None:
    async def story() -> None:
        world = Told(tmp_path)
        async with world.running(containers=[container(), {**container(), "name": "d"}]):
            await world.run()
            assert world.told == [(1, "c", 0), (1, "d", 0)]

    virtually(story)


def test_a_death_is_heard_before_the_answer_that_it_has_begun(tmp_path: Path) -> None:
    async def story() -> None:
        world = Told(tmp_path, Fatal)
        async with world.running(containers=[container()]):
            await world.run(restarts=1)
            assert [restarts for _, _, restarts in world.told] == [1]

    virtually(story)


def test_a_sandbox_that_was_created_while_a_volume_failed_is_removed_and_waits_for_it(tmp_path: Path) -> None:
    async def story() -> None:
        world, missing = Told(tmp_path / "pods"), tmp_path / "later"
        volume: dict[str, Any] = {"name": "v", "hostPath": {"path": str(missing), "type": "Directory"}}
        mounting = container(volumeMounts=[{"name": "v", "mountPath": "/v"}])
        async with world.running(containers=[mounting], volumes=[volume]):
            await asyncio.sleep(60)
            assert len(world.heard("FailedMount")) == 1
            assert (await world.runtime.observe(), world.runtime.sandboxes) == (([], []), 1)
            missing.mkdir()
            await world.run()
            assert world.runtime.sandboxes == 2

    virtually(story)
