"""While a sandbox starts, or a death is looked into, a pod's worker creates what comes next, and undoes what never does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.runtime.protocol import Container, ContainerSpec, EngineError, Sandbox
from agent.runtime.simulated import Life, SimulatedRuntime, life_of
from naru.simulation.virtual import virtually
from tests.unit.pod_world import World, container

POD_IP = {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


class Slow(SimulatedRuntime):
    """An engine that starts sandboxes only when `go` is set."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.go, self.starting = asyncio.Event(), asyncio.Event()

    async def start_sandbox(self, sandbox: Sandbox) -> Sandbox:
        self.starting.set()
        await self.go.wait()
        return await super().start_sandbox(sandbox)


class Noting(World):
    """A world that notes what containers are created."""

    def __init__(self, directory: Path, runtime: type[SimulatedRuntime] = Slow) -> None:
        self.specs: list[ContainerSpec] = []
        self.created = asyncio.Event()
        super().__init__(directory, self._life, runtime=runtime)

    def _life(self, spec: ContainerSpec) -> Life:
        self.specs.append(spec)
        self.created.set()
        return life_of(spec)


def test_a_container_is_created_while_its_sandbox_starts_and_knows_its_address(tmp_path: Path) -> None:
    async def story() -> None:
        world = Noting(tmp_path)
        async with world.running(containers=[container(env=[POD_IP])]):
            await world.created.wait()
            assert (await world.container()).phase == "created"
            world.runtime.go.set()
            await world.run()
            assert len(world.specs) == 1
            assert f"ADDRESS={world.status.pod_ip}" in world.specs[0].env
            assert [r for r, _ in world.events] == ["Pulled", "Created", "Started"]

    virtually(story)


def test_what_was_created_for_a_sandbox_that_did_not_start_is_replaced(tmp_path: Path) -> None:
    async def story() -> None:
        world = Noting(tmp_path)
        world.runtime.fail("start_sandbox", EngineError("no space left on device"))
        async with world.running(containers=[container()]):
            await world.created.wait()
            world.runtime.go.set()
            await world.run()
            sandboxes, (only,) = await world.runtime.observe()
            assert only.sandbox_id == next(s.id for s in sandboxes if s.running)

    virtually(story)


def test_only_the_first_init_container_is_created_ahead(tmp_path: Path) -> None:
    async def story() -> None:
        world = Noting(tmp_path)
        first = {**container(command=["exit", "0"]), "name": "first"}
        async with world.running(initContainers=[first], containers=[container()]):
            await world.created.wait()
            await asyncio.sleep(60)
            assert [spec.name for spec in world.specs] == ["first"]
            world.runtime.go.set()
            await world.until(lambda s: s.container_statuses and s.container_statuses[0].state.running)

    virtually(story)


@pytest.mark.parametrize("grace", [0, 30])
def test_a_pod_that_is_deleted_while_its_sandbox_starts_leaves_nothing(tmp_path: Path, grace: int) -> None:
    async def story() -> None:
        world = Noting(tmp_path)
        async with world.running(containers=[container()]):
            await world.runtime.starting.wait()
            world.delete(grace)
            world.runtime.go.set()
            await world.forgotten.wait()
            assert await world.runtime.observe() == ([], [])

    virtually(story)


class Silent(SimulatedRuntime):
    """An engine that answers no question about what there is once `ask` is cleared."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.ask, self.asked = asyncio.Event(), asyncio.Event()
        self.ask.set()

    async def observe(self, pod_uid: str = "") -> tuple[list[Sandbox], list[Container]]:
        self.asked.set()
        await self.ask.wait()
        return await super().observe(pod_uid)


class Bereaved(Noting):
    """A world whose engine gives no account of a death."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, Silent)

    async def bereave(self, code: int = 137) -> Container:
        """The container that runs dies, and of that the engine gives no account; the container as it was."""
        await self.run()
        await asyncio.sleep(60)  # the worker has seen it run, and waits
        running = await self.container()
        for event in (self.runtime.ask, self.runtime.asked, self.created):
            event.clear()
        self.runtime.kill(running.id, code)
        return running


def test_a_successor_is_created_while_the_engine_is_asked_about_the_death(tmp_path: Path) -> None:
    async def story() -> None:
        world = Bereaved(tmp_path)
        async with world.running(containers=[container()]):
            await world.bereave()
            await world.created.wait()
            world.runtime.ask.set()
            await world.run(restarts=1)
            second = await world.container()
            assert (second.attempt, second.crashes, len(world.specs)) == (1, 1, 2)
            assert world.heard("Created") == ["Container created"] * 2

    virtually(story)


def test_a_successor_in_a_sandbox_that_dies_as_well_is_replaced(tmp_path: Path) -> None:
    async def story() -> None:
        world = Bereaved(tmp_path)
        async with world.running(containers=[container()]):
            first = await world.bereave()
            await world.created.wait()
            world.runtime.kill(first.sandbox_id)
            world.runtime.ask.set()
            await world.run(restarts=1)
            sandboxes, containers = await world.runtime.observe()
            (alive,) = (c for c in containers if c.phase == "running")
            assert alive.sandbox_id == next(s.id for s in sandboxes if s.running) != first.sandbox_id
            assert not [c for c in containers if c.phase == "created"]

    virtually(story)


@pytest.mark.parametrize(("policy", "code", "again"), [("OnFailure", 0, 1), ("OnFailure", 3, 2), ("Never", 3, 1)])
def test_only_what_starts_again_has_a_successor(tmp_path: Path, policy: str, code: int, again: int) -> None:
    async def story() -> None:
        world = Bereaved(tmp_path)
        async with world.running(containers=[container()], restartPolicy=policy):
            await world.bereave(code)
            await world.runtime.asked.wait()
            await asyncio.sleep(60)
            assert len(world.specs) == again

    virtually(story)
