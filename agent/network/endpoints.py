"""Services and EndpointSlices, joined to what a packet can meet: one `ServicePort` per port of each Service. Pure.

Which endpoints take traffic is Kubernetes' rule: those that are ready; if there is none, those that still serve while they
terminate (KEP-1669). A policy of Local looks at this node's endpoints alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from typing import NamedTuple

from kubeapi.core_v1.types import Service
from kubeapi.discovery_v1.types import Endpoint, EndpointSlice

SERVICE_NAME = "kubernetes.io/service-name"
DEFAULT_AFFINITY_SECONDS = 10800


class Target(NamedTuple):
    """Where a packet for a Service ends: an IPv4 address, its port, and whether it is a pod of this node."""

    address: str
    port: int
    local: bool


class ServicePort(NamedTuple):
    """A port of a Service as this node sees it. affinity: seconds that a client stays with its endpoint, 0 for none.

    internal are the targets of traffic to cluster_ips, external those from outside to nodes and external_ips; anywhere says
    that some endpoint takes traffic, be it on another node.
    """

    namespace: str
    name: str
    port_name: str
    protocol: str
    port: int
    node_port: int
    cluster_ips: tuple[str, ...]
    external_ips: tuple[str, ...]
    affinity: int
    internal: tuple[Target, ...]
    external: tuple[Target, ...]
    anywhere: tuple[Target, ...]

    @property
    def key(self) -> str:
        """What names it apart from every other: namespace/name/protocol/port name."""
        return f"{self.namespace}/{self.name}/{self.protocol}/{self.port_name}"


def service_ports(
    services: Iterable[Service], slices: Iterable[EndpointSlice], node: str, draining: Container[str] = ()
) -> list[ServicePort]:
    """Every port that has a cluster address, in the order of their keys. Headless and ExternalName Services have none.

    draining: addresses of pods that end or are dead, whatever their slices still say.
    """
    by_service: dict[tuple[str, str], list[EndpointSlice]] = defaultdict(list)
    for piece in slices:
        if piece.address_type == "IPv4" and (name := piece.metadata.labels.get(SERVICE_NAME)):
            by_service[piece.metadata.namespace, name].append(piece)
    found = []
    for service in services:
        cluster_ips = tuple(a for a in _cluster_ips(service) if ":" not in a)
        if service.spec.type == "ExternalName" or not cluster_ips:
            continue
        pieces = by_service[service.metadata.namespace, service.metadata.name]
        leaving = () if service.spec.publish_not_ready_addresses else draining
        outside = tuple(dict.fromkeys([*service.spec.external_ips, *_ingress_ips(service)]))
        for port in service.spec.ports:
            candidates = _candidates(pieces, port.name or "", port.protocol or "TCP", node)
            anywhere = _usable(candidates, leaving)
            here = _usable([c for c in candidates if c[0].local], leaving)
            found.append(
                ServicePort(
                    service.metadata.namespace,
                    service.metadata.name,
                    port.name or "",
                    (port.protocol or "TCP").lower(),
                    port.port,
                    port.node_port or 0,
                    cluster_ips,
                    tuple(a for a in outside if ":" not in a),
                    _affinity(service),
                    here if service.spec.internal_traffic_policy == "Local" else anywhere,
                    here if service.spec.external_traffic_policy == "Local" else anywhere,
                    anywhere,
                )
            )
    return sorted(found, key=lambda p: p.key)


def _cluster_ips(service: Service) -> list[str]:
    addresses = service.spec.cluster_ips or [service.spec.cluster_ip or ""]
    return [a for a in addresses if a and a != "None"]


def _ingress_ips(service: Service) -> list[str]:
    balancer = service.status.load_balancer if service.status else None
    return [i.ip for i in balancer.ingress if i.ip] if balancer else []


def _affinity(service: Service) -> int:
    if service.spec.session_affinity != "ClientIP":
        return 0
    config = service.spec.session_affinity_config
    seconds = config.client_ip.timeout_seconds if config and config.client_ip else None
    return seconds or DEFAULT_AFFINITY_SECONDS


def _candidates(
    pieces: Iterable[EndpointSlice], port_name: str, protocol: str, node: str
) -> list[tuple[Target, Endpoint]]:
    found = {}
    for piece in pieces:
        for port in piece.ports:
            if (port.name or "") != port_name or (port.protocol or "TCP") != protocol or not port.port:
                continue
            for endpoint in piece.endpoints:
                for address in endpoint.addresses:
                    target = Target(address, port.port, endpoint.node_name == node)
                    found[target] = endpoint
    return sorted(found.items(), key=lambda item: item[0])


def _usable(candidates: list[tuple[Target, Endpoint]], draining: Container[str]) -> tuple[Target, ...]:
    # A condition that is not given counts as ready, and as serving (the API reference of EndpointConditions).
    ready = [t for t, e in candidates if e.conditions.ready is not False]
    ending = [
        t
        for t, e in candidates
        if e.conditions.ready is False and e.conditions.serving is not False and e.conditions.terminating is True
    ]
    staying = [t for t in ready if t.address not in draining]
    return tuple(staying or ready or ending)
