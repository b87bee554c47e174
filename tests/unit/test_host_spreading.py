"""Machines at work: nodes carry their host's name, and replicas are spread over hosts before they are over nodes."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import yaml

from controlplane.controllers.machines import MachineController, NodeTopologyController
from controlplane.controllers.nodes import NodeController
from controlplane.controllers.replicaset import ReplicaSetController
from controlplane.scheduler.schedule import Placement, schedule
from controlplane.scheduler.scheduler import Scheduler
from controlplane.scheduler.snapshot import NodeInfo, Snapshot
from kubeapi.apps_v1.types import ReplicaSet
from kubeapi.core_v1.types import Node, Pod
from kubeapi.hardware_v1.chain import HOST_LABEL
from kubeapi.hardware_v1.types import Machine
from naru.simulation.virtual import virtually
from tests.plane import Plane, by_name

RACK = pathlib.Path(__file__).parents[2] / "manifests" / "hardware" / "rack.yaml"
HOSTS = {"vm1": "rack-a", "vm2": "rack-a", "vm3": "rack-b", "vm4": "rack-b"}
WORKING = (MachineController, NodeTopologyController, NodeController, ReplicaSetController, Scheduler)


def replicas(count: int) -> dict[str, Any]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return {"spec": {"replicas": count, "selector": {"matchLabels": labels}, "template": template}}


async def declare_rack(plane: Plane) -> None:
    for document in yaml.safe_load_all(RACK.read_text()):
        await plane.client.create(Machine.model_validate(document))


def labelled(hosts: dict[str, str]) -> Callable[[list[Node]], bool]:
    return lambda nodes: {n.metadata.name: n.metadata.labels.get(HOST_LABEL, "") for n in nodes} == hosts


async def scheduled(plane: Plane, count: int) -> list[Pod]:
    pods = await plane.until(Pod, lambda ps: sum(bool(p.spec.node_name) for p in ps) == count, 60)
    return [pod for pod in pods if pod.spec.node_name]


def test_two_replicas_land_on_different_hosts_and_the_event_says_why() -> None:
    async def story() -> None:
        async with Plane.running(*WORKING) as plane:
            for name in HOSTS:
                await plane.node(name)
            await declare_rack(plane)
            await plane.until(Node, labelled(HOSTS), 60)
            await plane.make(ReplicaSet, "web", **replicas(2))
            pods = await scheduled(plane, 2)
            assert {HOSTS[pod.spec.node_name] for pod in pods} == {"rack-a", "rack-b"}
            first, second = await plane.events("Scheduled")
            where = {f"default/{pod.metadata.name}": pod.spec.node_name for pod in pods}
            on = {f"Successfully assigned {pod} to {node}" for pod, node in where.items()}
            assert first.message in on
            told, why = second.message.split(". ")
            assert told in on
            assert why == "Host rack-b has fewer of its replicas (0) than rack-a (1)"

    virtually(story)


def test_four_replicas_take_every_node_once() -> None:
    async def story() -> None:
        async with Plane.running(*WORKING) as plane:
            for name in HOSTS:
                await plane.node(name)
            await declare_rack(plane)
            await plane.until(Node, labelled(HOSTS), 60)
            await plane.make(ReplicaSet, "web", **replicas(4))
            assert {pod.spec.node_name for pod in await scheduled(plane, 4)} == set(HOSTS)

    virtually(story)


def test_without_machines_nothing_is_labelled_and_the_event_is_kubernetes_own() -> None:
    async def story() -> None:
        async with Plane.running(*WORKING) as plane:
            for name in ("a", "b"):
                await plane.node(name)
            await plane.make(Machine, "a")  # as the agent makes it: nobody declared anything
            await plane.until(Machine, lambda ms: bool(ms[0].status.conditions), 60)
            await plane.make(ReplicaSet, "web", **replicas(2))
            pods = await scheduled(plane, 2)
            said = {event.message for event in await plane.events("Scheduled")}
            assert said == {f"Successfully assigned default/{p.metadata.name} to {p.spec.node_name}" for p in pods}
            assert labelled({"a": "", "b": ""})((await plane.client.list(Node)).items)

    virtually(story)


def test_labels_follow_the_chain_through_its_changes() -> None:
    async def story() -> None:
        async with Plane.running(MachineController, NodeTopologyController) as plane:
            for name in ("inner", "n2"):
                await plane.node(name)
            await plane.make(Machine, "inner", spec={"runsOn": "vm"})
            await plane.until(Node, labelled({"inner": "vm", "n2": ""}), 60)  # told, though nobody declared it
            await plane.make(Machine, "vm", spec={"runsOn": "box", "node": "n2"})
            await plane.until(Node, labelled({"inner": "box", "n2": "box"}), 60)
            await plane.client.patch(Machine, "vm", {"spec": {"runsOn": "crate"}})
            await plane.until(Node, labelled({"inner": "crate", "n2": "crate"}), 60)
            await plane.client.patch(Machine, "vm", {"spec": {"node": None}})
            await plane.until(Node, labelled({"inner": "crate", "n2": ""}), 60)
            await plane.client.delete(Machine, "vm")
            await plane.until(Node, labelled({"inner": "vm", "n2": ""}), 60)
            await plane.client.delete(Machine, "inner")
            await plane.until(Node, labelled({"inner": "", "n2": ""}), 60)

    virtually(story)


def test_a_host_that_comes_late_is_found_and_written_into_status() -> None:
    async def story() -> None:
        async with Plane.running(MachineController) as plane:
            await plane.make(Machine, "vm", spec={"runsOn": "box"})

            def found(status: str) -> Callable[[list[Machine]], bool]:
                return lambda ms: [
                    c.status for c in by_name(ms)["vm"].status.conditions if c.type == "HostFound"
                ] == [status]  # fmt: skip

            await plane.until(Machine, found("False"), 60)
            await plane.make(Machine, "box", spec={"memory": "4Gi"})
            machines = by_name(await plane.until(Machine, found("True"), 60))
            assert machines["vm"].status.host == "box"
            await plane.client.delete(Machine, "box")
            await plane.until(Machine, found("False"), 60)

    virtually(story)


def test_at_rest_the_controllers_write_nothing() -> None:
    async def story() -> None:
        async with Plane.running(*WORKING) as plane:
            await plane.node("vm1")
            await declare_rack(plane)
            await plane.until(Machine, lambda ms: len(ms) == 6 and all(m.status.conditions for m in ms), 60)
            await plane.until(Node, labelled({"vm1": "rack-a"}), 60)
            before = {m.metadata.name: m.metadata.resource_version for m in (await plane.client.list(Machine)).items}
            await plane.heartbeat("vm1")
            await plane.make(Pod, "p", spec={"containers": [{"name": "c", "image": "i"}]})
            await scheduled(plane, 1)
            after = {m.metadata.name: m.metadata.resource_version for m in (await plane.client.list(Machine)).items}
            assert after == before

    virtually(story)


def info(name: str, host: str, *pods: Pod) -> NodeInfo:
    labels = {HOST_LABEL: host} if host else {}
    size = {"cpu": "4", "memory": "8Gi", "pods": "10"}
    body = {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": size}}
    return NodeInfo.of(Node.model_validate(body), pods)


def web(name: str) -> Pod:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "web", "controller": True}
    meta = {"name": name, "uid": name, "namespace": "n", "ownerReferences": [owner]}
    return Pod.model_validate({"metadata": meta, "spec": {"containers": [{"name": "c", "image": "i"}]}})


def test_a_node_of_which_no_machine_tells_is_its_own_failure_domain() -> None:
    world = Snapshot([info("a1", "a", web("1")), info("a2", "a"), info("lone", "", web("2")), info("other", "")])
    assert schedule(web("p"), world) == Placement("other")


def test_hosts_weigh_against_wishes_and_do_not_forbid() -> None:
    world = Snapshot([info("a1", "a", web("1")), info("a2", "a")])
    assert schedule(web("p"), world) == Placement("a2")
