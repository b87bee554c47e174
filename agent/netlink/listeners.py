"""The sockets of a namespace that take what arrives, as sock_diag(7) tells them."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from agent.netlink.messages import BE16, address
from agent.netlink.sockets import SOCK_DIAG, Netlink

BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
QUESTION = struct.Struct("=BBxxI48x")  # inet_diag_req_v2: family, protocol, states, any socket
PORT, ADDRESS = 4, 8  # where they stand in an inet_diag_msg
TCP_LISTEN, UDP_UNCONNECTED = 1 << 10, 1 << 7  # TCP_LISTEN; TCP_CLOSE, which UDP uses, too
SORTS = (("tcp", socket.IPPROTO_TCP, TCP_LISTEN), ("udp", socket.IPPROTO_UDP, UDP_UNCONNECTED))


class Listener(NamedTuple):
    """A socket that takes what arrives. address is 0.0.0.0 for all."""

    protocol: str
    address: str
    port: int


def observe_listeners() -> list[Listener]:
    """Who listens at IPv4 addresses, in the namespace that this thread is in; those of IPv6 at all addresses do."""
    found = []
    with Netlink(SOCK_DIAG) as netlink:
        for family in (socket.AF_INET, socket.AF_INET6):
            for protocol, number, states in SORTS:
                answer = netlink.dump(BY_FAMILY, QUESTION.pack(family, number, states))
                found += [listener for message in answer if (listener := listener_of(protocol, message))]
    return found


def listener_of(protocol: str, message: bytes) -> Listener | None:
    """One of an answer; None where it listens at an address of IPv6."""
    if len(message) < ADDRESS + 16:
        return None
    size = 4 if message[0] == socket.AF_INET else 16
    at = address(message[ADDRESS : ADDRESS + size])
    at = "0.0.0.0" if at == "::" else at.removeprefix("::ffff:")
    return Listener(protocol, at, BE16.unpack_from(message, PORT)[0]) if ":" not in at else None
