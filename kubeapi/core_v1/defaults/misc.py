"""Defaults of the small kinds: Namespace, Node, Secret, Endpoints."""

from __future__ import annotations

from kubeapi.core_v1.types import Endpoints, Namespace, Node, Secret

NAME_LABEL = "kubernetes.io/metadata.name"


def default_namespace(namespace: Namespace) -> None:
    """Every namespace carries its own name as a label, so that selectors can find it."""
    if namespace.metadata.name:
        namespace.metadata.labels = namespace.metadata.labels | {NAME_LABEL: namespace.metadata.name}


def default_node(node: Node) -> None:
    """What can be used is what there is, until the node says otherwise."""
    for name, quantity in node.status.capacity.items():
        node.status.allocatable.setdefault(name, quantity)


def default_secret(secret: Secret) -> None:
    """Opaque, unless it says what it is."""
    secret.type = secret.type or "Opaque"


def default_endpoints(endpoints: Endpoints) -> None:
    """TCP."""
    for subset in endpoints.subsets:
        for port in subset.ports:
            port.protocol = port.protocol or "TCP"
