"""The life of a pod in virtual time: a real worker on a simulated engine, told as the API and its users see it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.plan import Observed
from agent.runtime.protocol import Container, EngineError, ExecResult
from agent.runtime.simulated import Life, SimulatedRuntime
from kubeapi.core_v1.types import PodStatus
from naru.simulation.virtual import virtually
from tests.unit.pod_world import Counting, World, container, seconds


def test_pod_comes_to_life_as_the_kubelet_tells_it(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
            assert (world.status.phase, world.status.pod_ip) == ("Running", "10.99.0.2")
            assert {c.type: c.status for c in world.status.conditions} == {
                "PodReadyToStartContainers": "True",
                "Initialized": "True",
                "Ready": "True",
                "ContainersReady": "True",
            }
            assert [reason for reason, _ in world.events] == ["Pulled", "Created", "Started"]

    virtually(story)


def test_killed_container_is_replaced_at_once_in_its_sandbox(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
            killed, first = seconds(), await world.container()
            world.runtime.kill(first.id)
            seen = await world.run(restarts=1)
            assert seconds() - killed < 0.5
            assert seen.last_state.terminated and seen.last_state.terminated.exit_code == 137
            assert (await world.container()).sandbox_id == first.sandbox_id

    virtually(story)


def test_what_the_engine_took_down_with_it_is_told_as_that(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
            first = await world.container()
            world.runtime.go_down()
            world.runtime.kill(first.id, 255)
            await asyncio.sleep(5)
            world.runtime.come_up()
            await world.run(restarts=1)
        assert world.heard("EngineLost") == ["Container c ended while the engine was away, with exit code 255"]

    virtually(story)


def test_crashes_wait_longer_and_longer(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container(command=["exit", "3"])]):
            ends = []
            for crashes in range(9):
                await world.until(
                    lambda s, n=crashes: s.container_statuses and s.container_statuses[0].restart_count == n
                )
                ends.append(seconds())
            pauses = [round(later - sooner) for sooner, later in itertools.pairwise(ends)]
            assert pauses == [0, 10, 20, 40, 80, 160, 300, 300]
            waiting = await world.until(lambda s: s.container_statuses[0].state.waiting)
            assert waiting.container_statuses[0].state.waiting.reason == "CrashLoopBackOff"
            assert set(world.heard("BackOff")) == {"Back-off restarting failed container c in pod p_ns(u)"}

    virtually(story)


def test_long_run_forgets_the_back_off(tmp_path: Path) -> None:
    lives = [Life(0.0, 1), Life(0.0, 1), Life(601.0, 1), Life()]

    async def story() -> None:
        world = World(tmp_path, lambda spec: lives[spec.attempt])
        async with world.running(containers=[container()]):
            await world.run(restarts=2)
            ran_from = seconds()
            await world.run(restarts=3)
            assert seconds() - ran_from == pytest.approx(601, abs=1)

    virtually(story)


@pytest.mark.parametrize(
    ("policy", "command", "phase", "restarts"),
    [
        ("Never", ["true"], "Succeeded", 0),
        ("Never", ["false"], "Failed", 0),
        ("OnFailure", ["true"], "Succeeded", 0),
        ("OnFailure", ["false"], "Running", 1),
        ("Always", ["true"], "Running", 1),
    ],
)
def test_restart_policy(tmp_path: Path, policy: str, command: list[str], phase: str, restarts: int) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container(command=command)], restartPolicy=policy):
            await world.until(lambda s: (s.container_statuses and s.container_statuses[0].last_state.terminated) or
                              s.phase in ("Succeeded", "Failed"))  # fmt: skip
            assert (world.status.phase, world.status.container_statuses[0].restart_count) == (phase, restarts)

    virtually(story)


def test_killed_sandbox_is_replaced_and_keeps_its_address(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()], terminationGracePeriodSeconds=1):
            await world.run()
            (sandbox,), _ = await world.runtime.observe()
            world.runtime.kill(sandbox.id)
            await world.run(restarts=1)
            (after,), _ = await world.runtime.observe()
            assert (after.running, after.attempt) == (True, 1)
            assert world.status.pod_ip == "10.99.0.2"

    virtually(story)


def test_removed_container_is_replaced_and_counted(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
            await world.runtime.remove((await world.container()).id)
            await world.run(restarts=1)

    virtually(story)


def test_init_containers_go_first_one_by_one(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        inits = [container(name="first", command=["sleep", "5"]), container(name="second", command=["sleep", "7"])]
        async with world.running(initContainers=inits, containers=[container()]):
            seen = await world.run()
            first, second = (s.state.terminated for s in world.status.init_container_statuses)
            assert first.finished_at <= second.started_at
            assert second.finished_at <= seen.state.running.started_at

    virtually(story)


def test_pod_fails_with_its_init_container(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        init = container(name="init", command=["false"])
        async with world.running(initContainers=[init], containers=[container()], restartPolicy="Never"):
            await world.until(lambda s: s.phase == "Failed")
            assert {c.name for c in (await world.runtime.observe())[1]} == {"init"}

    virtually(story)


def test_image_that_comes_late(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)

        def waits(reason: str) -> Callable[[PodStatus], bool]:
            def look(status: PodStatus) -> bool:
                waiting = status.container_statuses and status.container_statuses[0].state.waiting
                return bool(waiting and waiting.reason == reason)

            return look

        async with world.running(containers=[container(image="late:1")]):
            await world.until(waits("ErrImagePull"))
            await world.until(waits("ImagePullBackOff"))
            world.runtime.registry["late:1"] = 50_000_000
            await world.run()
            assert any("pull access denied for late:1" in message for message in world.heard("Failed"))
            assert any(message.startswith('Successfully pulled image "late:1"') for message in world.heard("Pulled"))

    virtually(story)


def test_a_clock_that_is_set_back_makes_nobody_wait_for_it(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)

        def backs_off(status: PodStatus) -> bool:
            waiting = status.container_statuses and status.container_statuses[0].state.waiting
            return bool(waiting and waiting.reason == "ImagePullBackOff")

        async with world.running(containers=[container(image="late:1")]):
            await world.until(backs_off)
            world.clock.skew -= 86400
            world.worker.wake()
            began = asyncio.get_running_loop().time()
            world.runtime.registry["late:1"] = 50_000_000
            await world.run()
            assert asyncio.get_running_loop().time() - began < 60

    virtually(story)


def test_process_that_can_not_be_made(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path, lambda spec: Life(error='exec: "nonesuch": executable file not found in $PATH'))
        async with world.running(containers=[container()], restartPolicy="Never"):
            await world.until(lambda s: s.phase == "Failed")
            ended = world.status.container_statuses[0].state.terminated
            assert (ended.reason, ended.exit_code) == ("StartError", 128)
            assert "nonesuch" in ended.message

    virtually(story)


def test_new_agent_adopts_what_runs(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
        before, told = await world.runtime.observe(), world.status
        world.status, world.events = PodStatus(), []
        async with world.running(containers=[container()], status=told):
            await asyncio.sleep(60)
            assert await world.runtime.observe() == before
            assert world.events == []

    virtually(story)


def test_new_agent_replaces_what_died_without_one(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
        world.runtime.kill((await world.container()).id)
        async with world.running(containers=[container()], status=world.status):
            await world.run(restarts=1)

    virtually(story)


def test_engine_that_was_away_is_caught_up_with(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world.running(containers=[container()]):
            await world.run()
            first = await world.container()
            world.runtime.go_down()
            world.runtime.kill(first.id)  # nobody hears of it
            await asyncio.sleep(60)
            assert world.status.container_statuses[0].restart_count == 0
            world.runtime.come_up()
            back = seconds()
            await world.run(restarts=1)
            assert seconds() - back < 2

    virtually(story)


class Fragile(SimulatedRuntime):
    """An engine whose first sandbox dies when its first container is to be started."""

    fallen = False

    async def start(self, container_id: str) -> Container:
        if not self.fallen:
            self.fallen = True
            (sandbox,), _ = await self.observe()
            self.kill(sandbox.id)
        return await super().start(container_id)


def test_a_container_whose_sandbox_dies_while_it_starts_is_no_restart(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path, runtime=Fragile)
        async with world.running(containers=[container()]):
            assert (await world.run()).restart_count == 0
            assert world.heard("SandboxChanged") and world.heard("Failed")

    virtually(story)


@pytest.mark.parametrize("step", [0, 86400, -86400])
def test_sandbox_that_can_not_be_made_is_tried_again_with_pauses_whatever_the_clock_says(
    tmp_path: Path, step: int
) -> None:
    async def story() -> None:
        world = World(tmp_path)
        world.runtime.fail("create_sandbox", *[EngineError("no space left on device")] * 3)
        async with world.running(containers=[container()]):
            await asyncio.sleep(2)
            world.clock.skew += step
            await world.run()
            assert seconds() == pytest.approx(1 + 2 + 4, abs=0.5)
            assert world.heard("FailedCreatePodSandBox") == [
                "Failed to create pod sandbox: no space left on device"
            ] * 3  # fmt: skip

    virtually(story)


def test_failed_liveness_probe_ends_and_replaces(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path, probe=lambda seen, _: ExecResult(1 if seen.attempt == 0 else 0, b"sick"))
        check = {"exec": {"command": ["check"]}, "periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3}
        probe = {**check, "successThreshold": 1}
        async with world.running(containers=[container(livenessProbe=probe)], terminationGracePeriodSeconds=5):
            await world.run(restarts=1)
            assert world.heard("Unhealthy") == ["Liveness probe failed: sick"] * 3
            assert world.heard("Killing") == ["Container c failed liveness probe, will be restarted"]

    virtually(story)


def test_a_resync_wakes_only_who_missed_something(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path, runtime=Counting)
        async with world.running(containers=[container()]):
            await world.run()
            await asyncio.sleep(60)
            world.runtime.looks, observe = 0, world.runtime.observe
            for _ in range(3):
                sandboxes, containers = await observe()
                world.worker.resync(Observed(tuple(sandboxes), tuple(reversed(containers))))
                await asyncio.sleep(1)
            assert world.runtime.looks == 0
            world.runtime._listeners.clear()  # the word of the death is lost
            world.runtime.kill((await world.container()).id)
            await asyncio.sleep(60)
            assert world.runtime.looks == 0
            sandboxes, containers = await observe()
            world.worker.resync(Observed(tuple(sandboxes), tuple(containers)))
            await world.run(restarts=1)

    virtually(story)
