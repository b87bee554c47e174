"""What the engine answers to what it is asked to do, a pod's worker needs not ask it again; unless it spoke meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agent.runtime.protocol import Container, ContainerSpec, EngineError, Sandbox, SandboxSpec
from kubeapi.core_v1.types import Pod, PodStatus
from naru.simulation.virtual import virtually
from tests.unit.pod_world import World, container


class Counting(World):
    """A world that counts sandboxes, and how often the engine is asked what there is of the pod; all that is told of the
    containers that run: after how many questions, name and restarts."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.looks = self.sandboxes = 0
        self.told: list[tuple[int, str, int]] = []
        self._observe, self._create_sandbox = self.runtime.observe, self.runtime.create_sandbox
        self.runtime.observe = self._counted  # type: ignore[method-assign]
        self.runtime.create_sandbox = self._counted_sandbox  # type: ignore[method-assign]

    async def _counted(self, pod_uid: str = "") -> tuple[list[Sandbox], list[Container]]:
        self.looks += 1
        return await self._observe(pod_uid)

    async def _counted_sandbox(self, spec: SandboxSpec) -> Sandbox:
        self.sandboxes += 1
        return await self._create_sandbox(spec)

    def _report(self, pod: Pod, status: PodStatus) -> None:
        self.told += [(self.looks, c.name, c.restart_count) for c in status.container_statuses if c.state.running]
        super()._report(pod, status)


class Fatal(Counting):
    """A world whose first container dies while the engine's answer, that it has begun, is on its way."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._start, self._spared = self.runtime.start, False
        self.runtime.start = self._fatal  # type: ignore[method-assign]

    async def _fatal(self, container_id: str) -> Container:
        begun = await self._start(container_id)
        if not self._spared:
            self._spared = True
            self.runtime.kill(container_id)
            await asyncio.sleep(1)
        return begun


class Crossing(Counting):
    """A world whose first sandbox can't be started, and whose container is created for it while the second is."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.runtime.fail("start_sandbox", EngineError("no space left on device"))
        self._create = self.runtime.create_container
        self.runtime.create_container = self._late  # type: ignore[method-assign]
        self._second, self._created = asyncio.Event(), asyncio.Event()

    async def _counted_sandbox(self, spec: SandboxSpec) -> Sandbox:
        if self.sandboxes == 1:
            self._second.set()
            await self._created.wait()
        return await super()._counted_sandbox(spec)

    async def _late(self, spec: ContainerSpec) -> str:
        await self._second.wait()
        made = await self._create(spec)
        self._created.set()
        return made


def test_what_came_to_be_after_the_last_look_is_found_and_replaced(tmp_path: Path) -> None:
    async def story() -> None:
        world = Crossing(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
            _, containers = await world.runtime.observe()
            assert [c.phase for c in containers] == ["running"]

    virtually(story)


def test_the_engine_is_asked_once_what_there_is_before_a_pod_runs(tmp_path: Path) -> None:
    async def story() -> None:
        world = Counting(tmp_path)
        async with world.running(containers=[container(), {**container(), "name": "d"}]):
            await world.run()
            assert world.told == [(1, "c", 0), (1, "d", 0)]

    virtually(story)


def test_a_death_is_heard_before_the_answer_that_it_has_begun(tmp_path: Path) -> None:
    async def story() -> None:
        world = Fatal(tmp_path)
        async with world.running(containers=[container()]):
            await world.run(restarts=1)
            assert [restarts for _, _, restarts in world.told] == [1]

    virtually(story)


def test_a_sandbox_that_was_created_while_a_volume_failed_is_removed_and_waits_for_it(tmp_path: Path) -> None:
    async def story() -> None:
        world, missing = Counting(tmp_path / "pods"), tmp_path / "later"
        volume: dict[str, Any] = {"name": "v", "hostPath": {"path": str(missing), "type": "Directory"}}
        mounting = container(volumeMounts=[{"name": "v", "mountPath": "/v"}])
        async with world.running(containers=[mounting], volumes=[volume]):
            await asyncio.sleep(60)
            assert len(world.heard("FailedMount")) == 1
            assert (await world.runtime.observe(), world.sandboxes) == (([], []), 1)
            missing.mkdir()
            await world.run()
            assert world.sandboxes == 2

    virtually(story)
