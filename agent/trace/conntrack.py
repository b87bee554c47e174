"""The third witness: connection tracking, which tells what a flow's addresses became.

The kernel keeps a flow as two tuples: what the first packet said, and what an answer is expected to say. Where the answer
comes from another address than the first packet went to, the destination was translated; where it goes to another than the
first packet came from, the source was. Read at once: entries live for seconds.
"""

from __future__ import annotations

import errno
from typing import Any, NamedTuple

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple, NFCTSocket

from agent.network.plumbing import entered
from agent.trace.nfttrace import NAMES, PROTOCOLS
from agent.trace.packet import Packet

SEEN_REPLY = 1 << 1  # linux/netfilter/nf_conntrack_common.h

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


def read_flow(path: str, packet: Packet) -> Flow | None:
    """The flow that this packet opened in the namespace at `path`, None when there is none. It is asked for by its tuple:
    a dump of all takes seconds on a busy machine. OSError where the kernel does not tell."""
    asked = NFCTAttrTuple(
        saddr=packet.source,
        daddr=packet.destination,
        proto=PROTOCOLS[packet.protocol],
        sport=packet.sport,
        dport=packet.dport,
    )

    try:
        with entered(path), NFCTSocket() as conntrack:
            entries = list(conntrack.entry("get", tuple_orig=asked))
    except NetlinkError as error:
        if error.code == errno.ENOENT:
            return None
        raise OSError(error.code, f"ctnetlink: {error}") from error
    return next((flow for entry in entries if (flow := parse(entry))), None)


def parse(entry: Any) -> Flow | None:
    """An entry as pyroute2 gives it; None for one that is neither TCP nor UDP over IPv4."""
    protocol = NAMES.get(_attribute(entry, "CTA_TUPLE_ORIG", "CTA_TUPLE_PROTO", "CTA_PROTO_NUM") or 0)
    source, destination, reply_source, reply_destination = (
        _end(entry, side, way) for side in ("ORIG", "REPLY") for way in ("SRC", "DST")
    )
    if protocol is None or source[0] is None:
        return None
    status = _attribute(entry, "CTA_STATUS") or 0
    number, answered = _attribute(entry, "CTA_ID") or 0, bool(status & SEEN_REPLY)
    return Flow(protocol, source, destination, reply_source, reply_destination, number, answered)


def _end(entry: Any, side: str, way: str) -> End:
    tuple_ = f"CTA_TUPLE_{side}"
    address = _attribute(entry, tuple_, "CTA_TUPLE_IP", f"CTA_IP_V4_{way}")
    return address, _attribute(entry, tuple_, "CTA_TUPLE_PROTO", f"CTA_PROTO_{way}_PORT") or 0


def _attribute(message: Any, *path: str) -> Any:
    for name in path:
        message = message.get_attr(name) if message is not None else None
    return message
