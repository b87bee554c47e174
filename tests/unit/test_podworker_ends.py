"""How a pod comes to its end: deleted with and without grace, killed, gone from the API, past its deadline."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.runtime.protocol import EngineError
from agent.runtime.simulated import Life
from kubeapi.names import DELETED_BY
from naru.simulation.virtual import virtually
from tests.unit.pod_world import World, container, seconds


def test_a_kill_through_the_engine_is_told_as_that_and_narus_own_kills_are_not(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
            world.runtime.starve((await world.container()).id)
            world.runtime.kill((await world.container()).id, signal=9)
            await world.run(restarts=1)
            world.runtime.starve((await world.container()).id)
            await asyncio.sleep(10)
            world.delete(grace=1)
            await world.forgotten.wait()
        assert world.heard("Killed") == ["Container c was ended by signal 9 (SIGKILL) through the engine, not by Naru"]
        assert len(world.heard("OOMKilling")) == 1
        assert world.heard("Killing") == ["Stopping container c"]

    virtually(story)


@pytest.mark.parametrize(("obeys_after", "took", "exit_code"), [(3.0, 3, 143), (None, 30, 137), (50.0, 30, 137)])
def test_deleted_pod_has_its_grace_and_leaves_nothing(
    tmp_path: Path, obeys_after: float | None, took: float, exit_code: int
) -> None:
    async def story() -> None:
        world = World(tmp_path, lambda spec: Life(obeys_after=obeys_after))
        async with world.running(containers=[container()]):
            await world.run()
            asked = seconds()
            world.delete(grace=30)
            await world.forgotten.wait()
            assert seconds() - asked == pytest.approx(took, abs=1)
            ended = world.status.container_statuses[0].state.terminated
            assert ended.exit_code == exit_code
            assert await world.runtime.observe() == ([], [])
            assert world.network.addresses == {}

    virtually(story)


def test_who_had_it_deleted_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
            world.worker.pod.metadata.annotations[DELETED_BY] = "mia with kubectl"
            world.delete(grace=30)
            world.delete(grace=5)
            await world.forgotten.wait()
            assert world.heard("Deleting") == ["Deletion asked by mia with kubectl, with 30 s to end"]

    virtually(story)


def test_deletion_without_grace_cuts_a_long_one_short(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path, lambda spec: Life(obeys_after=None))
        async with world.running(containers=[container()]):
            await world.run()
            world.delete(grace=300)
            await asyncio.sleep(5)
            world.delete(grace=0)
            async with asyncio.timeout(1):
                await world.forgotten.wait()

    virtually(story)


def test_a_kill_that_the_engine_refuses_is_tried_again_with_pauses_and_told(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
            world.runtime.fail("stop", *[EngineError("device or resource busy")] * 3)
            asked = seconds()
            world.delete(grace=30)
            await world.forgotten.wait()
            assert 3 <= seconds() - asked < 5
            assert world.heard("FailedKillPod") == ["error killing pod: device or resource busy"] * 3

    virtually(story)


def test_pod_gone_from_the_api_is_ended(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
            world.worker.forget()
            await world.work
            assert await world.runtime.observe() == ([], [])
            assert not world.forgotten.is_set()

    virtually(story)


def test_sidecar_outlives_the_containers_that_it_serves(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        sidecar = container(name="side", restartPolicy="Always")
        async with world.running(
            initContainers=[sidecar], containers=[container(command=["sleep", "60"])], restartPolicy="Never"
        ):
            await world.until(lambda s: s.phase == "Succeeded")
            ends = {c.name: c.finished_at for c in (await world.runtime.observe())[1]}
            assert ends["c"] <= ends["side"]

    virtually(story)


def test_pod_past_its_deadline_fails(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        await asyncio.sleep(0.7)  # the API keeps times by the second
        async with world.running(containers=[container()], activeDeadlineSeconds=120):
            await world.until(lambda s: s.phase == "Failed")
            assert world.status.reason == "DeadlineExceeded"
            assert seconds() == pytest.approx(120, abs=2)

    virtually(story)
