"""While a pod's sandbox starts, its worker creates the containers that come first, and cleans up if they never do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.runtime.protocol import ContainerSpec, EngineError, Sandbox
from agent.runtime.simulated import Life, life_of
from naru.simulation.virtual import virtually
from tests.unit.pod_world import World, container

POD_IP = {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


class Slow(World):
    """A world whose sandboxes start only when `go` is set."""

    def __init__(self, directory: Path) -> None:
        self.specs: list[ContainerSpec] = []
        super().__init__(directory, self._life)
        self.go, self.starting = asyncio.Event(), asyncio.Event()
        self.created = asyncio.Event()
        self._start_sandbox = self.runtime.start_sandbox
        self.runtime.start_sandbox = self._when_told  # type: ignore[method-assign]

    def _life(self, spec: ContainerSpec) -> Life:
        self.specs.append(spec)
        self.created.set()
        return life_of(spec)

    async def _when_told(self, sandbox: Sandbox) -> Sandbox:
        self.starting.set()
        await self.go.wait()
        return await self._start_sandbox(sandbox)


def test_a_container_is_created_while_its_sandbox_starts_and_knows_its_address(tmp_path: Path) -> None:
    async def story() -> None:
        world = Slow(tmp_path)
        async with world.running(containers=[container(env=[POD_IP])]):
            await world.created.wait()
            assert (await world.container()).phase == "created"
            world.go.set()
            await world.run()
            assert len(world.specs) == 1
            assert f"ADDRESS={world.status.pod_ip}" in world.specs[0].env
            assert [r for r, _ in world.events] == ["Pulled", "Created", "Started"]

    virtually(story)


def test_what_was_created_for_a_sandbox_that_did_not_start_is_replaced(tmp_path: Path) -> None:
    async def story() -> None:
        world = Slow(tmp_path)
        world.runtime.fail("start_sandbox", EngineError("no space left on device"))
        async with world.running(containers=[container()]):
            await world.created.wait()
            world.go.set()
            await world.run()
            sandboxes, (only,) = await world.runtime.observe()
            assert only.sandbox_id == next(s.id for s in sandboxes if s.running)

    virtually(story)


def test_only_the_first_init_container_is_created_ahead(tmp_path: Path) -> None:
    async def story() -> None:
        world = Slow(tmp_path)
        first = {**container(command=["exit", "0"]), "name": "first"}
        async with world.running(initContainers=[first], containers=[container()]):
            await world.created.wait()
            await asyncio.sleep(60)
            assert [spec.name for spec in world.specs] == ["first"]
            world.go.set()
            await world.until(lambda s: s.container_statuses and s.container_statuses[0].state.running)

    virtually(story)


@pytest.mark.parametrize("grace", [0, 30])
def test_a_pod_that_is_deleted_while_its_sandbox_starts_leaves_nothing(tmp_path: Path, grace: int) -> None:
    async def story() -> None:
        world = Slow(tmp_path)
        async with world.running(containers=[container()]):
            await world.starting.wait()
            world.delete(grace)
            world.go.set()
            await world.forgotten.wait()
            assert await world.runtime.observe() == ([], [])

    virtually(story)
