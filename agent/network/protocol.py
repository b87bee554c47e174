"""The seam between pods and their network: what the agent asks of it, and a simulated one for nodes that are none.

The agent attaches a pod once its sandbox runs, and again whenever it meets a running sandbox (after its own restart, say):
attaching is adopting what is already so. Services and DNS need no calls; they follow the API by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from agent.network.addresses import next_address
from agent.runtime.protocol import PodRef
from kubeapi.core_v1.types import Pod


class HostPort(NamedTuple):
    """A port of the node that leads to a pod: `host_ip` empty means every address of the node."""

    port: int
    container_port: int
    protocol: str = "TCP"
    host_ip: str = ""


def host_ports_of(pod: Pod) -> tuple[HostPort, ...]:
    """The host ports that a pod's containers ask for. A pod on the host's network has its ports there by itself."""
    if pod.spec.host_network:
        return ()
    return tuple(
        HostPort(port.host_port, port.container_port, port.protocol or "TCP", port.host_ip)
        for container in (*pod.spec.init_containers, *pod.spec.containers)
        for port in container.ports
        if port.host_port
    )


class Network(Protocol):
    """Addresses for pods, and the way from an address to a pod."""

    @property
    def dns_address(self) -> str:
        """The nameserver to write into pods' resolv.conf."""
        ...

    async def start(self) -> None:
        """Make the node's devices, routes and rules where they are missing, and begin to follow the API."""
        ...

    async def stop(self) -> None:
        """Stop following the API and answering DNS. Devices and rules stay: pods go on talking."""
        ...

    async def remove(self) -> None:
        """Stop, and remove from the kernel all that was ever made for this cluster."""
        ...

    async def reserve(self, pod: PodRef) -> str:
        """The address that the pod will have, or has. Raises NetworkError when none is left."""
        ...

    async def attach(self, pod: PodRef, sandbox_pid: int, ports: Sequence[HostPort] = ()) -> str:
        """The pod's address, after its sandbox is plugged in. A pod keeps its address over sandboxes until detached.

        Raises NetworkError with the kernel's words.
        """
        ...

    async def drain(self, pod_uid: str) -> None:
        """Lead no new connection to the pod, from when this returns; those that it has go on.

        For a pod about to be told to end, or one whose container has died: the API's word of it takes longer to come round
        than the pod to stop listening.
        """
        ...

    def serve(self, pod_uid: str, pids: Collection[int]) -> None:
        """Lead new connections to the pod, if the API says so too, for as long as these processes live; without any, do not.

        Returns at once, the rules follow.
        """
        ...

    async def detach(self, pod_uid: str) -> None:
        """Unplug the pod if it is plugged in, and let its address go."""
        ...


class NetworkError(Exception):
    """The network could not be made as asked; the text is for the pod's Event."""


class SimulatedNetwork:
    """Gives addresses and does nothing else: for simulated nodes, and for tests of what stands above."""

    def __init__(self, pod_cidr: str, dns_address: str = "10.96.0.10") -> None:
        self._pod_cidr, self._dns_address = pod_cidr, dns_address
        self._last: str | None = None
        self.addresses: dict[str, str] = {}

    @property
    def dns_address(self) -> str:
        """As `Network` says."""
        return self._dns_address

    async def start(self) -> None:
        """As `Network` says."""

    async def stop(self) -> None:
        """As `Network` says."""

    async def remove(self) -> None:
        """As `Network` says."""
        self.addresses.clear()

    async def reserve(self, pod: PodRef) -> str:
        """As `Network` says."""
        if pod.uid not in self.addresses:
            self._last = next_address(self._pod_cidr, self.addresses.values(), self._last)
            self.addresses[pod.uid] = self._last
        return self.addresses[pod.uid]

    async def attach(self, pod: PodRef, sandbox_pid: int, ports: Sequence[HostPort] = ()) -> str:
        """As `Network` says."""
        return await self.reserve(pod)

    async def drain(self, pod_uid: str) -> None:
        """As `Network` says."""

    def serve(self, pod_uid: str, pids: Collection[int]) -> None:
        """As `Network` says."""

    async def detach(self, pod_uid: str) -> None:
        """As `Network` says."""
        self.addresses.pop(pod_uid, None)
