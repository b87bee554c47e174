"""What discovery/v1 fills in. Source: k8s.io/kubernetes/pkg/apis/discovery/v1/defaults.go."""

from __future__ import annotations

from kubeapi.discovery_v1.types import EndpointSlice


def default_endpoint_slice(endpoint_slice: EndpointSlice) -> None:
    """Ports are TCP and without a name."""
    for port in endpoint_slice.ports:
        port.name = port.name or ""
        port.protocol = port.protocol or "TCP"
