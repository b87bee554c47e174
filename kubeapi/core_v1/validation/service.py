"""Services and Endpoints."""

from __future__ import annotations

import re

from kubeapi.core_v1.types import Endpoints, Service, ServicePort
from kubeapi.errors import Cause, duplicate, forbidden, invalid, required
from kubeapi.meta_v1.validation import (
    IMMUTABLE,
    causes_of,
    dns_label,
    dns_subdomain,
    validate_choice,
    validate_labels,
    validate_meta,
    validate_meta_update,
)

PORT_RANGE = "must be between 1 and 65535, inclusive"
PROTOCOLS = ("TCP", "UDP", "SCTP")


def port_name(value: str) -> list[str]:
    """The IANA name of a port."""
    found = []
    if len(value) > 15:
        found.append("must be no more than 15 characters")
    if not re.fullmatch(r"[-a-z0-9]*", value):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", value):
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value[:1] == "-" or value[-1:] == "-":
        found.append("must not begin or end with a hyphen")
    return found


def validate_port_or_name(value: int | str | None, path: str) -> list[Cause]:
    """A port by number or by name."""
    if isinstance(value, str):
        return causes_of(port_name, value, path)
    return [] if value is not None and 1 <= value <= 65535 else [invalid(path, value or 0, PORT_RANGE)]


def validate_service(service: Service) -> list[Cause]:
    """A Service that is made, or as an update leaves it."""
    found = validate_meta(service.metadata, True, dns_label)
    spec = service.spec
    headless = spec.cluster_ip == "None"
    if not spec.ports and not headless and spec.type != "ExternalName":
        found.append(required("spec.ports"))
    match spec.type:
        case "LoadBalancer" | "NodePort" if headless:
            found.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {spec.type} services"))
        case "ExternalName":
            if spec.cluster_ip:
                found.append(forbidden("spec.clusterIPs", "may not be set for ExternalName services"))
            name = spec.external_name.removesuffix(".")
            if not name:
                found.append(required("spec.externalName"))
            else:
                found += causes_of(dns_subdomain, name, "spec.externalName")
    names: set[str] = set()
    for i, port in enumerate(spec.ports):
        found += _validate_port(port, f"spec.ports[{i}]", len(spec.ports) > 1, names)
    found += validate_labels(spec.selector, "spec.selector")
    found += validate_choice(spec.session_affinity, ("ClientIP", "None"), "spec.sessionAffinity")
    found += validate_choice(spec.type, ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"), "spec.type")
    if spec.type == "ClusterIP":
        for i, port in enumerate(spec.ports):
            if port.node_port:
                found.append(forbidden(f"spec.ports[{i}].nodePort", "may not be used when `type` is 'ClusterIP'"))
    found += _validate_unique_ports(spec.ports)
    return found


def _validate_port(port: ServicePort, path: str, named: bool, names: set[str]) -> list[Cause]:
    found: list[Cause] = []
    if named and not port.name:
        found.append(required(f"{path}.name"))
    elif port.name:
        found += causes_of(dns_label, port.name, f"{path}.name")
        if port.name in names:
            found.append(duplicate(f"{path}.name", port.name))
        names.add(port.name)
    if not 1 <= port.port <= 65535:
        found.append(invalid(f"{path}.port", port.port, PORT_RANGE))
    found += validate_choice(port.protocol, PROTOCOLS, f"{path}.protocol")
    return found + validate_port_or_name(port.target_port, f"{path}.targetPort")


def _validate_unique_ports(ports: list[ServicePort]) -> list[Cause]:
    found: list[Cause] = []
    seen: set[tuple[str, int]] = set()
    node_ports: set[tuple[str, int]] = set()
    for i, port in enumerate(ports):
        if port.node_port:
            if (port.protocol, port.node_port) in node_ports:
                found.append(duplicate(f"spec.ports[{i}].nodePort", port.node_port))
            node_ports.add((port.protocol, port.node_port))
    for i, port in enumerate(ports):
        if (port.protocol, port.port) in seen:
            key = {"Name": "", "Protocol": port.protocol, "AppProtocol": None, "Port": port.port}
            found.append(duplicate(f"spec.ports[{i}]", key | {"TargetPort": 0, "NodePort": 0}))
        seen.add((port.protocol, port.port))
    return found


def validate_service_update(new: Service, old: Service) -> list[Cause]:
    """An address once given stays, unless the Service stops or begins to have one."""
    found = validate_meta_update(new.metadata, old.metadata)
    addressed = old.spec.type != "ExternalName" and new.spec.type != "ExternalName"
    if addressed and old.spec.cluster_ip and new.spec.cluster_ip != old.spec.cluster_ip:
        value = new.spec.cluster_ips or ([new.spec.cluster_ip] if new.spec.cluster_ip else None)
        found.append(invalid("spec.clusterIPs[0]", value, "may not change once set"))
    if (
        old.spec.type == new.spec.type == "LoadBalancer"
        and old.spec.load_balancer_class != new.spec.load_balancer_class
    ):
        found.append(invalid("spec.loadBalancerClass", new.spec.load_balancer_class, IMMUTABLE))
    return found + [c for c in validate_service(new) if not c.field.startswith("metadata")]


def validate_endpoints(endpoints: Endpoints) -> list[Cause]:
    """Subsets have addresses, and ports that are named when there are several."""
    found = validate_meta(endpoints.metadata, True, dns_subdomain)
    for i, subset in enumerate(endpoints.subsets):
        at = f"subsets[{i}]"
        if not subset.addresses and not subset.not_ready_addresses:
            found.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
        for j, port in enumerate(subset.ports):
            if len(subset.ports) > 1 and not port.name:
                found.append(required(f"{at}.ports[{j}].name"))
            elif port.name:
                found += causes_of(dns_label, port.name, f"{at}.ports[{j}].name")
            if not 1 <= port.port <= 65535:
                found.append(invalid(f"{at}.ports[{j}].port", port.port, PORT_RANGE))
            found += validate_choice(port.protocol, PROTOCOLS, f"{at}.ports[{j}].protocol")
    return found


def validate_endpoints_update(new: Endpoints, old: Endpoints) -> list[Cause]:
    """As when it is made."""
    return validate_meta_update(new.metadata, old.metadata) + [
        c for c in validate_endpoints(new) if not c.field.startswith("metadata")
    ]
