"""A pod's status goes on from what was told last, not from what the API still shows."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.plan import Known, Observed, StartContainer, Waiting, plan
from agent.runtime.protocol import Container as Ended
from agent.runtime.protocol import PodRef, Sandbox
from agent.status import Facts, as_told, status_of
from kubeapi.core_v1.types import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
)
from kubeapi.meta_v1.types import ObjectMeta

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def shown(*conditions: PodCondition) -> Pod:
    """A pod as the API shows it."""
    spec = PodSpec(containers=[Container(name="c", image="i")])
    return Pod(metadata=ObjectMeta(name="p", uid="u"), spec=spec, status=PodStatus(conditions=[*conditions]))


def told_at(pod: Pod, seconds: int, last: PodStatus) -> PodStatus:
    now = NOW + timedelta(seconds=seconds)
    return status_of(as_told(pod, last), Observed((), ()), Known(), Facts("192.0.2.1", {}), now)


def times(status: PodStatus) -> set[datetime | None]:
    return {c.last_transition_time for c in status.conditions if c.type == "Ready"}


def test_an_older_version_of_the_object_does_not_take_back_what_was_told() -> None:
    first = told_at(shown(), 0, PodStatus())
    older = shown(PodCondition(type="Ready", status="False", last_transition_time=NOW - timedelta(seconds=1)))
    assert told_at(older, 5, first) == first
    assert times(first) == {NOW}


def test_without_anything_told_the_object_is_gone_on_from() -> None:
    earlier = NOW - timedelta(hours=1)
    adopted = told_at(shown(PodCondition(type="Ready", status="False", last_transition_time=earlier)), 0, PodStatus())
    assert times(adopted) == {earlier}


@pytest.mark.parametrize(("crashes", "reason"), [(0, "PostStartHookError"), (1, "CrashLoopBackOff")])
def test_a_container_that_waits_for_its_back_off_says_so_whatever_ended_it(crashes: int, reason: str) -> None:
    ref = PodRef("ns", "p", "u")
    dead = Ended("c0", ref, "c", 0, "s0", "exited", crashes, started_at=NOW - timedelta(seconds=1), finished_at=NOW)
    known = Known(waiting={"c": Waiting("PostStartHookError", "why")})
    status = status_of(shown(), Observed((), (dead,)), known, Facts("192.0.2.1", {}), NOW)
    assert status.container_statuses[0].state.waiting.reason == reason
    assert status.container_statuses[0].last_state.terminated.reason == "Completed"


def test_conditions_of_others_come_from_the_object() -> None:
    first = told_at(shown(), 0, PodStatus())
    gate = PodCondition(type="example.com/gate", status="True")
    assert gate in told_at(shown(gate), 1, first).conditions


def test_a_container_that_is_nowhere_any_more_is_counted_once_and_started_as_that() -> None:
    ran = ContainerState(running=ContainerStateRunning(started_at=NOW))
    before = shown()
    before.status.container_statuses = [
        ContainerStatus(name="c", container_id="docker://x", restart_count=2, state=ran)
    ]
    first = told_at(before, 0, PodStatus())
    (seen,) = first.container_statuses
    assert (seen.restart_count, seen.last_state.terminated.reason, seen.container_id) == (
        3,
        "ContainerStatusUnknown",
        "",
    )
    assert told_at(before, 1, first) == first
    sandbox = Sandbox("s0", PodRef("ns", "p", "u"), 0, True, 1)
    known = Known(pod_ip="192.0.2.2", volumes_ready=True)
    assert plan(as_told(before, first), Observed((sandbox,)), known, NOW).actions == (StartContainer("c", 3, 0),)
