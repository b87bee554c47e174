"""Reads a `Netns` from the kernel: netlink for devices, routes, neighbours and listeners, nft for rules.

All of it is read by a thread that is in the namespace meanwhile, so that it works for any pod, with or without a name for
its namespace: netlink, a child process and /proc/thread-self follow the thread (/sys and /proc/self/net do not). Blocks for
some milliseconds.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import ipaddress
import os
import socket
import struct
import subprocess
from collections.abc import Mapping

import orjson

from agent.netlink import route as rtnetlink
from agent.netlink.listeners import observe_listeners
from agent.netlink.namespaces import entered
from agent.netlink.sockets import Netlink
from agent.trace.ruleset import RuleRef, Ruleset
from agent.trace.scene import DEFAULT, LOCAL, MAIN, Device, Netns, Route

SIOCETHTOOL, ETHTOOL_GDRVINFO = 0x8946, 3
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
    with Netlink() as netlink:
        numbers = _numbers(netlink, peers)
        here = inode_of("/proc/thread-self/ns/net")
        devices = {d.index: d for d in (_device(i, here, numbers) for i in rtnetlink.observe_interfaces(netlink))}
        bridges = {index: device.master for index, device in devices.items() if device.master}
        addresses = {a.text.partition("/")[0]: a.device for a in rtnetlink.observe_addresses(netlink, socket.AF_INET)}
        routes = rtnetlink.observe_routes(netlink, socket.AF_INET)
        policies = tuple(text for rule in rtnetlink.observe_rules(netlink) if (text := policy_of(rule)))
        six = rtnetlink.observe_addresses(netlink, socket.AF_INET6)
        neighbours = {neighbour.address: neighbour.mac for neighbour in rtnetlink.observe_neighbours(netlink)}
        forwarding = {
            (bridges[entry.port], entry.mac): entry.port
            for entry in rtnetlink.observe_forwarding(netlink)
            if entry.port in bridges
        }
    return Netns(
        here,
        path,
        devices,
        addresses,
        tuple(_route(route) for route in routes if route.table in (LOCAL, MAIN, DEFAULT)),
        neighbours,
        forwarding,
        tuple(observe_listeners()),
        _ruleset(),
        _bridge_filtering(),
        policies,
        any(address.scope == GLOBAL for address in six),
    )


def _numbers(netlink: Netlink, peers: Mapping[str, int]) -> dict[int, int]:
    """What this namespace calls the others: its private numbers, each with the inode that it stands for."""
    found = {}
    for path, inode in peers.items():
        with contextlib.suppress(OSError):  # gone meanwhile
            number = rtnetlink.number_of(netlink, path)
            if number is not None:  # else no device leads there
                found[number] = inode
    return found


def _device(told: rtnetlink.Interface, here: int, numbers: Mapping[int, int]) -> Device:
    kind = told.kind or ("loopback" if told.flags & rtnetlink.IFF_LOOPBACK else "nic")
    peer = None
    if kind == "veth" and told.link:
        inode = here if told.netnsid is None else numbers.get(told.netnsid)
        peer = (inode, told.link) if inode else None
    driver = _driver(told.name) if kind == "nic" else ""
    up = bool(told.flags & rtnetlink.IFF_UP)
    return Device(told.index, told.name, kind, told.mac, up, told.master, peer, driver)


def _route(told: rtnetlink.Route) -> Route:
    destination = ipaddress.IPv4Network("0.0.0.0/0" if told.destination == "default" else told.destination)
    gateway = "" if ":" in told.gateway else told.gateway  # IPv4 by a neighbour of IPv6 is not followed
    return Route(destination, told.kind, told.device, gateway, told.source, told.metric, told.table)


def policy_of(rule: rtnetlink.Rule) -> str:
    """A rule of policy routing as `ip rule` writes it, empty for the three with which every namespace begins."""
    words = [f"from {rule.source or 'all'}", f"to {rule.destination}" if rule.destination else ""]
    words += [f"fwmark {rule.mark:#x}" if rule.mark else "", f"iif {rule.device}" if rule.device else ""]
    text = " ".join(word for word in words if word)
    if text == "from all" and (rule.priority, rule.table) in OWN_POLICIES:
        return ""
    return f"{rule.priority}: {text} lookup {rule.table}"


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
