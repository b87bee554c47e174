"""What discovery says of this machine's devices, namespaces and containers, against tools that know nothing of it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import struct
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.hardware.discovery import Discovery
from agent.hardware.evidence import Tree
from agent.hardware.findings import Findings
from agent.hardware.links import observe_links
from agent.hardware.nat import observe_nat, read_rules
from agent.hardware.processes import observe_processes
from agent.hardware.spaces import observe_spaces
from agent.hardware.view import NodeView
from agent.netlink import namespaces
from agent.netlink.sockets import Netlink
from agent.network import plumbing
from agent.network.config import NetworkConfig
from agent.network.network import remove_network
from agent.runtime.docker import DockerRuntime
from agent.runtime.protocol import PodRef, SandboxSpec
from kubeapi.clock import SystemClock
from kubeapi.hardware_v1.layers import Layers, Part
from kubeapi.meta_v1.types import ObjectMeta
from naru.layers.source import own_view
from naru.layers.tower import is_sandbox

pytestmark = [pytest.mark.docker, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
DEBIAN = "a machine of ours without it: scripts/test_packages.txt"


def told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def asked(*command: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(told(*command) or "[]")
    return rows


def links_now(tree: Tree | None = None) -> Layers:
    """Devices, namespaces and routes alone: what the tests below compare, without an engine."""
    tree, findings = tree or Tree(), Findings()
    observe_links(tree, observe_spaces(tree, observe_processes(tree).values()), findings)
    return findings.document(ObjectMeta(name="here"))


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def own() -> int:
    return int(Path("/proc/self/ns/net").readlink().name[5:-1])


def device(layers: Layers, name: str, netns: int = 0) -> Part:
    inode = netns or own()
    return next(p for p in layers.parts if p.name == name and p.id.startswith(f"link/{inode}/"))


def links(layers: Layers, kind: str) -> set[tuple[str, str]]:
    return {(link.source, link.target) for link in layers.links if link.kind == kind}


def agree(compare: Callable[[], list[str]]) -> None:
    """Others make and remove devices on this machine meanwhile: a difference counts if it stays."""
    for _ in range(5):
        if not (different := compare()):
            return
    raise AssertionError(different)


class World:
    """Two namespaces of the test's own, each with the end of a veth pair: `a` plugged into a bridge here, `b` not."""

    def __init__(self) -> None:
        tag = uuid.uuid4().hex[:6]
        self.a, self.b, self.bridge = f"la{tag}", f"lb{tag}", f"lr{tag}"
        self.names = (f"naru-links-a-{tag}", f"naru-links-b-{tag}")

    def make(self) -> None:
        told("ip", "link", "add", self.bridge, "type", "bridge")
        told("ip", "link", "set", self.bridge, "up")
        for name, host, address in zip(self.names, (self.a, self.b), ("198.18.5.2/24", "198.18.6.2/24"), strict=True):
            told("ip", "netns", "add", name)
            told("ip", "link", "add", host, "type", "veth", "peer", "name", "inner0", "netns", name)
            told("ip", "link", "set", host, "up")
            for command in (
                ("link", "set", "inner0", "up"),
                ("link", "set", "lo", "up"),
                ("addr", "add", address, "dev", "inner0"),
            ):
                told("ip", "-n", name, *command)
        told("ip", "link", "set", self.a, "master", self.bridge)
        told("ip", "-n", self.names[0], "route", "add", "198.18.7.0/24", "via", "198.18.5.1", "metric", "9")

    def remove(self) -> None:
        for command in [("netns", "del", name) for name in self.names] + [
            ("link", "del", d) for d in (self.a, self.b, self.bridge)
        ]:
            subprocess.run(["ip", *command], capture_output=True, check=False)

    def inode(self, name: str) -> int:
        return os.stat(f"/run/netns/{name}").st_ino


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    try:
        made.make()
        yield made
    finally:
        made.remove()


def test_devices_are_those_of_ip_link() -> None:
    def compare() -> list[str]:
        layers, different = links_now(), []
        shown = {row["ifindex"]: row for row in asked("ip", "-j", "-d", "link")}
        mine = {int(str(p.value("index"))): p for p in layers.parts if p.value("netns") == own() and p.value("index")}
        if mine.keys() != shown.keys():
            return [f"{mine.keys() ^ shown.keys()}"]
        for index, row in shown.items():
            part, info = mine[index], row.get("linkinfo", {})
            kind = info.get("info_kind", "loopback" if row["link_type"] == "loopback" else "nic")
            if kind == "tun":
                kind = info["info_data"]["type"]
            wanted = (row["ifname"], kind, row["mtu"], row["operstate"].lower())
            if (part.name, part.kind, part.value("mtu"), part.value("state")) != wanted:
                different.append(f"{part.id}: {wanted}")
            if row["address"] != "00:00:00:00:00:00" and part.value("mac") != row["address"]:
                different.append(f"{part.id}: {row['address']}")
            if (master := row.get("master")) and (part.id, device(layers, master).id) not in links(layers, "port"):
                different.append(f"{part.id}: no port of {master}")
        return different

    agree(compare)


def test_routes_are_those_of_ip_route(world: World) -> None:
    def compare() -> list[str]:
        layers = links_now()
        different = []
        for inode, prefix in ((own(), ()), (world.inode(world.names[0]), ("-n", world.names[0]))):
            shown = {(row["dst"], row.get("gateway"), row.get("metric")) for row in asked("ip", *prefix, "-j", "route")}
            mine = {
                (part.id.split("/", 2)[2].partition(" metric")[0], part.value("gateway"), part.value("metric"))
                for part in layers.parts
                if part.kind == "route" and part.on == f"netns/{inode}" and ":" not in part.id
            }
            different += [f"{inode}: {mine ^ shown}"] if mine != shown else []
        return different

    agree(compare)


def test_the_two_ends_of_a_veth_are_joined_across_namespaces(world: World) -> None:
    layers = links_now()
    for name, host in zip(world.names, (world.a, world.b), strict=True):
        inner, outer = device(layers, "inner0", world.inode(name)), device(layers, host)
        assert {(inner.id, outer.id), (outer.id, inner.id)} & links(layers, "peer")
        (link,) = [found for found in layers.links if found.kind == "peer" and outer.id in (found.source, found.target)]
        assert len(link.evidence) == 2 and "IFLA_LINK" in link.evidence[0].value  # both ends say so
        if shutil.which("ethtool"):
            assert f"peer_ifindex: {inner.value('index')}" in told("ethtool", "-S", host)
    assert (device(layers, world.a).id, device(layers, world.bridge).id) in links(layers, "port")
    # Both inner ends have the same index: only the namespace tells them apart.
    assert len({device(layers, "inner0", world.inode(name)).value("index") for name in world.names}) == 1


def test_the_forwarding_table_is_that_of_bridge_fdb(world: World) -> None:
    told("ip", "addr", "add", "198.18.5.1/24", "dev", world.bridge)
    # A datagram from the pod's side teaches the bridge where it is.
    command = "exec 3<>/dev/udp/198.18.5.1/9 && echo >&3"
    told("ip", "netns", "exec", world.names[0], "bash", "-c", command)

    def compare() -> list[str]:
        shown = {row["mac"] for row in asked("bridge", "-j", "fdb", "show", "br", world.bridge, "dynamic")}
        text = str(device(links_now(), world.bridge).value("forwarding") or "")
        mine = {entry.split(" ")[0] for entry in text.split("; ") if entry}
        return [] if shown and mine == shown and f"behind {world.a}" in text else [f"{mine} {shown}"]

    agree(compare)


def test_a_nics_driver_is_ethtools() -> None:
    if shutil.which("ethtool") is None:
        pytest.skip(f"ethtool: {DEBIAN}")
    layers = links_now()
    nics = [part for part in layers.parts if part.kind == "nic" and part.floor == "hardware"]
    for part in nics:
        said = dict(line.split(": ", 1) for line in told("ethtool", "-i", part.name).splitlines() if ": " in line)
        assert (part.value("driver"), part.value("slot")) == (said["driver"], said["bus-info"])
        speed = [line for line in told("ethtool", part.name).splitlines() if "Speed:" in line]
        if speed and "Unknown" in speed[0]:
            assert part.value("speed") is None
    fiction = [p for p in layers.parts if p.kind == "veth" and p.value("netns") == own()]
    assert all(part.fact("speed") is None for part in fiction)  # ethtool says 10000Mb/s of them


def test_conntrack_is_counted_as_the_kernel_counts_it() -> None:
    part = next(p for p in links_now().parts if p.id == f"netns/{own()}")
    known = Path("/proc/sys/net/netfilter/nf_conntrack_max")
    if not known.exists():
        assert part.value("conntrackFlows") is None
        return
    assert part.value("conntrackMost") == int(known.read_text())
    if shutil.which("conntrack"):
        assert abs(int(told("conntrack", "-C")) - int(str(part.value("conntrackFlows")))) < 1000


def test_our_nat_rules_and_dockers_are_those_of_nft() -> None:
    def compare() -> list[str]:
        findings = Findings()
        observe_nat(Tree(), findings, asyncio.run(read_rules()))
        mine = {(p.id.split("/")[1], p.id.split("/")[2]) for p in findings.parts if not p.id.startswith("nat/legacy")}
        shown, table = set(), ""
        for line in told("nft", "-a", "list", "ruleset").splitlines():
            words = line.replace("ct status dnat", "").split()  # which asks what was rewritten, and rewrites nothing
            table = words[2] if words[:1] == ["table"] else table
            if {"masquerade", "dnat", "snat", "redirect"} & {*words} and "handle" in words and "icmp" not in words:
                shown.add((table, words[-1]))
        return [] if mine == shown else [f"{mine ^ shown}"]

    agree(compare)


@pytest.fixture
async def pod(tmp_path: Path) -> AsyncIterator[tuple[DockerRuntime, NetworkConfig, PodRef, int]]:
    """A real sandbox, plugged in as the agent plugs pods in."""
    tag = uuid.uuid4().hex[:4]
    runtime = DockerRuntime(tag)
    config = NetworkConfig(tag, "n", "198.19.9.0/24", "198.19.9.0/24", "198.19.10.0/24")
    ref = PodRef("ns", f"p-{tag}", str(uuid.uuid4()))
    sandbox = await runtime.start_sandbox(await runtime.create_sandbox(SandboxSpec(ref)))

    def plug() -> None:
        with Netlink() as netlink:
            plumbing.ensure_node(netlink, config)
            plumbing.ensure_attached(netlink, config, ref.uid, sandbox.pid, "198.19.9.2")

    try:
        await asyncio.to_thread(plug)
        yield runtime, config, ref, sandbox.pid
    finally:
        await runtime.remove(sandbox.id)
        await remove_network(config)
        await runtime.close()


async def test_a_real_pod_stands_on_its_namespace_with_its_whole_chain(
    pod: tuple[DockerRuntime, NetworkConfig, PodRef, int],
) -> None:
    runtime, config, ref, pid = pod
    discovery = Discovery(NodeView("n", SystemClock(), runtime=runtime, network=lambda: config))
    try:
        layers = await discovery.layers()
    finally:
        await discovery.close()
    found = layers.part(f"pod/{ref.namespace}/{ref.name}")
    assert found and found.on == f"netns/{os.stat(f'/proc/{pid}/ns/net').st_ino}"
    inner = next(p for p in layers.parts if p.on == found.on and p.kind == "veth")
    outer = device(layers, config.veth(ref.uid))
    assert {(inner.id, outer.id), (outer.id, inner.id)} & links(layers, "peer")
    assert inner.object and outer.object and inner.object.name == outer.object.name == ref.name
    assert (outer.id, device(layers, config.bridge).id) in links(layers, "port")
    container = next(p for p in layers.parts if p.kind == "container" and p.on == found.id)
    shim = f"shim/{container.id.partition('/')[2]}"
    assert (shim, container.id) in links(layers, "runs") and ("containerd", shim) in links(layers, "runs")
    process = layers.part(f"process/{pid}")
    assert process and process.on == container.id and process.name == comm(pid)
    beneath, part = [], layers.part(shim)
    while part and part.on:
        beneath.append(part.on)
        part = layers.part(part.on)
    assert beneath[0] == "containerd" and "kernel" in beneath
    for kind in ("pid", "net", "mnt", "uts", "ipc", "user", "cgroup"):
        fact = container.fact(f"{kind}Namespace")
        assert fact and fact.value == os.stat(f"/proc/{pid}/ns/{kind}").st_ino
        shares = os.stat(f"/proc/self/ns/{kind}").st_ino == fact.value
        assert (fact.note == "the host's") == shares
    assert str(container.value("cgroup")).endswith(str(container.value("id")))


async def test_without_a_cluster_the_pods_of_every_cluster_are_told_as_pods(
    pod: tuple[DockerRuntime, NetworkConfig, PodRef, int],
) -> None:
    _, _, ref, pid = pod
    async with own_view() as view:
        discovery = Discovery(view)
        try:
            layers = await discovery.layers()
        finally:
            await discovery.close()
    found = layers.part(f"pod/{ref.namespace}/{ref.name}")
    assert found and found.on == f"netns/{os.stat(f'/proc/{pid}/ns/net').st_ino}"
    assert [is_sandbox(part) for part in layers.parts if part.on == found.id] == [True]


async def test_nothing_secret_is_read_and_everything_stands_on_something(
    pod: tuple[DockerRuntime, NetworkConfig, PodRef, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = Tree.read

    def watched(tree: Tree, path: str, limit: int = 1 << 20) -> object:
        opened.append(path)
        return real(tree, path, limit)

    monkeypatch.setattr(Tree, "read", watched)
    discovery = Discovery(NodeView("n", SystemClock(), runtime=pod[0]))
    try:
        layers = await discovery.layers()
    finally:
        await discovery.close()
    assert opened and not {path.rpartition("/")[2] for path in opened} & {"environ", "cmdline", "auxv", "mem"}
    ids = {part.id for part in layers.parts}
    assert len(ids) == len(layers.parts) and all(part.on in ids for part in layers.parts if part.on)


async def test_a_word_of_the_kernel_makes_the_next_answer_new(world: World) -> None:
    discovery = Discovery(NodeView("n", SystemClock()))
    try:
        before = await discovery.layers()
        told("ip", "link", "set", world.b, "mtu", "1400")
        async with asyncio.timeout(1.5):  # sooner than FRESH would make it new
            while (after := await discovery.layers()) is before:  # noqa: ASYNC110
                await asyncio.sleep(0)  # the kernel's word is on its way through the loop
        assert device(before, world.b).value("mtu") == 1500 and device(after, world.b).value("mtu") == 1400
    finally:
        await discovery.close()


TUNSETIFF, TAP, NO_PACKET_INFORMATION = 0x400454CA, 0x2, 0x1000


async def test_a_tap_is_told_with_the_process_that_holds_it() -> None:
    name = f"lt{uuid.uuid4().hex[:6]}"
    holder = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(holder, TUNSETIFF, struct.pack("16sH", name.encode(), TAP | NO_PACKET_INFORMATION))
        discovery = Discovery(NodeView("n", SystemClock()))
        try:
            layers = await discovery.layers()
        finally:
            await discovery.close()
    finally:
        os.close(holder)
    assert device(layers, name).kind == "tap"
    held = device(layers, name).fact("holder")
    assert held and (held.value, held.evidence[0].value) == (os.getpid(), f"iff:\t{name}")


def test_a_process_that_may_not_be_looked_into_takes_nothing_else_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As /proc/1 on hardened machines, and every namespace where setns is not permitted: the ends here still name them."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(namespaces, "setns", refused)
    layers = links_now()
    inode = world.inode(world.names[0])
    part = layers.part(f"netns/{inode}")
    assert part and part.fact("devices") and part.fact("devices").note == "not permitted"  # type: ignore[union-attr]
    assert device(layers, world.a).value("netns") == own()
