"""What a Service of a type has and needs: asked by its strategy, its validation and the allocation of addresses alike.

Source: k8s.io/kubernetes/pkg/api/service and pkg/registry/core/service/strategy.go.
"""

from __future__ import annotations

from kubeapi.core_v1.types import Service


def is_headless(service: Service) -> bool:
    """Whether its name stands for its endpoints, not for an address of its own."""
    return service.spec.cluster_ips == ["None"]


def needs_address(service: Service) -> bool:
    """Whether it has a cluster address (`None` is one, too)."""
    return service.spec.type != "ExternalName"


def needs_node_port(service: Service) -> bool:
    """Whether each of its ports has a port on every node."""
    spec = service.spec
    return spec.type == "NodePort" or (
        spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
    )


def is_exposed(service: Service) -> bool:
    """Whether it is reached from outside of the cluster."""
    spec = service.spec
    return spec.type in ("NodePort", "LoadBalancer") or (spec.type == "ClusterIP" and bool(spec.external_ips))


def needs_health_check(service: Service) -> bool:
    """Whether a load balancer asks each node if it has endpoints."""
    return service.spec.type == "LoadBalancer" and service.spec.external_traffic_policy == "Local"
