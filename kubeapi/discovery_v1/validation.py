"""What discovery/v1 refuses. Source: k8s.io/kubernetes/pkg/apis/discovery/validation."""

from __future__ import annotations

from kubeapi.core_v1.validation.network import API_SERVER, PROTOCOLS, address_of, validate_not_special
from kubeapi.discovery_v1.types import Endpoint, EndpointPort, EndpointSlice
from kubeapi.errors import Cause, duplicate, invalid, not_supported, required, too_many
from kubeapi.meta_v1.validation import (
    IMMUTABLE,
    causes_of,
    dns_label,
    dns_subdomain,
    qualified_name,
    validate_choice,
    validate_labels,
    validate_meta,
)

SERVICE_NAME = "kubernetes.io/service-name"
TYPES = ("IPv4", "IPv6", "FQDN")
MOST_ENDPOINTS, MOST_ADDRESSES, MOST_PORTS, MOST_ZONES, MOST_NODES, MOST_LABELS = 1000, 100, 100, 8, 8, 16


def validate_endpoint_slice(obj: EndpointSlice) -> list[Cause]:
    """Addresses are of the slice's type, ports have different names."""
    found = validate_meta(obj.metadata, True)
    own = obj.metadata.namespace == API_SERVER[0] and obj.metadata.labels.get(SERVICE_NAME) == API_SERVER[1]
    found += validate_choice(obj.address_type, TYPES, "addressType")
    if len(obj.endpoints) > MOST_ENDPOINTS:
        found.append(too_many("endpoints", len(obj.endpoints), MOST_ENDPOINTS))
    else:
        for i, endpoint in enumerate(obj.endpoints):
            found += _validate_endpoint(endpoint, obj.address_type, f"endpoints[{i}]", own)
    return found + _validate_ports(obj.ports)


def validate_endpoint_slice_update(new: EndpointSlice, old: EndpointSlice) -> list[Cause]:
    """As when it is made; the type of its addresses never changes."""
    found = validate_endpoint_slice(new)
    if new.address_type != old.address_type:
        found.append(invalid("addressType", new.address_type, IMMUTABLE))
    return found


def _validate_endpoint(endpoint: Endpoint, kind: str, path: str, own: bool) -> list[Cause]:
    at, found = f"{path}.addresses", []
    if not endpoint.addresses:
        found.append(required(at, "must contain at least 1 address"))
    elif len(endpoint.addresses) > MOST_ADDRESSES:
        found.append(too_many(at, len(endpoint.addresses), MOST_ADDRESSES))
    for i, text in enumerate(endpoint.addresses):
        if kind in ("IPv4", "IPv6"):
            address = address_of(text)
            if address is None or f"IPv{address.version}" != kind:
                found.append(invalid(f"{at}[{i}]", text, f"must be a valid {kind} address"))
            found += [] if own else validate_not_special(text, f"{at}[{i}]")
        elif kind == "FQDN":
            found += _validate_domain_name(text, f"{at}[{i}]")
    if endpoint.node_name is not None:
        found += causes_of(dns_subdomain, endpoint.node_name, f"{path}.nodeName")
    topology = f"{path}.deprecatedTopology"
    if len(endpoint.deprecated_topology) > MOST_LABELS:
        found.append(too_many(topology, len(endpoint.deprecated_topology), MOST_LABELS))
    found += validate_labels(endpoint.deprecated_topology, topology)
    if endpoint.hostname is not None:
        found += causes_of(dns_label, endpoint.hostname, f"{path}.hostname")
    if endpoint.hints is None:
        return found
    for field, most, hints in (
        ("forZones", MOST_ZONES, endpoint.hints.for_zones),
        ("forNodes", MOST_NODES, endpoint.hints.for_nodes),
    ):
        found += _validate_hints([hint.name for hint in hints], most, f"{path}.hints.{field}")
    return found


def _validate_domain_name(text: str, path: str) -> list[Cause]:
    name = text.removesuffix(".")
    if not name:
        return [required(path)]
    found = causes_of(dns_subdomain, name, path)
    if not found and "." not in name:
        found.append(invalid(path, text, "should be a domain with at least two segments separated by dots"))
    return found


def _validate_hints(names: list[str], most: int, path: str) -> list[Cause]:
    if len(names) > most:
        return [too_many(path, len(names), most)]
    found: list[Cause] = []
    for i, name in enumerate(names):
        if name in names[:i]:
            found.append(duplicate(f"{path}[{i}].name", name))
        found += causes_of(qualified_name, name, f"{path}[{i}].name")
    return found


def _validate_ports(ports: list[EndpointPort]) -> list[Cause]:
    if len(ports) > MOST_PORTS:
        return [too_many("ports", len(ports), MOST_PORTS)]
    found: list[Cause] = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        at, name = f"ports[{i}]", port.name or ""
        if name:
            found += causes_of(dns_label, name, f"{at}.name")
        if name in names:
            found.append(duplicate(f"{at}.name", name))
        names.add(name)
        if port.protocol not in PROTOCOLS:
            found.append(not_supported(f"{at}.protocol", port.protocol, PROTOCOLS))
        if port.app_protocol is not None:
            found += causes_of(qualified_name, port.app_protocol, f"{at}.appProtocol")
    return found
