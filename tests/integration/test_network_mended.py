"""What somebody takes from the kernel is made again, because the kernel says so, and told once."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable

import pytest

from agent.runtime.protocol import PodRef
from tests.integration.node_world import (
    CLUSTER_IP,
    CONFIG,
    DEADLINE,
    NODE_IP,
    NODE_PORT,
    Node,
    endpoints,
    needs_root,
    nft,
    service,
    started_node,
)

pytestmark = needs_root
BRIDGE, DNS = CONFIG.bridge, CONFIG.dns_address
TAKEN = [
    (f"ip link delete {BRIDGE}", f"device {BRIDGE}"),
    (f"ip address delete {CONFIG.gateway}/24 dev {BRIDGE}", f"address {CONFIG.gateway} of {BRIDGE}"),
    (f"ip address delete {DNS}/32 dev {BRIDGE}", f"address {DNS} of {BRIDGE}"),
    (f"ip route delete {CONFIG.service_range} dev {BRIDGE}", f"route {CONFIG.service_range}"),
    (f"nft delete table ip {CONFIG.table}", f"rules of table {CONFIG.table}"),
    (f"nft flush table ip {CONFIG.table}", f"rules of table {CONFIG.table}"),
    ("nft flush ruleset", f"rules of table {CONFIG.table}"),
    (f"iptables -D FORWARD -i {BRIDGE} -j ACCEPT", f"rules of iptables for {BRIDGE}"),
]


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with started_node(bridge_filtering=False) as world:
        yield world


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(3 * DEADLINE):
        while not holds():
            await asyncio.to_thread(nft, "list", "tables")  # a moment, in which the network does its work


@pytest.mark.parametrize(("taken", "told"), TAKEN)
async def test_what_somebody_takes_is_made_again_and_told(node: Node, taken: str, told: str) -> None:
    client, _ = await node.pod("client")
    _, address = await node.pod("server")
    node.services.set(service(type="NodePort", ports=[{"port": 80, "nodePort": NODE_PORT}]))
    node.slices.set(endpoints(address))
    await node.settled()
    await asyncio.to_thread(subprocess.run, taken.split(), check=True)
    await until(lambda: told in ", ".join(node.mended))
    await node.settled()
    for where, goal, port in ((client, CLUSTER_IP, 80), (client, address, 8080), (node.outside, NODE_IP, NODE_PORT)):
        assert (await node.ask(where, goal, port))[0] == "server"


async def test_what_goes_by_our_own_doing_is_not_told(node: Node) -> None:
    for number in range(5):
        _, address = await node.pod(f"pod{number}")
        node.services.set(service(sessionAffinity="ClientIP") if number % 2 else service())
        node.slices.set(endpoints(address))
        await node.settled()
        await node.network.detach(f"pod{number}")
        node.services.set()
        await node.settled()
    assert (node.mended, node.unplugged) == ([], [])
    await asyncio.to_thread(nft, "delete", "table", "ip", CONFIG.table)  # that it hears at all
    await until(lambda: bool(node.mended))
    assert node.mended == [f"rules of table {CONFIG.table}"]


async def test_a_pod_whose_device_was_taken_is_to_be_attached_anew_and_keeps_its_address(node: Node) -> None:
    sandbox, address = await node.pod("p")
    await asyncio.to_thread(subprocess.run, ["ip", "link", "delete", CONFIG.veth("p")], check=True)
    await until(lambda: "p" in node.unplugged)  # the kernel may say so twice
    assert await node.network.attach(PodRef("shop", "p", "p"), sandbox.pid) == address
    assert (await node.ask(None, address, 8080))[0] == "p"
    assert node.mended == []
