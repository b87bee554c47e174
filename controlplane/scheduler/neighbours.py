"""What the pods that run already mean for a new one: pod affinity, anti-affinity (its own and theirs), topology spread, and
its siblings, the pods of the same owner.

All nodes are looked at once per pod (`neighbours_of`); after that a node is judged by its labels alone. Rules that forbid
make an `objection`, those that only prefer a `liking`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from controlplane.scheduler.affinity import node_fits, untolerated
from controlplane.scheduler.snapshot import Snapshot, anti_affinity_of, owner_of
from kubeapi.core_v1.types import Node, Pod, PodAffinityTerm, TopologySpreadConstraint
from kubeapi.hardware_v1.chain import HOST_LABEL
from kubeapi.selectors import matches

PER_NEIGHBOUR = 10  # what one more pod of its kind weighs against a place, beside the weights (1-100) of wishes
Domain = tuple[str, str]  # a topology key and a value of it


class Near(NamedTuple):
    """One required affinity term: where its pods run. The first of a group that wants to be near itself may go anywhere."""

    key: str
    values: set[str]
    first: bool


class Spread(NamedTuple):
    """One spread constraint that forbids: how many pods each domain may have, and has, before the new one."""

    key: str
    most: int
    counts: Counter[str]


class Neighbours(NamedTuple):
    """Where a pod may go for its neighbours' sake."""

    near: list[Near]
    apart: set[Domain]  # its own anti-affinity
    refused: set[Domain]  # the anti-affinity of those that run
    spread: list[Spread]
    liked: Counter[Domain]  # what the rules that only prefer have for or against a domain
    siblings: Counter[Domain]  # how many pods of its owner each machine has that can fail

    def objection(self, labels: Mapping[str, str]) -> str:
        """Why a node with these labels won't do, in Kubernetes' words; empty if it will."""
        domains = labels.items()
        if not all(labels.get(s.key) in s.counts and s.counts[labels[s.key]] <= s.most for s in self.spread):
            return "node(s) didn't match pod topology spread constraints"
        if not all(n.key in labels and (n.first or labels[n.key] in n.values) for n in self.near):
            return "node(s) didn't match pod affinity rules"
        if not self.apart.isdisjoint(domains):
            return "node(s) didn't match pod anti-affinity rules"
        if not self.refused.isdisjoint(domains):
            return "node(s) didn't satisfy existing pods anti-affinity rules"
        return ""

    def liking(self, labels: Mapping[str, str]) -> int:
        """How much better a node with these labels is than any."""
        return sum(weight for (key, value), weight in self.liked.items() if labels.get(key) == value)


def failure_domain(node: Node) -> Domain:
    """What breaks as one: the physical host, where Machines tell of it, with all nodes on it; else the node."""
    host = node.metadata.labels.get(HOST_LABEL)
    return (HOST_LABEL, host) if host else ("kubernetes.io/hostname", node.metadata.name)


def neighbours_of(pod: Pod, snapshot: Snapshot) -> Neighbours:
    """Look at everybody once."""
    affinity = pod.spec.affinity.pod_affinity if pod.spec.affinity else None
    near = []
    for term in affinity.required_during_scheduling_ignored_during_execution if affinity else ():
        values = {value for _, value in _domains(term, pod, snapshot)}
        near.append(Near(term.topology_key, values, not values and _covers(term, pod, pod, snapshot)))
    apart = {domain for term in anti_affinity_of(pod) for domain in _domains(term, pod, snapshot)}
    refused = {
        (term.topology_key, value)
        for info in snapshot.nodes
        for other in info.guarded.values()
        for term in anti_affinity_of(other)
        if (value := info.node.metadata.labels.get(term.topology_key)) is not None
        and _covers(term, other, pod, snapshot)
    }
    rules = [c for c in pod.spec.topology_spread_constraints if c.when_unsatisfiable == "DoNotSchedule"]
    spread = [_spread(pod, rule, snapshot) for rule in rules]
    return Neighbours(near, apart, refused, spread, _liked(pod, snapshot), _siblings(pod, snapshot))


def _siblings(pod: Pod, snapshot: Snapshot) -> Counter[Domain]:
    found: Counter[Domain] = Counter()
    if owner := owner_of(pod):
        for info in snapshot.nodes:
            found[failure_domain(info.node)] += info.owners[owner]
    return found


def _liked(pod: Pod, snapshot: Snapshot) -> Counter[Domain]:
    found: Counter[Domain] = Counter()
    affinity = pod.spec.affinity
    for sign, side in ((1, affinity and affinity.pod_affinity), (-1, affinity and affinity.pod_anti_affinity)):
        for wish in side.preferred_during_scheduling_ignored_during_execution if side else ():
            for domain in _domains(wish.pod_affinity_term, pod, snapshot):
                found[domain] += sign * wish.weight
    for rule in pod.spec.topology_spread_constraints:
        if rule.when_unsatisfiable == "ScheduleAnyway":
            for value, count in _spread(pod, rule, snapshot).counts.items():
                found[rule.topology_key, value] -= PER_NEIGHBOUR * count
    return found


def _covers(term: PodAffinityTerm, owner: Pod, other: Pod, snapshot: Snapshot) -> bool:
    namespaces = set(term.namespaces)
    if term.namespace_selector is not None:
        chosen = term.namespace_selector
        namespaces |= {name for name, labels in snapshot.namespaces.items() if matches(chosen, labels)}
    elif not namespaces:
        namespaces = {owner.metadata.namespace}
    return other.metadata.namespace in namespaces and matches(term.label_selector, other.metadata.labels)


def _domains(term: PodAffinityTerm, pod: Pod, snapshot: Snapshot) -> set[Domain]:
    """The domains of the term's topology key where a matching pod runs."""
    return {
        (term.topology_key, value)
        for info in snapshot.nodes
        if (value := info.node.metadata.labels.get(term.topology_key)) is not None
        and any(_covers(term, pod, other, snapshot) for other in info.pods.values())
    }


def _spread(pod: Pod, rule: TopologySpreadConstraint, snapshot: Snapshot) -> Spread:
    """Matching pods by domain, over the nodes that the pod could go to by its own affinity."""
    counts: Counter[str] = Counter()
    for info in snapshot.nodes:
        value = info.node.metadata.labels.get(rule.topology_key)
        if value is None or (rule.node_affinity_policy != "Ignore" and not node_fits(pod, info.node)):
            continue
        if rule.node_taints_policy == "Honor" and untolerated(pod, info.node, ("NoSchedule", "NoExecute")):
            continue
        counts[value] += sum(
            other.metadata.namespace == pod.metadata.namespace
            and other.metadata.deletion_timestamp is None
            and matches(rule.label_selector, other.metadata.labels)
            for other in info.pods.values()
        )
    own = matches(rule.label_selector, pod.metadata.labels)
    least = 0 if rule.min_domains and len(counts) < rule.min_domains else min(counts.values(), default=0)
    return Spread(rule.topology_key, rule.max_skew + least - own, counts)
