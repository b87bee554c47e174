"""rtnetlink(7) as far as discovery asks it: tables of devices, addresses, routes and forwarding entries, as plain values.

pyroute2, which plumbs the pods, runs an event loop for every question; that is a millisecond or two, and discovery asks four
questions in every pod. Here the answers are only taken apart. What makes no sense in them is left out, never an error.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple, Self

GETLINK, GETADDR, GETROUTE, GETNEIGH, GETNSID = 18, 22, 26, 30, 90
REQUEST, DUMP = 0x1, 0x300
ERROR, DONE = 2, 3
LARGEST = 1 << 17
SECONDS = 2.0
HEADER, ATTRIBUTE, U32, S32 = struct.Struct("=IHHII"), struct.Struct("=HH"), struct.Struct("=I"), struct.Struct("=i")
# The fixed parts before the attributes: ifinfomsg, ifaddrmsg, rtmsg, ndmsg.
LINK, ADDRESS, ROUTE, NEIGHBOUR = (struct.Struct(f) for f in ("=BxHiII", "=BBBBI", "=BBBBBBBBI", "=B3xiHBB"))

STATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")  # RFC 2863, IFLA_OPERSTATE
ROUTES = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}  # the others are the kernel's own
LOCAL_TABLE, CACHED = 255, 0x200
PERMANENT, SELF = 0x80, 0x02  # NUD_PERMANENT: a port's own address; NTF_SELF: of the device, not of its bridge
TAP = b"\2"  # IFLA_TUN_TYPE
FAMILIES = {4: socket.AF_INET, 16: socket.AF_INET6}  # by the bytes of an address


class Interface(NamedTuple):
    """A device. kind is IFLA_INFO_KIND, with `tap` for a tun that is one; link and netnsid lead to its peer or lower device;
    bus and device are what it hangs on; received and sent are bytes."""

    index: int  # type: ignore[assignment]  # hides tuple.index, as everywhere in netlink
    name: str
    type: int = 1
    kind: str = ""
    mac: str = ""
    mtu: int = 0
    state: str = ""
    master: int = 0
    link: int = 0
    netnsid: int | None = None
    bus: str = ""
    device: str = ""
    alias: str = ""
    received: int | None = None
    sent: int | None = None


class Address(NamedTuple):
    """An address with its prefix length, and the index of the device that has it."""

    device: int
    text: str


class Route(NamedTuple):
    """A route of a table other than `local`. destination is as `ip route` writes it, but `::/0` for the default of
    IPv6; device 0 where it has none."""

    destination: str
    kind: str
    device: int = 0
    gateway: str = ""
    source: str = ""
    metric: int = 0
    table: int = 254


class Forwarding(NamedTuple):
    """An entry of a bridge's forwarding table that was learned: behind this port is that address."""

    port: int
    mac: str
    vlan: int = 0


class Netlink:
    """A socket of the namespace that its thread is in. Questions raise OSError with the kernel's reason."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(SECONDS)
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def dump(self, question: int, body: bytes) -> list[bytes]:
        """All messages of a table; body is the fixed part of the question."""
        self._send(question, REQUEST | DUMP, body)
        return list(self._answers())

    def number_of(self, path: str) -> int | None:
        """What this namespace calls the one at path (RTM_GETNSID); None where it never gave it a number."""
        with open(path) as file:
            self._send(GETNSID, REQUEST, bytes(4) + ATTRIBUTE.pack(8, 3) + U32.pack(file.fileno()))  # NETNSA_FD
            for message in self._answers(one=True):
                number = _signed(attributes(message[4:]).get(1))  # NETNSA_NSID
                return number if number is not None and number >= 0 else None
        return None

    def _send(self, question: int, flags: int, body: bytes) -> None:
        self._number += 1
        self._socket.send(HEADER.pack(HEADER.size + len(body), question, flags, self._number, 0) + body)

    def _answers(self, one: bool = False) -> Iterator[bytes]:
        while True:
            for kind, number, message in messages(self._socket.recv(LARGEST)):
                if number != self._number:
                    continue  # of an earlier question that was given up
                if kind == DONE:
                    return
                if kind == ERROR:
                    code = -(_signed(message[:4]) or 0)
                    raise OSError(code, f"netlink: error {code}")
                yield message
                if one:
                    return


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each message's type, sequence number and content."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, _, number, _ = HEADER.unpack_from(data, at)
        if length < HEADER.size or at + length > len(data):
            return
        yield kind, number, data[at + HEADER.size : at + length]
        at += (length + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """A list of attributes by their numbers; ends at the first that makes no sense."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, at)
        if length < 4 or at + length > len(data):
            break
        found[kind & 0x3FFF] = data[at + 4 : at + length]  # without the flags of nesting and byte order
        at += (length + 3) & ~3
    return found


def interface_of(message: bytes) -> Interface | None:
    """A device of an RTM_NEWLINK."""
    if len(message) < LINK.size:
        return None
    _, type_, index, _, _ = LINK.unpack_from(message)
    told = attributes(message[LINK.size :])
    info = attributes(told.get(18, b""))  # IFLA_LINKINFO: IFLA_INFO_KIND, IFLA_INFO_DATA
    kind = _text(info.get(1))
    if kind == "tun" and attributes(info.get(2, b"")).get(3) == TAP:
        kind = "tap"
    state, stats = told.get(16, b"\0"), told.get(23, b"")  # IFLA_OPERSTATE, IFLA_STATS64
    bytes_ = struct.unpack_from("=QQ", stats, 16) if len(stats) >= 32 else (None, None)
    return Interface(
        index=index,
        name=_text(told.get(3)),
        type=type_,
        kind=kind,
        mac=_hardware(told.get(1)),
        mtu=_unsigned(told.get(4)),
        state=STATES[state[0]] if state and state[0] < len(STATES) else "",
        master=_unsigned(told.get(10)),
        link=_unsigned(told.get(5)),
        netnsid=_signed(told.get(37)),
        bus=_text(told.get(57)),
        device=_text(told.get(56)),
        alias=_text(told.get(20)),
        received=bytes_[0],
        sent=bytes_[1],
    )


def address_of(message: bytes) -> Address | None:
    """An address of an RTM_NEWADDR."""
    if len(message) < ADDRESS.size:
        return None
    _, length, _, _, index = ADDRESS.unpack_from(message)
    told = attributes(message[ADDRESS.size :])
    address = _address(told.get(2) or told.get(1))  # IFA_LOCAL before IFA_ADDRESS, which is the far end of a tunnel
    return Address(index, f"{address}/{length}") if address else None


def route_of(message: bytes) -> Route | None:
    """A route of an RTM_NEWROUTE; None for those that the kernel keeps for itself. Of several next hops the first."""
    if len(message) < ROUTE.size:
        return None
    family, length, _, _, table, _, _, type_, flags = ROUTE.unpack_from(message)
    told = attributes(message[ROUTE.size :])
    table = _unsigned(told.get(15)) or table
    if type_ not in ROUTES or table == LOCAL_TABLE or flags & CACHED:
        return None
    device, hop = _unsigned(told.get(4)), told
    if len(hops := told.get(9, b"")) >= 8:  # RTA_MULTIPATH: struct rtnexthop and its attributes
        size, device = struct.unpack_from("=Hxxi", hops)
        hop = attributes(hops[8:size])
    via = hop.get(18, b"")[2:]  # RTA_VIA: a gateway of another family
    destination = _address(told.get(1)) if length else "default" if family == socket.AF_INET else "::/0"
    if length and length != (32 if family == socket.AF_INET else 128):
        destination += f"/{length}"
    return Route(
        destination=destination,
        kind=ROUTES[type_],
        device=device,
        gateway=_address(hop.get(5)) or _address(via),
        source=_address(told.get(7)),
        metric=_unsigned(told.get(6)),
        table=table,
    )


def forwarding_of(message: bytes) -> Forwarding | None:
    """A learned entry of an RTM_NEWNEIGH of AF_BRIDGE; None for all others."""
    if len(message) < NEIGHBOUR.size:
        return None
    _, port, state, flags, _ = NEIGHBOUR.unpack_from(message)
    told = attributes(message[NEIGHBOUR.size :])
    mac = _hardware(told.get(2))
    if state & PERMANENT or flags & SELF or 9 not in told or not mac:  # NDA_MASTER
        return None
    vlan = told.get(5, b"")
    return Forwarding(port, mac, int.from_bytes(vlan, "little") if len(vlan) == 2 else 0)


def _text(value: bytes | None) -> str:
    return (value or b"").split(b"\0")[0].decode(errors="replace")


def _unsigned(value: bytes | None) -> int:
    return int(U32.unpack(value)[0]) if value is not None and len(value) == 4 else 0


def _signed(value: bytes | None) -> int | None:
    return int(S32.unpack(value)[0]) if value is not None and len(value) == 4 else None


def _hardware(value: bytes | None) -> str:
    return (value or b"").hex(":")


def _address(value: bytes | None) -> str:
    family = FAMILIES.get(len(value or b""))
    return socket.inet_ntop(family, value) if family and value else ""
