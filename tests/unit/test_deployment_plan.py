"""Deployments: what the next step is, and that no step breaks the promises of maxSurge and maxUnavailable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.controllers.deployment import history, rolling
from controlplane.controllers.deployment.plan import Plan, plan
from kubeapi.apps_v1.types import Deployment, ReplicaSet

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def deployment(
    replicas: int = 3, image: str = "a:1", surge: int | str = "25%", unavailable: int | str = "25%"
) -> Deployment:
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    return Deployment.model_validate({"metadata": {"name": "web", "namespace": "n", "uid": "d"}, "spec": spec})


def settled(rs: ReplicaSet, ready: int, age: int = 0) -> ReplicaSet:
    rs = rs.clone()
    rs.metadata.uid = rs.metadata.name
    rs.metadata.creation_timestamp = NOW + timedelta(seconds=age)
    rs.status.replicas, rs.status.ready_replicas, rs.status.available_replicas = rs.spec.replicas or 0, ready, ready
    return rs


def first(d: Deployment, ready: bool = True) -> ReplicaSet:
    made = plan(d, [], {}, NOW).create
    assert made is not None
    return settled(made, (made.spec.replicas or 0) if ready else 0)


def test_a_new_deployment_makes_one_replicaset_of_full_size_with_revision_1() -> None:
    step = plan(deployment(), [], {}, NOW)
    assert step.create is not None and step.create.spec.replicas == 3 and step.revision == "1"
    assert step.create.metadata.annotations == {history.REVISION: "1", history.DESIRED: "3", history.MAXIMUM: "4"}
    assert step.create.spec.selector.match_labels["pod-template-hash"] in step.create.metadata.name


def test_a_changed_template_starts_with_the_surge_and_takes_nothing_away() -> None:
    old = first(deployment(4))
    step = plan(deployment(4, "a:2"), [old], {}, NOW)
    assert step.create is not None and step.create.spec.replicas == 1 and step.revision == "2"
    assert step.update == []


def test_an_old_template_written_back_reuses_its_replicaset_and_notes_the_former_revision() -> None:
    one = first(deployment())
    two = settled(_only(plan(deployment(image="a:2"), [one], {}, NOW)), 1, age=1)
    step = plan(deployment(), [one, two], {}, NOW)
    assert step.create is None and step.revision == "3"
    again = next(rs for rs in step.update if rs.metadata.name == one.metadata.name)
    assert again.metadata.annotations[history.HISTORY] == "1"


def test_recreate_waits_for_the_last_old_pod() -> None:
    d = deployment(image="a:2")
    d.spec.strategy.type, d.spec.strategy.rolling_update = "Recreate", None
    old = first(deployment())
    down = plan(d, [old], {old.metadata.uid: 3}, NOW)
    assert [rs.spec.replicas for rs in down.update] == [0] and _only(down).spec.replicas == 0
    old.spec.replicas = 0
    new = settled(_only(down), 0, age=1)
    assert plan(d, [old, new], {old.metadata.uid: 1}, NOW).update == []
    assert [rs.spec.replicas for rs in plan(d, [old, new], {}, NOW).update] == [3]


def test_a_paused_deployment_scales_but_makes_no_replicaset() -> None:
    d = deployment(5, "a:2")
    d.spec.paused = True
    old = first(deployment(3))
    step = plan(d, [old], {}, NOW)
    assert step.create is None and [rs.spec.replicas for rs in step.update] == [5]
    assert step.status.conditions[-1].reason == "DeploymentPaused"


def test_a_rollout_that_does_not_move_exceeds_its_deadline() -> None:
    d = deployment()
    rs = first(d, ready=False)
    d.status = plan(d, [], {}, NOW).status
    d.status = plan(d, [rs], {}, NOW).status
    late = plan(d, [rs], {}, NOW + timedelta(seconds=601)).status
    progressing = next(c for c in late.conditions if c.type == "Progressing")
    assert (progressing.status, progressing.reason) == ("False", "ProgressDeadlineExceeded")


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "want"),
    [(4, "25%", "25%", (1, 1)), (3, "25%", "25%", (1, 0)), (1, 0, "25%", (0, 1)), (10, "34%", 0, (4, 0))],
)
def test_surge_rounds_up_and_unavailable_rounds_down(
    replicas: int, surge: int | str, unavailable: int | str, want: tuple[int, int]
) -> None:
    assert rolling.bounds(deployment(replicas, "a:1", surge, unavailable)) == want


def test_a_rollout_taken_back_takes_nothing_before_the_status_is_of_the_new_size() -> None:
    d = deployment(2, surge=2, unavailable=0)
    back = first(d)  # shrunk to 1 by the rollout, and grown to 2 again: its status does not know yet that a pod went
    away = settled(_only(plan(deployment(2, "a:2", 2, 0), [back], {}, NOW)), 2, age=1)
    back.metadata.generation, back.status.observed_generation = 3, 2
    assert rolling.next_old(d, back, [away]) == {}
    back.status.observed_generation, back.status.available_replicas = 3, 1
    assert rolling.next_old(d, back, [away]) == {away.metadata.name: 1}


@given(st.integers(1, 12), st.integers(0, 4), st.integers(0, 4))
def test_a_rollout_keeps_its_bounds_at_each_step_and_ends(replicas: int, surge: int, unavailable: int) -> None:
    d = deployment(replicas, "a:2", surge, unavailable)
    most, missing = rolling.bounds(d)
    sets = [first(deployment(replicas, "a:1"))]
    for age in range(1, 60):
        step = plan(d, sets, {}, NOW)
        by_name = {rs.metadata.name: rs for rs in [*sets, *step.update, *([step.create] if step.create else [])]}
        assert rolling.desired(list(by_name.values())) <= replicas + most
        sets = [
            settled(rs, rs.spec.replicas or 0, age if rs.metadata.creation_timestamp is None else 0)
            for rs in by_name.values()
        ]
        assert sum(rs.status.available_replicas for rs in sets) >= replicas - missing
        d.status = step.status
        if not step.update and step.create is None:
            break
    new = history.find_new(d, sets)
    assert new is not None and new.spec.replicas == replicas and rolling.desired(sets) == replicas


def _only(step: Plan) -> ReplicaSet:
    assert step.create is not None
    return step.create
