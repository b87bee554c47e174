"""When an object is ready, and what it still waits for: pure judgements of an object and of those related to it.

Deployments are judged as `kubectl rollout status` does, in its words; behind the count stands the trouble of a pod, if one
has any. Kinds without a rule are ready as soon as they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from kubeapi.apps_v1.types import Deployment, ReplicaSet
from kubeapi.core_v1.types import PersistentVolumeClaim, Pod, Service
from kubeapi.discovery_v1.types import EndpointSlice
from kubeapi.model import Model
from kubeapi.selectors import text_of
from kubeapi.storage_v1.types import StorageClass

ON_THE_WAY = ("", "ContainerCreating", "PodInitializing")


class Verdict(NamedTuple):
    """waiting, ready or failed, and why."""

    state: Literal["waiting", "ready", "failed"]
    message: str = ""


class Related(NamedTuple):
    """Which other objects a judgement needs, by selectors; all in the object's namespace if their kind has one."""

    model: type[Model]
    labels: str = ""
    fields: str = ""


class Rule(NamedTuple):
    """How a kind is judged, and with what beside it."""

    judge: Callable[[Any, Sequence[Any]], Verdict]
    related: Callable[[Any], Related | None] = lambda _obj: None


READY = Verdict("ready")


def judge_deployment(obj: Deployment, pods: Sequence[Pod]) -> Verdict:
    """Rolled out: every replica is of the newest template and available, and no older one is left."""
    status, wanted = obj.status, 1 if obj.spec.replicas is None else obj.spec.replicas
    if status.observed_generation < obj.metadata.generation:
        return Verdict("waiting", "spec update to be observed")
    if any(c.type == "Progressing" and c.reason == "ProgressDeadlineExceeded" for c in status.conditions):
        return Verdict("failed", f'deployment "{obj.metadata.name}" exceeded its progress deadline' + _trouble(pods))
    if status.updated_replicas < wanted:
        why = f"{status.updated_replicas} out of {wanted} new replicas have been updated"
    elif status.replicas > status.updated_replicas:
        why = f"{status.replicas - status.updated_replicas} old replicas are pending termination"
    elif status.available_replicas < status.updated_replicas:
        why = f"{status.available_replicas} of {status.updated_replicas} updated replicas are available"
    else:
        return READY
    return Verdict("waiting", why + _trouble(pods))


def judge_replica_set(obj: ReplicaSet, pods: Sequence[Pod]) -> Verdict:
    """As many replicas as asked, all available."""
    status, wanted = obj.status, 1 if obj.spec.replicas is None else obj.spec.replicas
    if status.observed_generation < obj.metadata.generation:
        return Verdict("waiting", "spec update to be observed")
    if status.replicas == wanted == status.available_replicas:
        return READY
    return Verdict("waiting", f"{status.available_replicas} of {wanted} replicas are available" + _trouble(pods))


def judge_pod(obj: Pod, _related: Sequence[Any]) -> Verdict:
    """Ready; or it has done what it was for."""
    if obj.status.phase == "Succeeded" or _condition(obj, "Ready") == "True":
        return READY
    if obj.status.phase == "Failed":
        return Verdict("failed", obj.status.message or obj.status.reason or "a container ended with an error")
    return Verdict("waiting", trouble_of(obj) or f"phase {obj.status.phase or 'Pending'}")


def judge_claim(obj: PersistentVolumeClaim, classes: Sequence[StorageClass]) -> Verdict:
    """Bound; or, given its class, bound once somebody mounts it."""
    if obj.status.phase == "Bound":
        return READY
    if obj.status.phase == "Lost":
        return Verdict("failed", "its volume is lost")
    if any(c.volume_binding_mode == "WaitForFirstConsumer" for c in classes):
        return Verdict("ready", "bound when a pod first mounts it")
    return Verdict("waiting", "not bound yet")


def judge_service(obj: Service, slices: Sequence[EndpointSlice]) -> Verdict:
    """Somebody answers: a ready endpoint, where a selector promises one."""
    if not obj.spec.selector or obj.spec.type == "ExternalName":
        return READY
    if any(e.conditions.ready is not False and e.addresses for s in slices for e in s.endpoints):
        return READY
    return Verdict("waiting", "no ready endpoint")


def trouble_of(pod: Pod) -> str:
    """What keeps a pod from running, in the words of its status; empty when it is only on its way."""
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            return f"{condition.reason}: {condition.message}"
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting = status.state.waiting
        if waiting and waiting.reason not in ON_THE_WAY:
            return f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason
    return ""


def _trouble(pods: Sequence[Pod]) -> str:
    for pod in sorted(pods, key=lambda p: p.metadata.name):
        if not pod.metadata.deletion_timestamp and (trouble := trouble_of(pod)):
            return f"; pod {pod.metadata.name}: {trouble}"
    return ""


def _condition(pod: Pod, kind: str) -> str:
    return next((c.status for c in pod.status.conditions if c.type == kind), "")


def _pods_of(obj: Deployment | ReplicaSet) -> Related:
    return Related(Pod, labels=text_of(obj.spec.selector))


def _slices_of(obj: Service) -> Related:
    return Related(EndpointSlice, labels=f"kubernetes.io/service-name={obj.metadata.name}")


def _class_of(obj: PersistentVolumeClaim) -> Related:
    return Related(StorageClass, fields=f"metadata.name={obj.spec.storage_class_name or ''}")


RULES: dict[type[Model], Rule] = {
    Deployment: Rule(judge_deployment, _pods_of),
    ReplicaSet: Rule(judge_replica_set, _pods_of),
    Pod: Rule(judge_pod),
    Service: Rule(judge_service, _slices_of),
    PersistentVolumeClaim: Rule(judge_claim),
}
UNUSED_CLAIM = Rule(judge_claim, _class_of)
