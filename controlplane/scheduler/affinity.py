"""Node selectors, tolerations, pod affinity and topology spread as predicates over plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from controlplane.scheduler.snapshot import NodeInfo, Snapshot
from kubeapi.core_v1.types import (
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodAffinityTerm,
    Taint,
    Toleration,
    TopologySpreadConstraint,
)
from kubeapi.selectors import OBJECT_OPERATORS, Requirement, matches

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


def _term_covers(term: PodAffinityTerm, owner: Pod, other: Pod, snapshot: Snapshot) -> bool:
    namespaces = set(term.namespaces)
    if term.namespace_selector is not None:
        chosen = term.namespace_selector
        namespaces |= {name for name, labels in snapshot.namespaces.items() if matches(chosen, labels)}
    elif not namespaces:
        namespaces = {owner.metadata.namespace}
    if other.metadata.namespace not in namespaces or term.label_selector is None:
        return False
    return matches(term.label_selector, other.metadata.labels)


def _required(pod: Pod, anti: bool) -> list[PodAffinityTerm]:
    affinity = pod.spec.affinity
    if affinity is None:
        return []
    if anti:
        found = affinity.pod_anti_affinity
        return found.required_during_scheduling_ignored_during_execution if found else []
    near = affinity.pod_affinity
    return near.required_during_scheduling_ignored_during_execution if near else []


def _domains(term: PodAffinityTerm, pod: Pod, snapshot: Snapshot) -> set[str]:
    """The values of the term's topology key where a matching pod runs."""
    return {
        info.node.metadata.labels[term.topology_key]
        for info in snapshot.nodes
        if term.topology_key in info.node.metadata.labels
        and any(_term_covers(term, pod, other, snapshot) for other in info.pods.values())
    }


def affinity_fits(pod: Pod, info: NodeInfo, snapshot: Snapshot) -> bool:
    """Required pod affinity. The first of a group that wants to be near itself may go anywhere."""
    labels = info.node.metadata.labels
    for term in _required(pod, anti=False):
        domains = _domains(term, pod, snapshot)
        first = not domains and _term_covers(term, pod, pod, snapshot)
        if term.topology_key not in labels or (labels[term.topology_key] not in domains and not first):
            return False
    return True


def anti_affinity_fits(pod: Pod, info: NodeInfo, snapshot: Snapshot) -> bool:
    """The pod's own required anti-affinity."""
    labels = info.node.metadata.labels
    terms = _required(pod, anti=True)
    return all(labels.get(t.topology_key) not in _domains(t, pod, snapshot) for t in terms)


def others_allow(pod: Pod, info: NodeInfo, snapshot: Snapshot) -> bool:
    """The required anti-affinity of pods that run already."""
    labels = info.node.metadata.labels
    for there in snapshot.nodes:
        for other in there.pods.values():
            for term in _required(other, anti=True):
                value = labels.get(term.topology_key)
                same = value is not None and there.node.metadata.labels.get(term.topology_key) == value
                if same and _term_covers(term, other, pod, snapshot):
                    return False
    return True


def spread_counts(pod: Pod, rule: TopologySpreadConstraint, snapshot: Snapshot) -> Counter[str]:
    """Matching pods by topology value, over the nodes that the pod could go to by its own affinity."""
    counts: Counter[str] = Counter()
    for info in snapshot.nodes:
        value = info.node.metadata.labels.get(rule.topology_key)
        if value is None or (rule.node_affinity_policy != "Ignore" and not node_fits(pod, info.node)):
            continue
        counts[value] += sum(
            other.metadata.namespace == pod.metadata.namespace
            and other.metadata.deletion_timestamp is None
            and rule.label_selector is not None
            and matches(rule.label_selector, other.metadata.labels)
            for other in info.pods.values()
        )
    return counts


def spread_fits(pod: Pod, info: NodeInfo, snapshot: Snapshot) -> bool:
    """Topology spread constraints that forbid (whenUnsatisfiable: DoNotSchedule)."""
    for rule in pod.spec.topology_spread_constraints:
        if rule.when_unsatisfiable != "DoNotSchedule":
            continue
        value = info.node.metadata.labels.get(rule.topology_key)
        counts = spread_counts(pod, rule, snapshot)
        if value is None or value not in counts:
            return False
        own = rule.label_selector is not None and matches(rule.label_selector, pod.metadata.labels)
        least = 0 if rule.min_domains and len(counts) < rule.min_domains else min(counts.values())
        if counts[value] + own - least > rule.max_skew:
            return False
    return True
