"""What a container's end was owed to: told once, by whoever can know it, and never guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.causes import HEARING, SURVIVAL, Causes, signal_of
from agent.plan import Observed
from agent.runtime.protocol import Container, PodRef, RuntimeEvent, Sandbox
from kubeapi.core_v1.types import Pod

REF = PodRef("ns", "p", "u")
BOX = Sandbox("s", REF, 0, running=True, pid=1)
RUNS = Container("c0", REF, "app", 0, "s", "running", pid=2)
WHOLE = Observed((BOX,), (RUNS,))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(**metadata: Any) -> Pod:
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    spec = {"containers": [{"name": "app", "image": "i", **limits}]}
    return Pod.model_validate({"metadata": {"name": "p", "uid": "u", **metadata}, "spec": spec})


def met() -> Causes:
    """Of a pod whose container has been seen to run."""
    causes = Causes(pod())
    assert causes.look(pod(), WHOLE, NOW) == []
    return causes


def ended(code: int, **more: Any) -> Observed:
    return Observed((BOX,), (replace(RUNS, phase="exited", exit_code=code, **more),))


def kill(number: int, id_: str = "c0") -> RuntimeEvent:
    return RuntimeEvent("kill", id_, "u", number)


NINE, TERM = "signal 9 (SIGKILL)", "signal 15 (SIGTERM)"


@pytest.mark.parametrize(
    ("sent", "code", "told"),
    [
        (0, 0, None),
        (0, 3, None),
        (0, 255, None),
        (9, 137, f"Container app was ended by {NINE} through the engine, not by Naru"),
        (15, 143, f"Container app was ended by {TERM} through the engine, not by Naru"),
        (15, 0, f"Container app ended with exit code 0 after {TERM} was sent to it through the engine, not by Naru"),
        (1, 1, None),  # a SIGHUP that it lived through, then an end of its own
        (0, 139, "Container app ended with exit code 139, that of signal 11 (SIGSEGV); "
                 "neither Naru nor, by all that was heard, the engine sent it"),
    ],
)  # fmt: skip
def test_an_end_is_told_where_the_status_does_not_tell_it(sent: int, code: int, told: str | None) -> None:
    causes = met()
    if sent:
        causes.hear(kill(sent), NOW)
    assert [t.message for t in causes.look(pod(), ended(code), NOW)] == ([told] if told else [])
    assert causes.look(pod(), ended(code), NOW) == []  # once


def test_what_naru_ends_itself_is_not_told_as_somebody_elses_doing() -> None:
    causes = met()
    causes.ours("c0")
    causes.hear(kill(15), NOW)
    assert causes.look(pod(), ended(137), NOW) == []
    causes.ours("c0")
    assert causes.look(pod(), Observed((BOX,), ()), NOW) == []


def test_who_asked_naru_to_kill_a_container_is_told_that_it_was_naru() -> None:
    causes = met()
    causes.asked("c0")
    causes.hear(kill(9), NOW)
    (told,) = causes.look(pod(), ended(137), NOW)
    assert told == ("app", "Killed", f"Container app was ended by {NINE}: Naru was asked to kill it")
    assert causes.look(pod(), ended(137), NOW) == []


def test_an_end_for_want_of_memory_stands_in_the_status_alone() -> None:
    assert met().look(pod(), ended(137, oom_killed=True), NOW) == []


def test_a_kill_that_nobody_spoke_of_is_given_a_second_in_which_its_cause_may_still_come() -> None:
    causes = met()
    assert causes.look(pod(), ended(137), NOW) == []
    assert causes.due == NOW + HEARING
    (told,) = causes.look(pod(), ended(137), NOW + HEARING)
    assert told.message.endswith("neither Naru nor, by all that was heard, the engine sent it")
    assert causes.look(pod(), ended(137), NOW + HEARING) == [] and causes.due is None


@pytest.mark.parametrize(
    ("event", "more", "told"),
    [
        (RuntimeEvent("oom", "c0", "u"), {"oom_killed": True}, []),
        (kill(9), {}, [f"Container app was ended by {NINE} through the engine, not by Naru"]),
    ],
)
def test_a_cause_that_comes_after_the_end_is_heard(event: RuntimeEvent, more: dict[str, Any], told: list[str]) -> None:
    causes = met()
    assert causes.look(pod(), ended(137), NOW) == []
    causes.hear(event, NOW)
    assert [t.message for t in causes.look(pod(), ended(137, **more), NOW + HEARING / 2)] == told
    assert causes.look(pod(), ended(137, **more), NOW + HEARING) == [] and causes.due is None


def test_a_process_killed_for_want_of_memory_in_a_container_that_lives_on_is_told() -> None:
    causes = met()
    causes.hear(RuntimeEvent("oom", "c0", "u"), NOW)
    assert causes.look(pod(), WHOLE, NOW) == []
    assert causes.due == NOW + SURVIVAL
    causes.hear(RuntimeEvent("oom", "c0", "u"), NOW + SURVIVAL / 2)
    (told,) = causes.look(pod(), WHOLE, NOW + SURVIVAL)
    assert (told.container, told.reason) == ("app", "OOMKilling")
    assert told.message == (
        "The kernel killed a process of container app for want of memory (limit 64Mi); the container lives on"
    )
    assert causes.look(pod(), WHOLE, NOW + SURVIVAL) == [] and causes.due is None


def test_a_container_whose_own_process_it_was_did_not_live_on_though_it_took_its_time_to_die() -> None:
    causes = met()
    causes.hear(RuntimeEvent("oom", "c0", "u"), NOW)
    assert causes.look(pod(), WHOLE, NOW + timedelta(seconds=2)) == []
    assert causes.look(pod(), ended(137, oom_killed=True), NOW + SURVIVAL) == [] and causes.due is None


def test_an_end_while_the_engine_was_away_is_the_engines() -> None:
    causes = met()
    causes.lose_engine()
    (told,) = causes.look(pod(), ended(255), NOW)
    assert told == ("app", "EngineLost", "Container app ended while the engine was away, with exit code 255")


def test_a_new_agent_does_not_claim_to_know_who_sent_a_signal_and_tells_nothing_twice() -> None:
    known = pod()
    status = {"name": "app", "containerID": "docker://c0", "state": {"running": {}}}
    known.status = known.status.model_validate({"containerStatuses": [status]})
    (told,) = Causes(known).look(known, ended(137), NOW)
    assert told.message.endswith("who sent it is not known, because the node's agent was not there")
    status["state"] = {"terminated": {"exitCode": 137, "containerID": "docker://c0"}}
    known.status = known.status.model_validate({"containerStatuses": [status]})
    assert Causes(known).look(known, ended(137), NOW) == []


def test_a_new_agent_takes_the_ends_of_a_pod_that_is_deleted_for_its_predecessors_doing() -> None:
    assert Causes(pod()).look(pod(deletionTimestamp=datetime(2026, 1, 1, tzinfo=UTC)), ended(143), NOW) == []


def test_a_container_and_a_sandbox_that_somebody_took_away_are_told() -> None:
    causes = met()
    (told,) = causes.look(pod(), Observed((BOX,), ()), NOW)
    assert told.message == "Container app was removed from the engine, not by Naru"
    causes = met()
    causes.hear(kill(9), NOW)  # as docker rm --force begins
    (told,) = causes.look(pod(), Observed((BOX,), ()), NOW)
    assert told.message == f"Container app was ended by {NINE} through the engine, not by Naru"
    causes.hear(kill(9, "s"), NOW)
    (told,) = causes.look(pod(), Observed((replace(BOX, running=False),), ()), NOW)
    assert (told.container, told.message) == ("", f"The sandbox was ended by {NINE} through the engine, not by Naru")


def test_exit_codes_that_are_no_signals() -> None:
    assert [signal_of(code) for code in (0, 1, 126, 127, 128, 129, 137, 193, 255)] == [0, 0, 0, 0, 0, 1, 9, 0, 0]
