"""A Deployment's revisions.

Which ReplicaSet is the new one, its name and hash, revision numbers, and what may be forgotten.

Rolling back needs nothing of its own: the user (or `kubectl rollout undo`) writes an old template back, the
ReplicaSet that has it becomes the new one again and takes the next revision number.
"""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.controllers.owners import reference_to
from kubeapi.apps_v1.types import Deployment, ReplicaSet, ReplicaSetSpec
from kubeapi.core_v1.types import PodTemplateSpec
from kubeapi.go_numbers import int_in
from kubeapi.meta_v1.types import LabelSelector, ObjectMeta
from kubeapi.names import safe_encoded

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = {"kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MAXIMUM}


def template_hash(template: PodTemplateSpec, collisions: int | None) -> str:
    """FNV-32a over the template (and the collision count), written in the letters that Kubernetes uses for names."""
    data = template.to_json() + (collisions.to_bytes(8, "little") if collisions is not None else b"")
    value = 2166136261
    for byte in data:
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return safe_encoded(str(value))


def same_template(a: PodTemplateSpec, b: PodTemplateSpec) -> bool:
    """Equal but for the hash label, which only a ReplicaSet's template has."""
    return _bare(a) == _bare(b)


def _bare(template: PodTemplateSpec) -> bytes:
    copy = template.clone()
    copy.metadata.labels = {k: v for k, v in copy.metadata.labels.items() if k != HASH_LABEL}
    return copy.to_json()


def find_new(deployment: Deployment, sets: Sequence[ReplicaSet]) -> ReplicaSet | None:
    """The ReplicaSet of the Deployment's template: the oldest, should several have it."""
    same = [rs for rs in sets if same_template(rs.spec.template, deployment.spec.template)]
    return min(same, key=lambda rs: (rs.metadata.creation_timestamp, rs.metadata.name), default=None)


def revision_of(annotations: dict[str, str]) -> int:
    """The revision number in annotations, 0 without a good one."""
    return max(int_in(annotations.get(REVISION, "")) or 0, 0)


def next_revision(old: Sequence[ReplicaSet]) -> int:
    """One more than any old ReplicaSet has."""
    return max((revision_of(rs.metadata.annotations) for rs in old), default=0) + 1


def annotations_for(deployment: Deployment, current: dict[str, str], revision: int, maximum: int) -> dict[str, str]:
    """What the new ReplicaSet's annotations should be: the Deployment's own, its revision and its former ones, its sizes."""
    out = dict(current)
    out.update({k: v for k, v in deployment.metadata.annotations.items() if k not in _NOT_COPIED})
    before = revision_of(current)
    if before < revision:
        out[REVISION] = str(revision)
        if before:
            out[HISTORY] = ",".join(filter(None, [current.get(HISTORY, ""), str(before)]))
    return out | sizes(deployment, maximum)


def sizes(deployment: Deployment, maximum: int) -> dict[str, str]:
    """The annotations by which a later sync sees that the Deployment was scaled."""
    return {DESIRED: str(deployment.spec.replicas or 0), MAXIMUM: str(maximum)}


def make_new(deployment: Deployment, revision: int, maximum: int) -> ReplicaSet:
    """The ReplicaSet of the Deployment's template, with no replicas yet."""
    value = template_hash(deployment.spec.template, deployment.status.collision_count)
    template = deployment.spec.template.clone()
    template.metadata.labels = template.metadata.labels | {HASH_LABEL: value}
    selector = deployment.spec.selector
    return ReplicaSet(
        metadata=ObjectMeta(
            name=f"{deployment.metadata.name}-{value}",
            namespace=deployment.metadata.namespace,
            labels=template.metadata.labels,
            annotations=annotations_for(deployment, {}, revision, maximum),
            owner_references=[reference_to(deployment)],
        ),
        spec=ReplicaSetSpec(
            replicas=0,
            min_ready_seconds=deployment.spec.min_ready_seconds,
            selector=LabelSelector(
                match_labels=selector.match_labels | {HASH_LABEL: value}, match_expressions=selector.match_expressions
            ),
            template=template,
        ),
    )


def forgettable(deployment: Deployment, old: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """Old ReplicaSets beyond revisionHistoryLimit, oldest revision first; only those at rest without a single pod."""
    limit = deployment.spec.revision_history_limit
    if limit is None:
        return []
    living = sorted(
        (rs for rs in old if not rs.metadata.deletion_timestamp), key=lambda rs: revision_of(rs.metadata.annotations)
    )
    surplus = living[: max(0, len(living) - limit)]
    return [
        rs
        for rs in surplus
        if not rs.spec.replicas and not rs.status.replicas and rs.status.observed_generation >= rs.metadata.generation
    ]
