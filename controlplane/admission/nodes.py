"""TaintNodesByCondition: a new node takes no pods before the node controller has seen that it is ready."""

from __future__ import annotations

from kubeapi.core_v1.types import Node, Taint

NOT_READY = "node.kubernetes.io/not-ready"


def taint(node: Node) -> None:
    """Add the not-ready taint, unless it is there."""
    if not any(t.key == NOT_READY and t.effect == "NoSchedule" for t in node.spec.taints):
        node.spec.taints = [*node.spec.taints, Taint(key=NOT_READY, effect="NoSchedule")]
