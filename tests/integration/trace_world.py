"""Pods, Services and counters on a `node_world`, for tests that follow packets; nothing here answers on its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
from collections.abc import Collection, Iterator

from agent.runtime.protocol import PodRef
from agent.trace.cluster import Cluster
from agent.trace.observe import inode_of
from agent.trace.scene import PodPlace
from agent.trace.tracer import WITNESSES, Request, trace
from kubeapi.core_v1.types import Pod
from kubeapi.hardware_v1.trace import Hop, Trace
from tests.integration.node_world import CONFIG, NODE_PORT, Holder, Node, endpoints, service

LISTENING = 8080


class TraceWorld:
    """Pods a and b, which listen on 8080, Service web (port 80, a NodePort) whose endpoints a test sets, and the outside."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.holders: dict[str, Holder] = {}
        self.addresses: dict[str, str] = {}

    async def add_pod(self, name: str, listens: bool = True) -> None:
        """A pod of namespace shop."""
        self.holders[name] = self.node.holder()
        self.addresses[name] = await self.node.network.attach(PodRef("shop", name, name), self.holders[name].pid)
        if listens:
            self.listen(self.holders[name])

    def listen(self, where: Holder) -> None:
        """Take connections and datagrams, and say nothing: so packets can be counted."""
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            made = where.socket(kind)
            self.node.stack.callback(made.close)
            made.bind(("0.0.0.0", LISTENING))
            if kind == socket.SOCK_STREAM:
                made.listen()

    async def serve_by(self, *names: str, port: int = LISTENING) -> None:
        """Service web has these pods as endpoints."""
        ports = [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": NODE_PORT}]
        self.node.services.set(service(type="NodePort", selector={"app": "web"}, ports=ports))
        piece = endpoints(*(self.addresses[name] for name in names))
        piece.ports[0].name, piece.ports[0].port = "http", port
        self.node.slices.set(piece)
        await self.node.settled()

    @property
    def cluster(self) -> Cluster:
        """What the API would say."""
        pods = [_pod(name, address) for name, address in self.addresses.items()]
        return Cluster("here", self.node.services.items, self.node.slices.items, pods)

    async def trace(self, source: str, to: str, probe: bool = True, witnesses: Collection[str] = WITNESSES) -> Trace:
        """A trace by what is in the kernel now."""
        places = [
            PodPlace("shop", name, name, address, inode_of(self.path(name)), self.holders[name].pid)
            for name, address in self.addresses.items()
        ]
        return await asyncio.to_thread(trace, CONFIG, places, self.cluster, Request(source, to, probe, witnesses))

    def path(self, name: str) -> str:
        """The path of a pod's namespace."""
        return f"/proc/{self.holders[name].pid}/ns/net"

    def veth(self, name: str) -> str:
        """The host's end of a pod's plug."""
        return CONFIG.veth(name)


def _pod(name: str, address: str) -> Pod:
    ports = [{"containerPort": LISTENING}]
    return Pod.model_validate(
        {
            "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": {"app": name}},
            "spec": {"containers": [{"name": "main", "image": "none", "ports": ports}]},
            "status": {"podIP": address, "phase": "Running"},
        }
    )


def route_of(found: Trace) -> list[tuple[str, str]]:
    """The way as (kind, name) of each hop."""
    return [(hop.kind, hop.name) for hop in found.hops]


def saw(hop: Hop) -> dict[str, str]:
    """What each witness that was there saw of a hop."""
    return {s.witness: s.saw for s in hop.sightings if s.available}


@contextlib.contextmanager
def foreign_rules(text: str, path: str = "/proc/self/ns/net") -> Iterator[None]:
    """A table of somebody else's, in nft's words, in a namespace until the block ends."""
    enter = ["nsenter", f"--net={path}", "nft"]
    subprocess.run([*enter, "-f", "-"], input=f"table ip foreign {{\n{text}\n}}\n", text=True, check=True)
    try:
        yield
    finally:
        subprocess.run([*enter, "delete", "table", "ip", "foreign"], check=True)


COUNTING = """
    chain opened { type nat hook output priority -150; ip protocol { tcp, udp } th dport != 53 counter; }
    chain entered { type nat hook prerouting priority -150; ip protocol { tcp, udp } th dport != 53 counter; }
    chain gone { type filter hook postrouting priority 300; ip protocol udp counter; ip protocol tcp counter; }
"""


def counted(path: str = "/proc/self/ns/net") -> dict[str, list[int]]:
    """The packets that each rule of COUNTING has met, by chain."""
    command = ["nsenter", f"--net={path}", "nft", "-j", "list", "table", "ip", "foreign"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    found: dict[str, list[int]] = {}
    for entry in listed["nftables"]:
        if rule := entry.get("rule"):
            packets = next(word["counter"]["packets"] for word in rule["expr"] if "counter" in word)
            found.setdefault(rule["chain"], []).append(packets)
    return found
