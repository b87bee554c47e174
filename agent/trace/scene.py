"""What a packet can meet on this machine, as plain data: network namespaces with their devices, routes, rules and listeners.

`observe` reads it from the kernel, `path` predicts from it, tests write it by hand. A namespace is named by its inode, a
device by (namespace, index): names such as eth0 are the same in every pod.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.netlink.listeners import Listener
from agent.network.config import NetworkConfig
from agent.network.endpoints import ServicePort
from agent.trace.packet import Packet
from agent.trace.ruleset import Ruleset

LOCAL, MAIN, DEFAULT = 255, 254, 253  # the kernel's routing tables, in the order in which they are asked


@dataclass(frozen=True, slots=True)
class Device:
    """A network device. master is the index of its bridge, peer the other end of a veth (namespace's inode, index)."""

    index: int
    name: str
    kind: str
    mac: str = ""
    up: bool = True
    master: int = 0
    peer: tuple[int, int] | None = None
    driver: str = ""


class Route(NamedTuple):
    """A route: kind is unicast, local, broadcast, unreachable, blackhole or prohibit; device is 0 where it has none."""

    destination: ipaddress.IPv4Network
    kind: str
    device: int = 0
    gateway: str = ""
    source: str = ""
    metric: int = 0
    table: int = MAIN

    @property
    def text(self) -> str:
        """The destination as `ip route` writes it."""
        return "default" if self.destination.prefixlen == 0 else str(self.destination)


class PodPlace(NamedTuple):
    """A pod of this node: its address, the namespace it is in, its holder's process, its containers' by name."""

    namespace: str
    name: str
    uid: str
    address: str
    netns: int
    pid: int
    processes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Netns:
    """A network namespace. neighbours are MACs by address, forwarding the port's index by (bridge's index, MAC);
    bridge_filtering says that packets which are only switched meet the rules too (bridge-nf-call-iptables). policies are
    the rules of policy routing beside the kernel's own three, as text: they are told, not judged; likewise IPv6."""

    inode: int
    path: str = ""
    devices: dict[int, Device] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    neighbours: dict[str, str] = field(default_factory=dict)
    forwarding: dict[tuple[int, str], int] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    ruleset: Ruleset = field(default_factory=Ruleset)
    bridge_filtering: bool = False
    policies: tuple[str, ...] = ()
    ipv6: bool = False

    def route(self, address: str) -> Route | None:
        """The route that the kernel takes: first table that knows one, longest prefix, smallest metric."""
        wanted = ipaddress.IPv4Address(address)
        for table in (LOCAL, MAIN, DEFAULT):
            found = [r for r in self.routes if r.table == table and wanted in r.destination]
            if found:
                return min(found, key=lambda r: (-r.destination.prefixlen, r.metric))
        return None

    def is_local(self, address: str) -> bool:
        """Whether the namespace itself has the address."""
        route = self.route(address)
        return route is not None and route.kind == "local"

    def source(self, route: Route, destination: str) -> str:
        """The address that a packet by this route has as its source, if the sender names none."""
        if route.kind == "local":
            return route.source or destination
        return route.source or next((a for a, index in self.addresses.items() if index == route.device), "")

    def listens(self, packet: Packet) -> bool:
        """Whether somebody takes the packet here."""
        return any(
            listener.protocol == packet.protocol
            and listener.port == packet.dport
            and listener.address in ("0.0.0.0", packet.destination)
            for listener in self.listeners
        )

    def device(self, name: str) -> Device | None:
        """The device of that name."""
        return next((d for d in self.devices.values() if d.name == name), None)


@dataclass(frozen=True)
class Scene:
    """The node's namespace (its inode), those looked into so far, the pods of this node and the Services as it sees them."""

    config: NetworkConfig
    node: int
    spaces: dict[int, Netns]
    pods: tuple[PodPlace, ...] = ()
    services: tuple[ServicePort, ...] = ()

    def pod_at(self, address: str) -> PodPlace | None:
        """The pod of this node with that address."""
        return next((pod for pod in self.pods if pod.address == address), None)

    def pod_in(self, netns: int) -> PodPlace | None:
        """The pod whose namespace it is."""
        return next((pod for pod in self.pods if pod.netns == netns and netns != self.node), None)

    def service_of(self, packet: Packet, node: Netns) -> ServicePort | None:
        """The Service port that claims what the packet is addressed to."""
        for port in self.services:
            if port.protocol != packet.protocol:
                continue
            if port.port == packet.dport and packet.destination in (*port.cluster_ips, *port.external_ips):
                return port
            if port.node_port and port.node_port == packet.dport and node.is_local(packet.destination):
                return port
        return None
