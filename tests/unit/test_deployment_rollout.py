"""Deployments from the user's side, in virtual time: rollouts, rollback, pause, deadline, Recreate, scaling, traffic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from controlplane.controllers.deployment import DeploymentController
from controlplane.controllers.endpoints import EndpointsController
from controlplane.controllers.garbage import GarbageCollector
from controlplane.controllers.nodes import NodeController
from controlplane.controllers.replicaset import ReplicaSetController
from controlplane.scheduler.scheduler import Scheduler
from kubeapi.apps_v1.types import Deployment, ReplicaSet
from kubeapi.core_v1.types import Pod, Service, ServiceAccount
from kubeapi.discovery_v1.types import EndpointSlice
from naru.simulation.virtual import virtually
from tests.plane import Kubelet, Plane

PARTS = (DeploymentController, ReplicaSetController, EndpointsController, GarbageCollector, NodeController, Scheduler)


@asynccontextmanager
async def cluster(**kubelet: Any) -> AsyncIterator[Plane]:
    """Two nodes that run what they are given."""
    async with Plane.running(*PARTS) as plane:
        Kubelet(plane, **kubelet)
        beats = asyncio.create_task(keep(plane))
        try:
            yield plane
        finally:
            beats.cancel()


async def keep(plane: Plane) -> None:
    """Keep the nodes alive."""
    for name in ("a", "b"):
        await plane.node(name)
    while True:
        await asyncio.sleep(20)
        for name in ("a", "b"):
            await plane.heartbeat(name)


async def deploy(plane: Plane, replicas: int = 3, **spec: Any) -> Deployment:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}}
    wanted = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    made = await plane.make(Deployment, "web", spec=wanted)
    await complete(plane)
    return made


async def change(plane: Plane, **spec: Any) -> Deployment:
    return await plane.client.patch(Deployment, "web", {"spec": spec}, "default", type="strategic")


def image(name: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "image": name}]}}


def is_complete(d: Deployment) -> bool:
    s = d.status
    want = d.spec.replicas
    return s.observed_generation >= d.metadata.generation and (
        s.replicas == s.updated_replicas == s.available_replicas == want
    )


async def complete(plane: Plane, seconds: float = 120) -> Deployment:
    (found,) = await plane.until(Deployment, lambda ds: is_complete(ds[0]), seconds)
    return found


async def images(plane: Plane) -> set[str]:
    pods = (await plane.client.list(Pod)).items
    return {p.spec.containers[0].image for p in pods if p.metadata.deletion_timestamp is None}


def reasons(d: Deployment) -> dict[str, str]:
    return {c.type: c.reason for c in d.status.conditions}


class Traffic:
    """Watches a Service's endpoints as a proxy does, and notes the fewest that were ready at any moment."""

    def __init__(self, plane: Plane) -> None:
        self.fewest = 1000
        plane.context.informer(EndpointSlice).on_change(self._changed)

    def _changed(self, _old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        if new is None or new.metadata.name == "kubernetes":
            return
        ready = [e for e in new.endpoints if e.conditions.ready]
        self.fewest = min(self.fewest, len(ready))


async def behind_a_service(plane: Plane, ready: int) -> Traffic:
    await plane.make(Service, "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    await plane.until(EndpointSlice, lambda found: any(len(ready_of(s)) == ready for s in found), 5)
    return Traffic(plane)


def ready_of(part: EndpointSlice) -> list[str]:
    if part.metadata.name == "kubernetes":
        return []
    return [e.target_ref.name for e in part.endpoints if e.conditions.ready and e.target_ref]


def test_a_rollout_and_scaling_leave_a_service_never_with_fewer_endpoints_than_promised() -> None:
    async def story() -> None:
        async with cluster() as plane:
            await deploy(plane, 4)
            traffic = await behind_a_service(plane, 4)
            await change(plane, template=image("a:2"))
            await complete(plane)
            assert await images(plane) == {"a:2"}
            assert traffic.fewest >= 3  # 25 % of four may be missing
            await change(plane, replicas=1)
            await complete(plane)
            await change(plane, replicas=10)
            await complete(plane)
            await change(plane, replicas=2)
            await complete(plane)
            assert traffic.fewest >= 1
            told = await plane.events("ScalingReplicaSet")
            assert told[0].message.endswith("from 0 to 4") and told[-1].message.endswith("from 10 to 2")

    virtually(story)


def test_a_pod_that_is_to_end_gets_no_traffic_from_that_moment_on() -> None:
    async def story() -> None:
        async with cluster(stop=20.0) as plane:
            await deploy(plane, 2)
            await behind_a_service(plane, 2)
            victim = (await plane.client.list(Pod)).items[0].metadata.name
            began = plane.now()
            await plane.client.delete(Pod, victim, "default")
            await plane.until(EndpointSlice, lambda found: all(victim not in ready_of(s) for s in found), 5)
            assert (plane.now() - began).total_seconds() < 0.1
            (part,) = [s for s in (await plane.client.list(EndpointSlice)).items if s.metadata.name != "kubernetes"]
            (ending,) = [e for e in part.endpoints if e.target_ref and e.target_ref.name == victim]
            assert (ending.conditions.ready, ending.conditions.serving, ending.conditions.terminating) == (
                False,
                True,
                True,
            )

    virtually(story)


def test_a_template_written_back_is_a_rollback_to_its_replicaset_under_a_new_revision() -> None:
    async def story() -> None:
        async with cluster() as plane:
            await deploy(plane, 2)
            await change(plane, template=image("a:2"))
            await complete(plane)
            await change(plane, template=image("a:1"))
            done = await complete(plane)
            assert done.metadata.annotations["deployment.kubernetes.io/revision"] == "3"
            sets = (await plane.client.list(ReplicaSet)).items
            noted = {rs.spec.template.spec.containers[0].image: rs.metadata.annotations for rs in sets}
            assert noted["a:1"]["deployment.kubernetes.io/revision-history"] == "1" and len(sets) == 2
            assert done.metadata.generation == 3  # the controller's own notes make no generation

    virtually(story)


def test_a_paused_deployment_takes_no_new_template_until_it_is_resumed() -> None:
    async def story() -> None:
        async with cluster() as plane:
            await deploy(plane, 2)
            await change(plane, paused=True)
            await change(plane, template=image("a:2"))
            (paused,) = await plane.until(Deployment, lambda ds: reasons(ds[0])["Progressing"] == "DeploymentPaused", 5)
            await asyncio.sleep(900)  # virtual
            assert await images(plane) == {"a:1"} and paused.status.available_replicas == 2
            await change(plane, paused=False)
            await plane.until(Deployment, lambda ds: is_complete(ds[0]) and ds[0].status.updated_replicas == 2, 60)
            await plane.until(Pod, lambda ps: {p.spec.containers[0].image for p in ps} == {"a:2"}, 60)

    virtually(story)


def test_a_rollout_that_is_stuck_says_so_at_its_deadline_keeps_serving_and_goes_on_when_it_can() -> None:
    async def story() -> None:
        async with cluster(ready=lambda pod: pod.spec.containers[0].image != "a:bad") as plane:
            await deploy(plane, 4, progressDeadlineSeconds=60)
            began = plane.now()
            await change(plane, template=image("a:bad"))
            (stuck,) = await plane.until(
                Deployment, lambda ds: reasons(ds[0])["Progressing"] == "ProgressDeadlineExceeded", 120
            )
            assert 60 <= (plane.now() - began).total_seconds() < 70
            assert stuck.status.available_replicas == 3 and reasons(stuck)["Available"] == "MinimumReplicasAvailable"
            await change(plane, template=image("a:2"))
            done = await complete(plane)
            assert reasons(done)["Progressing"] == "NewReplicaSetAvailable"

    virtually(story)


def test_recreate_ends_the_old_before_it_begins_the_new() -> None:
    async def story() -> None:
        async with cluster(stop=10.0) as plane:
            await deploy(plane, 3, strategy={"type": "Recreate"})
            both: list[int] = []

            def seen(_old: Pod | None, _new: Pod | None) -> None:
                both.append(len({p.spec.containers[0].image for p in plane.context.informer(Pod).list()}))

            plane.context.informer(Pod).on_change(seen)
            await change(plane, template=image("a:2"))
            await plane.until(Pod, lambda ps: [p.spec.containers[0].image for p in ps] == ["a:2"] * 3, 60)
            await complete(plane)
            assert max(both) == 1

    virtually(story)


def test_the_pods_of_a_deleted_deployment_go_and_orphans_are_taken_in_again() -> None:
    async def story() -> None:
        async with cluster() as plane:
            await deploy(plane, 2)
            before = {p.metadata.uid for p in (await plane.client.list(Pod)).items}
            await plane.client.delete(Deployment, "web", "default", propagation="Orphan")
            await plane.until_gone(Deployment, "web", seconds=30)
            await asyncio.sleep(60)  # virtual
            assert {p.metadata.uid for p in (await plane.client.list(Pod)).items} == before
            await deploy(plane, 2)
            assert {p.metadata.uid for p in (await plane.client.list(Pod)).items} == before
            await plane.client.delete(Deployment, "web", "default", propagation="Foreground")
            await plane.until_gone(Deployment, "web", seconds=30)
            assert (await plane.client.list(Pod)).items == [] and (await plane.client.list(ReplicaSet)).items == []

    virtually(story)


def test_a_pod_of_a_dead_node_is_replaced_elsewhere() -> None:
    async def story() -> None:
        async with Plane.running(*PARTS) as plane:
            Kubelet(plane)
            await plane.node("a")
            await deploy(plane, 1)
            alive = asyncio.create_task(keep_one(plane, "b"))
            (pod,) = await plane.until(Pod, lambda ps: any(p.metadata.deletion_timestamp for p in ps), 600)
            assert pod.spec.node_name == "a"
            await plane.until(
                Pod, lambda ps: any(p.spec.node_name == "b" and p.status.phase == "Running" for p in ps), 60
            )
            alive.cancel()

    virtually(story)


async def keep_one(plane: Plane, name: str) -> None:
    await plane.node(name)
    while True:
        await asyncio.sleep(20)
        await plane.heartbeat(name)


def test_pods_that_nobody_lets_in_are_told_by_the_replicaset_and_the_deployment_until_they_are() -> None:
    async def story() -> None:
        async with cluster() as plane:
            spec = {"containers": [{"name": "c", "image": "a:1"}], "serviceAccountName": "robot"}
            template = {"metadata": {"labels": {"app": "web"}}, "spec": spec}
            selector = {"matchLabels": {"app": "web"}}
            await plane.make(Deployment, "web", spec={"replicas": 2, "selector": selector, "template": template})
            (told,) = await plane.until(Deployment, lambda ds: "ReplicaFailure" in reasons(ds[0]), 30)
            assert reasons(told)["ReplicaFailure"] == "FailedCreate"
            (event,) = await plane.events("FailedCreate")
            assert event.message.startswith('Error creating: pods "web-') and "robot" in event.message
            await plane.make(ServiceAccount, "robot")
            done = await complete(plane)
            assert "ReplicaFailure" not in reasons(done)

    virtually(story)


def test_recreate_knows_of_a_replicaset_that_it_has_made_before_the_informer_does() -> None:
    async def story() -> None:
        async with Plane.running(DeploymentController) as plane:
            sets = plane.context.informer(ReplicaSet)
            show, late = sets._set, list[tuple[ReplicaSet, bool]]()
            sets._set = lambda obj, gone=False: late.append((obj, gone))  # type: ignore[method-assign]
            template = {"metadata": {"labels": {"app": "web"}}, **image("a:1")}
            spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
            await plane.make(Deployment, "web", spec={**spec, "strategy": {"type": "Recreate"}})
            await plane.until(ReplicaSet, lambda found: len(found) == 1, seconds=5)
            await change(plane, template=image("a:2"))
            found = await plane.until(ReplicaSet, lambda found: len(found) == 2, seconds=5)
            assert sum(rs.spec.replicas or 0 for rs in found) <= 2
            sets._set = show  # type: ignore[method-assign]
            for obj, gone in late:
                show(obj, gone)
            sizes = {"a:1": 0, "a:2": 2}
            await plane.until(
                ReplicaSet,
                lambda found: {rs.spec.template.spec.containers[0].image: rs.spec.replicas for rs in found} == sizes,
                seconds=5,
            )

    virtually(story)
