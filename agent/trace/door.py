"""POST /trace of the agent: from the query and what the node knows to the document.

from=host | NAMESPACE/POD      to=…, as `ends` says      probe=1: send a probe
witnesses=tracefs,nft          use only these, to see what a kernel without the others would tell
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeVar

from agent.hardware.view import NodeView
from agent.runtime.protocol import Container, EngineError, Sandbox
from agent.trace.cluster import Cluster
from agent.trace.ends import HOST, EndError
from agent.trace.observe import inode_of
from agent.trace.scene import PodPlace
from agent.trace.tracer import WITNESSES, Request, trace
from kubeapi.apps_v1.types import Deployment
from kubeapi.core_v1.types import Pod
from kubeapi.errors import ApiError
from kubeapi.hardware_v1.trace import Trace
from kubeapi.hardware_v1.types import Machine
from kubeapi.model import Model

M = TypeVar("M", bound=Model)
FLAGS = ("1", "true")


async def answer(query: Mapping[str, str], view: NodeView) -> Trace:
    """The trace that a query asks for. EndError says what was asked wrongly, OSError what the kernel refused."""
    config = view.network()
    if config is None or view.runtime is None:
        raise EndError("this node has no network yet: see kubectl describe node")
    offered = query.get("witnesses")
    witnesses = WITNESSES if offered is None else tuple(offered.split(","))
    request = Request(query.get("from", HOST), query.get("to", ""), query.get("probe") in FLAGS, witnesses)
    try:
        sandboxes, containers = await view.runtime.observe()
    except EngineError as error:
        raise OSError(f"the engine: {error}") from error
    pods = view.pods()
    places = [place for pod in pods if (place := place_of(pod, sandboxes, containers))]
    everywhere, deployments, machines = await _listed(view)
    cluster = Cluster(view.name, view.services(), view.slices(), everywhere or pods, deployments, machines)
    return await asyncio.to_thread(trace, config, places, cluster, request)


def place_of(pod: Pod, sandboxes: list[Sandbox], containers: list[Container]) -> PodPlace | None:
    """Where a pod of this node is; None while its sandbox does not run."""
    meta = pod.metadata
    pid = next((s.pid for s in sandboxes if s.pod.uid == meta.uid and s.running and s.pid), 0)
    try:
        netns = inode_of(f"/proc/{pid}/ns/net")
    except OSError:
        return None
    processes = tuple((c.name, c.pid) for c in containers if c.pod.uid == meta.uid and c.phase == "running" and c.pid)
    return PodPlace(meta.namespace, meta.name, meta.uid, pod.status.pod_ip, netns, pid, processes)


async def _listed(view: NodeView) -> tuple[list[Pod], list[Deployment], list[Machine]]:
    """What only the API knows. Without an answer less is told: which Deployment to scale, what lies beyond the uplink."""
    if view.client is None:
        return [], [], []

    async def items(model: type[M]) -> list[M]:
        assert view.client
        try:
            return (await view.client.list(model)).items
        except (ApiError, OSError):
            return []

    return await items(Pod), await items(Deployment), await items(Machine)
