"""The node in the API: what the machine is, whether it is well, and that it still lives.

`node_status` is pure; `NodeKeeper` registers the Node, keeps its Lease (a heartbeat of a few bytes every 10 s) and writes
the status when it turns or every 5 minutes, as the kubelet does. A Node that is there already is adopted, not replaced.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from agent.runtime.protocol import EngineInfo
from kubeapi.client.client import Client
from kubeapi.coordination_v1.types import Lease, LeaseSpec
from kubeapi.core_v1.types import (
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeStatus,
    NodeSystemInfo,
    Taint,
)
from kubeapi.errors import ApiError, passes
from kubeapi.meta_v1.types import ObjectMeta, OwnerReference

if TYPE_CHECKING:
    from kubeapi.clock import Clock

log = structlog.get_logger()
LEASES, LEASE_SECONDS, REPORT_EVERY, RETRY = "kube-node-lease", 40, timedelta(minutes=5), 0.5
PODS, VERSION = "110", "v1.36.0"
RESERVED_DISK = 0.10
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
WELL = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What does not change while the machine is up; memory and disk in bytes."""

    cpus: int
    memory: int
    disk: int
    address: str
    hostname: str
    info: NodeSystemInfo


def observe_machine(directory: Path) -> Machine:
    """Read the machine from /proc and /sys; disk is that of the file system that holds `directory`."""
    system = platform.uname()
    info = NodeSystemInfo(
        machine_id=_text("/etc/machine-id"),
        system_uuid=_text("/sys/class/dmi/id/product_uuid"),
        boot_id=_text("/proc/sys/kernel/random/boot_id"),
        kernel_version=system.release,
        architecture=ARCHITECTURES.get(system.machine, system.machine),
        kubelet_version=VERSION,
        operating_system="linux",
    )
    disk = shutil.disk_usage(directory).total
    cpus = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(cpus, memory, disk, host_address(), system.node.lower(), info)


def host_address() -> str:
    """The address that this machine's packets to the outside carry, loopback where there is no outside. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def node_status(
    machine: Machine, engine: EngineInfo | None, problem: str, port: int, old: NodeStatus, now: datetime
) -> NodeStatus:
    """The whole status; problem says why the node is not ready (empty: it is). Conditions of others are kept."""
    capacity = {
        "cpu": str(machine.cpus),
        "memory": f"{machine.memory // 1024}Ki",
        "ephemeral-storage": f"{machine.disk // 1024}Ki",
        "pods": PODS,
    }
    info = machine.info.clone()
    info.os_image = engine.os_image if engine else old.node_info.os_image
    info.container_runtime_version = (
        f"{engine.name}://{engine.version}" if engine else old.node_info.container_runtime_version
    )
    return NodeStatus(
        capacity=capacity,
        allocatable={**capacity, "ephemeral-storage": str(int(machine.disk * (1 - RESERVED_DISK)))},
        conditions=conditions(old.conditions, problem, now),
        addresses=[
            NodeAddress(type="InternalIP", address=machine.address),
            NodeAddress(type="Hostname", address=machine.hostname),
        ],
        daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=port)),
        node_info=info,
    )


def conditions(old: list[NodeCondition], problem: str, now: datetime) -> list[NodeCondition]:
    """Ready and the pressures, in the kubelet's words; a condition keeps its transition time until it turns."""
    told = {type_: ("False", *words) for type_, words in WELL.items()}
    if problem:
        told["Ready"] = ("False", "KubeletNotReady", problem)
    else:
        told["Ready"] = ("True", "KubeletReady", "kubelet is posting ready status")
    before = {c.type: c for c in old}
    made = []
    for type_, (status, reason, message) in told.items():
        was = before.pop(type_, None)
        since = was.last_transition_time if was and was.status == status else now
        made.append(
            NodeCondition(
                type=type_,
                status=status,
                reason=reason,
                message=message,
                last_heartbeat_time=now,
                last_transition_time=since,
            )
        )
    return [*before.values(), *made]


def _silent(status: NodeStatus) -> NodeStatus:
    """The status without its heartbeats, conditions in one order."""
    silent = status.clone()
    silent.conditions.sort(key=lambda c: c.type)
    for condition in silent.conditions:
        condition.last_heartbeat_time = None
    return silent


class NodeKeeper:
    """Registers one Node and keeps it true: nothing is said of its health before the first `tell`."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        name: str,
        machine: Machine,
        labels: Mapping[str, str] = MappingProxyType({}),
        taints: Sequence[Taint] = (),
    ) -> None:
        """labels and taints are what the Node is born with; afterwards they are its administrator's."""
        self.name, self.machine, self.port = name, machine, 0
        self._labels, self._taints = labels, taints
        self._client, self._clock = client, clock
        self._engine: EngineInfo | None = None
        self._problem: str | None = None  # why the node is not ready; None while nobody has told
        self._reported: datetime | None = None
        self._watched = False  # somebody tells of each change of the Node, which is there
        self._lease: Lease | None = None
        self._turning = asyncio.Lock()

    async def register(self) -> Node:
        """The Node in the API, made if there is none; waits for a server that is out of reach or can't write."""
        labels = {
            "kubernetes.io/hostname": self.machine.hostname,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": self.machine.info.architecture,
            **self._labels,
        }
        node = Node(metadata=ObjectMeta(name=self.name, labels=labels))
        node.spec.taints = [*self._taints]
        node.status = self._status(NodeStatus())
        while True:
            try:
                try:
                    return await self._client.create(node)
                except ApiError as error:
                    if error.reason != "AlreadyExists":
                        raise
                    return await self._client.get(Node, self.name)
            except (ApiError, OSError) as error:
                if not passes(error):
                    raise
                log.info("node not registered yet", why=str(error))
                await asyncio.sleep(RETRY)

    async def tell(self, engine: EngineInfo | None, problem: str = "") -> None:
        """The engine answers, or there is a problem; the API hears of it at once when that is news."""
        news = problem != self._problem or engine != self._engine
        self._engine, self._problem = engine or self._engine, problem
        if news:
            await self.report()

    async def beat(self) -> None:
        """Renew the Lease, and the status where it is old or nobody watches it. Failures are logged: the next beat comes."""
        try:
            await self._renew()
        except (ApiError, OSError) as error:
            self._lease = None
            log.warning("lease not renewed", why=str(error))
        if not self._watched or not self._is_fresh():
            await self.report()

    def seen(self, node: Node | None) -> bool:
        """The Node as the API shows it from now on, None if it is gone. Whether it is time to `report`."""
        self._watched = node is not None
        return node is None or self._is_due(node.status)

    async def report(self) -> None:
        """Write the status if the API's is another (a node that fell silent is written off there), or old.

        A Node that someone deleted is registered again.
        """
        if self._problem is None:
            return
        async with self._turning:
            try:
                while not await self._write():
                    pass  # somebody else was faster: read what it is now
            except ApiError as error:
                self._reported = None
                if error.code == 404:
                    await self.register()
                else:
                    log.warning("node status refused", why=error.message)
            except OSError as error:
                self._reported = None
                log.info("node status not written", why=str(error))

    async def _write(self) -> bool:
        """Bring the API's status to ours; False when it changed meanwhile."""
        node = await self._client.get(Node, self.name)
        if not self._is_due(node.status):
            return True
        node.status = self._status(node.status)
        try:
            await self._client.update_status(node)
        except ApiError as error:
            if error.code != 409:
                raise
            return False
        self._reported = self._clock.now()
        return True

    def _is_due(self, told: NodeStatus) -> bool:
        """Whether this status in the API is old, or not ours."""
        return not self._is_fresh() or _silent(told) != _silent(self._status(told))

    def _is_fresh(self) -> bool:
        return self._reported is not None and abs(self._clock.now() - self._reported) < REPORT_EVERY

    def _status(self, old: NodeStatus) -> NodeStatus:
        problem = "node agent is starting" if self._problem is None else self._problem
        return node_status(self.machine, self._engine, problem, self.port, old, self._clock.now())

    async def _renew(self) -> None:
        now = self._clock.now()
        if self._lease is None:
            try:
                self._lease = await self._client.get(Lease, self.name, LEASES)
            except ApiError as error:
                if error.code != 404:
                    raise
                node = await self._client.get(Node, self.name)
                owner = OwnerReference(api_version="v1", kind="Node", name=self.name, uid=node.metadata.uid)
                spec = LeaseSpec(holder_identity=self.name, lease_duration_seconds=LEASE_SECONDS, renew_time=now)
                meta = ObjectMeta(name=self.name, namespace=LEASES, owner_references=[owner])
                self._lease = await self._client.create(Lease(metadata=meta, spec=spec))
                return
        lease = self._lease.clone()
        lease.spec.renew_time, lease.spec.holder_identity = now, self.name
        self._lease = await self._client.update(lease)
