"""The scheduler's decision: where a pod goes, and the words when it goes nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.scheduler.schedule import Placement, Unschedulable, schedule
from controlplane.scheduler.snapshot import NodeInfo, Snapshot, Volumes
from kubeapi.core_v1.types import Node, Pod

SIZE = {"cpu": "4", "memory": "8Gi", "pods": "110"}


def node(name: str, **spec: Any) -> Node:
    meta = {"name": name, "labels": {"kubernetes.io/hostname": name}}
    return Node.model_validate({"metadata": meta, "spec": spec, "status": {"allocatable": SIZE}})


def pod(name: str = "p", cpu: str = "", owner: str = "", **spec: Any) -> Pod:
    container: dict[str, Any] = {"name": "c", "image": "i"} | ({"resources": {"requests": {"cpu": cpu}}} if cpu else {})
    meta: dict[str, Any] = {"name": name, "namespace": "n", "uid": name, "labels": {"app": "web"}}
    if owner:
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "X", "name": owner, "uid": owner, "controller": True}]
    return Pod.model_validate({"metadata": meta, "spec": {"containers": [container], **spec}})


def three() -> Snapshot:
    return Snapshot([NodeInfo.of(node(n)) for n in ("a", "b", "c")])


USELESS = (
    "no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (pod(nodeSelector={"x": "y"}), "node(s) didn't match Pod's node affinity/selector"),
        (pod(cpu="64"), "Insufficient cpu"),
    ],
)
def test_a_pod_that_fits_nowhere_is_told_why(wanted: Pod, reason: str) -> None:
    assert schedule(wanted, three()) == Unschedulable(f"0/3 nodes are available: 3 {reason}. {USELESS}")


def test_a_missing_claim_keeps_a_pod_from_every_node() -> None:
    volumes = Volumes('persistentvolumeclaim "none" not found')
    want = 'persistentvolumeclaim "none" not found. not found'
    assert schedule(pod(), three(), volumes) == Unschedulable(f"0/3 nodes are available: {want}")


def test_anti_affinity_takes_a_node_each_and_leaves_the_fourth_pending() -> None:
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    world, chosen = three(), set()
    for i in range(3):
        wanted = pod(f"p{i}", affinity=affinity)
        found = schedule(wanted, world)
        assert isinstance(found, Placement)
        chosen.add(found.node)
        next(info for info in world.nodes if info.node.metadata.name == found.node).add(wanted)
    assert chosen == {"a", "b", "c"}
    last = schedule(pod("p3", affinity=affinity), world)
    assert isinstance(last, Unschedulable)
    assert "3 node(s) didn't match pod anti-affinity rules. no new claims" in last.message
    assert last.message.endswith("3 No preemption victims found for incoming pod.")


def test_a_taint_keeps_away_who_does_not_tolerate_it() -> None:
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    world = Snapshot([NodeInfo.of(node("a", taints=[taint]))])
    found = schedule(pod(), world)
    assert isinstance(found, Unschedulable) and "1 node(s) had untolerated taint(s)" in found.message
    assert schedule(pod(tolerations=[{"key": "k", "operator": "Exists"}]), world) == Placement("a")


@given(st.lists(st.sampled_from(["100m", "500m", "1", "3"]), max_size=40))
def test_no_node_ever_gets_more_than_it_has_and_replicas_spread(cpus: list[str]) -> None:
    world = three()
    for i, cpu in enumerate(cpus):
        wanted = pod(f"p{i}", cpu, owner="rs")
        found = schedule(wanted, world)
        if isinstance(found, Placement):
            next(info for info in world.nodes if info.node.metadata.name == found.node).add(wanted)
    assert all(info.used.get("cpu", 0) <= 4000 for info in world.nodes)
    if len(cpus) >= 3 and set(cpus) == {"100m"}:
        counts = [len(info.pods) for info in world.nodes]
        assert max(counts) - min(counts) <= 1
