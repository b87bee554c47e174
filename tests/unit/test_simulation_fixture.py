"""The simulated cluster that users' tests get."""

from __future__ import annotations

import asyncio

from agent.runtime.protocol import EngineError
from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.core_v1.types import Container, Pod, PodSpec
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta
from naru.simulation.cluster import Cluster
from naru.simulation.fixture import Simulated, simulated

__all__ = ["simulated"]


async def made(client: Client, name: str) -> None:
    """Create a pod, once there is a server and its namespace has an account."""
    pod = Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=PodSpec())
    pod.spec.containers = [Container(name="app", image="app:1")]
    for _ in range(20):
        try:
            await client.create(pod)
            return
        except (OSError, ApiError):
            await asyncio.sleep(0.5)
    raise AssertionError("the API takes no pod")


def test_a_pod_runs_and_comes_again_within_virtual_hours_in_which_nobody_waits(simulated: Simulated) -> None:
    async def story(cluster: Cluster, client: Client) -> tuple[str, int]:
        await made(client, "one")
        running, pods = asyncio.Event(), Informer(client, Pod)
        pods.on_change(lambda old, new: running.set() if new and new.status.phase == "Running" else None)
        await pods.start()
        await running.wait()
        engine = cluster.nodes[0].engine
        engine.kill(engine.running()[0].id)
        await asyncio.sleep(7200)
        await pods.stop()
        pod = await client.get(Pod, "one", "default")
        return pod.status.phase, pod.status.container_statuses[0].restart_count

    assert simulated(story) == ("Running", 1)


def test_an_engine_that_comes_back_with_an_error_is_listened_to_all_the_same(simulated: Simulated) -> None:
    async def story(cluster: Cluster, client: Client) -> int:
        await made(client, "one")
        await asyncio.sleep(10)
        engine = cluster.nodes[0].engine
        engine.go_down()
        engine.fail("info", EngineError("Error response from daemon: not yet"))
        engine.come_up()
        await asyncio.sleep(5)
        engine.kill(engine.running()[0].id)
        await asyncio.sleep(5)
        return len(engine.running())

    assert simulated(story) == 1
