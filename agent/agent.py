"""The agent of one node: the pods that the API gives it, a worker for each, and a Docker Engine that runs them.

Flow: the Node is registered and gets its podCIDR; the network is made; the informer of this node's pods makes, tells and
ends workers; the engine's events wake the worker of their pod. At the start everything that runs is looked at once: what
belongs to a pod of the API is adopted, what belongs to none is brought to its end. Slow clockwork (APScheduler) renews the
Lease, has workers look again who missed something, lets volumes follow their objects and collects what is left over.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from agent.hardware.doors import add_doors
from agent.hardware.evidence import Tree
from agent.hardware.view import NodeView
from agent.images import Images
from agent.network.config import NetworkConfig
from agent.network.network import NodeNetwork
from agent.network.protocol import Network, NetworkError
from agent.node import Machine, NodeKeeper, observe_machine
from agent.objects import Objects
from agent.parts import Parts
from agent.plan import Observed
from agent.podworker import PodWorker
from agent.pulse import follow_pulse
from agent.reporter import Reporter
from agent.runtime.protocol import Container, EngineError, PodRef, Runtime
from agent.server import AgentServer
from agent.volumes import Volumes
from agent.volumes.reclaim import Reclaimer
from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.client.recorder import Recorder, reference_of
from kubeapi.clockwork import Clockwork
from kubeapi.core_v1.types import Container as ContainerTemplate
from kubeapi.core_v1.types import Node, Pod, Service, Taint
from kubeapi.discovery_v1.types import EndpointSlice
from kubeapi.errors import ApiError, passes
from kubeapi.meta_v1.types import ObjectMeta

if TYPE_CHECKING:
    from kubeapi.clock import Clock
    from kubeapi.hardware_v1.layers import Layers

log = structlog.get_logger()
LEASE_EVERY, RESYNC_EVERY, REFRESH_EVERY = 10, 60, 60
RETRY = 0.5
DOWN = "container runtime is down"


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Which node of which cluster this is; directory holds a folder per pod; ranges are CIDR text; labels and taints are
    what the Node is born with."""

    cluster: str
    node: str
    pod_range: str
    service_range: str
    directory: Path
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()


class Agent:
    """Runs the pods of one node. tls is the context of its server (logs, exec), which only the API server may enter."""

    def __init__(
        self, client: Client, runtime: Runtime, config: AgentConfig, clock: Clock, tls: ssl.SSLContext | None
    ) -> None:
        self._client, self._runtime, self._config, self._clock = client, runtime, config, clock
        config.directory.mkdir(parents=True, exist_ok=True)
        self._keeper = NodeKeeper(client, clock, config.node, self._machine(), config.labels, config.taints)
        self._nodes = Informer(client, Node, fields=f"metadata.name={config.node}")
        self._pods = Informer(client, Pod, fields=f"spec.nodeName={config.node}")
        self._services, self._slices = Informer(client, Service), Informer(client, EndpointSlice)
        self._objects = Objects(client, self._services)
        self._recorder = Recorder(client, "kubelet", config.node, clock=clock)
        self._reporter = Reporter(client)
        self._network_config: NetworkConfig | None = None
        self._view = NodeView(
            name=config.node,
            clock=clock,
            runtime=runtime,
            pods=self._pods.list,
            services=self._services.list,
            slices=self._slices.list,
            network=lambda: self._network_config,
            client=client,
        )
        self._server = self._make_server(tls)
        self._reclaimer = Reclaimer(client, runtime, self._recorder, config.node)
        self._workers: dict[str, PodWorker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._clockwork = Clockwork(clock)
        self._parts: Parts | None = None
        self._told = asyncio.Event()  # the API has heard how the node is

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Be this node until the block ends. Pods go on running after it: whoever comes next adopts them."""
        try:
            await self._start()
            yield
        finally:
            await self._stop()

    async def _start(self) -> None:
        self._keeper.port = await self._server.start()
        node = await self._keeper.register()
        self._nodes.on_change(self._node_changed)
        await self._nodes.start()
        network = await self._network(node.spec.pod_cidr or await self._pod_cidr())
        await self._services.start()
        await self._services.synced()
        self._parts = Parts(
            runtime=self._runtime,
            network=network,
            images=Images(self._runtime, self._clock),
            volumes=self._make_volumes(node.status.allocatable),
            objects=self._objects,
            clock=self._clock,
            say=self._say,
            directory=self._config.directory,
            host_ip=self._keeper.machine.address,
            host_resolv=_host_resolv(),
            allocatable=node.status.allocatable,
        )
        await self._reclaimer.start()
        await self._pods.start()
        await self._pods.synced()
        self._spawn(self._listen(), "engine events")
        self._spawn(follow_pulse(self._runtime, self._tell_engine), "engine pulse")
        self._pods.on_change(self._changed)
        for job, seconds in (
            (self._keeper.beat, LEASE_EVERY),
            (self._resync, RESYNC_EVERY),
            (self._refresh, REFRESH_EVERY),
        ):
            self._clockwork.add_job(job, "interval", seconds=seconds, coalesce=True, misfire_grace_time=None)
        self._clockwork.start()
        await self._keeper.beat()
        await self._told.wait()
        self._spawn(self._keep_machine(), "machine")

    async def _stop(self) -> None:
        if self._clockwork.running:
            self._clockwork.shutdown(wait=False)
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for informer in (self._nodes, self._pods, self._services, self._slices):
            await informer.stop()
        await self._reclaimer.stop()
        await self._objects.close()
        if self._parts:
            await self._parts.network.stop()
        await self._server.stop()
        await self._reporter.close()
        await self._recorder.close()

    # What a node has of its machine; one that is simulated has other things

    def _machine(self) -> Machine:
        return observe_machine(self._config.directory)

    def _make_server(self, tls: ssl.SSLContext | None) -> AgentServer:
        assert tls is not None  # a server of logs and commands lets nobody in without a certificate
        return AgentServer(
            self._runtime, self._pods.get, tls, self._killing, functools.partial(add_doors, view=self._view)
        )

    def _make_network(self, config: NetworkConfig) -> Network:
        return NodeNetwork(config, self._services, self._slices, self._network_mended, self._unplugged)

    def _make_volumes(self, allocatable: Mapping[str, str | int | float]) -> Volumes:
        return Volumes(
            self._objects, self._runtime, self._config.directory, allocatable, clock=self._clock, wake=self._wake
        )

    async def _keep_machine(self) -> None:
        """Tell the API what the machine is. Looking at it takes modules that nothing else here needs: they come now, when
        the node is up."""
        from agent.hardware.keeper import MachineKeeper

        await MachineKeeper(self._client, self._clock, self._config.node, self._layers).run()

    async def _layers(self) -> Layers:
        from agent.hardware.beneath import observe_beneath

        return await asyncio.to_thread(observe_beneath, Tree(), self._config.node, self._clock.now())

    # The node

    async def _pod_cidr(self) -> str:
        """This node's podCIDR, once the control plane has given it one."""
        given: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def look(_: Node | None, node: Node | None) -> None:
            if node and node.spec.pod_cidr and not given.done():
                given.set_result(node.spec.pod_cidr)

        self._nodes.on_change(look)
        return await given

    def _node_changed(self, _: Node | None, node: Node | None) -> None:
        if self._keeper.seen(node):
            self._spawn(self._keeper.report(), "node status")

    async def _network(self, pod_cidr: str) -> Network:
        c = self._config
        made = self._network_config = NetworkConfig(c.cluster, c.node, pod_cidr, c.pod_range, c.service_range)
        network = self._make_network(made)
        while True:
            try:
                await network.start()
                return network
            except NetworkError as error:
                log.error("network not made", why=str(error))
                await self._keeper.tell(None, f"container runtime network not ready: {error}")
                await asyncio.sleep(RETRY)

    def _network_mended(self, what: str) -> None:
        node = Node(metadata=ObjectMeta(name=self._config.node, uid=self._config.node))  # as the kubelet names itself
        said = f"Somebody removed from the kernel, and it was made again: {what}"
        self._recorder.event(reference_of(node), "Warning", "NetworkMended", said)

    def _unplugged(self, pod_uid: str) -> None:
        if worker := self._workers.get(pod_uid):
            worker.unplugged()

    async def _listen(self) -> None:
        """Follow the engine: wake whom its events concern; tell the node's state when it goes and comes."""
        while True:
            try:
                info = await self._runtime.info()
                async for event in self._runtime.events():
                    if event.action == "listening":
                        await self._keeper.tell(info)
                        self._told.set()
                        for known in self._workers.values():
                            known.wake()
                        await self._adopt()
                    elif worker := self._workers.get(event.pod_uid):
                        worker.hear(event)
            except EngineError as error:  # also one that answers with an error: it is asked again until all is known
                log.warning("engine down", why=str(error))
                for worker in self._workers.values():
                    worker.lose_engine()
                await self._tell_engine(str(error))
                self._told.set()
            await asyncio.sleep(RETRY)

    async def _tell_engine(self, problem: str) -> None:
        await self._keeper.tell(None, f"{DOWN}: {problem}" if problem else "")

    async def _adopt(self) -> None:
        """Everything that the engine has: workers hear what there is of their pods; a pod without one comes to its end."""
        sandboxes, containers = await self._runtime.observe()
        for uid, worker in self._workers.items():
            theirs = Observed(
                tuple(s for s in sandboxes if s.pod.uid == uid), tuple(c for c in containers if c.pod.uid == uid)
            )
            worker.resync(theirs)
        for ref in {*(s.pod for s in sandboxes), *(c.pod for c in containers)}:
            if ref.uid not in self._workers:
                log.info("pod without an object", pod=f"{ref.namespace}/{ref.name}")
                self._work(_remembered(ref, [c for c in containers if c.pod == ref])).forget()
        assert self._parts is not None
        await self._parts.volumes.collect({*self._workers})

    def _killing(self, pod_uid: str, container_id: str) -> None:
        """Somebody asked for this container's end, to see it heal."""
        if worker := self._workers.get(pod_uid):
            worker.asked_to_kill(container_id)

    def _wake(self, uid: str) -> None:
        if worker := self._workers.get(uid):
            worker.wake()

    async def _resync(self) -> None:
        """A safety net: who missed something looks again, and nothing runs that nobody asked for."""
        try:
            await self._adopt()
        except EngineError as error:
            log.warning("not looked at", why=str(error))

    async def _refresh(self) -> None:
        """Tokens are renewed; and a safety net: files are worked out anew from their objects."""
        assert self._parts is not None
        for worker in [*self._workers.values()]:
            try:
                await self._parts.volumes.refresh(worker.pod)
            except Exception as error:  # one pod's volume must not keep the others' old
                log.warning("volumes not refreshed", pod=worker.pod.metadata.name, why=str(error))

    # Pods

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
            assert old is not None
            self._reporter.forget(old.metadata.uid)
            if worker := self._workers.get(old.metadata.uid):
                worker.forget()
        if new is not None:
            self._reporter.seen(new)
            if worker := self._workers.get(new.metadata.uid):
                worker.update(new)
            else:
                self._work(new)

    def _work(self, pod: Pod) -> PodWorker:
        assert self._parts is not None
        worker = PodWorker(pod, self._parts, self._reporter.report, self._finished)
        self._workers[pod.metadata.uid] = worker
        task = self._spawn(worker.run(), f"pod {pod.metadata.namespace}/{pod.metadata.name}")
        task.add_done_callback(lambda _: self._workers.pop(pod.metadata.uid, None))
        return worker

    async def _finished(self, pod: Pod) -> None:
        """Let the API forget a pod of which nothing is left."""
        await self._reporter.written(pod.metadata.uid)
        meta = pod.metadata
        while True:
            try:
                await self._client.delete(Pod, meta.name, meta.namespace, grace=0, uid=meta.uid)
                return
            except (ApiError, OSError) as error:
                if not passes(error):
                    assert isinstance(error, ApiError)
                    if error.code not in (404, 409):
                        log.warning("pod not forgotten", pod=f"{meta.namespace}/{meta.name}", why=error.message)
                    return
                await asyncio.sleep(RETRY)

    def _say(self, pod: Pod, path: str, type_: str, reason: str, message: str) -> None:
        self._recorder.event(reference_of(pod, path), type_, reason, message)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._fell(task.get_name(), error)

    def _fell(self, part: str, error: BaseException) -> None:
        """A part ended that goes on as long as the agent does: a fault of ours."""
        log.error("part of the agent fell", part=part, why=repr(error))


def _remembered(ref: PodRef, containers: list[Container]) -> Pod:
    """What can be told of a pod from its containers' labels: enough to end it."""
    pod = Pod(metadata=ObjectMeta(namespace=ref.namespace, name=ref.name, uid=ref.uid))
    pod.spec.termination_grace_period_seconds = max((c.stop_seconds for c in containers), default=0)
    pod.spec.containers = [ContainerTemplate(name=name) for name in {c.name: None for c in containers}]
    return pod


def _host_resolv() -> str:
    """The host's resolv.conf; systemd-resolved's own list where its stub on loopback is all that /etc names."""
    stub, path = Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf")
    text = path.read_text() if path.exists() else ""
    return stub.read_text() if "127.0.0.53" in text and stub.exists() else text
