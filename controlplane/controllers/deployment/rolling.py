"""How many replicas each ReplicaSet of a Deployment has next: rolling update, recreate, and scaling in proportion.

All functions are pure and answer {name: replicas} for those that change. Never more pods than replicas + maxSurge,
never fewer available than replicas - maxUnavailable. Source: Kubernetes' pkg/controller/deployment/rolling.go and
sync.go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from controlplane.controllers.deployment.history import DESIRED, MAXIMUM, revision_of
from kubeapi.apps_v1.types import Deployment, ReplicaSet
from kubeapi.go_numbers import int_in

Replicas = dict[str, int]


def share(value: int | str | None, total: int, *, up: bool) -> int:
    """An IntOrString as a number: a percentage of the total, rounded up or down."""
    if isinstance(value, str):
        part = int(value.removesuffix("%")) * total / 100
        return math.ceil(part) if up else math.floor(part)
    return value or 0


def bounds(deployment: Deployment) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods. Should both come to nothing, one may be unavailable, or nothing could move."""
    total, rolling = deployment.spec.replicas or 0, deployment.spec.strategy.rolling_update
    if deployment.spec.strategy.type != "RollingUpdate" or rolling is None or not total:
        return 0, 0
    surge = share(rolling.max_surge, total, up=True)
    unavailable = share(rolling.max_unavailable, total, up=False)
    if not surge and not unavailable:
        unavailable = 1
    return surge, min(unavailable, total)


def maximum(deployment: Deployment) -> int:
    """The most pods there may be at once."""
    return (deployment.spec.replicas or 0) + bounds(deployment)[0]


def desired(sets: Sequence[ReplicaSet]) -> int:
    """The sum of the ReplicaSets' spec.replicas."""
    return sum(rs.spec.replicas or 0 for rs in sets)


def next_new(deployment: Deployment, new: ReplicaSet, sets: Sequence[ReplicaSet]) -> int:
    """The new ReplicaSet's next size in a rolling update: as much as the surge leaves room for."""
    want, have = deployment.spec.replicas or 0, new.spec.replicas or 0
    if have >= want:
        return want
    room = maximum(deployment) - desired(sets)
    return have if room <= 0 else have + min(room, want - have)


def next_old(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> Replicas:
    """The old ReplicaSets' next sizes: first those pods go that are not healthy anyway, then as many as may be missed.

    Nothing goes while what the new ReplicaSet still owes would be missed, nor before its status is of its present size: one
    of before may count what it was told to let go, in a rollout that is taken back.
    """
    if new.status.observed_generation < new.metadata.generation:
        return {}
    minimum = (deployment.spec.replicas or 0) - bounds(deployment)[1]
    spare = desired([*old, new]) - minimum - ((new.spec.replicas or 0) - _available(new))
    if spare <= 0:
        return {}
    sizes = {rs.metadata.name: rs.spec.replicas or 0 for rs in old}
    before = dict(sizes)
    by_age = sorted(old, key=_age)
    for rs in by_age:
        if spare <= 0:
            break
        gone = min(spare, sizes[rs.metadata.name] - _available(rs))
        sizes[rs.metadata.name] -= gone
        spare -= gone
    missable = sum(_available(rs) for rs in [*old, new]) - minimum
    for rs in by_age:
        if missable <= 0:
            break
        gone = min(missable, sizes[rs.metadata.name])
        sizes[rs.metadata.name] -= gone
        missable -= gone
    return {name: size for name, size in sizes.items() if size != before[name]}


def next_recreate(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet], old_pods: int) -> Replicas:
    """Recreate: all old ones to nothing; only when their last pod is gone, the new one to its full size."""
    down = {rs.metadata.name: 0 for rs in old if rs.spec.replicas}
    if down or old_pods or new is None:
        return down
    want = deployment.spec.replicas or 0
    return {new.metadata.name: want} if new.spec.replicas != want else {}


def was_scaled(deployment: Deployment, sets: Sequence[ReplicaSet]) -> bool:
    """Whether spec.replicas changed since an active ReplicaSet was last sized."""
    want = str(deployment.spec.replicas or 0)
    return any(rs.metadata.annotations.get(DESIRED, want) != want for rs in sets if rs.spec.replicas)


def next_scaled(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> Replicas:
    """Scaling: a single active ReplicaSet takes all; in the middle of a rollout each takes its proportion.

    Largest remainders are not used: like Kubernetes, each share is rounded, and the largest ReplicaSet takes what is left.
    """
    want, everyone = deployment.spec.replicas or 0, [*old, *([new] if new else [])]
    active = [rs for rs in everyone if rs.spec.replicas]
    if len(active) <= 1:
        only = (
            active[0] if active else new or max(old, key=lambda rs: revision_of(rs.metadata.annotations), default=None)
        )
        return {only.metadata.name: want} if only is not None and only.spec.replicas != want else {}
    if new is not None and new.spec.replicas == want == new.status.available_replicas:
        return {rs.metadata.name: 0 for rs in old if rs.spec.replicas}
    if deployment.spec.strategy.type != "RollingUpdate":
        return {}
    allowed = maximum(deployment) if want else 0
    total = desired(active)
    add = allowed - total
    newest_first = add > 0
    active.sort(key=lambda rs: (rs.spec.replicas or 0, _age(rs) if newest_first else _youth(rs)), reverse=True)
    sizes, added = {}, 0
    for rs in active:
        part = _proportion(rs, allowed, add - added, want) if add else 0
        sizes[rs.metadata.name] = (rs.spec.replicas or 0) + part
        added += part
    first = active[0].metadata.name
    sizes[first] = max(0, sizes[first] + add - added)
    return {rs.metadata.name: sizes[rs.metadata.name] for rs in active if sizes[rs.metadata.name] != rs.spec.replicas}


def _proportion(rs: ReplicaSet, allowed: int, left: int, want: int) -> int:
    have = rs.spec.replicas or 0
    before = max(int_in(rs.metadata.annotations.get(MAXIMUM, "")) or 0, 0) or want
    part = -have if not want else math.floor(have * allowed / before + 0.5) - have
    return min(part, left) if left > 0 else max(part, left)


def _available(rs: ReplicaSet) -> int:
    """The available pods that stay: a status from before the last shrinking counts some that are on their way out."""
    return min(rs.status.available_replicas, rs.spec.replicas or 0)


def _age(rs: ReplicaSet) -> float:
    return rs.metadata.creation_timestamp.timestamp() if rs.metadata.creation_timestamp else math.inf


def _youth(rs: ReplicaSet) -> float:
    return -_age(rs)
