"""Probes: what they conclude from their findings, and when they ask, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.plan import Observed
from agent.probes import Kind, Probes, Streak, first_pause, kinds_due
from agent.runtime.protocol import Container, EngineError, ExecResult, PodRef
from kubeapi.clock import FakeClock
from kubeapi.core_v1.types import Container as ContainerTemplate
from kubeapi.core_v1.types import ContainerStatus, Pod, Probe
from naru.simulation.virtual import virtually

EXEC = {"exec": {"command": ["check"]}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1}
OCI = b'OCI runtime exec failed: exec failed: exec: "nonesuch": executable file not found in $PATH: unknown\r\n'


def probe(**fields: Any) -> dict[str, Any]:
    return {**EXEC, "failureThreshold": 3, **fields}


@pytest.mark.parametrize(
    ("findings", "success", "failure", "verdicts"),
    [
        ([True], 1, 3, [True]),
        ([False, False, False], 1, 3, [None, None, False]),
        ([False, False, True, False, False, False], 1, 3, [None, None, True, None, None, False]),
        ([True, True, False, True, True], 2, 1, [None, True, False, None, True]),
        ([False], 1, 1, [False]),
    ],
)
def test_a_verdict_changes_only_when_its_threshold_is_reached_in_a_row(
    findings: list[bool], success: int, failure: int, verdicts: list[bool | None]
) -> None:
    limits, streak, seen = Probe(success_threshold=success, failure_threshold=failure), Streak(), []
    for finding in findings:
        streak = streak.then(finding)
        seen.append(streak.verdict(limits))
    assert seen == verdicts


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_a_verdict_is_always_that_of_the_last_findings(findings: list[bool], success: int, failure: int) -> None:
    limits, streak = Probe(success_threshold=success, failure_threshold=failure), Streak()
    for count, finding in enumerate(findings, 1):
        streak = streak.then(finding)
        needed = success if finding else failure
        alike = findings[max(count - needed, 0) : count] == [finding] * needed
        assert streak.verdict(limits) == (finding if alike else None)


@pytest.mark.parametrize(
    ("has", "started", "failed", "ending", "due"),
    [
        ("SLR", False, False, False, "S"),
        ("SLR", True, False, False, "LR"),
        ("LR", True, False, False, "LR"),
        ("SLR", True, True, False, "R"),
        ("SLR", False, True, False, ""),
        ("SLR", True, False, True, "R"),
        ("SLR", False, False, True, ""),
        ("S", True, False, False, ""),
        ("", True, False, False, ""),
    ],
)
def test_which_probes_ask(has: str, started: bool, failed: bool, ending: bool, due: str) -> None:
    names = {"S": "startup", "L": "liveness", "R": "readiness"}
    template = ContainerTemplate.model_validate({"name": "c", **{f"{names[k]}Probe": probe() for k in has}})
    asked = kinds_due(template, started=started, failed=failed, ending=ending)
    assert asked == {names[k] for k in due}


@pytest.mark.parametrize(
    ("kind", "ran", "delay", "share", "pause"),
    [
        ("readiness", 0, 0, 0, 0),
        ("readiness", 0, 5, 0, 5),
        ("readiness", 3, 5, 0, 2),
        ("readiness", 60, 5, 0, 0),
        ("readiness", -3600, 5, 0, 5),
        ("readiness", 60, 5, 0.25, 2.5),
        ("startup", 0, 0, 0, 0),
        ("liveness", 0, 0, 0, 10),
        ("liveness", 0, 15, 0, 15),
        ("liveness", 60, 0, 0, 0),
    ],
)
def test_the_first_look_waits_for_the_initial_delay_and_liveness_for_a_period(
    kind: Kind, ran: int, delay: int, share: float, pause: float
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    asked = Probe(initial_delay_seconds=delay, period_seconds=10)
    assert first_pause(kind, asked, now - timedelta(seconds=ran), now, share) == pause


class Scripted:
    """A runtime whose commands end as told: at which second of virtual time with which code. It keeps when it was asked."""

    def __init__(self, code_at: Callable[[str, float], int]) -> None:
        self._code_at, self.asked = code_at, []

    async def exec(self, container_id: str, command: list[str], seconds: float) -> ExecResult:
        now = asyncio.get_running_loop().time()
        self.asked.append((command[0], now))
        return ExecResult(self._code_at(command[0], now), b"said so")


class World:
    """One pod of one container, its probes, and what came of them."""

    def __init__(self, runtime: Any, template: dict[str, Any], chance: float = 0.5) -> None:
        self.pod = Pod.model_validate({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", **template}]}})
        self.events: list[tuple[str, ...]] = []
        self.turned = asyncio.Event()
        self.clock = FakeClock()
        self.probes = Probes(runtime, self.clock, self.turned.set, lambda *e: self.events.append(e), lambda: chance)

    def follow(self, *ids: str) -> None:
        pod = PodRef("ns", "p", "u")
        seen = tuple(
            Container(i, pod, "c", n, "s", "running", started_at=self.clock.now()) for n, i in enumerate(ids or ["one"])
        )
        self.probes.follow(self.pod, Observed((), seen), "127.0.0.1")

    async def turn(self) -> float:
        """Until something turned; when."""
        await self.turned.wait()
        self.turned.clear()
        return asyncio.get_running_loop().time()


def test_readiness_turns_with_its_thresholds_and_says_why() -> None:
    async def story() -> None:
        runtime = Scripted(lambda _, now: 0 if now < 15 or now >= 60 else 1)
        world = World(runtime, {"readinessProbe": probe()})
        world.follow()
        assert world.probes.ready == {"one": False}
        assert world.probes.started == {}
        assert (await world.turn(), world.probes.ready) == (0, {"one": True})
        assert (await world.turn(), world.probes.ready) == (40, {"one": False})
        assert (await world.turn(), world.probes.ready) == (60, {"one": True})
        assert world.events == [("c", "Warning", "Unhealthy", "Readiness probe failed: said so")] * 4
        assert world.probes.failed == {}
        await world.probes.stop()

    virtually(story)


def test_liveness_gives_up_once_and_stops_asking() -> None:
    async def story() -> None:
        runtime = Scripted(lambda _, now: 1)
        grace = {"terminationGracePeriodSeconds": 7}
        world = World(runtime, {"livenessProbe": probe(initialDelaySeconds=5, failureThreshold=2, **grace)})
        world.follow()
        assert await world.turn() == 20
        assert (world.probes.failed, world.probes.grace) == ({"one": "liveness"}, {"one": 7})
        world.follow()
        await asyncio.sleep(100)
        assert runtime.asked == [("check", 10), ("check", 20)]
        await world.probes.stop()

    virtually(story)


def test_a_new_container_is_asked_anew_and_the_old_one_forgotten() -> None:
    async def story() -> None:
        world = World(Scripted(lambda _, now: int(now < 35)), {"livenessProbe": probe(), "readinessProbe": probe()})
        world.follow()
        assert await world.turn() == 30
        assert world.probes.failed == {"one": "liveness"}
        world.follow("one", "two")
        assert (world.probes.failed, world.probes.grace, world.probes.ready) == ({}, {}, {"two": False})
        assert (await world.turn(), world.probes.ready) == (40, {"two": True})
        await world.probes.stop()

    virtually(story)


def test_startup_holds_the_others_back_and_they_ask_at_once_when_it_is_done() -> None:
    async def story() -> None:
        runtime = Scripted(lambda _, now: int(now < 20))
        others = {k: probe(exec={"command": [k[0]]}) for k in ("livenessProbe", "readinessProbe")}
        world = World(runtime, {"startupProbe": probe(failureThreshold=30), **others})
        world.follow()
        assert (world.probes.started, world.probes.ready) == ({"one": False}, {"one": False})
        assert (await world.turn(), world.probes.started) == (20, {"one": True})
        world.follow()
        assert (await world.turn(), world.probes.ready) == (20, {"one": True})
        assert [name for name, now in runtime.asked if now < 20] == ["check", "check"]
        await asyncio.sleep(11)
        assert sorted(name for name, now in runtime.asked if now > 20) == ["l", "r"]
        await world.probes.stop()

    virtually(story)


def test_startup_that_gives_up_ends_the_container() -> None:
    async def story() -> None:
        world = World(Scripted(lambda _, now: 1), {"startupProbe": probe(), "livenessProbe": probe()})
        world.follow()
        assert await world.turn() == 20
        assert (world.probes.failed, world.probes.started) == ({"one": "startup"}, {"one": False})
        assert {message for *_, message in world.events} == {"Startup probe failed: said so"}
        await world.probes.stop()

    virtually(story)


def test_a_pod_that_ends_is_asked_for_its_readiness_only() -> None:
    async def story() -> None:
        runtime = Scripted(lambda name, now: int(now > 15))
        live, ready = probe(exec={"command": ["live"]}), probe(exec={"command": ["ready"]}, failureThreshold=1)
        world = World(runtime, {"livenessProbe": live, "readinessProbe": ready})
        world.follow()
        await asyncio.sleep(11)
        world.turned.clear()
        world.pod.metadata.deletion_timestamp = world.clock.now()
        world.follow()
        assert (await world.turn(), world.probes.ready) == (20, {"one": False})
        await asyncio.sleep(30)
        assert [now for name, now in runtime.asked if name == "live"] == [10]
        assert world.probes.failed == {}
        await world.probes.stop()

    virtually(story)


def test_an_adopted_container_keeps_what_the_status_says_and_is_asked_at_a_random_moment() -> None:
    async def story() -> None:
        runtime = Scripted(lambda _, now: 1)
        world = World(runtime, {k: probe() for k in ("startupProbe", "readinessProbe")}, chance=0.7)
        told = ContainerStatus(name="c", container_id="docker://one", ready=True, started=True)
        world.pod.status.container_statuses = [told]
        world.follow()
        assert (world.probes.started, world.probes.ready) == ({"one": True}, {"one": True})
        assert (await world.turn(), world.probes.ready) == (27, {"one": False})
        await world.probes.stop()

    virtually(story)


def test_what_could_not_be_asked_says_nothing_of_the_container() -> None:
    class Refusing:
        async def exec(self, *_: object) -> ExecResult:
            raise EngineError("no such command")

    async def story() -> None:
        world = World(Refusing(), {"livenessProbe": probe(failureThreshold=1)})
        world.follow()
        await asyncio.sleep(25)
        assert world.probes.failed == {}
        told = "Liveness probe errored and resulted in unknown state: no such command"
        assert world.events == [("c", "Warning", "Unhealthy", told)] * 2
        await world.probes.stop()

    virtually(story)


def test_a_look_that_outlasts_its_period_is_followed_by_the_next_at_once() -> None:
    class Slow(Scripted):
        async def exec(self, *asked: Any) -> ExecResult:
            ended = await super().exec(*asked)
            await asyncio.sleep(25 if len(self.asked) == 1 else 0)
            return ended

    async def story() -> None:
        runtime = Slow(lambda _, now: 0)
        world = World(runtime, {"livenessProbe": probe(timeoutSeconds=30)})
        world.follow()
        await asyncio.sleep(60)
        assert [now for _, now in runtime.asked] == [10, 35, 45, 55]
        await world.probes.stop()

    virtually(story)
