"""What rtnetlink(7) is asked to make, change and remove: each a `Change`, for `Netlink.change` to send.

`put_` makes what is not there and adopts what is; `make_` is refused where there is something of that name.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

from agent.netlink.messages import ACK, CREATE, EXCL, REPLACE, U32, attribute, name, nested
from agent.netlink.route import ADDRESS, ANY, IFF_UP, IFNAME, KINDS, LINK, MAIN_TABLE, ROUTE
from agent.netlink.sockets import Change

NEWLINK, DELLINK, SETLINK, NEWADDR, NEWROUTE, DELROUTE = 16, 17, 19, 20, 24, 25
MAC, MTU, MASTER, PROTINFO, LINKINFO, NET_NS_PID, ALIAS = 1, 4, 10, 12, 18, 19, 20  # IFLA_*
INFO_KIND, INFO_DATA, VETH_PEER, HAIRPIN = 1, 2, 1, 4  # IFLA_INFO_*, VETH_INFO_PEER, IFLA_BRPORT_MODE
STATIC, EVERYWHERE, ON_LINK = 4, 0, 253  # RTPROT_STATIC, RT_SCOPE_UNIVERSE, RT_SCOPE_LINK
TYPES = {word: number for number, word in KINDS.items()}
LOOPBACK = 1  # LOOPBACK_IFINDEX: of each namespace


class Peer(NamedTuple):
    """The other end of a veth pair: it is made in the network namespace of process pid."""

    name: str
    mac: str
    pid: int


def make_bridge(called: str, mac: str, mtu: int) -> Change:
    """A bridge with a hardware address of its own."""
    return _make(_device(called, mac, mtu), "bridge")


def make_veth(called: str, mtu: int, peer: Peer) -> Change:
    """A pair of devices, one here and one there."""
    there = ANY + _device(peer.name, peer.mac, mtu) + attribute(NET_NS_PID, U32.pack(peer.pid))
    return _make(_device(called, "", mtu), "veth", nested(INFO_DATA, nested(VETH_PEER, there)))


def set_up(index: int, master: int = 0, alias: str = "") -> Change:
    """Plug a device into this bridge, give it this alias, and let it come up."""
    body = LINK.pack(0, 0, index, IFF_UP, IFF_UP)
    body += attribute(MASTER, U32.pack(master)) if master else b""
    return Change(NEWLINK, body + (attribute(ALIAS, alias.encode()) if alias else b""))


def set_hairpin(index: int) -> Change:
    """Let a bridge send what came by this port back through it."""
    head = LINK.pack(socket.AF_BRIDGE, 0, index, 0, 0)
    return Change(SETLINK, head + nested(PROTINFO, attribute(HAIRPIN, b"\1")))


def remove_link(called: str) -> Change:
    """Remove a device by its name: ENODEV where there is none."""
    return Change(DELLINK, ANY + attribute(IFNAME, name(called)))


def put_address(index: int, address: str, length: int) -> Change:
    """Give a device an IPv4 address."""
    packed = socket.inet_aton(address)
    body = ADDRESS.pack(socket.AF_INET, length, 0, EVERYWHERE, index)
    return Change(
        NEWADDR, body + attribute(1, packed) + attribute(2, packed), ACK | CREATE | REPLACE
    )  # IFA_ADDRESS, _LOCAL


def put_route(
    destination: str, device: int = 0, gateway: str = "", source: str = "", metric: int = 0, kind: str = "unicast"
) -> Change:
    """An IPv4 route of the main table, to ADDRESS/LENGTH or `default`."""
    body = _route(destination, STATIC, kind, gateway, metric)
    body += attribute(4, U32.pack(device)) if device else b""  # RTA_OIF, RTA_PREFSRC
    body += attribute(7, socket.inet_aton(source)) if source else b""
    return Change(NEWROUTE, body, ACK | CREATE | REPLACE)


def remove_route(destination: str, metric: int = 0, kind: str = "unicast") -> Change:
    """Remove one, whoever made it: ESRCH where there is none."""
    return Change(DELROUTE, _route(destination, 0, kind, "", metric))


def _device(called: str, mac: str, mtu: int) -> bytes:
    address = attribute(MAC, bytes.fromhex(mac.replace(":", ""))) if mac else b""
    return attribute(IFNAME, name(called)) + address + attribute(MTU, U32.pack(mtu))


def _make(device: bytes, kind: str, data: bytes = b"") -> Change:
    info = nested(LINKINFO, attribute(INFO_KIND, kind.encode()), data)
    return Change(NEWLINK, ANY + device + info, ACK | CREATE | EXCL)


def _route(destination: str, protocol: int, kind: str, gateway: str, metric: int) -> bytes:
    network, _, length = destination.partition("/") if destination != "default" else ("", "", "0")
    scope = ON_LINK if kind == "unicast" and not gateway else EVERYWHERE
    body = ROUTE.pack(socket.AF_INET, int(length), 0, 0, MAIN_TABLE, protocol, scope, TYPES[kind], 0)
    body += attribute(1, socket.inet_aton(network)) if network else b""  # RTA_DST, RTA_GATEWAY, RTA_PRIORITY
    body += attribute(5, socket.inet_aton(gateway)) if gateway else b""
    return body + (attribute(6, U32.pack(metric)) if metric else b"")
