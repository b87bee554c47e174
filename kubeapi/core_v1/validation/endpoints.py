"""Endpoints: subsets of addresses and ports."""

from __future__ import annotations

from kubeapi.core_v1.types import EndpointAddress, EndpointPort, Endpoints
from kubeapi.core_v1.validation.network import (
    API_SERVER,
    PROTOCOLS,
    validate_address,
    validate_not_special,
    validate_port,
)
from kubeapi.errors import Cause, required
from kubeapi.meta_v1.validation import (
    causes_of,
    dns_label,
    dns_subdomain,
    qualified_name,
    validate_choice,
    validate_meta,
    validate_meta_update,
)


def validate_endpoints(endpoints: Endpoints) -> list[Cause]:
    """Subsets have addresses, and ports that are named when there are several."""
    found, meta = validate_meta(endpoints.metadata, True), endpoints.metadata
    own = (meta.namespace, meta.name) == API_SERVER
    for i, subset in enumerate(endpoints.subsets):
        at = f"subsets[{i}]"
        if not subset.addresses and not subset.not_ready_addresses:
            found.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
        for j, address in enumerate(subset.addresses):
            found += _validate_address(address, f"{at}.addresses[{j}]", own)
        for j, address in enumerate(subset.not_ready_addresses):
            found += _validate_address(address, f"{at}.notReadyAddresses[{j}]", own)
        for j, port in enumerate(subset.ports):
            found += _validate_port(port, len(subset.ports) > 1, f"{at}.ports[{j}]")
    return found


def validate_endpoints_update(new: Endpoints, old: Endpoints) -> list[Cause]:
    """As when it is made."""
    return validate_meta_update(new.metadata, old.metadata) + validate_endpoints(new)


def _validate_address(address: EndpointAddress, path: str, own: bool) -> list[Cause]:
    found = validate_address(address.ip, f"{path}.ip")
    if address.hostname:
        found += causes_of(dns_label, address.hostname, f"{path}.hostname")
    if address.node_name is not None:
        found += causes_of(dns_subdomain, address.node_name, f"{path}.nodeName")
    return found if own else found + validate_not_special(address.ip, f"{path}.ip")


def _validate_port(port: EndpointPort, named: bool, path: str) -> list[Cause]:
    found: list[Cause] = []
    if named and not port.name:
        found.append(required(f"{path}.name"))
    elif port.name:
        found += causes_of(dns_label, port.name, f"{path}.name")
    found += validate_port(port.port, f"{path}.port")
    found += validate_choice(port.protocol, PROTOCOLS, f"{path}.protocol")
    if port.app_protocol is not None:
        found += causes_of(qualified_name, port.app_protocol, f"{path}.appProtocol")
    return found
