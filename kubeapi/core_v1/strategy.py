"""What a user may not set through each door: status comes from who observes, spec from who wishes.

Source: the strategies of k8s.io/kubernetes/pkg/registry/core.
"""

from __future__ import annotations

from typing import Any

from kubeapi.core_v1.types import (
    Namespace,
    NamespaceStatus,
    PersistentVolumeClaimStatus,
    PersistentVolumeStatus,
    Pod,
    PodStatus,
    Secret,
    ServiceStatus,
)

STANDARD = ("cpu", "memory")


def keep_status(new: Any, old: Any) -> None:
    """Through the main door the status stays as it was."""
    new.status = old.status


def keep_all_but_status(new: Any, old: Any) -> None:
    """Through the status door only the status changes (and managed fields, which the server keeps)."""
    new.spec = old.spec
    new.metadata.labels = old.metadata.labels
    new.metadata.deletion_timestamp = old.metadata.deletion_timestamp


def create_namespace(namespace: Namespace) -> None:
    """A namespace is Active, and goes only when it is empty."""
    namespace.status = NamespaceStatus(phase="Active")
    if "kubernetes" not in namespace.spec.finalizers:
        namespace.spec.finalizers = [*namespace.spec.finalizers, "kubernetes"]


def update_namespace(new: Namespace, old: Namespace) -> None:
    """Finalizers have a door of their own."""
    new.spec.finalizers, new.status = old.spec.finalizers, old.status


def create_pod(pod: Pod) -> None:
    """A pod begins Pending, in the quality of service that its resources give."""
    pod.status = PodStatus(phase="Pending", qos_class=qos_class(pod))


def create_service(service: Any) -> None:
    """A Service has no load balancer yet."""
    service.status = ServiceStatus()


def create_volume(volume: Any) -> None:
    """A volume is Pending until it was looked at."""
    volume.status = PersistentVolumeStatus(phase="Pending")


def create_claim(claim: Any) -> None:
    """A claim is Pending until it is bound."""
    claim.status = PersistentVolumeClaimStatus(phase="Pending")


def fold_string_data(secret: Secret, _old: Any = None) -> None:
    """stringData is written only: it becomes data."""
    if secret.string_data:
        secret.data = secret.data | {key: value.encode() for key, value in secret.string_data.items()}
        secret.string_data = {}


def qos_class(pod: Pod) -> str:
    """Guaranteed when all limits are set and requested in full, BestEffort when nothing is, else Burstable."""
    containers = [*pod.spec.containers, *pod.spec.init_containers]
    asked = [
        (c.resources.limits.get(name), c.resources.requests.get(name, c.resources.limits.get(name)))
        for c in containers
        for name in STANDARD
    ]
    if not any(limit or request for limit, request in asked):
        return "BestEffort"
    guaranteed = all(limit is not None and limit == request for limit, request in asked)
    return "Guaranteed" if guaranteed else "Burstable"
