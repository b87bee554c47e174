"""What is asked of the kernel over netlink is what iproute2 and pyroute2, which know nothing of it, then see."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from pyroute2 import IPRoute

from agent.netlink import changes, route
from agent.netlink.conntrack import find_flow, observe_flows, remove_flow
from agent.netlink.listeners import Listener, observe_listeners
from agent.netlink.namespaces import entered, setns
from agent.netlink.sockets import NETFILTER, Change, Netlink
from tests.integration.node_world import Holder, needs_root

pytestmark = needs_root
Result = TypeVar("Result")
MAC = "02:00:00:4e:61:72"


class World:
    """Two empty namespaces, of which one is looked at."""

    def __init__(self) -> None:
        self.here, self.there = Holder(), Holder()
        with entered(self.here.path):
            self.netlink = Netlink()

    def inside(self, work: Callable[[], Result]) -> Result:
        with entered(self.here.path):
            return work()

    def told(self, *command: str) -> list[dict[str, Any]]:
        """What iproute2 says."""
        done = subprocess.run(["nsenter", f"--net={self.here.path}", *command], capture_output=True, check=True)
        rows: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
        return rows

    def end(self) -> None:
        self.netlink.close()
        self.here.end()
        self.there.end()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.end()


def bridge(world: World) -> int:
    world.netlink.change(changes.make_bridge("br0", MAC, 1400))
    found = route.find_interface(world.netlink, "br0")
    assert found
    return found.index


def test_a_bridge_and_a_pair_with_its_end_elsewhere(world: World) -> None:
    index = bridge(world)
    (br0,) = world.told("ip", "-j", "-d", "link", "show", "br0")
    assert (br0["address"], br0["mtu"], br0["linkinfo"]["info_kind"]) == (MAC, 1400, "bridge")
    world.netlink.change(changes.make_veth("va", 1300, changes.Peer("eth0", "02:00:00:00:00:09", world.there.pid)))
    plug = route.find_interface(world.netlink, "va")
    assert plug
    world.netlink.change(changes.set_up(plug.index, index, alias="uid 10.0.0.5"), changes.set_hairpin(plug.index))
    (va,) = world.told("ip", "-j", "-d", "link", "show", "va")
    assert (va["master"], va["mtu"], va["ifalias"], "UP" in va["flags"]) == ("br0", 1300, "uid 10.0.0.5", True)
    assert va["linkinfo"]["info_slave_data"]["hairpin"] is True
    with entered(world.there.path):
        inner = Netlink()
    with inner:
        eth0 = route.find_interface(inner, "eth0")
        assert eth0 and (eth0.mac, eth0.link, eth0.mtu, eth0.kind) == ("02:00:00:00:00:09", plug.index, 1300, "veth")
        assert plug.netnsid is not None and route.number_of(world.netlink, world.there.path) == plug.netnsid
    world.netlink.change(changes.remove_link("va"))
    assert route.find_interface(world.netlink, "va") is None


def test_addresses_and_routes_are_put_twice_and_are_there_once(world: World) -> None:
    index = bridge(world)
    for _ in range(2):
        world.netlink.change(
            changes.put_address(index, "10.9.0.1", 24),
            changes.set_up(index),
            changes.put_route("10.8.0.0/16", index, source="10.9.0.1"),
            changes.put_route("default", index, "10.9.0.7"),
            changes.put_route("10.7.0.0/16", kind="unreachable", metric=1 << 31),
        )
    (told,) = world.told("ip", "-j", "-4", "address", "show", "br0")
    assert [(a["local"], a["prefixlen"]) for a in told["addr_info"]] == [("10.9.0.1", 24)]
    rows = {row["dst"]: row for row in world.told("ip", "-j", "-d", "-4", "route")}
    assert (rows["10.8.0.0/16"]["prefsrc"], rows["10.8.0.0/16"]["scope"]) == ("10.9.0.1", "link")
    assert rows["default"]["gateway"] == "10.9.0.7"
    assert (rows["10.7.0.0/16"]["type"], rows["10.7.0.0/16"]["metric"]) == ("unreachable", 1 << 31)
    assert route.Route("10.8.0.0/16", "unicast", index, "", "10.9.0.1") in route.observe_routes(world.netlink)
    world.netlink.change(changes.remove_route("10.7.0.0/16", 1 << 31, "unreachable"))
    with pytest.raises(ProcessLookupError):
        world.netlink.change(changes.remove_route("10.7.0.0/16", 1 << 31, "unreachable"))


def test_what_is_read_is_what_pyroute2_reads(world: World) -> None:
    index = bridge(world)
    world.netlink.change(changes.put_address(index, "10.9.0.1", 24), changes.set_up(index), changes.set_up(1))
    world.told(
        "ip", "rule", "add", "from", "10.9.0.0/24", "fwmark", "7", "iif", "br0", "priority", "100", "table", "1000"
    )
    world.told("ip", "neigh", "add", "10.9.0.7", "lladdr", MAC, "dev", "br0")
    with IPRoute(netns=world.here.path) as ip:
        links = [(i["index"], i.get("ifname"), i.get("address"), i.get("mtu"), i["flags"]) for i in ip.get_links()]
        addresses = [(a["index"], f"{a.get('address')}/{a['prefixlen']}", a["scope"]) for a in ip.get_addr()]
        near = [(n["ifindex"], n.get("dst"), n.get("lladdr")) for n in ip.get_neighbours(family=socket.AF_INET)]
        routes = [
            (r.get("dst"), r["dst_len"], r.get("oif"), r.get("table")) for r in ip.get_routes(family=socket.AF_INET)
        ]
        rules = [(r.get("priority") or 0, r.get("table")) for r in ip.get_rules(family=socket.AF_INET)]
    ours = world.netlink
    assert [(i.index, i.name, i.mac, i.mtu, i.flags) for i in route.observe_interfaces(ours)] == links
    assert [*route.observe_addresses(ours)] == addresses
    assert [*route.observe_neighbours(ours)] == near
    assert len(routes) == len(route.observe_routes(ours, socket.AF_INET))
    assert [(r.priority, r.table) for r in route.observe_rules(ours)] == rules
    assert route.Rule(100, 1000, "10.9.0.0/24", "", 7, "br0") in route.observe_rules(ours)
    assert all(i.received is not None for i in route.observe_interfaces(ours, counters=True))


def test_a_refusal_says_why_and_the_rest_of_what_was_asked_is_done(world: World) -> None:
    index = bridge(world)
    with pytest.raises(FileExistsError):
        world.netlink.change(changes.make_bridge("br0", MAC, 1400), changes.put_address(index, "10.9.0.1", 24))
    assert [address.text for address in route.observe_addresses(world.netlink, socket.AF_INET)] == ["10.9.0.1/24"]
    with pytest.raises(OSError, match="Network is unreachable: Nexthop has invalid gateway") as refused:
        world.netlink.change(changes.put_route("default", index, "10.1.1.1"))
    assert refused.value.errno == errno.ENETUNREACH
    with pytest.raises(OSError, match="No such device"):
        world.netlink.change(changes.remove_link("nobody"))
    assert route.find_interface(world.netlink, "br0")  # what was left unread does not disturb


def test_many_devices_are_all_told(world: World) -> None:
    """More than one message of the kernel holds."""
    world.netlink.change(*(changes.make_bridge(f"br{i}", MAC, 1400) for i in range(60)))
    names = {link.name for link in route.observe_interfaces(world.netlink, counters=True)}
    assert {f"br{i}" for i in range(60)} <= names


def test_a_tracked_flow_is_found_and_forgotten(world: World) -> None:
    world.netlink.change(changes.set_up(1))
    hook = "add chain ip t c { type filter hook output priority 0; }"  # no flow is tracked where nobody asks for it
    world.told("nft", f"add table ip t; {hook}; add rule ip t c ct state new accept")

    def sockets() -> tuple[socket.socket, socket.socket, Netlink]:
        return socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM), Netlink(NETFILTER)

    server, client, netlink = world.inside(sockets)
    with server, client, netlink:
        server.bind(("127.0.0.1", 0))
        client.connect(server.getsockname())
        client.send(b"x")
        ends = ("udp", client.getsockname(), server.getsockname())
        flow = find_flow(netlink, *ends)
        assert flow and (flow.reply_source, flow.answered) == (server.getsockname(), False)
        assert flow in observe_flows(netlink)
        remove_flow(netlink, flow)
        assert find_flow(netlink, *ends) is None
        remove_flow(netlink, flow)  # one that has gone by itself meanwhile


def test_who_listens_is_told(world: World) -> None:
    def listening() -> tuple[socket.socket, ...]:
        return socket.create_server(("127.0.0.1", 7001)), socket.create_server(("::", 7002), family=socket.AF_INET6)

    world.netlink.change(changes.set_up(1))
    servers = world.inside(listening)
    with servers[0], servers[1]:
        assert {*world.inside(observe_listeners)} == {
            Listener("tcp", "127.0.0.1", 7001),
            Listener("tcp", "0.0.0.0", 7002),
        }


def test_groups_are_heard_until_nothing_waits(world: World) -> None:
    with world.inside(lambda: Netlink(groups=[1])) as listener:
        assert [*listener.heard()] == []
        bridge(world)
        heard = [message for message in listener.heard() if message]
        assert {found.name for message in heard if (found := route.interface_of(message.body))} == {"br0"}


def test_what_the_kernel_had_to_drop_is_told(world: World) -> None:
    with world.inside(
        lambda: Netlink(groups=[1], room=1)
    ) as listener:  # the least that the kernel grants: a message or two
        for number in range(20):
            world.netlink.change(changes.make_bridge(f"br{number}", MAC, 1400))
        assert None in [*listener.heard()]


def test_a_question_that_is_none_is_refused_not_waited_for(world: World) -> None:
    with pytest.raises(OSError, match=r"not supported|Invalid"):
        world.netlink.ask(0x7000, bytes(16))
    with pytest.raises(OSError, match=r"not supported|Invalid"):
        world.netlink.change(Change(0x7000, bytes(16)))


def test_a_thread_that_enters_comes_home_also_after_an_error(world: World) -> None:
    home = os.stat("/proc/thread-self/ns/net").st_ino
    with pytest.raises(ZeroDivisionError), entered(world.here.path):
        assert os.stat("/proc/thread-self/ns/net").st_ino == os.stat(world.here.path).st_ino != home
        raise ZeroDivisionError
    assert os.stat("/proc/thread-self/ns/net").st_ino == home


def test_what_is_no_network_namespace_is_refused() -> None:
    refused: list[int | None] = []

    def enter() -> None:
        with open("/proc/self/ns/uts") as file:
            try:
                setns(file.fileno())
            except OSError as error:
                refused.append(error.errno)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert refused == [errno.EINVAL]
