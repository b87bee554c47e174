"""Node lifecycle: podCIDRs, nodes that fall silent, taints that follow their conditions, and pods that have to leave.

A node is alive while it renews its Lease or its Ready heartbeat; `plan_node` decides from both. Watches nodes, Leases
and pods. Key: a node; timers come from the queue, so that nothing is polled.

Silence counts only while somebody listens. A control plane that starts, or comes late to its own timer because it was
stopped or its machine asleep, or whose clock was set, gives the nodes a whole GRACE to be heard before it writes them off or
drives a pod away. What lies more than that in the future was written before the clock was set back, and says nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple

from controlplane.controllers.controller import Controller
from controlplane.controllers.pods import condition, is_finished
from controlplane.scheduler.affinity import tolerates
from kubeapi.clock import Steps
from kubeapi.coordination_v1.types import Lease
from kubeapi.core_v1.types import Node, NodeCondition, Pod, Taint
from kubeapi.errors import ApiError

GRACE, LATE = timedelta(seconds=40), timedelta(seconds=2)
LEASES = "kube-node-lease"
NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_OURS = {NOT_READY, UNREACHABLE, UNSCHEDULABLE}
_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


class Health(NamedTuple):
    """The node's conditions and taints as they should be, and when to look again."""

    conditions: list[NodeCondition]
    taints: list[Taint]
    again: datetime | None


def plan_node(node: Node, renewed: datetime | None, now: datetime, listening: datetime | None = None) -> Health:
    """Conditions turn Unknown when nothing was heard for GRACE of listening; taints follow Ready and spec.unschedulable."""
    ready = next((c for c in node.status.conditions if c.type == "Ready"), None)
    signs = (renewed, ready.last_heartbeat_time if ready else None, node.metadata.creation_timestamp, listening)
    heard = max((min(at, now) for at in signs if at is not None and at <= now + GRACE), default=now)
    again: datetime | None = heard + GRACE
    conditions = list(node.status.conditions)
    if heard + GRACE < now:
        conditions, again = [_unknown(c, now) for c in conditions], None
        if ready is None:
            message = "Kubelet never posted node status."
            conditions += [
                NodeCondition(
                    type=t,
                    status="Unknown",
                    reason="NodeStatusNeverUpdated",
                    message=message,
                    last_heartbeat_time=node.metadata.creation_timestamp,
                    last_transition_time=now,
                )
                for t in _CONDITIONS
            ]
    state = next((c.status for c in conditions if c.type == "Ready"), "False")
    wanted: dict[tuple[str, str], bool] = {}
    key = {"False": NOT_READY, "Unknown": UNREACHABLE}.get(state)
    if key is not None:
        wanted = {(key, "NoSchedule"): False, (key, "NoExecute"): True}
    if node.spec.unschedulable:
        wanted[UNSCHEDULABLE, "NoSchedule"] = True
    taints = [t for t in node.spec.taints if t.key not in _OURS or (t.key, t.effect) in wanted]
    have = {(t.key, t.effect) for t in taints}
    taints += [
        Taint(key=k, effect=e, time_added=now if timed else None)
        for (k, e), timed in wanted.items()
        if (k, e) not in have
    ]
    return Health(conditions, taints, again)


def _unknown(c: NodeCondition, now: datetime) -> NodeCondition:
    if c.type not in _CONDITIONS or c.status == "Unknown":
        return c
    out = c.clone()
    out.status, out.reason, out.message = "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."
    out.last_transition_time = now
    return out


def evict_at(pod: Pod, taints: Sequence[Taint], now: datetime) -> datetime | None:
    """When the node's NoExecute taints drive the pod away; None if it tolerates them for good."""
    due: list[datetime] = []
    for taint in taints:
        if taint.effect != "NoExecute":
            continue
        covering = [t for t in pod.spec.tolerations if tolerates([t], taint)]
        if not covering:
            return now
        limits = [t.toleration_seconds for t in covering if t.toleration_seconds is not None]
        if limits:
            due.append((taint.time_added or now) + timedelta(seconds=max(0, min(limits))))
    return min(due, default=None)


def free_cidr(network: str, taken: set[str], size: int = 24) -> str | None:
    """The first part of the cluster's pod network that no node has."""
    parts = ipaddress.ip_network(network).subnets(new_prefix=size)
    return next((str(p) for p in parts if str(p) not in taken), None)


class NodeController(Controller):
    """Keeps nodes honest and their pods moving."""

    name: ClassVar[str] = "node-lifecycle-controller"
    component: ClassVar[str] = "node-controller"

    def setup(self) -> None:
        self._began, self._steps = self.clock.now(), Steps(self.clock)
        self._woke: datetime | None = None  # when it last found that it, or the clock, had been stopped or set
        self._due: dict[str, datetime] = {}  # when each node is to be looked at
        self._nodes = self.watch(Node, lambda node: [node.metadata.name])
        self._renewed: dict[str, datetime] = {}  # when each was heard to renew its Lease, whatever its clock says
        self.context.informer(Lease).on_change(self._hear)  # no news: the timer looks at it when it is due
        self._pods = self.watch(
            Pod,
            lambda pod: [pod.spec.node_name] if pod.spec.node_name else [],
            facts=lambda pod: (pod.metadata.uid, pod.spec.node_name, pod.spec.tolerations),
        )
        self._pods.add_index("node", lambda pod: pod.spec.node_name)

    async def reconcile(self, key: str) -> None:
        now, node = self.clock.now(), self._nodes.get("", key)
        pods = self._pods.by("node", key)
        late = self._due.pop(key, now) + LATE < now
        if self._steps.taken() or late:
            self._woke = now
        if node is None:
            self._renewed.pop(key, None)
            await self._collect_orphans(key, pods)
            return
        health = plan_node(node, self._renewed.get(key), now, self._woke or self._began)
        before, after = _state(node.status.conditions), _state(health.conditions)
        if health.conditions != node.status.conditions:
            changed = node.clone()
            changed.status.conditions = health.conditions
            node = await self.client.update_status(changed)
            if before != after:
                text = f"Node {key} status is now: NodeNotReady"
                self.recorder.event(node, "Normal", "NodeNotReady", text)
        if health.taints != node.spec.taints:
            changed = node.clone()
            changed.spec.taints = health.taints
            node = await self.client.update(changed)
        if after in ("False", "Unknown"):
            for pod in pods:
                await self._mark_not_ready(pod, now)
        driving = [t for t in node.spec.taints if t.effect == "NoExecute"]
        timers = [health.again] + [await self._evict(pod, driving, now) for pod in pods if driving]
        if again := min((t for t in timers if t is not None), default=None):
            self._due[key] = again
            self.queue.add_after(key, max(0.0, (again - now).total_seconds()) + 0.05)

    def _hear(self, old: Lease | None, new: Lease | None) -> None:
        if new and new.metadata.namespace == LEASES and (old is None or old.spec != new.spec):
            self._renewed[new.metadata.name] = self.clock.now()

    async def _evict(self, pod: Pod, taints: Sequence[Taint], now: datetime) -> datetime | None:
        due = evict_at(pod, taints, now)
        if due and self._woke:
            due = max(due, self._woke + GRACE)
        if due is None or pod.metadata.deletion_timestamp is not None or due > now:
            return due if due is not None and due > now else None
        text = f"Marking for deletion Pod {pod.metadata.namespace}/{pod.metadata.name}"
        self.recorder.event(pod, "Normal", "TaintManagerEviction", text)
        await self._delete(pod, None)
        return None

    async def _mark_not_ready(self, pod: Pod, now: datetime) -> None:
        ready = condition(pod, "Ready")
        if ready is None or ready.status != "True" or is_finished(pod):
            return
        change = {"type": "Ready", "status": "False", "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [change]}}
        name, namespace = pod.metadata.name, pod.metadata.namespace
        await self.client.patch(Pod, name, patch, namespace=namespace, type="strategic", subresource="status")
        self.recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")

    async def _collect_orphans(self, name: str, pods: Sequence[Pod]) -> None:
        if not pods:
            return
        try:
            await self.client.get(Node, name)  # the informer may be behind, and deletion can't be taken back
        except ApiError as error:
            if error.code != 404:
                raise
            for pod in pods:
                await self._delete(pod, 0)

    async def _delete(self, pod: Pod, grace: int | None) -> None:
        try:
            await self.client.delete(Pod, pod.metadata.name, pod.metadata.namespace, grace=grace, uid=pod.metadata.uid)
        except ApiError as error:
            if error.code != 404:
                raise


class NodeIpamController(Controller):
    """Gives every node its podCIDR."""

    name: ClassVar[str] = "node-ipam-controller"
    component: ClassVar[str] = "cidrAllocator"
    workers: ClassVar[int] = 1  # two at once could give the same range

    def setup(self) -> None:
        self._given: dict[str, str] = {}
        self._nodes = self.watch(Node, lambda node: [node.metadata.name])

    async def reconcile(self, key: str) -> None:
        node = self._nodes.get("", key)
        if node is None or node.spec.pod_cidr:
            self._given.pop(key, None)
            return
        taken = {n.spec.pod_cidr for n in self._nodes.list() if n.spec.pod_cidr} | set(self._given.values())
        cidr = self._given.get(key) or free_cidr(self.context.pod_network, taken)
        if cidr is None:
            self.recorder.event(node, "Normal", "CIDRNotAvailable", f"Node {key} status is now: CIDRNotAvailable")
            return
        self._given[key] = cidr
        await self.client.patch(Node, key, {"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}, type="strategic")


def _state(conditions: Sequence[NodeCondition]) -> str:
    return next((c.status for c in conditions if c.type == "Ready"), "False")
