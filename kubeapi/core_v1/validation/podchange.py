"""What may change of a pod, and of its status."""

from __future__ import annotations

from kubeapi.core_v1.internal import difference
from kubeapi.core_v1.types import ContainerStatus, NodeSelectorTerm, Pod, PodSpec, Toleration
from kubeapi.core_v1.types.references import NodeSelector
from kubeapi.core_v1.validation.containers import is_sidecar
from kubeapi.core_v1.validation.network import one_of_each_family, validate_address
from kubeapi.core_v1.validation.pod import APP_ARMOR, MIRROR, validate_whole_pod
from kubeapi.core_v1.validation.scheduling import validate_tolerations
from kubeapi.errors import Cause, duplicate, forbidden, invalid, required
from kubeapi.meta_v1.validation import IMMUTABLE, causes_of, dns_subdomain, qualified_name, validate_meta_update

CHANGEABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")
REQUIRED = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"


def validate_pod_update(new: Pod, old: Pod) -> list[Cause]:
    """A pod changes in its images, its deadline and by further tolerations only."""
    found = validate_meta_update(new.metadata, old.metadata) + validate_whole_pod(new)
    found += _validate_annotations(new, old)
    for field, after, before in (
        ("containers", new.spec.containers, old.spec.containers),
        ("initContainers", new.spec.init_containers, old.spec.init_containers),
    ):
        if len(after) != len(before):
            return [*found, forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
        for i, container in enumerate(after):
            if not container.image:
                found.append(required(f"spec.{field}[{i}].image"))
    if late := _validate_deadline(new.spec, old.spec):
        found += late
        if new.spec.active_deadline_seconds is not None:
            return found
    found += _validate_added_tolerations(new.spec.tolerations, old.spec.tolerations)
    gates = {gate.name for gate in old.spec.scheduling_gates}
    for i, gate in enumerate(new.spec.scheduling_gates):
        if gate.name not in gates:
            told = f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            found.append(forbidden(f"spec.schedulingGates[{i}].name", told))
    kept, changes = _kept(new.spec, old.spec)
    found += changes
    return found if kept == old.spec else [*found, forbidden("spec", f"{CHANGEABLE}\n{difference(old.spec, kept)}")]


def _kept(new: PodSpec, old: PodSpec) -> tuple[PodSpec, list[Cause]]:
    """The new spec with all that may change put back; what was changed too far of a gated pod."""
    found: list[Cause] = []
    kept = new.clone()
    for field in ("containers", "init_containers"):
        for after, before in zip(getattr(kept, field), getattr(old, field), strict=True):
            after.image = before.image
    kept.active_deadline_seconds, kept.tolerations = old.active_deadline_seconds, old.tolerations
    kept.scheduling_gates = old.scheduling_gates
    if (old.termination_grace_period_seconds or 0) < 0 and kept.termination_grace_period_seconds == 1:
        kept.termination_grace_period_seconds = old.termination_grace_period_seconds
    if old.scheduling_gates:
        if any(new.node_selector.get(key) != value for key, value in old.node_selector.items()):
            told = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            found.append(invalid("spec.nodeSelector", new.node_selector, told))
        kept.node_selector = old.node_selector
        found += _validate_narrowed(_required_nodes(new), _required_nodes(old))
        nodes = old.affinity.node_affinity if old.affinity is not None else None
        if kept.affinity is not None:
            kept.affinity.node_affinity = nodes
            if old.affinity is None and kept.affinity.pod_affinity is None and kept.affinity.pod_anti_affinity is None:
                kept.affinity = None
    return kept, found


def _required_nodes(spec: PodSpec) -> NodeSelector | None:
    nodes = spec.affinity.node_affinity if spec.affinity is not None else None
    return nodes.required_during_scheduling_ignored_during_execution if nodes is not None else None


def _validate_narrowed(new: NodeSelector | None, old: NodeSelector | None) -> list[Cause]:
    """A gated pod's required nodes may become fewer."""
    before = old.node_selector_terms if old is not None else []
    after = new.node_selector_terms if new is not None else []
    if not before:
        return []
    if len(after) != len(before):
        told = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid(REQUIRED, [term.to_dict() for term in after] or None, told)]
    told = "only additions are allowed (no mutations or deletions)"
    pairs = enumerate(zip(after, before, strict=True))
    return [invalid(f"{REQUIRED}[{i}]", a.to_dict(), told) for i, (a, b) in pairs if not _only_added(a, b)]


def _only_added(new: NodeSelectorTerm, old: NodeSelectorTerm) -> bool:
    if not old.match_expressions and not old.match_fields:
        return not new.match_expressions and not new.match_fields
    lists = ((new.match_expressions, old.match_expressions), (new.match_fields, old.match_fields))
    return all(after[: len(before)] == before for after, before in lists)


def _validate_annotations(new: Pod, old: Pod) -> list[Cause]:
    """What the node was told by annotation stays."""
    found: list[Cause] = []
    after, before = new.metadata.annotations, old.metadata.annotations
    for key in sorted({*after, *before}):
        if after.get(key) == before.get(key) or not (key.startswith(APP_ARMOR) or key == MIRROR):
            continue
        what = "AppArmor annotations" if key != MIRROR else "mirror pod annotation"
        verb = "remove or update" if key in before else "add"
        found.append(forbidden(f"metadata.annotations[{key}]", f"may not {verb} {what}"))
    return found


def _validate_deadline(new: PodSpec, old: PodSpec) -> list[Cause]:
    at, now, was = "spec.activeDeadlineSeconds", new.active_deadline_seconds, old.active_deadline_seconds
    if now is None:
        told = "must not update from a positive integer to nil value"
        return [invalid(at, None, told)] if was is not None else []
    if not 0 <= now < 2**31:
        return [invalid(at, now, "must be between 0 and 2147483647, inclusive")]
    return [invalid(at, now, "must be less than or equal to previous value")] if was is not None and was < now else []


def _validate_added_tolerations(new: list[Toleration], old: list[Toleration]) -> list[Cause]:
    known = [toleration.model_copy(update={"toleration_seconds": None}) for toleration in new]
    for toleration in old:
        if toleration.model_copy(update={"toleration_seconds": None}) not in known:
            told = "existing toleration can not be modified except its tolerationSeconds"
            return [forbidden("spec.tolerations", told)]
    return validate_tolerations(new, "spec.tolerations")


def validate_pod_status(new: Pod, old: Pod) -> list[Cause]:
    """A pod never leaves its node, and what ended for good stays ended."""
    found = validate_meta_update(new.metadata, old.metadata) + _validate_annotations(new, old)
    for i, condition in enumerate(new.status.conditions):
        if condition.type not in SYSTEM_CONDITIONS:
            found += causes_of(qualified_name, condition.type, f"metadata.conditions[{i}].Type")
    if new.spec.node_name != old.spec.node_name:
        found.append(forbidden("status.nodeName", "may not be changed directly"))
    nominated = new.status.nominated_node_name
    if nominated and nominated != old.status.nominated_node_name:
        found += causes_of(dns_subdomain, nominated, "status.nominatedNodeName")
    if new.status.qos_class != old.status.qos_class:
        found.append(invalid("status.qosClass", new.status.qos_class, IMMUTABLE))
    sidecars = {c.name for c in old.spec.init_containers if is_sidecar(c)}
    found += _validate_ends(new, old, "container_statuses", "containerStatuses", set())
    found += _validate_ends(new, old, "init_container_statuses", "initContainerStatuses", sidecars)
    return found + _validate_addresses(new)


def _validate_ends(new: Pod, old: Pod, name: str, field: str, restarted: set[str]) -> list[Cause]:
    """A container that will not be restarted does not leave its end."""
    policy, found = old.spec.restart_policy, []
    own = {
        c.name: c.restart_policy for c in (*old.spec.containers, *old.spec.init_containers) if c.restart_policy_rules
    }
    after: dict[str, ContainerStatus] = {status.name: status for status in getattr(new.status, name)}
    for i, before in enumerate(getattr(old.status, name) if policy != "Always" else ()):
        ended = before.state.terminated
        if ended is None or before.name in restarted or before.name in own:
            continue
        if ended.exit_code != 0 and policy == "OnFailure":
            continue
        if before.name in after and after[before.name].state.terminated is None:
            told = "may not be transitioned to non-terminated state"
            found.append(forbidden(f"status.{field}[{i}].state", told))
    return found


def _validate_addresses(pod: Pod) -> list[Cause]:
    found: list[Cause] = []
    hosts, own = [h.ip for h in pod.status.host_ips], [p.ip for p in pod.status.pod_ips]
    if hosts and pod.status.host_ip != hosts[0]:
        found.append(invalid("status.hostIPs[0].ip", hosts[0], "must be equal to `hostIP`"))
    for field, addresses in (("podIPs", own), ("hostIPs", hosts)):
        for i, address in enumerate(addresses):
            found += validate_address(address, f"status.{field}[{i}]")
            if address in addresses[:i]:
                found.append(duplicate(f"status.{field}[{i}]", {"IP": address}))
        if not one_of_each_family(addresses):
            told = "may specify no more than one IP for each IP family"
            found.append(invalid(f"status.{field}", [{"IP": a} for a in addresses], told))
    return found
