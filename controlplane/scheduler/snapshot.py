"""What the scheduler knows when it decides: nodes with what runs on them, and the volumes that tie a pod to places.

A snapshot is plain data. `NodeInfo.add` assumes a pod on a node before its binding is answered, so that a batch of
pods is placed against one another.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kubeapi.core_v1.types import Container, Node, NodeSelector, Pod, PodAffinityTerm
from kubeapi.quantity import parse

Amounts = dict[str, int]  # by resource; cpu in thousandths
HostPort = tuple[str, str, int]


def amount(resource: str, value: str | int | float) -> int:
    """A quantity as an integer, rounded up."""
    return math.ceil(parse(value) * (1000 if resource == "cpu" else 1))


def requests_of(pod: Pod) -> Amounts:
    """What a pod asks for: the larger of its containers' sum and its largest init container, and its overhead.

    Init containers that stay (restartPolicy Always) count with the containers, and below every init container after them.
    """
    total: Amounts = {}
    for container in pod.spec.containers:
        _add(total, _requests(container))
    peak: Amounts = {}
    staying: Amounts = {}
    for container in pod.spec.init_containers:
        own = _requests(container)
        if container.restart_policy == "Always":
            _add(total, own)
            _add(staying, own)
            own = {}
        here = dict(staying)
        _add(here, own)
        peak = {k: max(peak.get(k, 0), here.get(k, 0)) for k in peak.keys() | here.keys()}
    out = {k: max(total.get(k, 0), peak.get(k, 0)) for k in total.keys() | peak.keys()}
    _add(out, {k: amount(k, v) for k, v in pod.spec.overhead.items()})
    return out


def _requests(container: Container) -> Amounts:
    return {k: amount(k, v) for k, v in container.resources.requests.items()}


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for resource, value in more.items():
        total[resource] = total.get(resource, 0) + value


def host_ports(pod: Pod) -> list[HostPort]:
    """(address, protocol, port) of each host port."""
    return [
        (p.host_ip or "0.0.0.0", p.protocol or "TCP", p.host_port)
        for c in pod.spec.containers
        for p in c.ports
        if p.host_port
    ]


def owner_of(pod: Pod) -> str:
    """The uid of the pod's controller, empty without one."""
    return next((r.uid for r in pod.metadata.owner_references if r.controller), "")


def anti_affinity_of(pod: Pod) -> list[PodAffinityTerm]:
    """Its required anti-affinity."""
    apart = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None
    return apart.required_during_scheduling_ignored_during_execution if apart else []


@dataclass(slots=True)
class NodeInfo:
    """A node, its pods, and the sums over them: deciding must not cost a look at every pod."""

    node: Node
    allocatable: Amounts
    pods: dict[str, Pod] = field(default_factory=dict)
    used: Amounts = field(default_factory=dict)
    ports: set[HostPort] = field(default_factory=set)
    owners: Counter[str] = field(default_factory=Counter)
    guarded: dict[str, Pod] = field(default_factory=dict)  # those with anti-affinity of their own

    @classmethod
    def of(cls, node: Node, pods: Iterable[Pod] = ()) -> NodeInfo:
        """A node with the pods that are on it."""
        info = cls(node, {k: amount(k, v) for k, v in node.status.allocatable.items()})
        for pod in pods:
            info.add(pod)
        return info

    def add(self, pod: Pod) -> None:
        """Count a pod in."""
        self.pods[pod.metadata.uid] = pod
        _add(self.used, requests_of(pod))
        self.ports.update(host_ports(pod))
        self.owners[owner_of(pod)] += 1
        if anti_affinity_of(pod):
            self.guarded[pod.metadata.uid] = pod


@dataclass(slots=True)
class Snapshot:
    """All nodes; what each claim that the pod names says; labels of namespaces (for affinity's namespaceSelector)."""

    nodes: list[NodeInfo]
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Volumes:
    """What a pod's claims mean for it: `problem` keeps it from every node; `affinities` are those of bound volumes."""

    problem: str = ""
    affinities: tuple[NodeSelector, ...] = ()
    waiting: tuple[str, ...] = ()  # claims that wait for the pod's node (WaitForFirstConsumer)
    places: tuple[frozenset[str], ...] = ()  # for each claim that nobody provisions: the nodes with a volume for it
