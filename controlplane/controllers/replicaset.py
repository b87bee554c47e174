"""ReplicaSet: keeps so many pods of one template.

Watches ReplicaSets and pods; a pod's key is its controller, or every ReplicaSet that could adopt it. What was just
created or deleted may not be in the informer yet, and is laid over its view: nothing is created twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple

from controlplane.controllers.controller import Controller, itself, key_of, split
from controlplane.controllers.inflight import InFlight
from controlplane.controllers.owners import (
    adoption_patch,
    controller_of,
    controller_uid,
    plan_claims,
    reference_to,
    release_patch,
)
from controlplane.controllers.pods import available_at, condition, deletion_rank, is_active, is_finished
from kubeapi.apps_v1.types import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from kubeapi.core_v1.types import Pod
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.selectors import matches

BURST, AT_ONCE = 500, 16
PATIENCE = timedelta(minutes=5)  # with the informer


class Step(NamedTuple):
    """How many pods to create, and which to delete."""

    create: int
    delete: list[Pod]


def plan(rs: ReplicaSet, pods: Sequence[Pod]) -> Step:
    """The difference between what there is and what should be; at most BURST at a time."""
    active = [p for p in pods if is_active(p)]
    surplus = len(active) - (rs.spec.replicas or 0)
    if rs.metadata.deletion_timestamp is not None or surplus == 0:
        return Step(0, [])
    if surplus < 0:
        return Step(min(-surplus, BURST), [])
    crowd = Counter(p.spec.node_name for p in active)
    ranked = sorted(active, key=lambda p: deletion_rank(p, crowd[p.spec.node_name]))
    return Step(0, ranked[: min(surplus, BURST)])


def batches(total: int, first: int = 1) -> Iterator[int]:
    """Slow start: 1, 2, 4, ... so that a template nobody accepts is refused once, not hundreds of times. More than AT_ONCE
    are created no sooner, and each takes memory while it is on its way."""
    size = first
    while total > 0:
        yield min(size, total)
        total -= size
        size = min(size * 2, AT_ONCE)


def next_status(
    rs: ReplicaSet, pods: Sequence[Pod], failure: tuple[str, str] | None, now: datetime
) -> ReplicaSetStatus:
    """The counts, and ReplicaFailure (reason, message) while creating or deleting fails."""
    active = [p for p in pods if is_active(p)]
    labels = rs.spec.template.metadata.labels.items()
    due = [at for p in active if (at := available_at(p, rs.spec.min_ready_seconds)) is not None]
    conditions = [c for c in rs.status.conditions if c.type != "ReplicaFailure"]
    if failure is not None:
        before = next((c for c in rs.status.conditions if c.type == "ReplicaFailure"), None)
        since = before.last_transition_time if before else now
        reason, message = failure
        conditions.append(
            ReplicaSetCondition(
                type="ReplicaFailure", status="True", reason=reason, message=message, last_transition_time=since
            )
        )
    return ReplicaSetStatus(
        replicas=len(active),
        fully_labeled_replicas=sum(labels <= p.metadata.labels.items() for p in active),
        ready_replicas=len(due),
        available_replicas=sum(at <= now for at in due),
        terminating_replicas=sum(p.metadata.deletion_timestamp is not None for p in pods),
        observed_generation=rs.metadata.generation,
        conditions=conditions,
    )


class ReplicaSetController(Controller):
    """Key: a ReplicaSet."""

    name: ClassVar[str] = "replicaset-controller"
    component: ClassVar[str] = "replicaset-controller"

    def setup(self) -> None:
        self._flying = InFlight[Pod](PATIENCE)
        self._sets = self.watch(ReplicaSet, itself)
        self._pods = self.watch(Pod, self._owners, facts=_facts, made=self._flying.made)
        self._pods.on_change(self._flying.shown)
        self._pods.add_index("controller", controller_uid)

    def _owners(self, pod: Pod) -> Iterable[str]:
        owner = controller_of(pod.metadata)
        if owner is not None:
            return [f"{pod.metadata.namespace}/{owner.name}"] if owner.kind == "ReplicaSet" else []
        return [
            key_of(rs)
            for rs in self._sets.list(pod.metadata.namespace)
            if matches(rs.spec.selector, pod.metadata.labels)
        ]

    async def reconcile(self, key: str) -> None:
        namespace, name = split(key)
        rs = self._sets.get(namespace, name)
        if rs is None:
            self._flying.forget(key)
            return
        now = self.clock.now()
        near = self._pods.by("controller", rs.metadata.uid) + self._pods.by("controller", f"/{namespace}")
        claims = plan_claims(rs, rs.spec.selector, self._flying.overlay(key, near, now))
        pods = list(claims.held)
        for pod in claims.release:
            await self._patch(pod, release_patch(rs, pod))
        orphans = [pod for pod in claims.adopt if is_active(pod)]
        for pod in orphans if orphans and await self.lives(rs) else ():
            pods.append(await self._patch(pod, adoption_patch(rs, pod)))
        step = plan(rs, pods)
        failure = await self._create(key, rs, step.create) or await self._delete(key, rs, step.delete)
        if step.create:
            self.queue.add(key)  # to count them; their coming, as it was asked for, wakes nobody
        status = next_status(rs, pods, (failure[0], failure[1].message) if failure else None, now)
        if status != rs.status:
            written = rs.clone()
            written.status = status
            await self.client.update_status(written)
        if status.available_replicas < status.ready_replicas:
            due = [at for p in pods if (at := available_at(p, rs.spec.min_ready_seconds)) is not None and at > now]
            self.queue.add_after(key, (min(due) - now).total_seconds())
        if failure:
            raise failure[1]

    async def _patch(self, pod: Pod, patch: dict[str, object]) -> Pod:
        name, namespace = pod.metadata.name, pod.metadata.namespace
        return await self.client.patch(Pod, name, patch, namespace=namespace, type="strategic")

    async def _create(self, key: str, rs: ReplicaSet, total: int) -> tuple[str, ApiError] | None:
        template = rs.spec.template
        for size in batches(total):
            made = [
                Pod(
                    metadata=ObjectMeta(
                        generate_name=f"{rs.metadata.name}-",
                        namespace=rs.metadata.namespace,
                        labels=dict(template.metadata.labels),
                        annotations=dict(template.metadata.annotations),
                        finalizers=list(template.metadata.finalizers),
                        owner_references=[reference_to(rs)],
                    ),
                    spec=template.spec.clone(),
                )
                for _ in range(size)
            ]
            answers = await asyncio.gather(*(self.client.create(p) for p in made), return_exceptions=True)
            error: ApiError | None = None
            broken: BaseException | None = None  # raised when the other answers, too, are noted
            for answer in answers:
                if isinstance(answer, ApiError):
                    error = answer
                    self.recorder.event(rs, "Warning", "FailedCreate", f"Error creating: {answer.message}")
                elif isinstance(answer, BaseException):
                    broken = answer
                else:
                    self._flying.wrote(answer, self.clock.now())
                    self.recorder.event(rs, "Normal", "SuccessfulCreate", f"Created pod: {answer.metadata.name}")
            if broken is not None:
                raise broken
            if error is not None:
                return "FailedCreate", error
        return None

    async def _delete(self, key: str, rs: ReplicaSet, pods: Sequence[Pod]) -> tuple[str, ApiError] | None:
        metas = [pod.metadata for pod in pods]
        deletions = (self.client.delete(Pod, m.name, m.namespace, uid=m.uid) for m in metas)
        error: ApiError | None = None
        broken: BaseException | None = None
        for pod, answer in zip(pods, await asyncio.gather(*deletions, return_exceptions=True), strict=True):
            if isinstance(answer, ApiError):
                if answer.code != 404:
                    error = answer
                    self.recorder.event(rs, "Warning", "FailedDelete", f"Error deleting: {answer.message}")
            elif isinstance(answer, BaseException):
                broken = answer
            else:
                self._flying.deleted(pod, self.clock.now())
                self.recorder.event(rs, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}")
        if broken is not None:
            raise broken
        return ("FailedDelete", error) if error is not None else None


def _facts(pod: Pod) -> object:
    meta = pod.metadata
    return (
        meta.uid,
        meta.labels,
        meta.owner_references,
        meta.deletion_timestamp,
        is_finished(pod),
        condition(pod, "Ready"),
    )
