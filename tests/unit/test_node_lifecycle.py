"""Nodes that come, fall silent and go: their conditions and taints, their podCIDRs, and what becomes of their pods."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.controllers.nodes import NodeController, NodeIpamController, evict_at, free_cidr, plan_node
from kubeapi.coordination_v1.types import Lease
from kubeapi.core_v1.types import Node, Pod, Taint
from naru.simulation.virtual import VirtualClock, virtually
from tests.plane import Plane, by_name

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"


def node(ready: str = "True", heard: float = 0, unschedulable: bool = False, taints: tuple[str, ...] = ()) -> Node:
    """A node whose Ready condition was posted so many seconds ago."""
    at = NOW - timedelta(seconds=heard)
    conditions = [{"type": "Ready", "status": ready, "lastHeartbeatTime": at, "lastTransitionTime": at}]
    listed = [{"key": key, "effect": "NoSchedule"} for key in taints]
    spec = {"unschedulable": unschedulable, "taints": listed}
    meta = {"name": "n", "creationTimestamp": NOW - timedelta(days=1)}
    return Node.model_validate({"metadata": meta, "spec": spec, "status": {"conditions": conditions if ready else []}})


def keys(taints: list[Taint]) -> set[tuple[str, str]]:
    return {(t.key.removeprefix("node.kubernetes.io/"), t.effect) for t in taints}


@pytest.mark.parametrize(
    ("found", "renewed", "ready", "taints"),
    [
        (node(heard=39), None, "True", set()),
        (node(heard=41), None, "Unknown", {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}),
        (node(heard=3600), 39, "True", set()),
        (node("False"), None, "False", {("not-ready", "NoSchedule"), ("not-ready", "NoExecute")}),
        (node(taints=(NOT_READY, "mine")), None, "True", {("mine", "NoSchedule")}),
        (node(unschedulable=True), None, "True", {("unschedulable", "NoSchedule")}),
        (node(heard=-3600), 39, "True", set()),
        (node(heard=-3600), 41, "Unknown", {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}),
        (node(""), None, "Unknown", {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}),
    ],
)
def test_a_node_is_what_it_said_within_forty_seconds_and_its_taints_say_so(
    found: Node, renewed: int | None, ready: str, taints: set[tuple[str, str]]
) -> None:
    health = plan_node(found, NOW - timedelta(seconds=renewed) if renewed else None, NOW)
    assert next(c.status for c in health.conditions if c.type == "Ready") == ready
    assert keys(health.taints) == taints


@given(
    st.sampled_from(["True", "False", "Unknown", ""]),
    st.floats(0, 100),
    st.booleans(),
    st.sets(st.sampled_from([NOT_READY, UNREACHABLE, "mine"])),
)
def test_what_is_planned_needs_no_second_plan(ready: str, heard: float, unschedulable: bool, taints: set[str]) -> None:
    found = node(ready, heard, unschedulable, tuple(sorted(taints)))
    health = plan_node(found, None, NOW)
    found.status.conditions, found.spec.taints = health.conditions, health.taints
    assert plan_node(found, None, NOW)[:2] == health[:2]


def tolerating(*tolerations: dict[str, object]) -> Pod:
    spec = {"containers": [{"name": "c", "image": "i"}], "tolerations": list(tolerations)}
    return Pod.model_validate({"metadata": {"name": "p", "namespace": "default"}, "spec": spec})


def test_a_pod_leaves_when_the_shortest_of_its_tolerations_ends() -> None:
    taint = Taint(key=UNREACHABLE, effect="NoExecute", time_added=NOW)
    anything: dict[str, object] = {"operator": "Exists"}
    assert evict_at(tolerating(), [taint], NOW) == NOW
    assert evict_at(tolerating(anything), [taint], NOW) is None
    assert evict_at(tolerating(anything | {"tolerationSeconds": 9}, anything), [taint], NOW) == NOW + timedelta(
        seconds=9
    )
    assert evict_at(tolerating(), [Taint(key="k", effect="NoSchedule")], NOW) is None


def test_no_two_nodes_get_one_range_and_a_full_network_gives_none() -> None:
    assert free_cidr("10.0.0.0/23", set()) == "10.0.0.0/24"
    assert free_cidr("10.0.0.0/23", {"10.0.0.0/24"}) == "10.0.1.0/24"
    assert free_cidr("10.0.0.0/23", {"10.0.0.0/24", "10.0.1.0/24"}) is None


def test_a_new_node_is_open_as_soon_as_it_is_ready_whoever_writes_to_it_meanwhile() -> None:
    async def story() -> None:
        async with Plane.running(NodeController, NodeIpamController) as plane:
            await plane.make(Node, "a")
            assert keys((await plane.client.get(Node, "a")).spec.taints) >= {("not-ready", "NoSchedule")}

            async def label(number: int) -> None:
                await plane.client.patch(Node, "a", {"metadata": {"labels": {f"l{number}": "x"}}})

            began = plane.now()
            await asyncio.gather(plane.heartbeat("a"), *(label(n) for n in range(4)))
            (found,) = await plane.until(Node, lambda nodes: not nodes[0].spec.taints)
            assert plane.now() - began < timedelta(seconds=1)
            assert found.spec.pod_cidr == "10.244.0.0/24" and len(found.metadata.labels) == 4

    virtually(story)


def test_a_cordoned_node_is_closed_until_it_is_uncordoned() -> None:
    async def story() -> None:
        async with Plane.running(NodeController) as plane:
            await plane.node("a")
            await plane.until(Node, lambda nodes: not nodes[0].spec.taints)
            await plane.client.patch(Node, "a", {"spec": {"unschedulable": True}})
            await plane.until(Node, lambda nodes: keys(nodes[0].spec.taints) == {("unschedulable", "NoSchedule")})
            await plane.client.patch(Node, "a", {"spec": {"unschedulable": None}})
            await plane.until(Node, lambda nodes: not nodes[0].spec.taints)

    virtually(story)


def test_a_silent_node_is_told_after_forty_seconds_and_left_five_minutes_later() -> None:
    async def story() -> None:
        async with Plane.running(NodeController) as plane:
            await plane.node("a")
            spec = {"nodeName": "a", "containers": [{"name": "c", "image": "i"}]}
            forever = {"tolerations": [{"operator": "Exists"}]}
            await plane.report(await plane.make(Pod, "p", spec=spec))
            await plane.report(await plane.make(Pod, "stays", spec=spec | forever))
            began = plane.now()
            (silent,) = await plane.until(Node, lambda nodes: nodes[0].status.conditions[0].status == "Unknown")
            assert 40 <= (plane.now() - began).total_seconds() < 42
            assert silent.status.conditions[0].reason == "NodeStatusUnknown"
            pods = await plane.until(Pod, lambda pods: all(p.status.conditions[0].status == "False" for p in pods))
            assert not any(p.metadata.deletion_timestamp for p in pods)
            leaving = await plane.until(Pod, lambda pods: any(p.metadata.deletion_timestamp for p in pods))
            assert 340 <= (plane.now() - began).total_seconds() < 345
            assert by_name(leaving)["stays"].metadata.deletion_timestamp is None
            told = await plane.events("NodeNotReady", "TaintManagerEviction")
            about = {(e.reason, e.involved_object.kind, e.involved_object.name) for e in told}
            assert about == {
                ("NodeNotReady", "Node", "a"),
                ("NodeNotReady", "Pod", "p"),
                ("NodeNotReady", "Pod", "stays"),
                ("TaintManagerEviction", "Pod", "p"),
            }

    virtually(story)


def test_a_node_that_comes_back_in_time_loses_its_taints_and_no_pod() -> None:
    async def story() -> None:
        async with Plane.running(NodeController) as plane:
            await plane.node("a")
            pod = await plane.make(Pod, "p", spec={"nodeName": "a", "containers": [{"name": "c", "image": "i"}]})
            await plane.report(pod)
            await plane.until(Node, lambda nodes: nodes[0].status.conditions[0].status == "Unknown")
            await plane.until(Node, lambda nodes: bool(nodes[0].spec.taints))
            await plane.heartbeat("a")
            await plane.until(Node, lambda nodes: not nodes[0].spec.taints, seconds=1)
            assert (await plane.client.get(Pod, "p", "default")).metadata.deletion_timestamp is None

    virtually(story)


@pytest.mark.parametrize("step", [3600.0, -3600.0, -86400.0])
def test_after_the_machine_slept_or_its_clock_was_set_nodes_have_forty_seconds_to_be_heard(step: float) -> None:
    async def story() -> None:
        clock = VirtualClock()
        async with Plane.running(NodeController, clock=clock) as plane:
            await plane.node("a")
            await plane.node("silent")
            await asyncio.sleep(20)  # virtual
            clock.skew += step
            woke = plane.now()
            await asyncio.sleep(30)
            await plane.heartbeat("a")
            nodes = await plane.until(
                Node, lambda nodes: any(n.status.conditions[0].status == "Unknown" for n in nodes)
            )
            assert 40 <= (plane.now() - woke).total_seconds() < 85
            assert by_name(nodes)["a"].status.conditions[0].status == "True"

    virtually(story)


def test_a_pod_is_not_driven_away_for_the_time_that_the_machine_slept() -> None:
    async def story() -> None:
        clock = VirtualClock()
        async with Plane.running(NodeController, clock=clock) as plane:
            await plane.node("a")
            spec = {"nodeName": "a", "containers": [{"name": "c", "image": "i"}]}
            await plane.make(Pod, "p", spec=spec)
            await plane.until(Node, lambda nodes: bool(nodes[0].spec.taints))
            clock.skew += 3600
            await plane.make(Pod, "q", spec=spec)  # so that the node is looked at
            await asyncio.sleep(30)
            await plane.heartbeat("a")
            await plane.until(Node, lambda nodes: not nodes[0].spec.taints, seconds=1)
            await asyncio.sleep(35)
            assert (await plane.client.get(Pod, "p", "default")).metadata.deletion_timestamp is None

    virtually(story)


@pytest.mark.parametrize("skew", [0, -3600, 3600])
def test_a_lease_alone_keeps_a_node_alive_whatever_its_clock_says(skew: int) -> None:
    async def story() -> None:
        async with Plane.running(NodeController) as plane:
            await plane.node("a")
            lease = await plane.make(Lease, "a", "kube-node-lease")
            for _ in range(12):
                says = plane.now() + timedelta(seconds=skew)
                renewed = {"spec": {"renewTime": says.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}}
                await plane.client.patch(Lease, lease.metadata.name, renewed, "kube-node-lease")
                await asyncio.sleep(10)  # virtual
            assert (await plane.client.get(Node, "a")).status.conditions[0].status == "True"
            with pytest.raises(TimeoutError):
                await plane.until(Node, lambda nodes: nodes[0].status.conditions[0].status != "True", seconds=25)

    virtually(story)


def test_the_pods_of_a_deleted_node_go_at_once() -> None:
    async def story() -> None:
        async with Plane.running(NodeController) as plane:
            await plane.node("a")
            await plane.make(Pod, "p", spec={"nodeName": "a", "containers": [{"name": "c", "image": "i"}]})
            await plane.client.delete(Node, "a")
            await plane.until_gone(Pod, "p", seconds=1)
            await plane.make(Pod, "late", spec={"nodeName": "a", "containers": [{"name": "c", "image": "i"}]})
            await plane.until_gone(Pod, "late", seconds=1)

    virtually(story)
