"""A node's network in a network namespace of its own, for tests: nothing of it is seen on the machine.

    outside 192.0.2.2 ── veth ── the node's namespace 192.0.2.1 ── naru-XXXX ── pods

The test's thread itself lives in the node's namespace while a test runs; pods and the outside are namespaces that a sleeping
process holds. A socket stays in the namespace it was opened in, so servers and clients of all of them run in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pyroute2 import IPRoute, netns

from agent.network.config import NetworkConfig
from agent.network.network import NodeNetwork
from agent.network.protocol import HostPort
from agent.runtime.protocol import PodRef
from kubeapi.core_v1.types import Service
from kubeapi.discovery_v1.types import EndpointSlice

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("unshare"), reason="needs root and nftables"
)

CONFIG = NetworkConfig("7e57", "here", "10.244.0.0/24", "10.244.0.0/16", "10.96.0.0/16")
CLUSTER_IP, NODE_PORT, NODE_IP, OUTSIDE_IP = "10.96.0.50", 30080, "192.0.2.1", "192.0.2.2"
DEADLINE = 3.0


class FakeCache:
    """An informer whose objects the test sets."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._listeners: list[Callable[[Any, Any], None]] = []

    async def start(self) -> None:
        """Nothing to follow."""

    async def synced(self) -> None:
        """All is known."""

    async def stop(self) -> None:
        """Nothing was followed."""

    def list(self, namespace: str | None = None) -> list[Any]:
        """What the test has set."""
        return [i for i in self.items if namespace is None or i.metadata.namespace == namespace]

    def on_change(self, listener: Callable[[Any, Any], None]) -> None:
        """Tell the listener of `set`."""
        self._listeners.append(listener)

    def set(self, *items: Any) -> None:
        """These are the objects now."""
        self.items = list(items)
        for listener in self._listeners:
            listener(None, None)


def service(**spec: Any) -> Service:
    spec = {"clusterIP": CLUSTER_IP, "ports": [{"port": 80, "protocol": spec.pop("protocol", "TCP")}]} | spec
    return Service.model_validate({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})


def endpoints(*addresses: str, protocol: str = "TCP", node: str = "here") -> EndpointSlice:
    metadata = {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}}
    return EndpointSlice.model_validate(
        {
            "metadata": metadata,
            "addressType": "IPv4",
            "endpoints": [{"addresses": [a], "conditions": {"ready": True}, "nodeName": node} for a in addresses],
            "ports": [{"port": 8080, "protocol": protocol}],
        }
    )


class Holder:
    """A network namespace and the process that holds it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"], stdout=subprocess.PIPE
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == b"ready\n"
        self.pid = self.process.pid
        self.path = f"/proc/{self.pid}/ns/net"

    def socket(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A socket that lives in this namespace."""

        def opened() -> socket.socket:
            netns.setns(self.path)
            return socket.socket(socket.AF_INET, kind)

        with ThreadPoolExecutor(1) as visitor:  # its thread goes there, and ends there
            made = visitor.submit(opened).result()
        made.setblocking(False)
        return made

    def end(self) -> None:
        """Let the namespace go."""
        self.process.kill()
        self.process.wait()


class Node:
    """The world of a test: the node's network, its caches, pods and the outside."""

    def __init__(self, stack: contextlib.AsyncExitStack, config: NetworkConfig = CONFIG) -> None:
        self.stack = stack
        self.services, self.slices = FakeCache(), FakeCache()
        self.mended, self.unplugged = list[str](), list[str]()
        self.network = NodeNetwork(config, self.services, self.slices, self.mended.append, self.unplugged.append)
        self.outside = self.holder()

    def holder(self) -> Holder:
        made = Holder()
        self.stack.callback(made.end)
        return made

    async def pod(self, uid: str, *ports: HostPort) -> tuple[Holder, str]:
        """A pod with a TCP and a UDP server on 8080 that answer with its uid and the client's address."""
        sandbox = self.holder()
        address = await self.network.attach(PodRef("shop", uid, uid), sandbox.pid, ports)
        await self.serve(sandbox, uid)
        return sandbox, address

    async def serve(self, where: Holder, word: str) -> None:
        stream, datagrams = where.socket(), where.socket(socket.SOCK_DGRAM)
        stream.bind(("0.0.0.0", 8080))
        datagrams.bind(("0.0.0.0", 8080))

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(f"{word} {writer.get_extra_info('peername')[0]}".encode())
            writer.close()

        server = await asyncio.start_server(answer, sock=stream)
        self.stack.callback(server.close)

        class Echo(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr: Any) -> None:
                self.transport.sendto(f"{word} {addr[0]}".encode(), addr)

        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Echo, sock=datagrams)
        self.stack.callback(transport.close)

    async def settled(self) -> None:
        """The rules are as the caches say."""
        async with asyncio.timeout(DEADLINE):
            await self.network.sync()

    async def ask(self, where: Holder | None, address: str, port: int) -> tuple[str, str]:
        """What a TCP server at the address says to a client in `where` (None: the node itself): (uid, client seen)."""
        client = where.socket() if where else socket.socket()
        client.setblocking(False)
        with client:
            async with asyncio.timeout(DEADLINE):
                await asyncio.get_running_loop().sock_connect(client, (address, port))
                said = (await asyncio.get_running_loop().sock_recv(client, 100)).decode()
        word, _, seen = said.partition(" ")
        return word, seen


@contextlib.asynccontextmanager
async def started_node(bridge_filtering: bool, config: NetworkConfig = CONFIG) -> AsyncIterator[Node]:
    """A started node network, and this thread in its namespace until the block ends."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(os.close, home)
        stack.callback(netns.setns, home)
        own = Holder()
        stack.callback(own.end)
        netns.setns(own.path)
        set_bridge_filtering(bridge_filtering)
        world = Node(stack, config)
        await asyncio.to_thread(plug_outside, world.outside)
        await world.network.start()
        stack.push_async_callback(world.network.stop)
        yield world


def set_bridge_filtering(on: bool) -> None:
    knob = pathlib.Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if knob.exists():
        knob.write_text("1" if on else "0")
    elif on:
        pytest.skip("this kernel has no br_netfilter")


def nft(*arguments: str) -> str:
    return subprocess.run(["nft", *arguments], capture_output=True, text=True, check=True).stdout


def plug_outside(outside: Holder) -> None:
    with IPRoute() as ip:
        ip.link("set", index=1, state="up")
        ip.link("add", ifname="up0", kind="veth", peer={"ifname": "eth0", "net_ns_pid": outside.pid})
        (uplink,) = ip.link_lookup(ifname="up0")
        ip.addr("add", index=uplink, address=NODE_IP, prefixlen=24)
        ip.link("set", index=uplink, state="up")
        ip.route("add", dst="default", gateway=OUTSIDE_IP)
    with IPRoute(netns=outside.path) as ip:
        (eth0,) = ip.link_lookup(ifname="eth0")
        ip.addr("add", index=eth0, address=OUTSIDE_IP, prefixlen=24)
        ip.link("set", index=eth0, state="up")
