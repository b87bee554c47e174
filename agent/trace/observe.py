"""Reads a `Netns` from the kernel: netlink for devices, routes, neighbours and listeners, nft for rules.

All of it is read by a thread that is in the namespace meanwhile, so that it works for any pod, with or without a name for
its namespace: netlink, a child process and /proc/thread-self follow the thread (/sys and /proc/self/net do not). Blocks for
some milliseconds.
"""

from __future__ import annotations

import array
import fcntl
import ipaddress
import os
import socket
import struct
import subprocess
from collections.abc import Mapping
from typing import Any

import orjson
from pyroute2 import DiagSocket, IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from agent.network.plumbing import entered
from agent.trace.ruleset import RuleRef, Ruleset
from agent.trace.scene import DEFAULT, LOCAL, MAIN, Device, Listener, Netns, Route

KINDS = {1: "unicast", 2: "local", 3: "broadcast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
TCP_LISTEN, UDP_UNCONNECTED = 1 << 10, 1 << 7
SIOCETHTOOL, ETHTOOL_GDRVINFO = 0x8946, 3
IFF_UP, IFF_LOOPBACK = 1, 8
NO_NUMBER = 0xFFFFFFFF
GLOBAL = 0  # RT_SCOPE_UNIVERSE
OWN_POLICIES = ((0, LOCAL), (32766, MAIN), (32767, DEFAULT))  # priority and table
BRIDGE_FILTERING = "/proc/sys/net/bridge/bridge-nf-call-iptables"


def inode_of(path: str) -> int:
    """The number that names a network namespace. OSError where there is none."""
    return os.stat(path).st_ino


def observe_netns(path: str, peers: Mapping[str, int]) -> Netns:
    """The namespace at `path`. peers are paths of namespaces that a veth may lead to, with their inodes."""
    with entered(path):
        return _observe(path, peers)


def observe_rule(path: str, rule: RuleRef) -> str:
    """A rule as `nft` writes it, empty when it can't be had; of a policy, the chain's first line."""

    arguments = ["nft", "-a", "list", "chain", rule.family, rule.table, rule.chain]
    with entered(path):
        listed = subprocess.run(arguments, capture_output=True, text=True, check=False).stdout
    ending = f"# handle {rule.handle}" if rule.handle else "policy"
    for line in listed.splitlines():
        text = line.strip()
        if (text.endswith(ending) and not text.startswith(("chain ", "table "))) or (
            not rule.handle and ending in text
        ):
            return text.partition(" # handle")[0]
    return ""


def _observe(path: str, peers: Mapping[str, int]) -> Netns:
    with IPRoute() as ip:
        numbers = _numbers(ip, peers)
        here = inode_of("/proc/thread-self/ns/net")
        devices = {d.index: d for d in (_device(link, here, numbers) for link in ip.get_links())}
        bridges = {index: device.master for index, device in devices.items() if device.master}
        addresses = {a.get("address"): int(a.get("index")) for a in ip.get_addr(family=socket.AF_INET)}
        routes = [_route(r) for r in ip.get_routes(family=socket.AF_INET) if r.get("table") in (LOCAL, MAIN, DEFAULT)]
        policies = tuple(text for rule in ip.get_rules(family=socket.AF_INET) if (text := policy_of(rule)))
        six = [*ip.get_addr(family=socket.AF_INET6)]
        near = [(n.get("dst"), n.get("lladdr")) for n in ip.get_neighbours(family=socket.AF_INET)]
        forwarding = {
            (bridges[entry.get("ifindex")], entry.get("lladdr")): int(entry.get("ifindex"))
            for entry in ip.fdb("dump")
            if entry.get("ifindex") in bridges and entry.get("lladdr")
        }
    return Netns(
        here,
        path,
        devices,
        addresses,
        tuple(r for r in routes if r),
        {address: mac for address, mac in near if address and mac},
        forwarding,
        tuple(_listeners()),
        _ruleset(),
        _bridge_filtering(),
        policies,
        any(a["scope"] == GLOBAL for a in six),
    )


def _numbers(ip: IPRoute, peers: Mapping[str, int]) -> dict[int, int]:
    """What this namespace calls the others: its private numbers, each with the inode that it stands for."""
    found = {}
    for path, inode in peers.items():
        try:
            with open(path) as file:
                number = int(ip.get_netnsid(fd=file.fileno())["nsid"])
        except (OSError, NetlinkError):
            continue  # gone meanwhile
        if number != NO_NUMBER:  # else no device leads there
            found[number] = inode
    return found


def _device(link: Any, here: int, numbers: Mapping[int, int]) -> Device:
    info = link.get("linkinfo")
    kind = (info.get("kind") if info else "") or ("loopback" if link["flags"] & IFF_LOOPBACK else "nic")
    peer = None
    if kind == "veth" and link.get("link"):
        number = link.get("link_netnsid")
        inode = here if number is None else numbers.get(int(number))
        peer = (inode, int(link.get("link"))) if inode else None
    name = link.get("ifname")
    driver = _driver(name) if kind == "nic" else ""
    up = bool(link["flags"] & IFF_UP)
    return Device(link["index"], name, kind, link.get("address") or "", up, link.get("master") or 0, peer, driver)


def _route(message: Any) -> Route | None:
    kind = KINDS.get(message["type"])
    if kind is None:
        return None
    destination = ipaddress.IPv4Network(f"{message.get('dst') or '0.0.0.0'}/{message['dst_len']}")
    return Route(
        destination,
        kind,
        message.get("oif") or 0,
        message.get("gateway") or "",
        message.get("prefsrc") or "",
        message.get("priority") or 0,
        message.get("table"),
    )


def policy_of(rule: Any) -> str:
    """A rule of policy routing as `ip rule` writes it, empty for the three with which every namespace begins."""
    priority, table, mark = rule.get("priority") or 0, rule.get("table") or rule["table"], rule.get("fwmark")
    source = f"{rule.get('src')}/{rule['src_len']}" if rule.get("src") else "all"
    words = [f"from {source}", f"to {rule.get('dst')}/{rule['dst_len']}" if rule.get("dst") else ""]
    words += [f"fwmark {mark:#x}" if mark else "", f"iif {rule.get('iifname')}" if rule.get("iifname") else ""]
    text = " ".join(word for word in words if word)
    if text == "from all" and (priority, table) in OWN_POLICIES:
        return ""
    return f"{priority}: {text} lookup {table}"


def _listeners() -> list[Listener]:
    found = []
    with DiagSocket() as diag:
        diag.bind()
        for family in (socket.AF_INET, socket.AF_INET6):
            for protocol, number, states in (("tcp", 6, TCP_LISTEN), ("udp", 17, UDP_UNCONNECTED)):
                for entry in diag.get_sock_stats(family=family, states=states, protocol=number):
                    address = entry["idiag_src"]
                    address = "0.0.0.0" if address == "::" else address.removeprefix("::ffff:")
                    if ":" not in address:
                        found.append(Listener(protocol, address, entry["idiag_sport"]))
    return found


def _ruleset() -> Ruleset:
    done = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, check=False)
    return Ruleset.of(orjson.loads(done.stdout)) if done.returncode == 0 and done.stdout else Ruleset()


def _bridge_filtering() -> bool:
    """/proc/sys/net is that of the thread's namespace, unlike /proc/self/net."""
    try:
        with open(BRIDGE_FILTERING) as file:
            return file.read().strip() == "1"
    except OSError:  # the kernel has no br_netfilter
        return False


def _driver(name: str) -> str:
    """The driver's name by ethtool's ioctl: unlike /sys, it answers for the namespace that it is asked in."""
    answer = array.array("B", struct.pack("=I192x", ETHTOOL_GDRVINFO))
    request = struct.pack("16sP", name.encode(), answer.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            fcntl.ioctl(asking, SIOCETHTOOL, request)
        except OSError:
            return ""
    return answer.tobytes()[4:36].split(b"\0", 1)[0].decode()
