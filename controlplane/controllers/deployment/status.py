"""A Deployment's status: counts summed over its ReplicaSets, and the conditions Available, Progressing, ReplicaFailure.

Progressing is a small machine: ReplicaSetUpdated while it moves, NewReplicaSetAvailable when complete,
ProgressDeadlineExceeded when nothing moved for progressDeadlineSeconds, DeploymentPaused and -Resumed around a pause.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from controlplane.controllers.deployment.rolling import bounds, desired
from kubeapi.apps_v1.types import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet


def condition(status: DeploymentStatus, type_: str) -> DeploymentCondition | None:
    """The condition of the type, or None."""
    return next((c for c in status.conditions if c.type == type_), None)


def set_condition(status: DeploymentStatus, type_: str, value: str, reason: str, message: str, now: datetime) -> None:
    """Write a condition; its transition time moves only with its status, and nothing at all if it says the same."""
    old = condition(status, type_)
    if old is not None and (old.status, old.reason) == (value, reason) and reason != "ReplicaSetUpdated":
        return
    since = old.last_transition_time if old is not None and old.status == value else now
    made = DeploymentCondition(
        type=type_, status=value, reason=reason, message=message, last_update_time=now, last_transition_time=since
    )
    status.conditions = [*(c for c in status.conditions if c.type != type_), made]


def count(deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None) -> DeploymentStatus:
    """The counts, with the conditions of before."""
    available = sum(rs.status.available_replicas for rs in sets)
    return DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=sum(rs.status.replicas for rs in sets),
        updated_replicas=new.status.replicas if new else 0,
        ready_replicas=sum(rs.status.ready_replicas for rs in sets),
        available_replicas=available,
        unavailable_replicas=max(0, desired(sets) - available),
        terminating_replicas=sum(rs.status.terminating_replicas or 0 for rs in sets),
        collision_count=deployment.status.collision_count,
        conditions=list(deployment.status.conditions),
    )


def complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """All replicas are of the new template and available, and no old one is left."""
    want = deployment.spec.replicas or 0
    return status.updated_replicas == status.replicas == status.available_replicas == want


def progressed(before: DeploymentStatus, after: DeploymentStatus) -> bool:
    """Whether anything moved towards the new template since the last status."""
    return (
        after.updated_replicas > before.updated_replicas
        or after.replicas - after.updated_replicas < before.replicas - before.updated_replicas
        or after.ready_replicas > before.ready_replicas
        or after.available_replicas > before.available_replicas
    )


def deadline(deployment: Deployment) -> datetime | None:
    """When the rollout counts as stuck unless it moves; None if it is complete or has no deadline."""
    moved, limit = condition(deployment.status, "Progressing"), deployment.spec.progress_deadline_seconds
    if moved is None or moved.last_update_time is None or moved.reason == "NewReplicaSetAvailable":
        return None
    if limit is None or limit >= 2**31 - 1 or deployment.spec.paused:
        return None
    return moved.last_update_time + timedelta(seconds=limit)


def next_status(
    deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime, created: str = ""
) -> DeploymentStatus:
    """The status to write. `created` names a ReplicaSet that this sync made."""
    status = count(deployment, sets, new)
    if status.available_replicas >= (deployment.spec.replicas or 0) - bounds(deployment)[1]:
        message = "Deployment has minimum availability."
        set_condition(status, "Available", "True", "MinimumReplicasAvailable", message, now)
    else:
        message = "Deployment does not have minimum availability."
        set_condition(status, "Available", "False", "MinimumReplicasUnavailable", message, now)
    _progress(deployment, status, new, now, created)
    if not deployment.spec.paused:
        _failure(status, sets, new)
    return status


def _failure(status: DeploymentStatus, sets: Sequence[ReplicaSet], new: ReplicaSet | None) -> None:
    """Why pods can't be made or deleted: the new ReplicaSet's reason before those of old ones."""
    first = [new] if new is not None else []
    found = [c for rs in [*first, *sets] for c in rs.status.conditions if c.type == "ReplicaFailure"]
    status.conditions = [c for c in status.conditions if c.type != "ReplicaFailure"]
    for c in found[:1]:
        at = c.last_transition_time
        told = {"type": c.type, "status": c.status, "reason": c.reason, "message": c.message}
        status.conditions.append(DeploymentCondition(**told, last_transition_time=at, last_update_time=at))


def _progress(
    deployment: Deployment, status: DeploymentStatus, new: ReplicaSet | None, now: datetime, created: str
) -> None:
    if deployment.spec.progress_deadline_seconds is None:
        status.conditions = [c for c in status.conditions if c.type != "Progressing"]
        return
    before = condition(status, "Progressing")
    reason = before.reason if before else ""
    what = f'ReplicaSet "{new.metadata.name}"' if new else f'Deployment "{deployment.metadata.name}"'
    if deployment.spec.paused:
        set_condition(status, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now)
    elif reason == "DeploymentPaused" and not created:
        set_condition(status, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now)
    elif created:
        text = f'Created new replica set "{created}"'
        set_condition(status, "Progressing", "True", "NewReplicaSetCreated", text, now)
    elif new is not None and before is None:
        text = f'Found new replica set "{new.metadata.name}"'
        set_condition(status, "Progressing", "True", "FoundNewReplicaSet", text, now)
    elif complete(deployment, status) and new is not None:
        set_condition(
            status, "Progressing", "True", "NewReplicaSetAvailable", f"{what} has successfully progressed.", now
        )
    elif progressed(deployment.status, status):
        # A complete Deployment that only loses and regains pods is not rolling out.
        if not (reason == "NewReplicaSetAvailable" and status.updated_replicas == status.replicas and new is not None):
            set_condition(status, "Progressing", "True", "ReplicaSetUpdated", f"{what} is progressing.", now)
    elif (due := deadline(deployment)) is not None and due <= now:
        set_condition(
            status, "Progressing", "False", "ProgressDeadlineExceeded", f"{what} has timed out progressing.", now
        )
