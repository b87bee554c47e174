"""Services. Source: k8s.io/kubernetes/pkg/apis/core/validation."""

from __future__ import annotations

from kubeapi.core_v1.service_needs import is_exposed, is_headless, needs_health_check
from kubeapi.core_v1.types import Service, ServicePort
from kubeapi.core_v1.validation.network import (
    PROTOCOLS,
    address_of,
    one_of_each_family,
    validate_address,
    validate_not_special,
    validate_port,
    validate_port_or_name,
    validate_range,
)
from kubeapi.errors import Cause, duplicate, forbidden, invalid, not_supported, required
from kubeapi.meta_v1.validation import (
    causes_of,
    dns_label,
    dns_subdomain,
    qualified_name,
    validate_choice,
    validate_labels,
    validate_meta,
    validate_meta_update,
)

TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
FAMILIES, FAMILY_POLICIES = ("IPv4", "IPv6"), ("SingleStack", "PreferDualStack", "RequireDualStack")
TRAFFIC_POLICIES = ("Cluster", "Local")
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
MOST_AFFINITY_SECONDS = 86400
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
TOPOLOGY_HINTS, TOPOLOGY_MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
ONLY_BALANCER = "may only be used when `type` is 'LoadBalancer'"
FIXED = "may not change once set"


def validate_service(service: Service) -> list[Cause]:
    """A Service that is made, with what was allocated."""
    return validate_meta(service.metadata, True, dns_label) + _validate_rest(service)


def validate_service_update(new: Service, old: Service) -> list[Cause]:
    """An address once given stays, unless the Service stops or begins to have one."""
    found = validate_meta_update(new.metadata, old.metadata)
    found += _validate_kept_addresses(new, old) + _validate_kept_families(new, old)
    both = new.spec.type == old.spec.type == "LoadBalancer"
    if both and new.spec.load_balancer_class != old.spec.load_balancer_class:
        found.append(invalid("spec.loadBalancerClass", new.spec.load_balancer_class, FIXED))
    found += _validate_balancer_class(new)
    port = new.spec.health_check_node_port
    if needs_health_check(old) and needs_health_check(new) and port != old.spec.health_check_node_port:
        found.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return found + _validate_rest(new)


def validate_service_status(new: Service, old: Service) -> list[Cause]:
    """Only a load balancer has addresses to report."""
    found = validate_meta_update(new.metadata, old.metadata)
    path, ingress = "status.loadBalancer.ingress", new.status.load_balancer.ingress
    if ingress and new.spec.type != "LoadBalancer":
        return [*found, forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    for i, entry in enumerate(ingress):
        at = f"{path}[{i}]"
        if entry.ip:
            found += validate_address(entry.ip, f"{at}.ip")
        if entry.ip and entry.ip_mode is None:
            found.append(required(f"{at}.ipMode", "must be specified when `ip` is set"))
        elif entry.ip_mode is not None and not entry.ip:
            found.append(forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set"))
        elif entry.ip_mode is not None and entry.ip_mode not in ("VIP", "Proxy"):
            found.append(not_supported(f"{at}.ipMode", entry.ip_mode, ("VIP", "Proxy")))
        if entry.hostname:
            found += causes_of(dns_subdomain, entry.hostname, f"{at}.hostname")
            if address_of(entry.hostname) is not None:
                found.append(invalid(f"{at}.hostname", entry.hostname, "must be a DNS name, not an IP address"))
    return found


def _validate_rest(service: Service) -> list[Cause]:
    spec, marks = service.spec, service.metadata.annotations
    found: list[Cause] = []
    if TOPOLOGY_MODE in marks and TOPOLOGY_HINTS in marks and marks[TOPOLOGY_MODE] != marks[TOPOLOGY_HINTS]:
        told = f"must match annotations[{TOPOLOGY_HINTS}] when both are specified"
        found.append(invalid(f"metadata.annotations[{TOPOLOGY_MODE}]", marks[TOPOLOGY_MODE], told))
    if not spec.ports and not is_headless(service) and spec.type != "ExternalName":
        found.append(required("spec.ports"))
    match spec.type:
        case "LoadBalancer" | "NodePort" if is_headless(service):
            found.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {spec.type} services"))
        case "ExternalName":
            found += _validate_external_name(service)
    names: set[str] = set()
    for i, port in enumerate(spec.ports):
        found += _validate_port(port, f"spec.ports[{i}]", len(spec.ports) > 1, names)
    found += validate_labels(spec.selector, "spec.selector")
    found += _validate_affinity(service)
    found += validate_addresses(service)
    for i, address in enumerate(spec.external_ips):
        at = f"spec.externalIPs[{i}]"
        found += validate_address(address, at) or validate_not_special(address, at)
    found += validate_choice(spec.type, TYPES, "spec.type")
    if spec.type == "ClusterIP":
        for i, port in enumerate(spec.ports):
            if port.node_port:
                found.append(forbidden(f"spec.ports[{i}].nodePort", "may not be used when `type` is 'ClusterIP'"))
    return found + _validate_unique_ports(spec.ports) + _validate_balancer(service) + _validate_traffic(service)


def _validate_external_name(service: Service) -> list[Cause]:
    spec, found = service.spec, []
    for field, value in (
        ("clusterIPs", spec.cluster_ips),
        ("ipFamilies", spec.ip_families),
        ("ipFamilyPolicy", spec.ip_family_policy),
    ):
        if value:
            found.append(forbidden(f"spec.{field}", "may not be set for ExternalName services"))
    name = spec.external_name.removesuffix(".")
    if not name:
        return [*found, required("spec.externalName")]
    return found + causes_of(dns_subdomain, name, "spec.externalName")


def _validate_port(port: ServicePort, path: str, named: bool, names: set[str]) -> list[Cause]:
    found: list[Cause] = []
    if named and not port.name:
        found.append(required(f"{path}.name"))
    elif port.name:
        found += causes_of(dns_label, port.name, f"{path}.name")
        if port.name in names:
            found.append(duplicate(f"{path}.name", port.name))
        names.add(port.name)
    found += validate_port(port.port, f"{path}.port")
    found += validate_choice(port.protocol, PROTOCOLS, f"{path}.protocol")
    found += validate_port_or_name(port.target_port, f"{path}.targetPort")
    if port.app_protocol is not None:
        found += causes_of(qualified_name, port.app_protocol, f"{path}.appProtocol")
    return found


def _validate_affinity(service: Service) -> list[Cause]:
    spec, at = service.spec, "spec.sessionAffinityConfig"
    found = validate_choice(spec.session_affinity, ("ClientIP", "None"), "spec.sessionAffinity")
    if spec.session_affinity != "ClientIP":
        return found
    config, told = spec.session_affinity_config, "when session affinity type is ClientIP"
    if config is None:
        return [*found, required(at, told)]
    if config.client_ip is None:
        return [*found, required(f"{at}.clientIP", told)]
    seconds = config.client_ip.timeout_seconds
    if seconds is None:
        return [*found, required(f"{at}.clientIP.timeoutSeconds", told)]
    if not 0 < seconds <= MOST_AFFINITY_SECONDS:
        told = f"must be greater than 0 and less than {MOST_AFFINITY_SECONDS}"
        found.append(invalid(f"{at}.clientIP.timeoutSeconds", seconds, told))
    return found


def validate_addresses(service: Service) -> list[Cause]:
    """clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy fit each other; asked before addresses are given, too."""
    spec, at = service.spec, "spec.clusterIPs"
    if spec.type == "ExternalName":
        return []
    found: list[Cause] = []
    if spec.cluster_ip and not spec.cluster_ips:
        found.append(required(at))
    elif spec.cluster_ip and spec.cluster_ips[0] != spec.cluster_ip:
        found.append(invalid(at, spec.cluster_ips, "first value must match `clusterIP`"))
    elif not spec.cluster_ip and spec.cluster_ips:
        found.append(invalid(at, spec.cluster_ips, "must be empty when `clusterIP` is not specified"))
    for i, family in enumerate(spec.ip_families):
        if family not in FAMILIES:
            found.append(not_supported(f"spec.ipFamilies[{i}]", family, FAMILIES))
        if family in spec.ip_families[:i]:
            found.append(duplicate(f"spec.ipFamilies[{i}]", family))
    if spec.ip_family_policy is not None and spec.ip_family_policy not in FAMILY_POLICIES:
        found.append(not_supported("spec.ipFamilyPolicy", spec.ip_family_policy, FAMILY_POLICIES))
    broken = False
    for i, address in enumerate(spec.cluster_ips):
        if i == 0 and address == "None":
            wrong = [invalid(at, spec.cluster_ips, "'None' must be the first and only value")]
            wrong = wrong if len(spec.cluster_ips) > 1 else []
        else:
            wrong = validate_address(address, f"{at}[{i}]")
        broken = broken or bool(wrong)
        found += wrong
    if len(spec.cluster_ips) > 2:
        found.append(invalid(at, spec.cluster_ips, "may only hold up to 2 values"))
    if broken:
        return found
    if len(spec.cluster_ips) > 1 and not one_of_each_family(spec.cluster_ips):
        found.append(invalid(at, spec.cluster_ips, "may specify no more than one IP for each IP family"))
    for i, (text, family) in enumerate(zip(spec.cluster_ips, spec.ip_families, strict=False)):
        parsed = address_of(text)
        if parsed is not None and f"IPv{parsed.version}" != family and family in FAMILIES:
            found.append(invalid(f"{at}[{i}]", text, f"expected an {family} value as indicated by `ipFamilies[{i}]`"))
    return found


def _validate_unique_ports(ports: list[ServicePort]) -> list[Cause]:
    found: list[Cause] = []
    seen: set[tuple[str, int]] = set()
    for i, port in enumerate(ports):
        if port.node_port and (port.protocol, port.node_port) in seen:
            found.append(duplicate(f"spec.ports[{i}].nodePort", port.node_port))
        seen.add((port.protocol, port.node_port))
    seen = set()
    for i, port in enumerate(ports):
        if (port.protocol, port.port) in seen:
            key = {"Name": "", "Protocol": port.protocol, "AppProtocol": None, "Port": port.port}
            found.append(duplicate(f"spec.ports[{i}]", key | {"TargetPort": 0, "NodePort": 0}))
        seen.add((port.protocol, port.port))
    return found


def _validate_balancer(service: Service) -> list[Cause]:
    """The fields that only a load balancer has."""
    spec, marks, found = service.spec, service.metadata.annotations, []
    balanced = spec.type == "LoadBalancer"
    if spec.load_balancer_source_ranges:
        at = "spec.LoadBalancerSourceRanges"
        if not balanced:
            found.append(forbidden(at, ONLY_BALANCER))
        for i, value in enumerate(spec.load_balancer_source_ranges):
            found += validate_range(value.strip(), f"{at}[{i}]")
    elif SOURCE_RANGES in marks:
        at = f"metadata.annotations[{SOURCE_RANGES}]"
        if not balanced:
            found.append(forbidden(at, ONLY_BALANCER))
        for value in filter(None, marks[SOURCE_RANGES].strip().split(",")):
            found += validate_range(value.strip(), at)
    if spec.allocate_load_balancer_node_ports is not None and not balanced:
        found.append(forbidden("spec.allocateLoadBalancerNodePorts", ONLY_BALANCER))
    return found + _validate_balancer_class(service)


def _validate_balancer_class(service: Service) -> list[Cause]:
    name = service.spec.load_balancer_class
    if name is None:
        return []
    if service.spec.type != "LoadBalancer":
        return [forbidden("spec.loadBalancerClass", ONLY_BALANCER)]
    return causes_of(qualified_name, name, "spec.loadBalancerClass")


def _validate_traffic(service: Service) -> list[Cause]:
    spec, found = service.spec, []
    policy, port = spec.external_traffic_policy, spec.health_check_node_port
    if is_exposed(service):
        found += validate_choice(policy, TRAFFIC_POLICIES, "spec.externalTrafficPolicy")
    elif policy:
        told = "may only be set for externally-accessible services"
        found.append(invalid("spec.externalTrafficPolicy", policy, told))
    if needs_health_check(service):
        found += validate_port(port, "spec.healthCheckNodePort") if port else [required("spec.healthCheckNodePort")]
    elif port:
        told = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        found.append(invalid("spec.healthCheckNodePort", port, told))
    if spec.internal_traffic_policy is not None and spec.internal_traffic_policy not in TRAFFIC_POLICIES:
        found.append(not_supported("spec.internalTrafficPolicy", spec.internal_traffic_policy, TRAFFIC_POLICIES))
    if spec.traffic_distribution is not None and spec.traffic_distribution not in DISTRIBUTIONS:
        found.append(not_supported("spec.trafficDistribution", spec.traffic_distribution, DISTRIBUTIONS))
    return found


def _validate_kept_addresses(new: Service, old: Service) -> list[Cause]:
    if "ExternalName" in (new.spec.type, old.spec.type) or (is_headless(new) and is_headless(old)):
        return []
    at, now, was = "spec.clusterIPs", new.spec.cluster_ips, old.spec.cluster_ips
    if len(now) == len(was):
        return [invalid(f"{at}[{i}]", now, FIXED) for i, ip in enumerate(was) if ip != now[i]]
    found: list[Cause] = []
    if was and now and now[0] != was[0]:
        found.append(invalid(f"{at}[0]", now, FIXED))
    if not now:
        found.append(invalid(f"{at}[0]", None, "primary clusterIP can not be unset"))
    policy = new.spec.ip_family_policy
    if len(was) > len(now) == 1 and policy != "SingleStack":
        told = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        found.append(invalid("spec.ipFamilyPolicy", policy, told))
    return found


def _validate_kept_families(new: Service, old: Service) -> list[Cause]:
    if "ExternalName" in (new.spec.type, old.spec.type) or is_headless(new) or is_headless(old):
        return []
    at, now, was = "spec.ipFamilies[0]", new.spec.ip_families, old.spec.ip_families
    if len(now) == len(was):
        return [invalid(at, now, FIXED) for before, after in zip(was, now, strict=True) if before != after]
    found: list[Cause] = []
    if not new.spec.cluster_ips:
        found.append(invalid(at, now or None, "primary ipFamily can not be unset"))
    if was and now and now[0] != was[0]:
        found.append(invalid(at, new.spec.cluster_ips, FIXED))
    policy = new.spec.ip_family_policy
    if len(was) > len(now) == 1 and policy != "SingleStack":
        told = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        found.append(invalid("spec.ipFamilyPolicy", policy, told))
    return found
