"""What a user may not set through each door: status comes from who observes, spec from who wishes.

Source: the strategies of k8s.io/kubernetes/pkg/registry/core.
"""

from __future__ import annotations

from typing import Any

from kubeapi.core_v1.service_needs import is_exposed, needs_address, needs_health_check, needs_node_port
from kubeapi.core_v1.types import (
    Namespace,
    NamespaceStatus,
    PersistentVolume,
    PersistentVolumeClaimStatus,
    PersistentVolumeStatus,
    Pod,
    PodAffinityTerm,
    PodCondition,
    PodStatus,
    Service,
    ServiceStatus,
)
from kubeapi.meta_v1.types import LabelSelector, LabelSelectorRequirement

STANDARD = ("cpu", "memory")


def keep_status(new: Any, old: Any) -> None:
    """Through the main door the status stays as it was."""
    new.status = old.status


def keep_all_but_status(new: Any, old: Any) -> None:
    """Through the status door the spec stays as it was."""
    new.spec = old.spec


def keep_all_but_status_and_labels(new: Any, old: Any) -> None:
    """A Deployment's labels are its users' alone."""
    new.spec, new.metadata.labels = old.spec, old.metadata.labels


def keep_all_but_pod_status(new: Pod, old: Pod) -> None:
    """A pod's owners are not the kubelet's to change."""
    new.spec, new.metadata.owner_references = old.spec, old.metadata.owner_references


def create_namespace(namespace: Namespace) -> None:
    """A namespace is Active, and goes only when it is empty."""
    namespace.status = NamespaceStatus(phase="Active")
    if "kubernetes" not in namespace.spec.finalizers:
        namespace.spec.finalizers = [*namespace.spec.finalizers, "kubernetes"]


def update_namespace(new: Namespace, old: Namespace) -> None:
    """Finalizers have a door of their own."""
    new.spec.finalizers, new.status = old.spec.finalizers, old.status


def create_pod(pod: Pod) -> None:
    """A pod begins Pending, in the quality of service that its resources give, with the labels of its own it asks for."""
    pod.status = PodStatus(phase="Pending", qos_class=qos_class(pod))
    if pod.spec.scheduling_gates:
        told = "Scheduling is blocked due to non-empty scheduling gates"
        gated = PodCondition(type="PodScheduled", status="False", reason="SchedulingGated", message=told)
        pod.status.conditions = [gated]
    _select_own_labels(pod)


def update_pod(new: Pod, old: Pod) -> None:
    """The status stays; time to end in can't be negative any more."""
    keep_status(new, old)
    if (new.spec.termination_grace_period_seconds or 0) < 0:
        new.spec.termination_grace_period_seconds = 1


def _select_own_labels(pod: Pod) -> None:
    """matchLabelKeys become expressions with the pod's own values (KEP-3633, KEP-3243)."""
    affinity, labels = pod.spec.affinity, pod.metadata.labels
    terms: list[PodAffinityTerm] = []
    for side in (affinity.pod_affinity, affinity.pod_anti_affinity) if affinity is not None else ():
        if side is not None:
            terms += side.required_during_scheduling_ignored_during_execution
            terms += [w.pod_affinity_term for w in side.preferred_during_scheduling_ignored_during_execution]
    for term in terms:
        _add_expressions(term.label_selector, term.match_label_keys, labels, "In")
        _add_expressions(term.label_selector, term.mismatch_label_keys, labels, "NotIn")
    for rule in pod.spec.topology_spread_constraints:
        _add_expressions(rule.label_selector, rule.match_label_keys, labels, "In")


def _add_expressions(selector: LabelSelector | None, keys: list[str], labels: dict[str, str], operator: str) -> None:
    if selector is not None:
        added = [LabelSelectorRequirement(key=k, operator=operator, values=[labels[k]]) for k in keys if k in labels]
        selector.match_expressions = [*selector.match_expressions, *added]


def create_service(service: Any) -> None:
    """A Service has no load balancer yet."""
    service.status = ServiceStatus()


def update_service(new: Service, old: Service) -> None:
    """What a Service's new type has no use for goes, if it is what the old type had."""
    new.status = old.status
    spec, was = new.spec, old.spec
    if needs_address(old) and not needs_address(new):
        if (spec.cluster_ip, spec.cluster_ips) == (was.cluster_ip, was.cluster_ips):
            spec.cluster_ip, spec.cluster_ips = "", []
        if spec.ip_families == was.ip_families:
            spec.ip_families = []
        if spec.ip_family_policy == was.ip_family_policy:
            spec.ip_family_policy = None
    same_ports = [p.node_port for p in spec.ports] == [p.node_port for p in was.ports]
    if needs_node_port(old) and not needs_node_port(new) and same_ports:
        for port in spec.ports:
            port.node_port = 0
    same_check = spec.health_check_node_port == was.health_check_node_port
    if needs_health_check(old) and not needs_health_check(new) and same_check:
        spec.health_check_node_port = 0
    if was.type == "LoadBalancer" != spec.type:
        if spec.allocate_load_balancer_node_ports == was.allocate_load_balancer_node_ports:
            spec.allocate_load_balancer_node_ports = None
        if spec.load_balancer_class == was.load_balancer_class:
            spec.load_balancer_class = None
    if is_exposed(old) and not is_exposed(new) and spec.external_traffic_policy == was.external_traffic_policy:
        spec.external_traffic_policy = ""


def create_volume(volume: PersistentVolume) -> None:
    """A volume is Pending from its making until it was looked at."""
    since = volume.metadata.creation_timestamp
    volume.status = PersistentVolumeStatus(phase="Pending", last_phase_transition_time=since)


def create_claim(claim: Any) -> None:
    """A claim is Pending until it is bound."""
    claim.status = PersistentVolumeClaimStatus(phase="Pending")


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
