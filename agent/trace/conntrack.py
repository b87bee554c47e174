"""The third witness: connection tracking, which tells what a flow's addresses became.

Where the answer to a flow comes from another address than its first packet went to, the destination was translated; where
it goes to another than the first packet came from, the source was. Read at once: entries live for seconds.
"""

from __future__ import annotations

from agent.netlink.conntrack import Flow, find_flow
from agent.netlink.namespaces import entered
from agent.netlink.sockets import NETFILTER, Netlink
from agent.trace.packet import Packet


def read_flow(path: str, packet: Packet) -> Flow | None:
    """The flow that this packet opened in the namespace at `path`, None when there is none. It is asked for by its tuple:
    a dump of all takes seconds on a busy machine. OSError where the kernel does not tell."""
    with entered(path):
        netlink = Netlink(NETFILTER)
    with netlink:
        return find_flow(netlink, packet.protocol, (packet.source, packet.sport), (packet.destination, packet.dport))
