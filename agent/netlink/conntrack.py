"""The kernel's tracked flows (linux/netfilter/nfnetlink_conntrack.h): TCP and UDP over IPv4.

A flow is kept as two tuples: what its first packet said, and what an answer is expected to say.
"""

from __future__ import annotations

import contextlib
import socket
from typing import NamedTuple

from agent.netlink.messages import ACK, BE16, address, attribute, attributes, big, nested
from agent.netlink.sockets import Change, Netlink

GET, DELETE = 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_*
HEAD = bytes([socket.AF_INET, 0, 0, 0])  # nfgenmsg
ORIGINAL, REPLY, STATUS, ID = 1, 2, 3, 12  # CTA_*
TUPLE_IP, TUPLE_PROTO = 1, 2
SEEN_REPLY = 1 << 1  # linux/netfilter/nf_conntrack_common.h
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
NAMES = {int(number): name for name, number in PROTOCOLS.items()}

End = tuple[str, int]


class Flow(NamedTuple):
    """A tracked flow: both ends as the first packet named them, and as an answer will."""

    protocol: str
    source: End
    destination: End
    reply_source: End
    reply_destination: End
    id: int = 0
    answered: bool = False

    @property
    def destination_translated(self) -> bool:
        """Whether answers come from elsewhere than the packet was sent to."""
        return self.reply_source != self.destination

    @property
    def source_translated(self) -> bool:
        """Whether answers go elsewhere than the packet came from."""
        return self.reply_destination != self.source


def observe_flows(netlink: Netlink) -> list[Flow]:
    """All of this namespace; netlink is a socket of NETFILTER."""
    return [flow for entry in netlink.dump(GET, HEAD) if (flow := flow_of(entry))]


def find_flow(netlink: Netlink, protocol: str, source: End, destination: End) -> Flow | None:
    """The one whose first packet had these ends; None when there is none."""
    try:
        entry = netlink.ask(GET, HEAD + _tuple(protocol, source, destination))
    except FileNotFoundError:
        return None
    return flow_of(entry) if entry else None


def remove_flow(netlink: Netlink, flow: Flow) -> None:
    """Forget it: its next packet is the first of another. One that is gone already is forgotten."""
    with contextlib.suppress(FileNotFoundError):
        netlink.change(Change(DELETE, HEAD + _tuple(flow.protocol, flow.source, flow.destination), ACK))


def flow_of(entry: bytes) -> Flow | None:
    """A flow of an IPCTNL_MSG_CT_NEW; None for one that is neither TCP nor UDP over IPv4."""
    told = attributes(entry[len(HEAD) :])
    protocol, source, destination = _ends(told.get(ORIGINAL, b""))
    _, reply_source, reply_destination = _ends(told.get(REPLY, b""))
    if protocol not in NAMES or not source[0]:
        return None
    answered = bool(big(told.get(STATUS)) & SEEN_REPLY)
    return Flow(NAMES[protocol], source, destination, reply_source, reply_destination, big(told.get(ID)), answered)


def _ends(tuple_: bytes) -> tuple[int, End, End]:
    parts = attributes(tuple_)
    addresses, protocol = attributes(parts.get(TUPLE_IP, b"")), attributes(parts.get(TUPLE_PROTO, b""))
    ends = [
        (address(addresses.get(way)), big(protocol.get(way + 1))) for way in (1, 2)
    ]  # CTA_IP_V4_*, CTA_PROTO_*_PORT
    return big(protocol.get(1)), ends[0], ends[1]


def _tuple(protocol: str, source: End, destination: End) -> bytes:
    addresses = [attribute(way, socket.inet_aton(end[0])) for way, end in ((1, source), (2, destination))]
    ports = [attribute(way, BE16.pack(end[1])) for way, end in ((2, source), (3, destination))]
    number = attribute(1, bytes([PROTOCOLS[protocol]]))
    return nested(ORIGINAL, nested(TUPLE_IP, *addresses), nested(TUPLE_PROTO, number, *ports))
