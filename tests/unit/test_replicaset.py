"""ReplicaSets: how many pods to make, which to delete, and what was written but is not seen yet."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.admission.chain import Admission
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.server import ApiServer
from controlplane.controllers.controller import Context
from controlplane.controllers.replicaset import ReplicaSetController, batches, plan
from kubeapi.apps_v1.types import ReplicaSet
from kubeapi.client.client import Client
from kubeapi.client.transport import Request, Response, Transport
from kubeapi.clock import SystemClock
from kubeapi.core_v1.types import Pod
from kubeapi.registry import load
from naru.simulation.store import MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def replicas(count: int) -> ReplicaSet:
    return ReplicaSet.model_validate({"metadata": {"name": "rs", "namespace": "n"}, "spec": {"replicas": count}})


def pod(name: str, ready: bool = True, node: str = "a", phase: str = "Running") -> Pod:
    status: dict[str, Any] = {"phase": phase, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    meta = {"name": name, "namespace": "n", "uid": name}
    return Pod.model_validate({"metadata": meta, "spec": {"nodeName": node, "containers": []}, "status": status})


@given(st.integers(0, 20), st.lists(st.booleans(), max_size=20))
def test_the_step_makes_the_count_right(want: int, ready: list[bool]) -> None:
    pods = [pod(f"p{i}", r) for i, r in enumerate(ready)]
    step = plan(replicas(want), pods)
    assert len(pods) + step.create - len(step.delete) == want
    assert not (step.create and step.delete)


def test_the_unready_and_the_unassigned_go_first() -> None:
    pods = [pod("ready"), pod("unready", ready=False), pod("unassigned", ready=False, node="", phase="Pending")]
    assert [p.metadata.name for p in plan(replicas(1), pods).delete] == ["unassigned", "unready"]


def test_the_more_crowded_node_gives_first() -> None:
    pods = [pod("alone", node="a"), pod("one", node="b"), pod("two", node="b")]
    assert plan(replicas(2), pods).delete[0].spec.node_name == "b"


def test_finished_pods_are_replaced() -> None:
    assert plan(replicas(2), [pod("done", phase="Failed"), pod("up")]).create == 1


def test_slow_start_doubles() -> None:
    assert list(batches(10)) == [1, 2, 4, 3]


class Lossy:
    """A wire to an API server on which the second pod to be created gets lost."""

    def __init__(self, server: ApiServer) -> None:
        self._server, self._asked = server, 0

    async def send(self, request: Request) -> Response:
        if request.method == "POST" and request.path.endswith("/pods"):
            self._asked += 1
            if self._asked == 2:
                raise ConnectionError("the request was lost")
        return await self._server.send(request)

    async def close(self) -> None:
        """Nothing is open."""


async def replica_set(count: int, wire: Callable[[ApiServer], Transport] = lambda server: server) -> Context:
    """An API server with a ReplicaSet `rs`, and who asks it."""
    store, rng = MemoryStore(), random.Random(1)
    admission = Admission(store, rng)
    server = ApiServer(store, load(), SystemClock(), rng, admission)
    await bootstrap(server, admission.ranges.addresses, "127.0.0.1", 6443)
    client = Client(wire(server), load(), "test", user="system:admin", groups=("system:masters",))
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    spec = {"replicas": count, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    await client.create(ReplicaSet.model_validate({"metadata": {"name": "rs", "namespace": "default"}, "spec": spec}))
    return Context(client, load(), SystemClock(), rng)


class Counting(ReplicaSetController):
    """One that counts its reconciles."""

    count = 0

    async def reconcile(self, key: str) -> None:
        self.count += 1
        await super().reconcile(key)


async def test_the_coming_of_what_was_created_wakes_nobody_and_its_end_does() -> None:
    context = await replica_set(100)
    controller, counted = Counting(context), asyncio.Event()
    sets, pods = context.informer(ReplicaSet), context.informer(Pod)
    sets.on_change(lambda _, rs: counted.set() if rs and rs.status.replicas == 100 else None)
    await context.start()
    await controller.start()
    async with asyncio.timeout(30):
        await counted.wait()
        assert controller.count <= 5, "a reconcile for each pod"
        counted.clear()
        first = pods.list("default")[0].metadata
        await context.client.delete(Pod, first.name, "default", grace=0)
        replaced = asyncio.Event()
        pods.on_change(lambda old, new: replaced.set() if old is None and len(pods.list("default")) == 100 else None)
        await replaced.wait()
    await controller.stop()
    await context.stop()


async def test_a_request_that_is_lost_leaves_those_beside_it_counted() -> None:
    context = await replica_set(4, Lossy)
    client, controller = context.client, ReplicaSetController(context)
    await context.start()
    await context.stop()  # from here on its informers show nothing new
    with pytest.raises(ConnectionError):
        await controller.reconcile("default/rs")
    await controller.reconcile("default/rs")
    assert len((await client.list(Pod, "default")).items) == 4
    await controller.recorder.close()
