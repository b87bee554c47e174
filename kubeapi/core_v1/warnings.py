"""What Kubernetes accepts but warns of: `warn(new, old)` of each kind. Source: pkg/api/{pod,service,persistentvolume...}."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubeapi import quantity
from kubeapi.core_v1.service_needs import is_headless
from kubeapi.core_v1.types import (
    Container,
    ContainerPort,
    EnvVar,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    Pod,
    PodAffinity,
    PodAntiAffinity,
    PodSpec,
    Secret,
    Service,
    Volume,
)
from kubeapi.core_v1.types.references import NodeSelectorTerm
from kubeapi.core_v1.validation.network import address_of
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.meta_v1.validation import dns_label

DEPRECATED_LABELS = {
    "beta.kubernetes.io/arch": ("v1.14", "kubernetes.io/arch"),
    "beta.kubernetes.io/os": ("v1.14", "kubernetes.io/os"),
    "failure-domain.beta.kubernetes.io/region": ("v1.17", "topology.kubernetes.io/region"),
    "failure-domain.beta.kubernetes.io/zone": ("v1.17", "topology.kubernetes.io/zone"),
    "beta.kubernetes.io/instance-type": ("v1.17", "node.kubernetes.io/instance-type"),
}
DEPRECATED_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
DEPRECATED_VOLUMES = {  # source: how it is named, and since when
    "photon_persistent_disk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "git_repo": ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    "scale_io": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "flocker": ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "quobyte": ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}
SECCOMP, SECCOMP_OF = "seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/"
STORAGE_CLASS, TOPOLOGY_HINTS = "volume.beta.kubernetes.io/storage-class", "service.kubernetes.io/topology-aware-hints"
USE_FIELD = 'non-functional in v1.27+; use the "seccompProfile" field instead'
CLASS_FIELD = 'deprecated since v1.8; use "storageClassName" attribute instead'
MATCHES_NOTHING = "a null labelSelector results in matching no pod"
PEM_BLOCK = re.compile(r"-----BEGIN ([^-]+)-----\s.*?-----END \1-----", re.DOTALL)


def warn_of_pod(new: Pod, old: Pod | None) -> list[str]:
    """A new pod; of a changed one nobody is told, as changes come from machines."""
    if old is not None:
        return []
    found = _hostname(new.metadata.name, "the Pod's hostname")
    return found + warn_of_pod_spec(new.spec, new.metadata, "")


def warn_of_workload_name(name: str) -> list[str]:
    """A workload's name becomes part of its pods' host names."""
    return _hostname(name, "Pod names and hostnames")


def _hostname(name: str, use: str) -> list[str]:
    wrong = dns_label(name) if name else []
    told = f"this is used in {use}, which can result in surprising behavior; a DNS label is recommended"
    return [f"metadata.name: {told}: [{' '.join(wrong)}]"] if wrong else []


def warn_of_pod_spec(spec: PodSpec, meta: ObjectMeta, path: str) -> list[str]:
    """A pod's or template's spec; `path` is what comes before `spec.`: nothing, or `spec.template.`."""
    at, marks = f"{path}spec", f"{path}metadata.annotations"
    found = [f"{at}.nodeSelector[{k}]: {told}" for k in spec.node_selector if (told := _deprecated_label(k))]
    found += _of_node_affinity(spec, at) + _of_spread(spec, at)
    found += [f"{marks}[{k}]: {told}" for k, told in DEPRECATED_ANNOTATIONS.items() if k in meta.annotations]
    for i, volume in enumerate(spec.volumes):
        found += _of_volume(volume, f"{at}.volumes[{i}]")
    found += _of_repeats([alias.ip for alias in spec.host_aliases], f"{at}.hostAliases", "ip")
    names = [secret.name for secret in spec.image_pull_secrets]
    found += _of_repeats(names, f"{at}.imagePullSecrets", "name")
    found += [f'{at}.imagePullSecrets[{i}].name: invalid empty name ""' for i, n in enumerate(names) if not n]
    found += _of_amounts(spec.overhead, f"{at}.overhead")
    if (spec.security_context is None or spec.security_context.seccomp_profile is None) and SECCOMP in meta.annotations:
        found.append(f"{marks}[{SECCOMP}]: {USE_FIELD}")
    for where, container in _containers(spec, at):
        context, key = container.security_context, f"{SECCOMP_OF}{container.name}"
        if (context is None or context.seccomp_profile is None) and key in meta.annotations:
            found.append(f"{marks}[{key}]: {USE_FIELD}")
        found += _of_amounts(container.resources.limits, f"{where}.resources.limits")
        found += _of_amounts(container.resources.requests, f"{where}.resources.requests")
        found += _of_environment(container.env, f"{where}.env")
    found += _of_ports(spec, at)
    if (spec.termination_grace_period_seconds or 0) < 0:
        told = "must be >= 0; negative values are invalid and will be treated as 1"
        found.append(f"{at}.terminationGracePeriodSeconds: {told}")
    if spec.affinity is not None:
        found += _of_pod_affinity(spec.affinity.pod_affinity, f"{at}.affinity.podAffinity")
        found += _of_pod_affinity(spec.affinity.pod_anti_affinity, f"{at}.affinity.podAntiAffinity")
    return found


def _containers(spec: PodSpec, path: str) -> Iterator[tuple[str, Container]]:
    for field, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for i, container in enumerate(containers):
            yield f"{path}.{field}[{i}]", container


def _deprecated_label(key: str) -> str:
    since, instead = DEPRECATED_LABELS.get(key, ("", ""))
    return f'deprecated since {since}; use "{instead}" instead' if since else ""


def _of_node_affinity(spec: PodSpec, path: str) -> list[str]:
    nodes = spec.affinity.node_affinity if spec.affinity is not None else None
    if nodes is None:
        return []
    at, found = f"{path}.affinity.nodeAffinity", []
    required = nodes.required_during_scheduling_ignored_during_execution
    for i, term in enumerate(required.node_selector_terms if required is not None else ()):
        where = f"{at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[{i}]"
        found += warn_of_term(term, where)
    for i, preferred in enumerate(nodes.preferred_during_scheduling_ignored_during_execution):
        where = f"{at}.preferredDuringSchedulingIgnoredDuringExecution[{i}].preference"
        found += warn_of_term(preferred.preference, where)
    return found


def warn_of_term(term: NodeSelectorTerm, path: str) -> list[str]:
    """A term of a node selector that asks for a label of old."""
    told = ((i, rule.key, _deprecated_label(rule.key)) for i, rule in enumerate(term.match_expressions))
    return [f"{path}.matchExpressions[{i}].key: {key} is {why}" for i, key, why in told if why]


def _of_spread(spec: PodSpec, path: str) -> list[str]:
    found: list[str] = []
    for i, rule in enumerate(spec.topology_spread_constraints):
        at = f"{path}.topologySpreadConstraints[{i}]"
        if told := _deprecated_label(rule.topology_key):
            found.append(f"{at}.topologyKey: {rule.topology_key} is {told}")
        if rule.label_selector is None:
            found.append(f"{at}.labelSelector: {MATCHES_NOTHING}")
    return found


def _of_volume(volume: Volume, path: str) -> list[str]:
    given = volume.model_fields_set
    found = [
        f"{path}.{field}: {told}"
        for name, (field, told) in DEPRECATED_VOLUMES.items()
        if name in given and getattr(volume, name) is not None
    ]
    if volume.ephemeral is not None and volume.ephemeral.volume_claim_template is not None:
        at = f"{path}.ephemeral.volumeClaimTemplate.spec"
        found += _of_claim_spec(volume.ephemeral.volume_claim_template.spec, at)
    return found


def _of_repeats(values: list[str], path: str, field: str) -> list[str]:
    repeated = ((i, value) for i, value in enumerate(values) if value in values[:i])
    return [f'{path}[{i}].{field}: duplicate {field} "{value}"' for i, value in repeated]


def _of_amounts(amounts: dict[str, str], path: str) -> list[str]:
    """Bytes have no fractions."""
    found: list[str] = []
    for name in ("memory", "ephemeral-storage"):
        if name in amounts and quantity.parse(amounts[name]) % 1:
            told = f'fractional byte value "{amounts[name]}" is invalid, must be an integer'
            found.append(f"{path}[{name}]: {told}")
    return found


def _of_environment(variables: list[EnvVar], path: str) -> list[str]:
    """A variable that stands twice, unless the second makes use of the first."""
    found: list[str] = []
    names: set[str] = set()
    for i, variable in enumerate(variables):
        own = f"$({variable.name})"
        hides = variable.value_from is not None or variable.value == own or own not in variable.value
        if variable.name in names and hides:
            told = f'hides previous definition of "{variable.name}", which may be dropped when using apply'
            found.append(f"{path}[{i}]: {told}")
        names.add(variable.name)
    return found


def _of_ports(spec: PodSpec, path: str) -> list[str]:
    found: list[str] = []
    known: dict[tuple[int, str], list[tuple[str, ContainerPort]]] = {}
    for where, container in _containers(spec, path):
        for i, port in enumerate(container.ports):
            at = f"{where}.ports[{i}]"
            others = known.setdefault((port.container_port, port.protocol), [])
            for other_at, other in others:
                same_port = port.host_port == other.host_port
                if same_port and port.host_ip == other.host_ip:
                    found.append(f"{at}: duplicate port definition with {other_at}")
                elif not port.host_port or not other.host_port:
                    found.append(f"{at}: overlapping port definition with {other_at}")
                elif same_port and bool(port.host_ip) != bool(other.host_ip):
                    found.append(f"{at}: dangerously ambiguous port definition with {other_at}")
            others.append((at, port))
    return found


def _of_pod_affinity(affinity: PodAffinity | PodAntiAffinity | None, path: str) -> list[str]:
    if affinity is None:
        return []
    found: list[str] = []
    for i, term in enumerate(affinity.required_during_scheduling_ignored_during_execution):
        if term.label_selector is None:
            where = f"{path}.requiredDuringSchedulingIgnoredDuringExecution[{i}].labelSelector"
            found.append(f"{where}: {MATCHES_NOTHING}")
    for i, weighted in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        if weighted.pod_affinity_term.label_selector is None:
            where = f"{path}.preferredDuringSchedulingIgnoredDuringExecution[{i}].podAffinityTerm.labelSelector"
            found.append(f"{where}: {MATCHES_NOTHING}")
    return found


def warn_of_service(new: Service, _old: Service | None) -> list[str]:
    """Fields that a Service of its type has no use for, and addresses that are not written as they should be."""
    spec, found = new.spec, []
    if TOPOLOGY_HINTS in new.metadata.annotations:
        instead = "service.kubernetes.io/topology-mode"
        found.append(f"annotation {TOPOLOGY_HINTS} is deprecated, please use {instead} instead")
    headless, external = is_headless(new), spec.type == "ExternalName"
    for field, given in (
        ("loadBalancerIP", bool(spec.load_balancer_ip)),
        ("externalIPs", bool(spec.external_ips)),
        ("SessionAffinity", spec.session_affinity != "None"),
    ):
        if headless and given:
            found.append(f"spec.{field} is ignored for headless services")
    for field, addresses in (("clusterIPs", spec.cluster_ips), ("externalIPs", spec.external_ips)):
        for i, address in enumerate(addresses):
            found += _of_address(address, f"spec.{field}[{i}]")
    if spec.external_ips and not headless and not external:
        found.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    found += _of_address(spec.load_balancer_ip, "spec.loadBalancerIP")
    if external and spec.external_ips:
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if not external and spec.external_name:
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.traffic_distribution == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return found


def _of_address(text: str, path: str) -> list[str]:
    address = address_of(text)
    if address is None or str(address) == text:
        return []
    if address.version == 4:
        told = f'non-standard IP address "{text}" will be considered invalid in a future Kubernetes release'
        return [f'{path}: {told}: use "{address}"']
    return [f'{path}: IPv6 address "{text}" should be in RFC 5952 canonical format ("{address}")']


def warn_of_claim(new: PersistentVolumeClaim, _old: PersistentVolumeClaim | None) -> list[str]:
    """The annotation of old, and half bytes."""
    found = _of_class_annotation(new.metadata)
    return found + _of_claim_spec(new.spec, "spec")


def _of_class_annotation(meta: ObjectMeta) -> list[str]:
    return [f"metadata.annotations[{STORAGE_CLASS}]: {CLASS_FIELD}"] if STORAGE_CLASS in meta.annotations else []


def _of_claim_spec(spec: PersistentVolumeClaimSpec, path: str) -> list[str]:
    found: list[str] = []
    for field, amounts in (("requests", spec.resources.requests), ("limits", spec.resources.limits)):
        value = amounts.get("storage", "0")
        if quantity.parse(value) % 1:
            told = f'fractional byte value "{value}" is invalid, must be an integer'
            found.append(f"{path}.resources.{field}[storage]: {told}")
    return found


def warn_of_persistent_volume(new: PersistentVolume, _old: PersistentVolume | None) -> list[str]:
    """Sources, annotations and labels of old."""
    spec, found = new.spec, _of_class_annotation(new.metadata)
    if spec.persistent_volume_reclaim_policy == "Recycle":
        told = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
        found.append(f"spec.persistentVolumeReclaimPolicy: {told}")
    required = spec.node_affinity.required if spec.node_affinity is not None else None
    for i, term in enumerate(required.node_selector_terms if required is not None else ()):
        found += warn_of_term(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{i}]")
    for name, (field, told) in DEPRECATED_VOLUMES.items():
        if name != "git_repo" and getattr(spec, name) is not None:
            found.append(f"spec.{field}: {told}")
    return found


def warn_of_secret(new: Secret, _old: Secret | None) -> list[str]:
    """A TLS Secret without a certificate or key; whether the two fit each other is not looked at."""
    if new.type != "kubernetes.io/tls":
        return []
    for key, what, wanted in (("tls.crt", "certificate", "CERTIFICATE"), ("tls.key", "key", "PRIVATE KEY")):
        blocks = [block[1] for block in PEM_BLOCK.finditer(new.data.get(key, b"").decode(errors="replace"))]
        if not blocks:
            return [f"tls: failed to find any PEM data in {what} input"]
        if not any(block.endswith(wanted) for block in blocks):
            told = f'failed to find PEM block with type ending in "{wanted}" in {what} input after skipping PEM blocks'
            return [f"tls: {told} of the following types: [{' '.join(blocks)}]"]
    return []
