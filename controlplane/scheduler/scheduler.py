"""The scheduler's shell: unbound pods come from the informer, `schedule` decides, bindings go out.

One task works off all pending pods in a batch against one picture of the nodes, in which every placement counts at
once; what follows (bindings, conditions) is written meanwhile, and the next batch does not wait for it. A pod that fits
nowhere is told so and parked; it is tried again when something changed that could help: a node, a pod that leaves, a
claim, a volume (nothing else helps whose claim is the trouble). Nothing is polled.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Coroutine
from typing import Any, ClassVar, NamedTuple

import structlog

from controlplane.controllers.controller import Context
from controlplane.controllers.matching import choose
from controlplane.scheduler.schedule import Placement, schedule
from controlplane.scheduler.snapshot import NodeInfo, Snapshot, Volumes
from kubeapi.client.client import error_of
from kubeapi.client.recorder import Recorder
from kubeapi.client.transport import Request
from kubeapi.core_v1.types import (
    Binding,
    Namespace,
    Node,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodCondition,
)
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.storage_v1.types import StorageClass

log = structlog.get_logger()
NO_PROVISIONER = "kubernetes.io/no-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
NAME = "default-scheduler"
USER = "system:kube-scheduler"
RETRY = 1.0  # seconds until a pod is tried again whose writes failed


class Parked(NamedTuple):
    """A pod that waits for a change; `by_volumes`: only for one of claims, volumes or classes."""

    pod: Pod
    by_volumes: bool = False


class Scheduler:
    """Binds the pods whose schedulerName is ours."""

    name: ClassVar[str] = "scheduler"

    def __init__(self, context: Context) -> None:
        self._context, self._client, self._clock = context, context.client, context.clock
        self._recorder = Recorder(context.client, NAME, platform.node(), clock=context.clock, series=True)
        self._pending: dict[str, Pod] = {}
        self._parked: dict[str, Parked] = {}
        self._infos: dict[str, NodeInfo] = {}
        self._stale: set[str] = set()
        self._assumed: dict[str, tuple[Pod, str]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._writes: set[asyncio.Task[None]] = set()
        self._pods = context.informer(Pod)
        self._nodes = context.informer(Node)
        self._namespaces = context.informer(Namespace)
        self._claims = context.informer(PersistentVolumeClaim)
        self._volumes = context.informer(PersistentVolume)
        self._classes = context.informer(StorageClass)
        self._pods.add_index("node", lambda pod: pod.spec.node_name)
        self._pods.on_change(self._pod_changed)
        self._nodes.on_change(self._node_changed)
        for informer in (self._claims, self._volumes, self._classes):
            informer.on_change(self._volume_changed)

    async def start(self) -> None:
        """Begin to work; the informers are in step by now."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop; pods that are not bound yet stay pending."""
        tasks = [*self._writes, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._recorder.close()

    def resync(self) -> None:
        """Try again whoever waits: the safety net under events that should have said it."""
        self._unpark(volumes=True)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is None:
            return
        uid = pod.metadata.uid
        if new is not None and new.spec.node_name:
            self._pending.pop(uid, None)
            self._parked.pop(uid, None)
            self._assumed.pop(uid, None)
            info = self._infos.get(new.spec.node_name)
            if info is not None and uid in info.pods and new.status.phase not in ("Succeeded", "Failed"):
                info.pods[uid] = new
                return
            self._stale.add(new.spec.node_name)
            self._unpark()
        elif new is None:
            for waiting in (self._pending, self._parked, self._assumed):
                waiting.pop(uid, None)
            if pod.spec.node_name:
                self._stale.add(pod.spec.node_name)
                self._unpark()
        elif not _is_ours(new):
            for waiting in (self._pending, self._parked):
                waiting.pop(uid, None)
        elif uid not in self._assumed:
            # What the scheduler itself writes to the pod's status is no reason to try again.
            if uid in self._parked and old is not None and old.spec == new.spec and _same_meta(old, new):
                self._parked[uid] = self._parked[uid]._replace(pod=new)
            else:
                self._parked.pop(uid, None)
                self._pending[uid] = new
                self._wake.set()

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        node = new or old
        if node is None:
            return
        if old is not None and new is not None and _matters(old) == _matters(new):
            return  # a heartbeat
        self._stale.add(node.metadata.name)
        self._unpark()

    def _volume_changed(self, _old: Any, new: Any) -> None:
        if new is not None:  # a claim, volume or class that goes helps nobody
            self._unpark(volumes=True)

    def _unpark(self, volumes: bool = False) -> None:
        for uid in [uid for uid, parked in self._parked.items() if volumes or not parked.by_volumes]:
            self._unpark_one(uid)

    def _unpark_one(self, uid: str) -> None:
        if (parked := self._parked.pop(uid, None)) is not None:
            self._pending[uid] = parked.pod
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._pending = self._pending, {}
            snapshot = self._snapshot()
            for pod in sorted(batch.values(), key=lambda p: (-(p.spec.priority or 0), p.metadata.creation_timestamp)):
                try:
                    write = self._placed(pod, snapshot)
                except Exception:  # a pod that can't be judged must not keep the others from their nodes
                    log.exception("not judged", pod=pod.metadata.name, namespace=pod.metadata.namespace)
                    self._parked[pod.metadata.uid] = Parked(pod)
                else:
                    self._write(pod, write)

    def _placed(self, pod: Pod, snapshot: Snapshot) -> Coroutine[Any, Any, None]:
        """Decide on one pod, count it where it goes, and say what is to be written."""
        volumes = self._volumes_of(pod)
        decided = schedule(pod, snapshot, volumes)
        if isinstance(decided, Placement) and not volumes.waiting:
            self._infos[decided.node].add(pod)
            self._assumed[pod.metadata.uid] = (pod, decided.node)
            return self._bind(pod, decided)
        self._parked[pod.metadata.uid] = Parked(pod, bool(volumes.problem) or isinstance(decided, Placement))
        if isinstance(decided, Placement):
            return self._select(pod, volumes.waiting, decided.node)
        return self._refuse(pod, decided.message)

    def _write(self, pod: Pod, write: Coroutine[Any, Any, None]) -> None:
        """Carry a write out beside everything else; should it fail, the pod is tried again."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(write)
        self._writes.add(task)

        def written(task: asyncio.Task[None]) -> None:
            self._writes.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is None or (isinstance(error, ApiError) and error.code == 404):  # done, or gone meanwhile
                return
            log.warning("not written", pod=pod.metadata.name, namespace=pod.metadata.namespace, error=str(error))
            loop.call_later(RETRY, self._unpark_one, pod.metadata.uid)

        task.add_done_callback(written)

    def _snapshot(self) -> Snapshot:
        for name in self._stale:
            node = self._nodes.get("", name)
            if node is None:
                self._infos.pop(name, None)
                continue
            living = [p for p in self._pods.by("node", name) if p.status.phase not in ("Succeeded", "Failed")]
            self._infos[name] = NodeInfo.of(node, living)
            for pod, chosen in self._assumed.values():
                if chosen == name:
                    self._infos[name].add(pod)
        self._stale.clear()
        namespaces = {ns.metadata.name: ns.metadata.labels for ns in self._namespaces.list()}
        return Snapshot([self._infos[name] for name in sorted(self._infos)], namespaces)

    def _volumes_of(self, pod: Pod) -> Volumes:
        affinities, waiting, places = [], [], []
        for volume in pod.spec.volumes:
            if volume.persistent_volume_claim is None:
                continue
            name = volume.persistent_volume_claim.claim_name
            claim = self._claims.get(pod.metadata.namespace, name)
            if claim is None:
                return Volumes(f'persistentvolumeclaim "{name}" not found')
            if claim.metadata.deletion_timestamp is not None:
                return Volumes(f'persistentvolumeclaim "{name}" is being deleted')
            if claim.status.phase == "Bound":
                bound = self._volumes.get("", claim.spec.volume_name)
                if bound and bound.spec.node_affinity and bound.spec.node_affinity.required:
                    affinities.append(bound.spec.node_affinity.required)
                continue
            class_ = self._classes.get("", claim.spec.storage_class_name or "")
            if class_ is None or class_.volume_binding_mode != "WaitForFirstConsumer":
                return Volumes("pod has unbound immediate PersistentVolumeClaims")
            waiting.append(name)
            if class_.provisioner == NO_PROVISIONER:
                volumes = self._volumes.list()
                nodes = (info.node for info in self._infos.values() if choose(claim, volumes, info.node) is not None)
                places.append(frozenset(node.metadata.name for node in nodes))
        return Volumes("", tuple(affinities), tuple(waiting), tuple(places))

    async def _bind(self, pod: Pod, placement: Placement) -> None:
        node = placement.node
        meta = ObjectMeta(name=pod.metadata.name, namespace=pod.metadata.namespace, uid=pod.metadata.uid)
        binding = Binding(metadata=meta, target=ObjectReference(api_version="v1", kind="Node", name=node))
        try:
            await self._post(binding)
        except (ApiError, OSError):
            if self._assumed.pop(pod.metadata.uid, None) is not None:  # its event has not come first
                self._parked[pod.metadata.uid] = Parked(pod)
            self._stale.add(node)
            raise
        where = f"{pod.metadata.namespace}/{pod.metadata.name}"
        told = f"Successfully assigned {where} to {node}" + (f". {placement.why}" if placement.why else "")
        self._recorder.event(pod, "Normal", "Scheduled", told, "Binding")

    async def _post(self, binding: Binding) -> None:
        meta = binding.metadata
        path = self._context.registry.of(Pod).path(meta.namespace, meta.name, "binding")
        headers = {"content-type": "application/json", "user-agent": NAME}
        body = binding.to_json()
        request = Request("POST", path, headers=headers, body=body, user=USER, groups=("system:masters",))
        answer = await self._client.transport.send(request)
        if answer.status >= 300:
            raise error_of(answer.body, answer.status)

    async def _select(self, pod: Pod, claims: tuple[str, ...], node: str) -> None:
        for name in claims:
            patch = {"metadata": {"annotations": {SELECTED_NODE: node}}}
            await self._client.patch(PersistentVolumeClaim, name, patch, namespace=pod.metadata.namespace)

    async def _refuse(self, pod: Pod, message: str) -> None:
        told = next((c for c in pod.status.conditions if c.type == "PodScheduled"), None)
        if told is not None and told.message == message:
            return
        self._recorder.event(pod, "Warning", "FailedScheduling", message, "Scheduling")
        condition = PodCondition(
            type="PodScheduled",
            status="False",
            reason="Unschedulable",
            message=message,
            observed_generation=pod.metadata.generation,
            last_transition_time=self._clock.now(),
        )
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition.to_dict()]}}
        name, namespace = pod.metadata.name, pod.metadata.namespace
        await self._client.patch(Pod, name, patch, namespace=namespace, type="strategic", subresource="status")


def _is_ours(pod: Pod) -> bool:
    return (
        pod.spec.scheduler_name in ("", NAME)
        and not pod.spec.scheduling_gates
        and pod.metadata.deletion_timestamp is None
        and pod.status.phase not in ("Succeeded", "Failed")
    )


def _same_meta(a: Pod, b: Pod) -> bool:
    return a.metadata.labels == b.metadata.labels and a.metadata.annotations == b.metadata.annotations


def _matters(node: Node) -> tuple[Any, ...]:
    return node.metadata.labels, node.spec.unschedulable, node.spec.taints, node.status.allocatable
