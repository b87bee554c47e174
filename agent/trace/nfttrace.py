"""The second witness: nftables' trace, which tells the rules that a packet met and what they said.

A table of our own in each namespace concerned marks the probe's packets before every other rule sees them, and has a chain
without a rule in each further hook, so that the kernel reports the packet there too. The table belongs to our netlink socket
(`flags owner`, Linux 5.12): the kernel removes it when the socket closes, however this process ends. pyroute2 has no words
for an owned table or for trace messages, so these few are written and read here (linux/netfilter/nf_tables.h).
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

from agent.network.plumbing import entered
from agent.trace.packet import Packet
from agent.trace.ruleset import RuleRef

NFNETLINK, SOL_NETLINK, ADD_MEMBERSHIP, TRACE_GROUP = 12, 270, 1, 9
BEGIN, END, NEW_TABLE, NEW_CHAIN, NEW_RULE, TRACE = 0x10, 0x11, 0xA00, 0xA03, 0xA06, 0xA11
REQUEST, ACK, CREATE, APPEND, ERROR = 1, 4, 0x400, 0x800, 2
IPV4, OWNED, NESTED = 2, 2, 0x8000
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
PROTOCOLS = {"tcp": 6, "udp": 17}
NAMES = {number: name for name, number in PROTOCOLS.items()}
HEADER = struct.Struct("=IHHII")
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
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        with entered(self._path):
            opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NFNETLINK)
        try:
            opened.bind((0, 0))
            opened.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, TRACE_GROUP)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            _transact(opened, list(_table(self.table, self._marks)))
            opened.setblocking(False)
        except BaseException as error:
            opened.close()
            if isinstance(error, OSError) and error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                raise OSError(error.errno, f"{os.strerror(error.errno)}: {UNOWNED}") from error
            raise
        self._socket = opened
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket:
            self._socket.close()  # and with it goes the table

    def read(self) -> list[RuleEvent]:
        """What was told since the last time."""
        assert self._socket
        found: list[RuleEvent] = []
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # more was told than the buffer holds: what is there counts
                    raise
                continue
            found += [parse(body, self._netns) for kind, body in _messages(data) if kind == TRACE]


def parse(body: bytes, netns: int) -> RuleEvent:
    """A trace message, without its netlink and nfnetlink headers."""
    fields = dict(_attributes(body))
    verdict = dict(_attributes(fields.get(5, b"")))
    code = int.from_bytes(verdict.get(1) or fields.get(16, b"\1"), "big", signed=True)  # a rule's, or a policy's
    rule = RuleRef("ip", _text(fields.get(1)), _text(fields.get(2)), _number(fields.get(3)))
    packet, ip_id = _packet(fields.get(8, b""), fields.get(9, b""))
    return RuleEvent(
        netns,
        rule,
        TYPES.get(_number(fields.get(4)), ""),
        VERDICTS.get(code, str(code)),
        _text(verdict.get(2)),
        _number(fields.get(10)),
        _number(fields.get(12)),
        packet,
        ip_id,
        _number(fields.get(18)),
        _number(fields.get(6)),
    )


def _packet(network: bytes, transport: bytes) -> tuple[Packet | None, int]:
    if len(network) < 20 or len(transport) < 4 or network[9] not in NAMES:
        return None, 0
    sport, dport = struct.unpack_from(">HH", transport)
    source, destination = socket.inet_ntoa(network[12:16]), socket.inet_ntoa(network[16:20])
    return Packet(NAMES[network[9]], source, sport, destination, dport), int.from_bytes(network[4:6], "big")


def _table(name: str, marks: Iterable[Mark]) -> Iterator[tuple[int, int, bytes]]:
    """The messages that make our table: (type, flags, attributes)."""
    table = _attribute(1, _z(name))
    yield NEW_TABLE, CREATE, table + _attribute(2, _be32(OWNED))
    for chain, (hook, priority) in HOOKS.items():
        place = _nest(4, _attribute(1, _be32(hook)), _attribute(2, struct.pack(">i", priority)))
        yield NEW_CHAIN, CREATE, table + _attribute(3, _z(chain)) + place + _attribute(7, _z("filter"))
    for chain, mark in itertools.product(MARKING, marks):
        expressions = b"".join(_marking(mark))
        yield NEW_RULE, CREATE | APPEND, table + _attribute(2, _z(chain)) + _nest(4, expressions)


def _marking(mark: Mark) -> Iterator[bytes]:
    """`meta l4proto … th sport … [tcp flags & (syn|ack|rst) == syn] meta nftrace set 1`, as registers."""
    register, network_protocol, trace = _be32(1), _be32(16), _be32(12)
    yield _expression("meta", _attribute(1, register), _attribute(2, network_protocol))
    yield _equals(bytes([PROTOCOLS[mark.protocol]]))
    yield _load(0, 2)
    yield _equals(struct.pack(">H", mark.sport))
    if mark.protocol == "tcp":
        yield _load(13, 1)
        mask, xor = _nest(4, _attribute(1, b"\x16")), _nest(5, _attribute(1, b"\0"))
        yield _expression(
            "bitwise", _attribute(1, register), _attribute(2, register), _attribute(3, _be32(1)), mask, xor
        )
        yield _equals(b"\x02")
    yield _expression("immediate", _attribute(1, register), _nest(2, _attribute(1, b"\1")))
    yield _expression("meta", _attribute(2, trace), _attribute(3, register))


def _load(offset: int, length: int) -> bytes:
    """Bytes of the transport header into the register."""
    where = [
        _attribute(1, _be32(1)),
        _attribute(2, _be32(2)),
        _attribute(3, _be32(offset)),
        _attribute(4, _be32(length)),
    ]
    return _expression("payload", *where)


def _equals(value: bytes) -> bytes:
    return _expression("cmp", _attribute(1, _be32(1)), _attribute(2, _be32(0)), _nest(3, _attribute(1, value)))


def _expression(name: str, *attributes: bytes) -> bytes:
    return _nest(1, _attribute(1, _z(name)), _nest(2, *attributes))


def _transact(to: socket.socket, messages: list[tuple[int, int, bytes]]) -> None:
    """All or nothing. Raises the kernel's refusal as OSError."""
    data = _message(BEGIN, 0, 0, 0, b"", 10)
    for number, (kind, flags, body) in enumerate(messages, 1):
        data += _message(kind, ACK | flags, number, IPV4, body)
    to.settimeout(5)
    to.send(data + _message(END, 0, len(messages) + 1, 0, b"", 10))
    answered = 0
    while answered < len(messages):
        for kind, body in _messages(to.recv(1 << 16), headers=0):
            if kind != ERROR:
                continue
            (code,) = struct.unpack_from("=i", body)
            if code:
                raise OSError(-code, f"nftables: {os.strerror(-code)}")
            answered += 1


def _message(kind: int, flags: int, sequence: int, family: int, body: bytes, subsystem: int = 0) -> bytes:
    body = struct.pack(">BBH", family, 0, subsystem) + body
    return HEADER.pack(HEADER.size + len(body), kind, REQUEST | flags, sequence, 0) + body


def _messages(data: bytes, headers: int = 4) -> Iterator[tuple[int, bytes]]:
    """(type, body) of each message; headers is what stands before its attributes."""
    while len(data) >= HEADER.size:
        length, kind, *_ = HEADER.unpack_from(data)
        if length < HEADER.size:
            return
        yield kind, data[HEADER.size + headers : length]
        data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def _nest(kind: int, *attributes: bytes) -> bytes:
    return _attribute(kind | NESTED, b"".join(attributes))


def _be32(number: int) -> bytes:
    return struct.pack(">I", number)


def _z(text: str) -> bytes:
    return text.encode() + b"\0"


def _text(data: bytes | None) -> str:
    return (data or b"").rstrip(b"\0").decode(errors="replace")


def _number(data: bytes | None) -> int:
    return int.from_bytes(data or b"", "big")
