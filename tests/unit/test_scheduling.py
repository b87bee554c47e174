"""The scheduler at work: who waits, what wakes them, and what happens when a write fails."""

from __future__ import annotations

import asyncio
from typing import Any

from controlplane.controllers.nodes import NodeController
from controlplane.scheduler.scheduler import Scheduler
from kubeapi.client.transport import Request, Response
from kubeapi.core_v1.types import Node, PersistentVolumeClaim, Pod
from naru.simulation.virtual import virtually
from tests.plane import Plane, by_name

SPEC: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}]}


def placed(*names: str) -> Any:
    return lambda pods: {p.metadata.name for p in pods if p.spec.node_name} >= set(names)


def message(pod: Pod) -> str:
    return next((c.message for c in pod.status.conditions if c.type == "PodScheduled"), "")


def test_a_pod_that_came_before_its_node_is_bound_as_soon_as_there_is_one() -> None:
    async def story() -> None:
        async with Plane.running(Scheduler, NodeController) as plane:
            await plane.make(Pod, "p", spec=SPEC)
            (told,) = await plane.until(Pod, lambda ps: bool(message(ps[0])), 5)
            assert message(told) == "no nodes available to schedule pods"
            began = plane.now()
            await plane.node("a")
            await plane.until(Pod, placed("p"), 5)
            assert (plane.now() - began).total_seconds() < 1
            (scheduled,) = await plane.events("Scheduled")
            assert scheduled.message == "Successfully assigned default/p to a"

    virtually(story)


def test_a_cordon_and_a_full_node_hold_pods_back_until_they_end() -> None:
    async def story() -> None:
        async with Plane.running(Scheduler, NodeController) as plane:
            await plane.node("a")
            big = {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "40"}}}]}
            await plane.make(Pod, "first", spec=big)
            await plane.until(Pod, placed("first"), 5)
            await plane.make(Pod, "second", spec=big)
            pods = by_name(await plane.until(Pod, lambda ps: any("Insufficient cpu" in message(p) for p in ps), 5))
            assert not pods["second"].spec.node_name
            await plane.client.delete(Pod, "first", "default", grace=0)
            await plane.until(Pod, placed("second"), 5)
            await plane.client.patch(Node, "a", {"spec": {"unschedulable": True}})
            await plane.until(Node, lambda ns: bool(ns[0].spec.taints), 5)
            await plane.make(Pod, "third", spec=SPEC)
            await plane.until(Pod, lambda ps: any("were unschedulable" in message(p) for p in ps), 5)
            await plane.client.patch(Node, "a", {"spec": {"unschedulable": None}})
            await plane.until(Pod, placed("third"), 5)

    virtually(story)


def test_a_gated_pod_waits_for_its_gates_to_open() -> None:
    async def story() -> None:
        async with Plane.running(Scheduler, NodeController) as plane:
            await plane.node("a")
            made = await plane.make(Pod, "p", spec=SPEC | {"schedulingGates": [{"name": "example.com/g"}]})
            assert made.status.conditions[0].reason == "SchedulingGated"
            await asyncio.sleep(20)  # virtual
            assert not (await plane.client.get(Pod, "p", "default")).spec.node_name
            await plane.client.patch(Pod, "p", {"spec": {"schedulingGates": None}}, "default")
            await plane.until(Pod, placed("p"), 5)

    virtually(story)


def test_a_pod_whose_claim_goes_keeps_the_last_true_word_and_one_event() -> None:
    async def story() -> None:
        async with Plane.running(Scheduler, NodeController) as plane:
            await plane.node("a")
            await plane.make(
                Pod, "p", spec=SPEC | {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}
            )
            await plane.until(Pod, lambda ps: '"c" not found' in message(ps[0]), 5)
            wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
            await plane.make(PersistentVolumeClaim, "c", spec=wanted)
            await plane.until(Pod, lambda ps: "unbound immediate" in message(ps[0]), 5)
            await plane.node("b")  # no node helps a pod whose claim is the trouble
            (event,) = await plane.events("FailedScheduling")
            assert '"c" not found' in event.message and event.series is not None and event.series.count == 2

    virtually(story)


class Flaky:
    """A transport that fails the first bindings."""

    def __init__(self, inner: Any, failures: int) -> None:
        self._inner, self.failures = inner, failures

    async def send(self, request: Request) -> Response:
        if request.path.endswith("/binding") and self.failures:
            self.failures -= 1
            raise OSError("the disk is full")
        answer: Response = await self._inner.send(request)
        return answer

    async def close(self) -> None:
        await self._inner.close()


def test_a_binding_that_fails_is_tried_again() -> None:
    async def story() -> None:
        async with Plane.running(Scheduler, NodeController) as plane:
            plane.client.transport = flaky = Flaky(plane.client.transport, 2)
            await plane.node("a")
            await plane.make(Pod, "p", spec=SPEC)
            await plane.until(Pod, placed("p"), 10)
            assert flaky.failures == 0

    virtually(story)


def test_a_pod_deleted_while_it_waits_is_never_bound() -> None:
    async def story() -> None:
        async with Plane.running(Scheduler, NodeController) as plane:
            await plane.make(Pod, "p", spec=SPEC, metadata={"finalizers": ["example.com/hold"]})
            await plane.until(Pod, lambda ps: bool(message(ps[0])), 5)
            await plane.client.delete(Pod, "p", "default")
            await plane.node("a")
            await asyncio.sleep(20)  # virtual
            assert not (await plane.client.get(Pod, "p", "default")).spec.node_name

    virtually(story)
