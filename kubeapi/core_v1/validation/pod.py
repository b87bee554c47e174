"""Pods, alone and as templates. What may change of one is in `podchange`."""

from __future__ import annotations

import re

from kubeapi.core_v1.types import Pod, PodDNSConfig, PodSpec, PodTemplateSpec, ResourceRequirements
from kubeapi.core_v1.validation.containers import Surroundings, validate_containers, validate_image
from kubeapi.core_v1.validation.network import validate_address
from kubeapi.core_v1.validation.resources import validate_pod_resources, validate_resources
from kubeapi.core_v1.validation.scheduling import validate_affinity, validate_spread, validate_tolerations
from kubeapi.core_v1.validation.security import validate_host_users, validate_os, validate_pod_security
from kubeapi.core_v1.validation.volumes import validate_volumes
from kubeapi.errors import Cause, duplicate, forbidden, invalid, required
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.meta_v1.validation import (
    causes_of,
    dns_label,
    dns_subdomain,
    qualified_name,
    validate_annotations,
    validate_choice,
    validate_labels,
    validate_meta,
)

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
MIRROR, DELETION_COST = "kubernetes.io/config.mirror", "controller.kubernetes.io/pod-deletion-cost"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
APP_ARMOR_PROFILE = re.compile(r"|runtime/default|unconfined|localhost/.*")
DEADLINE_RANGE = "must be between 1 and 2147483647, inclusive"
MOST_NAMESERVERS, MOST_SEARCHES, MOST_SEARCH_CHARACTERS = 3, 32, 2048
SEARCHED = re.compile(r"[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*")
NOT_SEARCHED = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    r"end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def validate_pod(pod: Pod) -> list[Cause]:
    """A new pod, with what admission added."""
    found = validate_whole_pod(pod)
    if pod.spec.ephemeral_containers:
        found.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if pod.spec.node_name and pod.spec.scheduling_gates:
        found.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return found


def validate_whole_pod(pod: Pod) -> list[Cause]:
    """A pod that is made, or as an update leaves it."""
    spec = pod.spec
    found = validate_meta(pod.metadata, True)
    found += validate_pod_annotations(pod.metadata.annotations, spec, "metadata.annotations")
    found += validate_pod_spec(spec, "spec", pod.metadata)
    if not spec.service_account_name:
        for i, volume in enumerate(spec.volumes):
            for j, source in enumerate(volume.projected.sources if volume.projected else ()):
                if source.service_account_token is not None:
                    at = f"spec.volumes[{i}].projected.sources[{j}].serviceAccountToken"
                    found.append(forbidden(at, "must not be specified when serviceAccountName is not set"))
    for field, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        for i, container in enumerate(containers):
            found += validate_image(container, f"spec.{field}[{i}]")
    return found


def validate_template(template: PodTemplateSpec, path: str) -> list[Cause]:
    """The template of a workload: a pod's metadata without a name, and its spec."""
    meta = template.metadata
    found = validate_labels(meta.labels, f"{path}.labels")
    found += validate_annotations(meta.annotations, f"{path}.annotations")
    found += validate_pod_annotations(meta.annotations, template.spec, f"{path}.annotations")
    found += validate_pod_spec(template.spec, f"{path}.spec", None)
    if template.spec.ephemeral_containers:
        told = "ephemeral containers not allowed in pod template"
        found.append(forbidden(f"{path}.spec.ephemeralContainers", told))
    return found


def validate_pod_annotations(annotations: dict[str, str], spec: PodSpec, path: str) -> list[Cause]:
    """The annotations that mean something to the cluster."""
    found: list[Cause] = []
    if MIRROR in annotations and not spec.node_name:
        told = "must set spec.nodeName if mirror pod annotation is set"
        found.append(invalid(f"{path}[{MIRROR}]", annotations[MIRROR], told))
    cost = annotations.get(DELETION_COST, "0")
    if not (re.fullmatch(r"0|-?[1-9]\d*", cost) and -(2**31) <= int(cost) < 2**31):
        found.append(invalid(f"{path}[{DELETION_COST}]", cost, "must be a 32bit integer"))
    for key, value in annotations.items():
        if key.startswith(APP_ARMOR):
            name = key.removeprefix(APP_ARMOR)
            if name not in {c.name for c in (*spec.containers, *spec.init_containers)}:
                found.append(invalid(f"{path}[{key}]", name, "container not found"))
            if not APP_ARMOR_PROFILE.fullmatch(value):
                found.append(invalid(f"{path}[{key}]", value, f'invalid AppArmor profile name: "{value}"'))
    return found


def validate_pod_spec(spec: PodSpec, path: str, pod: ObjectMeta | None) -> list[Cause]:
    """The spec of a pod, whose metadata is given, or of a template; defaults filled in."""
    volumes, found = validate_volumes(spec.volumes, pod, f"{path}.volumes")
    claims = {claim.name for claim in spec.resource_claims if claim.name}
    found += _validate_resource_claims(spec, f"{path}.resourceClaims")
    users, grace = spec.host_users is not False, spec.termination_grace_period_seconds
    found += validate_containers(spec, Surroundings(volumes, claims, grace, spec.restart_policy, users), path)
    found += validate_pod_resources(spec, f"{path}.resources", claims)
    found += _validate_host_ports(spec, path, of_pod=pod is not None)
    found += validate_choice(spec.restart_policy, RESTART_POLICIES, f"{path}.restartPolicy")
    found += validate_choice(spec.dns_policy, DNS_POLICIES, f"{path}.dnsPolicy")
    found += validate_labels(spec.node_selector, f"{path}.nodeSelector")
    found += validate_pod_security(spec.security_context, spec, f"{path}.securityContext")
    found += validate_affinity(spec.affinity, f"{path}.affinity")
    found += _validate_dns(spec.dns_config, spec.dns_policy, f"{path}.dnsConfig")
    for i, readiness in enumerate(spec.readiness_gates):
        found += causes_of(qualified_name, readiness.condition_type, f"{path}.readinessGates[{i}].conditionType")
    found += _validate_gates(spec, f"{path}.schedulingGates")
    found += validate_spread(spec.topology_spread_constraints, f"{path}.topologySpreadConstraints")
    found += validate_host_users(spec, path) + _validate_names(spec, path)
    deadline = spec.active_deadline_seconds
    if deadline is not None and not 1 <= deadline < 2**31:
        found.append(invalid(f"{path}.activeDeadlineSeconds", deadline, DEADLINE_RANGE))
    found += validate_tolerations(spec.tolerations, f"{path}.tolerations")
    for i, alias in enumerate(spec.host_aliases):
        found += validate_address(alias.ip, f"{path}.hostAliases[{i}].ip")
        for j, name in enumerate(alias.hostnames):
            found += causes_of(dns_subdomain, name, f"{path}.hostAliases[{i}].hostnames[{j}]")
    if spec.preemption_policy is not None:
        policies = ("PreemptLowerPriority", "Never")
        found += validate_choice(spec.preemption_policy, policies, f"{path}.preemptionPolicy")
    if spec.overhead:
        found += validate_resources(ResourceRequirements(limits=spec.overhead), f"{path}.overhead", set())
    return found + validate_os(spec, path)


def _validate_names(spec: PodSpec, path: str) -> list[Cause]:
    """The fields that name something."""
    found: list[Cause] = []
    for field, value, check in (
        ("serviceAccountName", spec.service_account_name, dns_subdomain),
        ("nodeName", spec.node_name, dns_subdomain),
        ("hostname", spec.hostname, dns_label),
        ("subdomain", spec.subdomain, dns_label),
        ("priorityClassName", spec.priority_class_name, dns_subdomain),
    ):
        if value:
            found += causes_of(check, value, f"{path}.{field}")
    if spec.runtime_class_name is not None:
        found += causes_of(dns_subdomain, spec.runtime_class_name, f"{path}.runtimeClassName")
    return found


def _validate_host_ports(spec: PodSpec, path: str, *, of_pod: bool) -> list[Cause]:
    """On the host's network a port is the host's; a template may leave that to its pods."""
    found: list[Cause] = []
    for i, container in enumerate(spec.containers if spec.host_network else ()):
        for j, port in enumerate(container.ports):
            if (of_pod or port.host_port) and port.host_port != port.container_port:
                told = "must match `containerPort` when `hostNetwork` is true"
                found.append(invalid(f"{path}.containers[{i}].ports[{j}].hostPort", port.host_port, told))
    return found


def _validate_dns(config: PodDNSConfig | None, policy: str, path: str) -> list[Cause]:
    if policy == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.nameservers:
            told = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", told)]
    if config is None:
        return []
    found: list[Cause] = []
    servers, searches, at = config.nameservers, config.searches, f"{path}.searches"
    if len(servers) > MOST_NAMESERVERS:
        told = f"must not have more than {MOST_NAMESERVERS} nameservers"
        found.append(invalid(f"{path}.nameservers", servers, told))
    for i, server in enumerate(servers):
        found += validate_address(server, f"{path}.nameservers[{i}]")
    if len(searches) > MOST_SEARCHES:
        found.append(invalid(at, searches, f"must not have more than {MOST_SEARCHES} search paths"))
    if len(" ".join(searches)) > MOST_SEARCH_CHARACTERS:
        told = f"must not have more than {MOST_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        found.append(invalid(at, searches, told))
    for i, search in enumerate(searches):
        name = search.removesuffix(".")
        if search != "." and not SEARCHED.fullmatch(name):
            found.append(invalid(f"{at}[{i}]", name, NOT_SEARCHED))
    for i, option in enumerate(config.options):
        if not option.name:
            found.append(required(f"{path}.options[{i}]", "must not be empty"))
    return found


def _validate_gates(spec: PodSpec, path: str) -> list[Cause]:
    found: list[Cause] = []
    names = [gate.name for gate in spec.scheduling_gates]
    for i, name in enumerate(names):
        found += causes_of(qualified_name, name, f"{path}[{i}]")
        if name in names[:i]:
            found.append(duplicate(f"{path}[{i}]", name))
    return found


def _validate_resource_claims(spec: PodSpec, path: str) -> list[Cause]:
    found: list[Cause] = []
    names: set[str] = set()
    for i, claim in enumerate(spec.resource_claims):
        at, shown = f"{path}[{i}]", claim.to_dict()
        if not claim.name:
            found.append(required(f"{at}.name"))
        elif claim.name in names:
            found.append(duplicate(f"{at}.name", claim.name))
        else:
            found += causes_of(dns_label, claim.name, f"{at}.name")
        names.add(claim.name)
        by_name, by_template = claim.resource_claim_name, claim.resource_claim_template_name
        if by_name is not None and by_template is not None:
            told = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            found.append(invalid(at, shown, told))
        if by_name is None and by_template is None:
            told = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            found.append(invalid(at, shown, told))
        for field, name in (("resourceClaimName", by_name), ("resourceClaimTemplateName", by_template)):
            if name is not None:
                found += causes_of(dns_subdomain, name, f"{at}.{field}")
    return found
