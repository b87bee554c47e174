"""Defaults of the small kinds: Namespace, Node, Secret, Endpoints."""

from __future__ import annotations

from kubeapi.core_v1.types import Endpoints, Namespace, Node, Secret

NAME_LABEL = "kubernetes.io/metadata.name"


def default_namespace(namespace: Namespace) -> None:
    """Every namespace carries its own name as a label, so that selectors can find it."""
    if namespace.metadata.name:
        namespace.metadata.labels = namespace.metadata.labels | {NAME_LABEL: namespace.metadata.name}


def default_node(node: Node) -> None:
    """What can be used is what there is, until the node says otherwise; its range of addresses has two names."""
    spec = node.spec
    if spec.pod_cidr and spec.pod_cidrs[:1] != [spec.pod_cidr]:
        spec.pod_cidrs = [spec.pod_cidr]
    elif spec.pod_cidrs and not spec.pod_cidr:
        spec.pod_cidr = spec.pod_cidrs[0]
    for name, quantity in node.status.capacity.items():
        node.status.allocatable.setdefault(name, quantity)


def default_secret(secret: Secret) -> None:
    """Opaque, unless it says what it is; stringData is written only: it becomes data before anyone comes to own it."""
    if secret.string_data:
        secret.data = secret.data | {key: value.encode() for key, value in secret.string_data.items()}
        secret.string_data = {}
    secret.type = secret.type or "Opaque"


def default_endpoints(endpoints: Endpoints) -> None:
    """TCP."""
    for subset in endpoints.subsets:
        for port in subset.ports:
            port.protocol = port.protocol or "TCP"
