"""Questions that no file answers: netlink. Each is asked once and changes nothing; a refusal is an answer too.

The messages are few and of fixed form, so they are written here as bytes: what is wanted is the kernel's plain yes or no,
also where a library would load the whole table or raise.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from typing import NamedTuple

from kubeapi.hardware_v1.layers import Evidence

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
SOL_NETLINK, ADD_MEMBERSHIP = 270, 1
REQUEST, DUMP = 0x1, 0x300
NLMSG_ERROR = 2
IPCTNL_MSG_CT_GET = 0x0101
NFT_MSG_GETGEN = 0x0A10
RTM_GETNSID, NETNSA_PID = 90, 2
GROUP_CONNTRACK_NEW, GROUP_NFTRACE = 1, 9
DEADLINE = 2.0


class Answer(NamedTuple):
    """What the kernel said: an errno, 0 for yes."""

    error: int
    evidence: Evidence

    @property
    def forbidden(self) -> bool:
        """Whether it is there and refuses us."""
        return self.error in (errno.EPERM, errno.EACCES)


def conntrack() -> Answer:
    """Whether ctnetlink lists connections: the first piece of a dump is enough."""
    return _ask("netlink IPCTNL_MSG_CT_GET", NETLINK_NETFILTER, IPCTNL_MSG_CT_GET, DUMP, struct.pack("BBH", 0, 0, 0))


def conntrack_events() -> Answer:
    """Whether ctnetlink tells of new connections."""
    return _join("netlink group NFNLGRP_CONNTRACK_NEW", GROUP_CONNTRACK_NEW)


def nft_trace() -> Answer:
    """Whether nf_tables is there, and its trace may be listened to."""
    there = _ask("netlink NFT_MSG_GETGEN", NETLINK_NETFILTER, NFT_MSG_GETGEN, 0, struct.pack("BBH", 0, 0, 0))
    return there if there.error else _join("netlink group NFNLGRP_NFTRACE", GROUP_NFTRACE)


def namespace_ids() -> Answer:
    """Whether the kernel names other network namespaces by number (a veth's other end is told in these)."""
    body = struct.pack("BxxxHHI", 0, 8, NETNSA_PID, os.getpid())
    return _ask("netlink RTM_GETNSID", NETLINK_ROUTE, RTM_GETNSID, 0, body)


def _ask(source: str, protocol: int, message: int, flags: int, body: bytes) -> Answer:
    try:
        with contextlib.closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)) as asked:
            asked.settimeout(DEADLINE)
            asked.send(struct.pack("=IHHII", 16 + len(body), message, REQUEST | flags, 1, 0) + body)
            reply = asked.recv(1 << 16)
    except OSError as error:
        return _answer(source, error.errno or errno.ETIMEDOUT)
    kind = struct.unpack_from("=IH", reply)[1]
    return _answer(source, -struct.unpack_from("=i", reply, 16)[0] if kind == NLMSG_ERROR else 0)


def _join(source: str, group: int) -> Answer:
    try:
        with contextlib.closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)) as asked:
            asked.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    except OSError as error:
        return _answer(source, error.errno or errno.EINVAL)
    return _answer(source, 0)


def _answer(source: str, error: int) -> Answer:
    return Answer(error, Evidence(source=source, value=os.strerror(error) if error else "answered"))
