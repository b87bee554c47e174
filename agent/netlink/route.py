"""rtnetlink(7) as far as it is asked: devices, addresses, routes, rules, neighbours and forwarding tables, as plain values.

Each `observe_` is one dump, each `_of` takes a message of one apart. What makes no sense there is left out, never an error.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from agent.netlink.messages import U32, address, attribute, attributes, name, signed, text, unsigned
from agent.netlink.sockets import Netlink

GETLINK, GETADDR, GETROUTE, GETNEIGH, GETRULE, GETNSID = 18, 22, 26, 30, 34, 90
# The fixed parts before the attributes: ifinfomsg, ifaddrmsg, rtmsg, ndmsg, fib_rule_hdr.
LINK, ADDRESS, ROUTE = struct.Struct("=BxHiII"), struct.Struct("=BBBBI"), struct.Struct("=BBBBBBBBI")
NEIGHBOUR, RULE = struct.Struct("=B3xiHBB"), struct.Struct("=BBBBBxxBI")
IFNAME, EXT_MASK, SKIP_STATS = 3, 29, 8  # IFLA_IFNAME; IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS
ANY = LINK.pack(0, 0, 0, 0, 0)
BRIEF = attribute(EXT_MASK, U32.pack(SKIP_STATS))

STATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")  # RFC 2863, IFLA_OPERSTATE
KINDS = {1: "unicast", 2: "local", 3: "broadcast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}  # RTN_*
CHOSEN = frozenset(("unicast", "blackhole", "unreachable", "prohibit"))
DEFAULT_TABLE, MAIN_TABLE, LOCAL_TABLE = 253, 254, 255
CACHED = 0x200  # RTM_F_CLONED
PERMANENT, SELF = 0x80, 0x02  # NUD_PERMANENT: a port's own address; NTF_SELF: of the device, not of its bridge
IFF_UP, IFF_LOOPBACK = 1, 8
TAP = b"\2"  # IFLA_TUN_TYPE
Value = TypeVar("Value")


class Interface(NamedTuple):
    """A device. kind is IFLA_INFO_KIND, with `tap` for a tun that is one; link and netnsid lead to its peer or lower device;
    bus and device are what it hangs on; received and sent are bytes; flags are IFF_*."""

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
    flags: int = 0


class Address(NamedTuple):
    """An address with its prefix length, the index of the device that has it, and its scope (0: everywhere)."""

    device: int
    text: str
    scope: int = 0


class Route(NamedTuple):
    """A route. destination is as `ip route` writes it, but `::/0` for the default of IPv6; device 0 where it has none."""

    destination: str
    kind: str
    device: int = 0
    gateway: str = ""
    source: str = ""
    metric: int = 0
    table: int = MAIN_TABLE

    @property
    def chosen(self) -> bool:
        """Whether somebody wanted it, and the kernel did not make it to know its own addresses."""
        return self.kind in CHOSEN and self.table != LOCAL_TABLE


class Rule(NamedTuple):
    """A rule of policy routing: what it fits, empty and 0 where all does, and the table that is asked then."""

    priority: int
    table: int
    source: str = ""
    destination: str = ""
    mark: int = 0
    device: str = ""


class Neighbour(NamedTuple):
    """Behind this device, that address is known to be at this MAC."""

    device: int
    address: str
    mac: str


class Forwarding(NamedTuple):
    """An entry of a bridge's forwarding table: behind this port is that address. learned tells it from the port's own."""

    port: int
    mac: str
    vlan: int = 0
    learned: bool = True


def find_interface(netlink: Netlink, called: str) -> Interface | None:
    """The device of that name, without its counters."""
    try:
        answer = netlink.ask(GETLINK, ANY + attribute(IFNAME, name(called)) + BRIEF)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return None
    return interface_of(answer) if answer else None


def observe_interfaces(netlink: Netlink, counters: bool = False) -> list[Interface]:
    """All devices; with counters surely what each has received and sent, too, for which the kernel tells more of all."""
    return _each(interface_of, netlink.dump(GETLINK, ANY + (b"" if counters else BRIEF)))


def observe_addresses(netlink: Netlink, family: int = socket.AF_UNSPEC) -> list[Address]:
    """All addresses of devices."""
    return _each(address_of, netlink.dump(GETADDR, ADDRESS.pack(family, 0, 0, 0, 0)))


def observe_routes(netlink: Netlink, family: int = socket.AF_UNSPEC) -> list[Route]:
    """The routes of all tables."""
    return _each(route_of, netlink.dump(GETROUTE, ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)))


def observe_rules(netlink: Netlink, family: int = socket.AF_INET) -> list[Rule]:
    """The rules that say which table is asked for a route."""
    return _each(rule_of, netlink.dump(GETRULE, RULE.pack(family, 0, 0, 0, 0, 0, 0)))


def observe_neighbours(netlink: Netlink, family: int = socket.AF_INET) -> list[Neighbour]:
    """Whose MAC is known."""
    return _each(neighbour_of, netlink.dump(GETNEIGH, NEIGHBOUR.pack(family, 0, 0, 0, 0)))


def observe_forwarding(netlink: Netlink) -> list[Forwarding]:
    """The forwarding tables of all bridges."""
    return _each(forwarding_of, netlink.dump(GETNEIGH, NEIGHBOUR.pack(socket.AF_BRIDGE, 0, 0, 0, 0)))


def number_of(netlink: Netlink, path: str) -> int | None:
    """What this namespace calls the one at path (RTM_GETNSID); None where it never gave it a number."""
    with open(path) as file:
        answer = netlink.ask(GETNSID, bytes(4) + attribute(3, U32.pack(file.fileno())))  # NETNSA_FD
    number = signed(attributes((answer or b"")[4:]).get(1))  # NETNSA_NSID
    return number if number is not None and number >= 0 else None


def _each(reader: Callable[[bytes], Value | None], answers: Iterable[bytes]) -> list[Value]:
    return [found for answer in answers if (found := reader(answer)) is not None]


def interface_of(message: bytes) -> Interface | None:
    """A device of an RTM_NEWLINK."""
    if len(message) < LINK.size:
        return None
    _, type_, index, flags, _ = LINK.unpack_from(message)
    told = attributes(message[LINK.size :])
    info = attributes(told.get(18, b""))  # IFLA_LINKINFO: IFLA_INFO_KIND, IFLA_INFO_DATA
    kind = text(info.get(1))
    if kind == "tun" and attributes(info.get(2, b"")).get(3) == TAP:
        kind = "tap"
    state, stats = told.get(16, b"\0"), told.get(23, b"")  # IFLA_OPERSTATE, IFLA_STATS64
    bytes_ = struct.unpack_from("=QQ", stats, 16) if len(stats) >= 32 else (None, None)
    return Interface(
        index=index,
        name=text(told.get(IFNAME)),
        type=type_,
        kind=kind,
        mac=_hardware(told.get(1)),
        mtu=unsigned(told.get(4)),
        state=STATES[state[0]] if state and state[0] < len(STATES) else "",
        master=unsigned(told.get(10)),
        link=unsigned(told.get(5)),
        netnsid=signed(told.get(37)),
        bus=text(told.get(57)),
        device=text(told.get(56)),
        alias=text(told.get(20)),
        received=bytes_[0],
        sent=bytes_[1],
        flags=flags,
    )


def address_of(message: bytes) -> Address | None:
    """An address of an RTM_NEWADDR."""
    if len(message) < ADDRESS.size:
        return None
    _, length, _, scope, index = ADDRESS.unpack_from(message)
    told = attributes(message[ADDRESS.size :])
    found = address(told.get(2) or told.get(1))  # IFA_LOCAL before IFA_ADDRESS, which is the far end of a tunnel
    return Address(index, f"{found}/{length}", scope) if found else None


def route_of(message: bytes) -> Route | None:
    """A route of an RTM_NEWROUTE; None for what is no place to send to. Of several next hops the first."""
    if len(message) < ROUTE.size:
        return None
    family, length, _, _, table, _, _, type_, flags = ROUTE.unpack_from(message)
    if type_ not in KINDS or flags & CACHED:
        return None
    told = attributes(message[ROUTE.size :])
    device, hop = unsigned(told.get(4)), told
    if len(hops := told.get(9, b"")) >= 8:  # RTA_MULTIPATH: struct rtnexthop and its attributes
        size, device = struct.unpack_from("=Hxxi", hops)
        hop = attributes(hops[8:size])
    via = hop.get(18, b"")[2:]  # RTA_VIA: a gateway of another family
    destination = address(told.get(1)) if length else "default" if family == socket.AF_INET else "::/0"
    if length and length != (32 if family == socket.AF_INET else 128):
        destination += f"/{length}"
    return Route(
        destination=destination,
        kind=KINDS[type_],
        device=device,
        gateway=address(hop.get(5)) or address(via),
        source=address(told.get(7)),
        metric=unsigned(told.get(6)),
        table=unsigned(told.get(15)) or table,
    )


def rule_of(message: bytes) -> Rule | None:
    """A rule of an RTM_NEWRULE."""
    if len(message) < RULE.size:
        return None
    _, to_length, from_length, _, table, _, _ = RULE.unpack_from(message)
    told = attributes(message[RULE.size :])  # FRA_*
    destination, source = address(told.get(1)), address(told.get(2))
    return Rule(
        priority=unsigned(told.get(6)),
        table=unsigned(told.get(15)) or table,
        source=f"{source}/{from_length}" if source else "",
        destination=f"{destination}/{to_length}" if destination else "",
        mark=unsigned(told.get(10)),
        device=text(told.get(3)),
    )


def neighbour_of(message: bytes) -> Neighbour | None:
    """A neighbour of an RTM_NEWNEIGH; None where its MAC is not known."""
    if len(message) < NEIGHBOUR.size:
        return None
    _, device, _, _, _ = NEIGHBOUR.unpack_from(message)
    told = attributes(message[NEIGHBOUR.size :])
    found, mac = address(told.get(1)), _hardware(told.get(2))
    return Neighbour(device, found, mac) if found and mac else None


def forwarding_of(message: bytes) -> Forwarding | None:
    """An entry of an RTM_NEWNEIGH of AF_BRIDGE."""
    if len(message) < NEIGHBOUR.size:
        return None
    _, port, state, flags, _ = NEIGHBOUR.unpack_from(message)
    told = attributes(message[NEIGHBOUR.size :])
    mac, vlan = _hardware(told.get(2)), told.get(5, b"")
    if not mac:
        return None
    learned = not state & PERMANENT and not flags & SELF and 9 in told  # NDA_MASTER
    return Forwarding(port, mac, int.from_bytes(vlan, "little") if len(vlan) == 2 else 0, learned)


def _hardware(value: bytes | None) -> str:
    return (value or b"").hex(":")
