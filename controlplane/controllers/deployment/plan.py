"""What to do next for one Deployment: a pure decision over its ReplicaSets, carried out by `controller`.

One plan is one step. Its writes come back as events, which make the next; so a plan never looks further than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from controlplane.controllers.deployment import history, rolling
from controlplane.controllers.deployment.status import complete, next_status
from kubeapi.apps_v1.types import Deployment, DeploymentStatus, ReplicaSet


class Plan(NamedTuple):
    """ReplicaSets to create, update (already changed copies) and delete, the Deployment's revision, and its status."""

    create: ReplicaSet | None
    update: list[ReplicaSet]
    delete: list[ReplicaSet]
    revision: str
    status: DeploymentStatus


def plan(deployment: Deployment, sets: Sequence[ReplicaSet], pods: Mapping[str, int], now: datetime) -> Plan:
    """The next step. `sets` are the Deployment's own, `pods` the number of living pods by ReplicaSet uid."""
    sets = [rs.clone() for rs in sets]
    before = {rs.metadata.name: rs.to_json() for rs in sets}
    new = history.find_new(deployment, sets)
    old = [rs for rs in sets if rs is not new]
    revision = deployment.metadata.annotations.get(history.REVISION, "")
    create: ReplicaSet | None = None
    delete: list[ReplicaSet] = []
    if deployment.metadata.deletion_timestamp is None:
        scaling = rolling.was_scaled(deployment, sets)
        if not deployment.spec.paused and not scaling:
            new, create = _ensure_new(deployment, new, old)
            revision = new.metadata.annotations.get(history.REVISION, revision)
        _resize(deployment, _sizes(deployment, new, old, pods, scaling), [*old, *([new] if new else [])])
        if new is None or deployment.spec.paused or complete(deployment, deployment.status):
            delete = history.forgettable(deployment, old)
    everyone = [*old, *([new] if new else [])]
    status = next_status(deployment, everyone, new, now, create.metadata.name if create else "")
    gone = {rs.metadata.name for rs in delete}
    changed = [rs for rs in sets if rs.metadata.name not in gone and rs.to_json() != before[rs.metadata.name]]
    return Plan(create, changed, delete, revision, status)


def _ensure_new(
    deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]
) -> tuple[ReplicaSet, ReplicaSet | None]:
    number, most = history.next_revision(old), rolling.maximum(deployment)
    if new is None:
        made = history.make_new(deployment, number, most)
        return made, made
    new.metadata.annotations = history.annotations_for(deployment, new.metadata.annotations, number, most)
    new.spec.min_ready_seconds = deployment.spec.min_ready_seconds
    return new, None


def _sizes(
    deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet], pods: Mapping[str, int], scaling: bool
) -> rolling.Replicas:
    if deployment.spec.paused or scaling or new is None:
        return rolling.next_scaled(deployment, new, old)
    if deployment.spec.strategy.type == "Recreate":
        left = sum(pods.get(rs.metadata.uid, 0) for rs in old)
        return rolling.next_recreate(deployment, new, old, left)
    grown = rolling.next_new(deployment, new, [*old, new])
    if grown != new.spec.replicas:
        return {new.metadata.name: grown}
    return rolling.next_old(deployment, new, old)


def _resize(deployment: Deployment, sizes: rolling.Replicas, sets: Sequence[ReplicaSet]) -> None:
    noted = history.sizes(deployment, rolling.maximum(deployment))
    scaled = rolling.was_scaled(deployment, sets)
    for rs in sets:
        if rs.metadata.name in sizes:
            rs.spec.replicas = sizes[rs.metadata.name]
        if rs.metadata.name in sizes or (scaled and rs.spec.replicas):
            rs.metadata.annotations = rs.metadata.annotations | noted
