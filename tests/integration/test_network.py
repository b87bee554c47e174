"""The node's network in the kernel, in a network namespace of its own (`node_world`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import AsyncIterator

import pytest
import uvloop
from dnslib import DNSRecord
from pyroute2 import IPRoute
from pyroute2.netlink import rtnl

from agent.netlink.sockets import Netlink
from agent.network import plumbing
from agent.network.config import NetworkConfig
from agent.network.network import NodeNetwork, remove_network
from agent.network.protocol import HostPort
from agent.network.services import send
from agent.runtime.protocol import PodRef
from tests.integration.node_world import (
    CLUSTER_IP,
    CONFIG,
    DEADLINE,
    NODE_IP,
    NODE_PORT,
    OUTSIDE_IP,
    Holder,
    Node,
    endpoints,
    needs_root,
    nft,
    service,
    started_node,
)

pytestmark = needs_root


@pytest.fixture(params=["bridge-nf on", "bridge-nf off"])
async def node(request: pytest.FixtureRequest) -> AsyncIterator[Node]:
    """A started node network. Pods must meet the same rules whatever bridge-nf-call-iptables is."""
    async with started_node(request.param == "bridge-nf on") as world:
        yield world


async def test_pods_reach_each_other_and_see_their_addresses(node: Node) -> None:
    a, a_address = await node.pod("a")
    _, b_address = await node.pod("b")
    assert await node.ask(a, b_address, 8080) == ("b", a_address)
    assert await node.ask(None, b_address, 8080) == ("b", CONFIG.gateway)


async def test_pods_come_and_go_without_a_change_of_the_hosts_addresses(node: Node) -> None:
    """Browsers on the host break off what they are loading at each."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE) as changes:
        changes.bind((0, rtnl.RTMGRP_IPV4_IFADDR | rtnl.RTMGRP_IPV6_IFADDR))
        _, address = await node.pod("a")
        assert await node.ask(None, address, 8080) == ("a", CONFIG.gateway)
        await node.network.detach("a")
        adding = await asyncio.create_subprocess_exec("ip", "address", "add", "192.0.2.99/32", "dev", "lo")
        assert await adding.wait() == 0
        async with asyncio.timeout(DEADLINE):
            (device,) = IFADDRMSG.unpack_from(await asyncio.get_running_loop().sock_recv(changes, 4096))
    assert device == LOOPBACK


IFADDRMSG, LOOPBACK = struct.Struct("=20xI"), 1  # nlmsghdr, then family, length, flags, scope; the device


async def test_attaching_a_pod_is_no_signal_to_the_agent(node: Node) -> None:
    heard: list[int] = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, heard.append, signal.SIGTERM)
    try:
        await node.pod("a")
        for _ in range(3):  # what stands in the loop's wake-up socket is heard now
            await asyncio.sleep(0)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
    assert heard == []


async def test_a_cluster_address_leads_to_every_endpoint_and_only_to_them(node: Node) -> None:
    client, address = await node.pod("client")
    one, two = await node.pod("one"), await node.pod("two")
    node.services.set(service())
    node.slices.set(endpoints(one[1], two[1]))
    await node.settled()
    assert {await node.ask(client, CLUSTER_IP, 80) for _ in range(40)} == {("one", address), ("two", address)}
    assert (await node.ask(None, CLUSTER_IP, 80))[0] in ("one", "two")
    with pytest.raises(ConnectionRefusedError):
        await node.ask(client, CLUSTER_IP, 81)


async def test_a_pod_reaches_itself_through_its_service(node: Node) -> None:
    alone, address = await node.pod("alone")
    node.services.set(service(type="NodePort", ports=[{"port": 80, "protocol": "TCP", "nodePort": NODE_PORT}]))
    node.slices.set(endpoints(address))
    await node.settled()
    assert (await node.ask(alone, CLUSTER_IP, 80))[0] == "alone"
    assert (await node.ask(alone, NODE_IP, NODE_PORT))[0] == "alone"


async def test_a_node_port_answers_from_outside_from_the_host_and_on_loopback(node: Node) -> None:
    _, address = await node.pod("web")
    node.services.set(service(type="NodePort", ports=[{"port": 80, "protocol": "TCP", "nodePort": NODE_PORT}]))
    node.slices.set(endpoints(address))
    await node.settled()
    assert await node.ask(node.outside, NODE_IP, NODE_PORT) == ("web", OUTSIDE_IP)  # the client's own address
    assert (await node.ask(None, NODE_IP, NODE_PORT))[0] == "web"
    assert (await node.ask(None, "127.0.0.1", NODE_PORT))[0] == "web"


async def test_a_host_port_leads_to_its_pod_until_the_pod_goes(node: Node) -> None:
    await node.pod("web", HostPort(9090, 8080))
    await node.settled()
    assert await node.ask(node.outside, NODE_IP, 9090) == ("web", OUTSIDE_IP)
    assert (await node.ask(None, "127.0.0.1", 9090))[0] == "web"
    await node.network.detach("web")
    await node.settled()
    with pytest.raises(ConnectionRefusedError):
        await node.ask(node.outside, NODE_IP, 9090)


async def test_an_external_ip_is_taken_on_its_way(node: Node) -> None:
    client, address = await node.pod("web")
    node.services.set(service(externalIPs=["198.51.100.7"]))
    node.slices.set(endpoints(address))
    await node.settled()
    assert (await node.ask(client, "198.51.100.7", 80))[0] == "web"
    assert (await node.ask(None, "198.51.100.7", 80))[0] == "web"


async def test_a_service_without_endpoints_refuses_every_one_at_once(node: Node) -> None:
    client, _ = await node.pod("client")
    node.services.set(service(type="NodePort", ports=[{"port": 80, "protocol": "TCP", "nodePort": NODE_PORT}]))
    await node.settled()
    began = asyncio.get_running_loop().time()
    for _ in range(20):  # more than the kernel would answer with ICMP in a second
        for where, address, port in (
            (client, CLUSTER_IP, 80),
            (None, CLUSTER_IP, 80),
            (None, "127.0.0.1", NODE_PORT),
            (node.outside, NODE_IP, NODE_PORT),
        ):
            with pytest.raises(ConnectionRefusedError):
                await node.ask(where, address, port)
    assert asyncio.get_running_loop().time() - began < DEADLINE


async def test_a_client_stays_with_its_endpoint_also_when_others_come(node: Node) -> None:
    client, _ = await node.pod("client")
    pods = [await node.pod(f"pod{i}") for i in range(3)]
    node.services.set(service(sessionAffinity="ClientIP"))
    node.slices.set(endpoints(*(address for _, address in pods[:2])))
    await node.settled()
    (first, _) = await node.ask(client, CLUSTER_IP, 80)
    node.slices.set(endpoints(*(address for _, address in pods)))
    await node.settled()
    assert {(await node.ask(client, CLUSTER_IP, 80))[0] for _ in range(20)} == {first}


async def test_a_pod_that_is_to_end_gets_no_new_connection_though_the_api_has_not_said_so_yet(node: Node) -> None:
    client, _ = await node.pod("client")
    leaving, staying = await node.pod("leaving"), await node.pod("staying")
    node.services.set(service())
    node.slices.set(endpoints(leaving[1], staying[1]))
    await node.settled()
    await node.network.drain("leaving")
    assert {(await node.ask(client, CLUSTER_IP, 80))[0] for _ in range(20)} == {"staying"}
    assert (await node.ask(client, leaving[1], 8080))[0] == "leaving"


async def test_a_pod_gets_no_new_connection_from_when_its_process_ends_until_another_serves(node: Node) -> None:
    client, _ = await node.pod("client")
    dying, staying = await node.pod("dying"), await node.pod("staying")
    node.services.set(service())
    node.slices.set(endpoints(dying[1], staying[1]))
    await node.settled()

    async def answering(wanted: set[str]) -> None:
        async with asyncio.timeout(DEADLINE):
            while {(await node.ask(client, CLUSTER_IP, 80))[0] for _ in range(20)} != wanted:
                pass

    process = await asyncio.create_subprocess_exec("sleep", "infinity")
    node.network.serve("dying", {process.pid})
    await answering({"dying", "staying"})
    process.kill()
    await process.wait()
    await answering({"staying"})
    node.network.serve("dying", {os.getpid()})
    await answering({"dying", "staying"})
    node.network.serve("dying", ())
    await answering({"staying"})


async def test_a_client_whom_a_dead_pod_refuses_is_led_to_another_by_its_own_second_try(node: Node) -> None:
    client, _ = await node.pod("client")
    deaf, alive = await node.network.attach(PodRef("shop", "deaf", "deaf"), node.holder().pid), await node.pod("alive")
    node.services.set(service(type="NodePort", ports=[{"port": 80, "nodePort": NODE_PORT}]))
    ways = (
        (client, CLUSTER_IP, 80),
        (None, CLUSTER_IP, 80),
        (None, "127.0.0.1", NODE_PORT),
        (node.outside, NODE_IP, NODE_PORT),
    )

    async def refused() -> None:
        async with asyncio.timeout(DEADLINE):
            while "elements" not in await asyncio.to_thread(nft, "list", "set", "ip", CONFIG.table, "refused"):
                pass

    for way in ways:
        node.slices.set(endpoints(deaf))
        await node.settled()
        nft("flush", "set", "ip", CONFIG.table, "refused")
        asking = asyncio.create_task(node.ask(*way))
        await refused()
        node.slices.set(endpoints(alive[1]))
        await node.settled()
        assert (await asking)[0] == "alive"


async def test_a_service_whose_pods_do_not_listen_refuses(node: Node) -> None:
    client, _ = await node.pod("client")
    deaf = await node.network.attach(PodRef("shop", "deaf", "deaf"), node.holder().pid)
    node.services.set(service())
    node.slices.set(endpoints(deaf))
    await node.settled()
    for where in (client, None):
        with pytest.raises(ConnectionRefusedError):
            await node.ask(where, CLUSTER_IP, 80)


async def test_udp_clients_are_led_away_from_an_endpoint_that_went(node: Node) -> None:
    client, _ = await node.pod("client")
    old, new = await node.pod("old"), await node.pod("new")
    node.services.set(service(protocol="UDP"))
    node.slices.set(endpoints(old[1], protocol="UDP"))
    await node.settled()
    loop = asyncio.get_running_loop()
    with client.socket(socket.SOCK_DGRAM) as sender:
        sender.connect((CLUSTER_IP, 80))

        async def ask() -> bytes:
            async with asyncio.timeout(DEADLINE):
                await loop.sock_sendall(sender, b"who?")
                return await loop.sock_recv(sender, 100)

        assert (await ask()).startswith(b"old ")
        node.slices.set(endpoints(new[1], protocol="UDP"))
        await node.settled()
        assert (await ask()).startswith(b"new ")


async def test_pods_reach_the_outside_by_the_nodes_address(node: Node) -> None:
    client, _ = await node.pod("client")
    await node.serve(node.outside, "outside")
    assert await node.ask(client, OUTSIDE_IP, 8080) == ("outside", NODE_IP)


async def test_an_endpoint_outside_is_reached_by_every_one(node: Node) -> None:
    client, _ = await node.pod("client")
    await node.serve(node.outside, "outside")
    node.services.set(service(type="NodePort", ports=[{"port": 80, "protocol": "TCP", "nodePort": NODE_PORT}]))
    node.slices.set(endpoints(OUTSIDE_IP, node="elsewhere"))
    await node.settled()
    assert await node.ask(client, CLUSTER_IP, 80) == ("outside", NODE_IP)
    assert await node.ask(None, CLUSTER_IP, 80) == ("outside", NODE_IP)
    assert await node.ask(None, NODE_IP, NODE_PORT) == ("outside", NODE_IP)


def route_loopback_to_the_gateway(pod: Holder) -> None:
    """What a pod with NET_ADMIN can do."""
    with IPRoute(netns=f"/proc/{pod.pid}/ns/net") as ip:
        (eth0,) = ip.link_lookup(ifname="eth0")
        ip.flush_routes(table=255, oif=1)
        ip.route("add", dst="127.0.0.1/32", gateway=CONFIG.gateway, oif=eth0)
    subprocess.run(
        [
            "nsenter",
            f"--net=/proc/{pod.pid}/ns/net",
            "sh",
            "-c",
            "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet",
        ],
        check=True,
    )


async def test_pods_cannot_reach_the_hosts_loopback(node: Node) -> None:
    client, address = await node.pod("client")
    await asyncio.to_thread(route_loopback_to_the_gateway, client)
    with socket.socket() as private, client.socket() as thief:
        private.bind(("127.0.0.1", 7000))
        private.listen()
        private.setblocking(False)
        thief.bind((address, 0))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.get_running_loop().sock_connect(thief, ("127.0.0.1", 7000))
        with pytest.raises(BlockingIOError):
            private.accept()


async def test_addresses_that_nobody_has_never_leave_the_machine(node: Node) -> None:
    client, _ = await node.pod("client")
    for where in (client, None):
        for address in ("10.244.9.9", "10.96.9.9"):
            with pytest.raises(OSError, match=r"refused|unreachable|No route|Connect call failed"):
                await node.ask(where, address, 80)


async def test_a_restarted_agent_adopts_pods_and_keeps_the_rules(node: Node) -> None:
    client, address = await node.pod("client")
    node.services.set(service())
    node.slices.set(endpoints(address))
    await node.settled()
    await node.network.stop()
    again = NodeNetwork(CONFIG, node.services, node.slices)
    await again.start()
    try:
        assert (await node.ask(client, CLUSTER_IP, 80))[0] == "client"
        assert await again.attach(PodRef("shop", "client", "client"), client.pid) == address
        assert await again.attach(PodRef("shop", "other", "other"), node.holder().pid) != address
    finally:
        await again.stop()


async def test_a_new_sandbox_of_a_pod_gets_the_pods_address(node: Node) -> None:
    sandbox, address = await node.pod("web")
    sandbox.end()
    assert (await node.pod("web"))[1] == address
    assert (await node.ask(None, address, 8080))[0] == "web"


async def test_rules_that_someone_flushed_come_back_whole(node: Node) -> None:
    client, address = await node.pod("web")
    node.services.set(service())
    node.slices.set(endpoints(address))
    await node.settled()
    nft("flush", "ruleset")
    node.services.set(service(externalIPs=["198.51.100.7"]))
    await node.settled()
    assert (await node.ask(client, CLUSTER_IP, 80))[0] == "web"


async def test_pods_find_a_service_by_its_name(node: Node) -> None:
    client, address = await node.pod("web")
    node.services.set(service())
    node.slices.set(endpoints(address))
    loop = asyncio.get_running_loop()
    with client.socket(socket.SOCK_DGRAM) as resolver:
        async with asyncio.timeout(DEADLINE):
            resolver.connect((node.network.dns_address, 53))
            await loop.sock_sendall(resolver, DNSRecord.question("web.shop.svc.cluster.local").pack())
            answer = DNSRecord.parse(await loop.sock_recv(resolver, 512))
    assert [str(r.rdata) for r in answer.rr] == [CLUSTER_IP]


async def test_nothing_is_left_after_removal_even_by_a_network_that_never_started(node: Node) -> None:
    await node.pod("web", HostPort(9090, 8080))
    await node.settled()
    await node.network.stop()
    await remove_network(CONFIG)
    await remove_network(CONFIG)
    devices, routes, attachments = await asyncio.to_thread(observe)
    assert devices == {"lo", "up0"}
    assert not routes & {("10.244.0.0", 16), ("10.244.0.0", 24), ("10.96.0.0", 16)}
    assert attachments == {}
    assert "naru" not in nft("list", "ruleset")


def observe() -> tuple[set[str], set[tuple[str, int]], dict[str, plumbing.Attachment]]:
    """Devices, routes of the main table and attachments of the namespace that the test is in."""
    with IPRoute() as ip:
        devices = {link.get("ifname") for link in ip.get_links()}
        routes = {(r.get("dst"), r.get("dst_len")) for r in ip.get_routes(family=2, table=254)}
    with Netlink() as netlink:
        return devices, routes, plumbing.observe_attachments(netlink, CONFIG)


async def test_removing_one_cluster_leaves_its_neighbour_on_the_machine_alone(node: Node) -> None:
    config = NetworkConfig("7e59", "here", "10.243.0.0/24", "10.243.0.0/16", "10.97.0.0/16")
    neighbour = Node(node.stack, config)
    await neighbour.network.start()
    node.stack.push_async_callback(neighbour.network.stop)
    client, _ = await neighbour.pod("client")
    _, address = await neighbour.pod("web")
    neighbour.services.set(service(clusterIP="10.97.0.50"))
    neighbour.slices.set(endpoints(address))
    await neighbour.settled()
    await node.network.remove()
    assert (await neighbour.ask(client, "10.97.0.50", 80))[0] == "web"
    assert (await neighbour.ask(None, address, 8080))[0] == "web"


async def test_transactions_reach_the_kernel_from_uvloop_too(node: Node) -> None:
    await asyncio.to_thread(uvloop.run, send({"nftables": [{"add": {"table": {"family": "ip", "name": "other"}}}]}))
    assert "table ip other" in nft("list", "tables")


def iptables(*arguments: str) -> str:
    return subprocess.run(["iptables", *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not shutil.which("iptables"), reason="needs iptables")
async def test_a_forward_chain_that_drops_lets_pods_through_and_is_left_as_it_was(node: Node) -> None:
    await node.network.remove()
    iptables("-P", "FORWARD", "DROP")
    before = iptables("-S")
    await node.network.start()
    await node.network.start()  # as after the engine's restart: nothing twice
    assert len(iptables("-S").splitlines()) == len(before.splitlines()) + 2
    client, _ = await node.pod("client")
    _, address = await node.pod("web")
    await node.serve(node.outside, "outside")
    assert (await node.ask(client, address, 8080))[0] == "web"
    assert await node.ask(client, OUTSIDE_IP, 8080) == ("outside", NODE_IP)
    await node.network.remove()
    assert iptables("-S") == before


@pytest.mark.docker
async def test_beside_a_real_docker_its_rules_stay_as_they_are() -> None:
    config = NetworkConfig("7e58", "here", "10.201.0.0/24", "10.201.0.0/16", "10.151.0.0/16")
    before = iptables("-S"), iptables("-t", "nat", "-S")
    async with contextlib.AsyncExitStack() as stack:
        node = Node(stack, config)
        stack.push_async_callback(remove_network, config)
        await node.network.start()
        stack.push_async_callback(node.network.stop)
        client, _ = await node.pod("client")
        _, address = await node.pod("web")
        node.services.set(service(clusterIP="10.151.0.50"))
        node.slices.set(endpoints(address))
        await node.settled()
        assert (await node.ask(client, address, 8080))[0] == "web"
        assert (await node.ask(client, "10.151.0.50", 80))[0] == "web"
        assert (await node.ask(None, "10.151.0.50", 80))[0] == "web"
    assert (iptables("-S"), iptables("-t", "nat", "-S")) == before
