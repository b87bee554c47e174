"""The second witness: nftables' trace, which tells the rules that a packet met and what they said.

A table of our own in each namespace concerned marks the probe's packets before every other rule sees them, and has a chain
without a rule in each further hook, so that the kernel reports the packet there too. The table belongs to our netlink socket
(`flags owner`, Linux 5.12): the kernel removes it when the socket closes, however this process ends. The messages are those
of linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

from agent.netlink.conntrack import NAMES, PROTOCOLS
from agent.netlink.messages import ACK, APPEND, BE16, BE32, CREATE, attribute, attributes, big, name, nested, text
from agent.netlink.namespaces import entered
from agent.netlink.sockets import NETFILTER, Change, Netlink
from agent.trace.packet import Packet
from agent.trace.ruleset import RuleRef

TRACE_GROUP = 9  # NFNLGRP_NFTRACE
BEGIN, END, NEW_TABLE, NEW_CHAIN, NEW_RULE, TRACE = 0x10, 0x11, 0xA00, 0xA03, 0xA06, 0xA11
HEAD = bytes([socket.AF_INET, 0, 0, 0])  # nfgenmsg: of nothing, or (BATCH) of nf_tables
BATCH = bytes([0, 0, 0, 10])
OWNED = 2
UNOWNED = "tables that go with their owner need Linux 5.12 or later"
FIRST, LAST = -350, 350  # before raw (-300) and conntrack (-200); after the source was translated (100)
HOOKS = {
    "prerouting": (0, FIRST),
    "input": (1, FIRST),
    "forward": (2, FIRST),
    "output": (3, FIRST),
    "postrouting": (4, LAST),
}
MARKING = ("prerouting", "output")
VERDICTS = {0: "drop", 1: "accept", -1: "continue", -2: "break", -3: "jump", -4: "goto", -5: "return"}
TYPES = {1: "policy", 2: "return", 3: "rule"}
COUNT = itertools.count()


class Mark(NamedTuple):
    """Which packets are traced: a protocol and the port they come from. Of TCP only what opens a connection."""

    protocol: str
    sport: int


class RuleEvent(NamedTuple):
    """A chain's word on a packet in namespace netns: kind is rule, return or policy; the devices are indices, 0 for none.

    packet is what it was then, None where the kernel told no headers; flow is conntrack's id of it, 0 where it has none."""

    netns: int
    rule: RuleRef
    kind: str
    verdict: str
    target: str = ""
    came_by: int = 0
    leaves_by: int = 0
    packet: Packet | None = None
    ip_id: int = 0
    flow: int = 0
    trace: int = 0


class NftTrace:
    """Traces marked packets in the namespace at `path` from `with` to its end. OSError where the kernel can't."""

    def __init__(self, path: str, netns: int, marks: Iterable[Mark]) -> None:
        self._path, self._netns, self._marks = path, netns, tuple(marks)
        self.table = f"naru_trace_{os.getpid()}_{next(COUNT)}"
        self._netlink: Netlink | None = None

    def __enter__(self) -> Self:
        with entered(self._path):
            opened = Netlink(NETFILTER, [TRACE_GROUP], room=1 << 20)
        try:
            opened.change(Change(BEGIN, BATCH, 0), *_table(self.table, self._marks), Change(END, BATCH, 0))
        except BaseException as error:
            opened.close()
            if isinstance(error, OSError) and error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                raise OSError(error.errno, f"{os.strerror(error.errno)}: {UNOWNED}") from error
            raise
        self._netlink = opened
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._netlink:
            self._netlink.close()  # and with it goes the table

    def read(self) -> list[RuleEvent]:
        """What was told since the last time."""
        assert self._netlink
        # None: more was told than the buffer holds, and what is there counts.
        heard = [message for message in self._netlink.heard() if message and message.kind == TRACE]
        return [parse(message.body[len(HEAD) :], self._netns) for message in heard]


def parse(body: bytes, netns: int) -> RuleEvent:
    """A trace message, without its netlink and nfnetlink headers."""
    fields = attributes(body)
    verdict = attributes(fields.get(5, b""))
    code = int.from_bytes(verdict.get(1) or fields.get(16, b"\1"), "big", signed=True)  # a rule's, or a policy's
    rule = RuleRef("ip", text(fields.get(1)), text(fields.get(2)), big(fields.get(3)))
    packet, ip_id = _packet(fields.get(8, b""), fields.get(9, b""))
    return RuleEvent(
        netns,
        rule,
        TYPES.get(big(fields.get(4)), ""),
        VERDICTS.get(code, str(code)),
        text(verdict.get(2)),
        big(fields.get(10)),
        big(fields.get(12)),
        packet,
        ip_id,
        big(fields.get(18)),
        big(fields.get(6)),
    )


def _packet(network: bytes, transport: bytes) -> tuple[Packet | None, int]:
    if len(network) < 20 or len(transport) < 4 or network[9] not in NAMES:
        return None, 0
    sport, dport = struct.unpack_from(">HH", transport)
    source, destination = socket.inet_ntoa(network[12:16]), socket.inet_ntoa(network[16:20])
    return Packet(NAMES[network[9]], source, sport, destination, dport), int.from_bytes(network[4:6], "big")


def _table(called: str, marks: Iterable[Mark]) -> Iterator[Change]:
    """What makes our table."""
    table = HEAD + attribute(1, name(called))
    yield Change(NEW_TABLE, table + attribute(2, BE32.pack(OWNED)), ACK | CREATE)
    for chain, (hook, priority) in HOOKS.items():
        place = nested(4, attribute(1, BE32.pack(hook)), attribute(2, struct.pack(">i", priority)))
        body = table + attribute(3, name(chain)) + place + attribute(7, name("filter"))
        yield Change(NEW_CHAIN, body, ACK | CREATE)
    for chain, mark in itertools.product(MARKING, marks):
        expressions = b"".join(_marking(mark))
        yield Change(NEW_RULE, table + attribute(2, name(chain)) + nested(4, expressions), ACK | CREATE | APPEND)


def _marking(mark: Mark) -> Iterator[bytes]:
    """`meta l4proto … th sport … [tcp flags & (syn|ack|rst) == syn] meta nftrace set 1`, as registers."""
    register, network_protocol, trace = BE32.pack(1), BE32.pack(16), BE32.pack(12)
    yield _expression("meta", attribute(1, register), attribute(2, network_protocol))
    yield _equals(bytes([PROTOCOLS[mark.protocol]]))
    yield _load(0, 2)
    yield _equals(BE16.pack(mark.sport))
    if mark.protocol == "tcp":
        yield _load(13, 1)
        mask, xor = nested(4, attribute(1, b"\x16")), nested(5, attribute(1, b"\0"))
        yield _expression(
            "bitwise", attribute(1, register), attribute(2, register), attribute(3, BE32.pack(1)), mask, xor
        )
        yield _equals(b"\x02")
    yield _expression("immediate", attribute(1, register), nested(2, attribute(1, b"\1")))
    yield _expression("meta", attribute(2, trace), attribute(3, register))


def _load(offset: int, length: int) -> bytes:
    """Bytes of the transport header into the register."""
    where = [
        attribute(1, BE32.pack(1)),
        attribute(2, BE32.pack(2)),
        attribute(3, BE32.pack(offset)),
        attribute(4, BE32.pack(length)),
    ]
    return _expression("payload", *where)


def _equals(value: bytes) -> bytes:
    return _expression("cmp", attribute(1, BE32.pack(1)), attribute(2, BE32.pack(0)), nested(3, attribute(1, value)))


def _expression(kind: str, *inner: bytes) -> bytes:
    return nested(1, attribute(1, name(kind)), nested(2, *inner))
