"""What a pod needs next, by table: sandbox first, init in order, restarts with back-off, rest before removal."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.plan import (
    CreateSandbox,
    Finish,
    KillContainer,
    Known,
    Observed,
    Plan,
    Remove,
    StartContainer,
    StopSandbox,
    crash_delay,
    plan,
    restart_at,
)
from agent.runtime.protocol import Container, PodRef, Sandbox
from kubeapi.core_v1.types import ContainerStatus, Pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REF = PodRef("ns", "p", "u")
SANDBOX = Sandbox("s0", REF, 0, True, 9)
READY = Known(volumes_ready=True)


def pod(policy: str = "Always", inits: tuple[str, ...] = (), deleted: bool = False) -> Pod:
    made = Pod.model_validate(
        {
            "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
            "spec": {
                "containers": [{"name": "c"}],
                "initContainers": [{"name": n} for n in inits],
                "restartPolicy": policy,
            },
        }
    )
    made.metadata.deletion_timestamp = NOW if deleted else None
    return made


def dead(name: str = "c", code: int = 1, crashes: int = 0, attempt: int = 0, ran: float = 1) -> Container:
    return Container(
        f"{name}{attempt}", REF, name, attempt, "s0", "exited", crashes, code,
        started_at=NOW - timedelta(seconds=ran), finished_at=NOW,
    )  # fmt: skip


RUNNING = Container("c0", REF, "c", 0, "s0", "running")


def test_sandbox_comes_first() -> None:
    assert plan(pod(), Observed(), READY, NOW).actions == (CreateSandbox(0),)


def test_nothing_starts_before_the_volumes_are_there() -> None:
    assert plan(pod(), Observed(), Known(), NOW) == Plan()


def test_init_containers_run_one_after_the_other() -> None:
    both = pod(inits=("i", "j"))
    assert plan(both, Observed((SANDBOX,)), READY, NOW).actions == (StartContainer("i", 0, 0),)
    after = Observed((SANDBOX,), (dead("i", code=0),))
    assert plan(both, after, READY, NOW).actions == (StartContainer("j", 0, 0),)


def test_first_restart_is_at_once_and_the_second_waits_ten_seconds() -> None:
    assert plan(pod(), Observed((SANDBOX,), (dead(),)), READY, NOW).actions == (StartContainer("c", 1, 1),)
    again = plan(pod(), Observed((SANDBOX,), (dead(crashes=1, attempt=1),)), READY, NOW)
    assert again == Plan((), NOW + timedelta(seconds=10))


@pytest.mark.parametrize(("crashes", "delay"), [(0, 0), (1, 10), (2, 20), (5, 160), (6, 300), (50, 300)])
def test_back_off_doubles_to_five_minutes(crashes: int, delay: float) -> None:
    assert crash_delay(dead(crashes=crashes)) == delay


def test_a_clock_that_was_set_back_ends_the_back_off() -> None:
    crashed = dead(crashes=3)
    assert crashed.finished_at is not None
    assert restart_at(crashed, crashed.finished_at) == crashed.finished_at + timedelta(seconds=40)
    before = crashed.finished_at - timedelta(hours=2)
    assert restart_at(crashed, before) == before


def test_a_long_run_forgets_the_crashes() -> None:
    assert crash_delay(dead(crashes=5, ran=600)) == 0


@pytest.mark.parametrize(
    ("policy", "code", "again"), [("Never", 1, False), ("OnFailure", 0, False), ("OnFailure", 1, True)]
)
def test_restart_policy_decides(policy: str, code: int, again: bool) -> None:
    actions = plan(pod(policy), Observed((SANDBOX,), (dead(code=code),)), READY, NOW).actions
    assert (StartContainer("c", 1, 1) in actions) is again
    assert (StopSandbox("s0") in actions) is not again


def test_failed_probe_kills_in_the_kubelets_words() -> None:
    failed = Known(failed={"c0": "liveness"}, volumes_ready=True)
    actions = plan(pod(), Observed((SANDBOX,), (RUNNING,)), failed, NOW).actions
    assert actions == (KillContainer("c0", "c", "Container c failed liveness probe, will be restarted"),)


def test_deleted_pod_ends_before_it_is_removed() -> None:
    gone = pod(deleted=True)
    kill = KillContainer("c0", "c", "Stopping container c")
    assert plan(gone, Observed((SANDBOX,), (RUNNING,)), READY, NOW).actions == (kill,)
    assert plan(gone, Observed((SANDBOX,), (dead(),)), READY, NOW).actions == (Remove("c0"), Remove("s0"), Finish())
    assert plan(gone, Observed(), READY, NOW).actions == (Finish(),)


@pytest.mark.parametrize(
    ("known", "deleted", "grace", "finalizers", "at_once"),
    [
        (Known(gone=True), False, 0, [], True),
        (Known(gone=True), False, 1, [], False),
        (Known(gone=True), True, 0, ["held"], True),
        (READY, True, 0, [], True),
        (READY, True, 1, [], False),
        (READY, True, 0, ["held"], False),
        (READY, False, 0, [], False),
    ],
)
def test_without_grace_all_is_removed_at_once_unless_somebody_is_to_see_the_end(
    known: Known, deleted: bool, grace: int, finalizers: list[str], at_once: bool
) -> None:
    going = pod(deleted=deleted)
    going.metadata.finalizers, going.spec.termination_grace_period_seconds = finalizers, grace
    actions = plan(going, Observed((SANDBOX,), (RUNNING,)), known, NOW).actions
    assert (actions == (Remove("c0"), Remove("s0"), Finish())) is at_once


def test_a_failed_sandbox_is_not_tried_before_its_time() -> None:
    later = NOW + timedelta(seconds=4)
    assert plan(pod(), Observed(), Known(volumes_ready=True, sandbox_at=later), NOW) == Plan((), later)
    assert plan(pod(), Observed(), Known(volumes_ready=True, sandbox_at=NOW), NOW).actions == (CreateSandbox(0),)


def test_a_container_that_someone_removed_is_replaced_at_once_and_counted() -> None:
    told = pod()
    told.status.container_statuses = [ContainerStatus(name="c", restart_count=2, container_id="docker://x")]
    assert plan(told, Observed((SANDBOX,)), READY, NOW).actions == (StartContainer("c", 3, 1),)
    before = dead(attempt=1)
    assert plan(told, Observed((SANDBOX,), (before,)), READY, NOW).actions == (StartContainer("c", 3, 1),)
