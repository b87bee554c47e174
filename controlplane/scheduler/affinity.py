"""What a pod asks of a node itself: node selectors, node affinity, tolerations of taints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubeapi.core_v1.types import Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, Taint, Toleration
from kubeapi.selectors import OBJECT_OPERATORS, Requirement

_OPERATORS = {**OBJECT_OPERATORS, "Gt": "gt", "Lt": "lt"}


def _holds(rule: NodeSelectorRequirement, labels: dict[str, str]) -> bool:
    operator = _OPERATORS.get(rule.operator)
    if operator is None or (operator in ("gt", "lt") and len(rule.values) != 1):
        return False
    return Requirement(rule.key, operator, frozenset(rule.values)).matches(labels)


def term_matches(term: NodeSelectorTerm, node: Node) -> bool:
    """All rules of the term hold; an empty term matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": node.metadata.name}
    return all(_holds(r, node.metadata.labels) for r in term.match_expressions) and all(
        _holds(r, fields) for r in term.match_fields
    )


def selector_matches(selector: NodeSelector, node: Node) -> bool:
    """One of the terms matches."""
    return any(term_matches(t, node) for t in selector.node_selector_terms)


def node_fits(pod: Pod, node: Node) -> bool:
    """nodeSelector and required node affinity."""
    if not pod.spec.node_selector.items() <= node.metadata.labels.items():
        return False
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    return required is None or selector_matches(required, node)


def tolerates(tolerations: Iterable[Toleration], taint: Taint) -> bool:
    """Whether one of the tolerations covers the taint."""
    return any(
        (not t.effect or t.effect == taint.effect)
        and (not t.key or t.key == taint.key)
        and (t.operator == "Exists" or (bool(t.key) and t.value == taint.value))
        for t in tolerations
    )


def untolerated(pod: Pod, node: Node, effects: Sequence[str]) -> Taint | None:
    """The first taint of these effects that the pod does not tolerate."""
    return next((t for t in node.spec.taints if t.effect in effects and not tolerates(pod.spec.tolerations, t)), None)
