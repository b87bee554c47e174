"""Hears at once when somebody takes from the kernel what this node has made there: devices, addresses, routes, rules.

Two netlink sockets are members of the groups that tell of them. What goes by our own doing is told as well: so a word about
devices is only a reason to look (`plumbing.missing`), and rules that go while a transaction of ours runs are taken for its.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Literal

from agent.netlink.messages import Message, attributes, name
from agent.netlink.sockets import NETFILTER, ROUTE, Netlink
from agent.network.config import NetworkConfig

Ours = Literal["devices", "rules", "forwarding"]
ROUTE_GROUPS, NFTABLES_GROUP = (1, 5, 7), 7  # rtnetlink(7): link, IPv4 address, IPv4 route; NFNLGRP_NFTABLES
# Of each message of rtnetlink that tells of an end: the size of its header, and the attribute with its name or address.
ENDED = {17: (16, 3), 21: (8, 2), 25: (12, 1)}  # RTM_DELLINK, RTM_DELADDR, RTM_DELROUTE
NFTABLES = 10  # NFNL_SUBSYS_NFTABLES
RULES_ENDED = {2, 5, 8, 11, 14}  # NFT_MSG_DELTABLE, DELCHAIN, DELRULE, DELSET, DELSETELEM: the table is attribute 1
SHARED_TABLE = name("filter")  # where iptables, if it is nftables', keeps what lets our bridge through


class Guard:
    """Calls `told(what)` when some of ours may have gone; of our table's rules not while `busy()`."""

    def __init__(self, config: NetworkConfig, told: Callable[[Ours], None], busy: Callable[[], bool]) -> None:
        self._told, self._busy = told, busy
        ranges = (ipaddress.IPv4Network(r).network_address.packed for r in (config.pod_range, config.service_range))
        addresses = (socket.inet_aton(a) for a in (config.gateway, config.dns_address))
        self._names = {name(config.bridge), *ranges, *addresses}
        self._prefix, self._table = config.veth_prefix.encode(), name(config.table)
        self._listeners: list[Netlink] = []

    def start(self) -> None:
        """Listen from now on."""
        loop = asyncio.get_running_loop()
        for protocol, groups, hear in (
            (ROUTE, ROUTE_GROUPS, self._hear_devices),
            (NETFILTER, (NFTABLES_GROUP,), self._hear_rules),
        ):
            listener = Netlink(protocol, groups)
            self._listeners.append(listener)
            loop.add_reader(listener, hear, listener)

    def stop(self) -> None:
        """Listen no longer."""
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        self._listeners.clear()

    def pass_over_rules(self) -> None:
        """What has been said of rules until now was our own doing."""
        if self._listeners:
            for _ in self._listeners[-1].heard():
                pass

    def _hear_devices(self, listener: Netlink) -> None:
        ended = [what for message in listener.heard() if (what := _ended(message)) != b""]
        if any(what is None or what in self._names or what.startswith(self._prefix) for what in ended):
            self._told("devices")

    def _hear_rules(self, listener: Netlink) -> None:
        tables = {_table(message) for message in listener.heard()}
        if tables & {None, SHARED_TABLE}:
            self._told("forwarding")
        if tables & {None, self._table} and not self._busy():
            self._told("rules")


def _ended(message: Message | None) -> bytes | None:
    """The name or address of what a message says has ended, empty where it says none; None: messages were lost, anything
    may have."""
    if message is None:
        return None
    size, wanted = ENDED.get(message.kind, (0, 0))
    return attributes(message.body[size:]).get(wanted, b"") if wanted else b""


def _table(message: Message | None) -> bytes | None:
    """The table from which a message says that something has gone; empty and None as above."""
    if message is None:
        return None
    told = message.kind >> 8 == NFTABLES and message.kind & 0xFF in RULES_ENDED
    return attributes(message.body[4:]).get(1, b"") if told else b""
