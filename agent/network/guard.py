"""Hears at once when somebody takes from the kernel what this node has made there: devices, addresses, routes, rules.

Two netlink sockets are members of the groups that tell of them. What goes by our own doing is told as well: so a word about
devices is only a reason to look (`plumbing.missing`), and rules that go while a transaction of ours runs are taken for its.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Literal

from agent.network.config import NetworkConfig

Ours = Literal["devices", "rules", "forwarding"]
NETFILTER, SOL_NETLINK, ADD_MEMBERSHIP = 12, 270, 1
ROUTE_GROUPS, NFTABLES_GROUP = (
    (1, 5, 7),
    7,
)  # rtnetlink(7): link, IPv4 address, IPv4 route; nfnetlink.h: NFNLGRP_NFTABLES
# Of each message of rtnetlink that tells of an end: the size of its header, and the attribute with its name or address.
ENDED = {17: (16, 3), 21: (8, 2), 25: (12, 1)}  # RTM_DELLINK, RTM_DELADDR, RTM_DELROUTE
NFTABLES = 10  # NFNL_SUBSYS_NFTABLES
RULES_ENDED = {2, 5, 8, 11, 14}  # NFT_MSG_DELTABLE, DELCHAIN, DELRULE, DELSET, DELSETELEM: the table is attribute 1
SHARED_TABLE = b"filter"  # where iptables, if it is nftables', keeps what lets our bridge through


class Guard:
    """Calls `told(what)` when some of ours may have gone; of our table's rules not while `busy()`."""

    def __init__(self, config: NetworkConfig, told: Callable[[Ours], None], busy: Callable[[], bool]) -> None:
        self._told, self._busy = told, busy
        ranges = (ipaddress.IPv4Network(r).network_address.packed for r in (config.pod_range, config.service_range))
        addresses = (socket.inet_aton(a) for a in (config.gateway, config.dns_address))
        self._names = {config.bridge.encode(), *ranges, *addresses}
        self._prefix, self._table = config.veth_prefix.encode(), config.table.encode()
        self._sockets: list[socket.socket] = []

    def start(self) -> None:
        """Listen from now on."""
        loop = asyncio.get_running_loop()
        for protocol, groups, hear in (
            (socket.NETLINK_ROUTE, ROUTE_GROUPS, self._hear_devices),
            (NETFILTER, (NFTABLES_GROUP,), self._hear_rules),
        ):
            listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
            self._sockets.append(listener)
            listener.bind((0, 0))
            for group in groups:
                listener.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
            loop.add_reader(listener, hear, listener)

    def stop(self) -> None:
        """Listen no longer."""
        for listener in self._sockets:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        self._sockets.clear()

    def pass_over_rules(self) -> None:
        """What has been said of rules until now was our own doing."""
        if self._sockets:
            for _ in _messages(self._sockets[-1]):
                pass

    def _hear_devices(self, listener: socket.socket) -> None:
        ended = [name for kind, body in _messages(listener) for name in _ended(kind, body)]
        if any(name is None or name in self._names or name.startswith(self._prefix) for name in ended):
            self._told("devices")

    def _hear_rules(self, listener: socket.socket) -> None:
        heard = [table for kind, body in _messages(listener) for table in _tables(kind, body)]
        if None in heard or SHARED_TABLE in heard:
            self._told("forwarding")
        if (None in heard or self._table in heard) and not self._busy():
            self._told("rules")


def _ended(kind: int, body: bytes) -> Iterator[bytes | None]:
    """The name or address of what a message says has ended; None: messages were lost, anything may have."""
    if kind < 0:
        yield None
    elif kind in ENDED:
        size, wanted = ENDED[kind]
        yield from (value for attribute, value in _attributes(body[size:]) if attribute == wanted)


def _tables(kind: int, body: bytes) -> Iterator[bytes | None]:
    """The table from which a message says that something has gone; None as above."""
    if kind < 0:
        yield None
    elif kind >> 8 == NFTABLES and kind & 0xFF in RULES_ENDED:
        yield from (value for attribute, value in _attributes(body[4:]) if attribute == 1)


def _messages(listener: socket.socket) -> Iterator[tuple[int, bytes]]:
    """(type, what follows its header) of every message that waits; type -1 where the kernel had to drop some."""
    with contextlib.suppress(BlockingIOError):
        while True:
            try:
                data = listener.recv(1 << 18)
            except BlockingIOError:
                raise
            except OSError:  # ENOBUFS
                yield -1, b""
                continue
            while len(data) >= 16:
                length, kind = struct.unpack_from("=IH", data)
                yield kind, data[16:length]
                data = data[max((length + 3) & ~3, 16) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, value) of each netlink attribute; names without their final zero."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        value = data[4:length]
        yield kind & 0x3FFF, value[:-1] if len(value) != 4 and value.endswith(b"\0") else value
        data = data[max((length + 3) & ~3, 4) :]
