"""What controllers ask of a pod: is it ready, available, alive; and which of several to delete first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from kubeapi.core_v1.types import Pod, PodCondition
from kubeapi.go_numbers import int_in

_NEVER = datetime.max.replace(tzinfo=UTC)


def condition(pod: Pod, type_: str) -> PodCondition | None:
    """The pod's condition of the type, or None."""
    for found in pod.status.conditions:
        if found.type == type_:
            return found
    return None


def is_ready(pod: Pod) -> bool:
    """Whether the pod's Ready condition is True."""
    found = condition(pod, "Ready")
    return found is not None and found.status == "True"


def is_finished(pod: Pod) -> bool:
    """Whether all its containers have ended for good."""
    return pod.status.phase in ("Succeeded", "Failed")


def is_active(pod: Pod) -> bool:
    """Whether it counts as a replica: neither finished nor being deleted."""
    return not is_finished(pod) and pod.metadata.deletion_timestamp is None


def available_at(pod: Pod, min_ready_seconds: int) -> datetime | None:
    """When a ready pod counts as available; None while it is not ready."""
    found = condition(pod, "Ready")
    if found is None or found.status != "True":
        return None
    if not min_ready_seconds:
        return datetime.min.replace(tzinfo=UTC)
    return (found.last_transition_time or _NEVER - timedelta(days=1)) + timedelta(seconds=min_ready_seconds)


def deletion_rank(pod: Pod, beside: int) -> tuple[object, ...]:
    """Sort key: who goes first. `beside` is the number of the owner's pods on the same node.

    Unassigned before assigned, Pending before Running, not ready before ready, lower pod-deletion-cost, more crowded node,
    ready for a shorter time, more restarts, younger. Source: Kubernetes' ActivePodsWithRanks.
    """
    cost = pod.metadata.annotations.get("controller.kubernetes.io/pod-deletion-cost", "0")
    found = condition(pod, "Ready")
    since = found.last_transition_time if found and found.last_transition_time else _NEVER
    return (
        bool(pod.spec.node_name),
        {"Pending": 0, "": 0, "Unknown": 1}.get(pod.status.phase, 2),
        is_ready(pod),
        int_in(cost) or 0,
        -beside,
        -since.timestamp(),
        -max((c.restart_count for c in pod.status.container_statuses), default=0),
        -(pod.metadata.creation_timestamp or _NEVER).timestamp(),
    )
