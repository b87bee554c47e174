"""`schedule(pod, snapshot)`: the node for a pod, or the reasons why there is none. Pure.

Filters answer with the words that Kubernetes uses, because people search for them; scores prefer few replicas of the
same owner on one physical host, as far as Machines tell of hosts, then few on one node, then free resources.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from controlplane.scheduler import affinity
from controlplane.scheduler.neighbours import PER_NEIGHBOUR, Neighbours, failure_domain, neighbours_of
from controlplane.scheduler.snapshot import (
    Amounts,
    HostPort,
    NodeInfo,
    Snapshot,
    Volumes,
    host_ports,
    owner_of,
    requests_of,
)
from kubeapi.core_v1.types import Pod
from kubeapi.hardware_v1.chain import HOST_LABEL

# Whether evicting others could ever help is part of the message.
_HELPABLE = (
    "Insufficient ",
    "Too many pods",
    "node(s) didn't have free ports",
    "node(s) didn't match pod anti-affinity",
    "node(s) didn't match pod topology",
    "node(s) didn't satisfy existing",
)


class Placement(NamedTuple):
    """The pod goes to this node; `why` is a sentence where physical hosts had a say in it."""

    node: str
    why: str = ""


class Unschedulable(NamedTuple):
    """No node takes the pod; the message is for its condition and Event."""

    message: str


class Asked(NamedTuple):
    """What a pod asks for, worked out once for all nodes."""

    requests: Amounts
    ports: list[HostPort]
    neighbours: Neighbours
    volumes: Volumes


def schedule(pod: Pod, snapshot: Snapshot, volumes: Volumes = Volumes()) -> Placement | Unschedulable:  # noqa: B008
    """Choose a node for the pod. Ties go to the first by name."""
    total = len(snapshot.nodes)
    if not total:
        return Unschedulable("no nodes available to schedule pods")
    if volumes.problem:
        return Unschedulable(f"0/{total} nodes are available: {volumes.problem}. not found")
    reasons: Counter[str] = Counter()
    helpable = 0
    fitting: list[NodeInfo] = []
    asked = Asked(requests_of(pod), host_ports(pod), neighbours_of(pod, snapshot), volumes)
    for info in snapshot.nodes:
        found = reasons_against(pod, info, asked)
        if not found:
            fitting.append(info)
        reasons.update(found)
        helpable += bool(found) and all(r.startswith(_HELPABLE) for r in found) and _could_fit_empty(asked, info)
    if not fitting:
        return Unschedulable(_told(total, reasons, helpable))
    best = max(fitting, key=lambda info: score(pod, info, asked))  # the first of the best: nodes come by name
    return Placement(best.node.metadata.name, _host_reason(best, fitting, asked.neighbours))


def _host_reason(best: NodeInfo, fitting: list[NodeInfo], neighbours: Neighbours) -> str:
    """Which hosts were left for one with fewer replicas; empty where none was, or where no Machine tells of hosts."""
    domains = {failure_domain(info.node): neighbours.siblings[failure_domain(info.node)] for info in fitting}
    key, chosen = own = failure_domain(best.node)
    crowded = {name: count for (kind, name), count in domains.items() if kind == HOST_LABEL and count > domains[own]}
    if key != HOST_LABEL or not crowded:
        return ""
    others = ", ".join(f"{name} ({count})" for name, count in sorted(crowded.items()))
    return f"Host {chosen} has fewer of its replicas ({domains[own]}) than {others}"


def _told(total: int, reasons: Counter[str], helpable: int) -> str:
    parts = ", ".join(sorted(f"{n} {reason}" for reason, n in reasons.items()))
    useless = total - helpable
    why = [f"{helpable} No preemption victims found for incoming pod"] if helpable else []
    why += [f"{useless} Preemption is not helpful for scheduling"] if useless else []
    preemption = f"preemption: 0/{total} nodes are available: {', '.join(why)}."
    return f"0/{total} nodes are available: {parts}. no new claims to deallocate, {preemption}"


def _could_fit_empty(asked: Asked, info: NodeInfo) -> bool:
    return all(value <= info.allocatable.get(resource, 0) for resource, value in asked.requests.items())


def reasons_against(pod: Pod, info: NodeInfo, asked: Asked) -> list[str]:
    """Why the pod can't go to the node; none if it can. Stops at the first filter that refuses, as Kubernetes does."""
    node = info.node
    if pod.spec.node_name and pod.spec.node_name != node.metadata.name:
        return ["node(s) didn't match the requested node name"]
    unschedulable = [t for t in node.spec.taints if t.key == "node.kubernetes.io/unschedulable"]
    if node.spec.unschedulable and not any(affinity.tolerates(pod.spec.tolerations, t) for t in unschedulable):
        return ["node(s) were unschedulable"]
    if affinity.untolerated(pod, node, ("NoSchedule", "NoExecute")):
        return ["node(s) had untolerated taint(s)"]
    if not affinity.node_fits(pod, node):
        return ["node(s) didn't match Pod's node affinity/selector"]
    if any(_clash(a, b) for a in asked.ports for b in info.ports):
        return ["node(s) didn't have free ports for the requested pod ports"]
    if lacking := _lacking(asked.requests, info):
        return lacking
    if not all(affinity.selector_matches(s, node) for s in asked.volumes.affinities):
        return ["node(s) didn't match PersistentVolume's node affinity"]
    if not all(node.metadata.name in nodes for nodes in asked.volumes.places):
        return ["node(s) didn't find available persistent volumes to bind"]
    objection = asked.neighbours.objection(node.metadata.labels)
    return [objection] if objection else []


def _lacking(requests: Amounts, info: NodeInfo) -> list[str]:
    out = ["Too many pods"] if len(info.pods) + 1 > info.allocatable.get("pods", 0) else []
    for resource, value in requests.items():
        if value and value + info.used.get(resource, 0) > info.allocatable.get(resource, 0):
            out.append(f"Insufficient {resource}")
    return out


def _clash(a: HostPort, b: HostPort) -> bool:
    return a[1:] == b[1:] and (a[0] == b[0] or "0.0.0.0" in (a[0], b[0]))


def score(pod: Pod, info: NodeInfo, asked: Asked) -> tuple[float, ...]:
    """How good the node is: soft taints, wishes and few siblings on its host, few of those on the node itself, then the free
    share of cpu and memory, then few pods."""
    wishes = asked.neighbours.liking(info.node.metadata.labels)
    if pod.spec.affinity and pod.spec.affinity.node_affinity:
        terms = pod.spec.affinity.node_affinity.preferred_during_scheduling_ignored_during_execution
        wishes += sum(t.weight for t in terms if affinity.term_matches(t.preference, info.node))
    siblings = asked.neighbours.siblings[failure_domain(info.node)]
    beside = siblings - info.owners[owner_of(pod)] if siblings else 0
    free = [
        1 - (info.used.get(r, 0) + asked.requests.get(r, 0)) / size
        for r in ("cpu", "memory")
        if (size := info.allocatable.get(r, 0))
    ]
    soft = affinity.untolerated(pod, info.node, ("PreferNoSchedule",)) is None
    return (soft, wishes - PER_NEIGHBOUR * siblings, beside, sum(free) / max(1, len(free)), -len(info.pods))
