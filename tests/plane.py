"""A control plane in virtual time: API server over a store in memory, controllers as asked for, a stand-in kubelet.

A minute passes in microseconds, and only while everything waits: `virtually(story)` runs a story in it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

from controlplane.admission.chain import Admission
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.server import ApiServer
from controlplane.controllers.controller import Context, Controller
from controlplane.scheduler.scheduler import Scheduler
from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.core_v1.types import Event, Node, Pod
from kubeapi.model import Model
from kubeapi.registry import load
from naru.simulation.store import MemoryStore
from naru.simulation.virtual import VirtualClock

M = TypeVar("M", bound=Model)


class Plane:
    """A running control plane."""

    def __init__(self, client: Client, context: Context) -> None:
        self.client, self.context = client, context

    @classmethod
    @asynccontextmanager
    async def running(
        cls, *parts: type[Controller] | type[Scheduler], seed: int = 1, clock: VirtualClock | None = None
    ) -> AsyncIterator[Plane]:
        """With these controllers, until the block ends."""
        clock = clock or VirtualClock()
        store, rng, registry = MemoryStore(), random.Random(seed), load()
        admission = Admission(store, rng)
        server = ApiServer(store, registry, clock, rng, admission)
        await bootstrap(server, admission.ranges.addresses, "127.0.0.1", 6443)
        client = Client(server, registry, "test", user="admin", groups=("system:masters",))
        context = Context(client, registry, clock, rng, root_ca="CA")
        working = [part(context) for part in parts]
        await context.start()
        for part in working:
            await part.start()
        try:
            yield cls(client, context)
        finally:
            for part in working:
                await part.stop()
            await context.stop()

    def now(self) -> datetime:
        return self.context.clock.now()

    async def make(self, model: type[M], name: str, namespace: str = "default", **fields: Any) -> M:
        """Create an object; `metadata` among the fields is added to its name and namespace."""
        namespaced = self.context.registry.of(model).namespaced
        meta = {"name": name, **({"namespace": namespace} if namespaced else {}), **fields.pop("metadata", {})}
        return await self.client.create(model.model_validate({"metadata": meta, **fields}))

    async def until(self, model: type[M], holds: Callable[[list[M]], bool], seconds: float = 3600) -> list[M]:
        """All objects of the kind, as soon as it holds of them; TimeoutError after so many (virtual) seconds."""
        informer, changed = Informer(self.client, model), asyncio.Event()
        informer.on_change(lambda *_: changed.set())
        await informer.start()
        try:
            await informer.synced()
            async with asyncio.timeout(seconds):
                while not holds(informer.list()):
                    changed.clear()
                    await changed.wait()
            return informer.list()
        finally:
            await informer.stop()

    async def until_gone(self, model: type[M], name: str, namespace: str = "default", seconds: float = 3600) -> None:
        """The object is no more."""
        await self.until(model, lambda found: not any(_is(o, name, namespace) for o in found), seconds)

    async def events(self, *reasons: str) -> list[Event]:
        """The Events with these reasons, oldest first."""
        found = [e for e in (await self.client.list(Event)).items if e.reason in reasons]
        return sorted(found, key=lambda e: int(e.metadata.resource_version))

    async def node(self, name: str, ready: bool = True, **labels: str) -> Node:
        """Register a node, as its kubelet does: first the object, then its status."""
        metadata = {"labels": {"kubernetes.io/hostname": name, **labels}}
        await self.make(Node, name, metadata=metadata)
        return await self.heartbeat(name, ready)

    async def heartbeat(self, name: str, ready: bool = True) -> Node:
        """Post a node's status."""
        at = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        size = {"cpu": "64", "memory": "64Gi", "pods": "110"}
        condition = {"type": "Ready", "status": str(ready), "lastHeartbeatTime": at, "lastTransitionTime": at}
        status = {"capacity": size, "allocatable": size, "conditions": [condition]}
        return await self.client.patch(Node, name, {"status": status}, type="strategic", subresource="status")

    async def report(self, pod: Pod, ready: bool = True, phase: str = "Running", ip: str = "10.244.0.9") -> None:
        """Post a pod's status, as its kubelet does."""
        at = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": at}
        status = {"phase": phase, "podIP": ip, "podIPs": [{"ip": ip}], "startTime": at, "conditions": [condition]}
        meta = pod.metadata
        patch = {"metadata": {"uid": meta.uid}, "status": status}
        await self.client.patch(Pod, meta.name, patch, meta.namespace, type="strategic", subresource="status")


class Kubelet:
    """Runs bound pods in their status alone: ready after `start` seconds if `ready(pod)`, gone `stop` after asked."""

    def __init__(
        self, plane: Plane, start: float = 1.0, stop: float = 1.0, ready: Callable[[Pod], bool] = lambda _: True
    ) -> None:
        self._plane, self._start, self._stop, self._ready = plane, start, stop, ready
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._endings: dict[str, asyncio.Task[None]] = {}
        self._pods: Informer[Pod] = plane.context.informer(Pod)
        self._pods.on_change(self._changed)

    def _changed(self, _old: Pod | None, pod: Pod | None) -> None:
        if pod is None or not pod.spec.node_name:
            return
        loop, uid = asyncio.get_running_loop(), pod.metadata.uid
        if pod.metadata.deletion_timestamp is not None and uid not in self._endings:
            self._endings[uid] = loop.create_task(self._end(pod))
        elif uid not in self._lives:
            self._lives[uid] = loop.create_task(self._live(pod))

    async def _live(self, pod: Pod) -> None:
        await asyncio.sleep(self._start)
        number = len(self._lives)
        if pod.metadata.uid not in self._endings:
            await self._plane.report(pod, self._ready(pod), ip=f"10.244.{number // 250}.{number % 250 + 1}")

    async def _end(self, pod: Pod) -> None:
        await asyncio.sleep(self._stop)
        meta = pod.metadata
        await self._plane.client.delete(Pod, meta.name, meta.namespace, grace=0, uid=meta.uid)


def _is(obj: Any, name: str, namespace: str) -> bool:
    return obj.metadata.name == name and obj.metadata.namespace in ("", namespace)


def by_name(objects: Iterable[Any]) -> dict[str, Any]:
    """Objects by their names."""
    return {o.metadata.name: o for o in objects}
