"""Questions that no file answers: netlink. Each is asked once and changes nothing; a refusal is an answer too.

What is wanted is the kernel's plain yes or no: of a whole table the first piece is enough.
"""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from agent.netlink.messages import DUMP, U32, attribute
from agent.netlink.route import GETNSID
from agent.netlink.sockets import NETFILTER, ROUTE, Netlink
from kubeapi.hardware_v1.layers import Evidence

IPCTNL_MSG_CT_GET = 0x0101
NFT_MSG_GETGEN = 0x0A10
NETNSA_PID = 2
ANYTHING = bytes(4)  # nfgenmsg, rtgenmsg
GROUP_CONNTRACK_NEW, GROUP_NFTRACE = 1, 9


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
    return _ask("netlink IPCTNL_MSG_CT_GET", NETFILTER, IPCTNL_MSG_CT_GET, ANYTHING, DUMP)


def conntrack_events() -> Answer:
    """Whether ctnetlink tells of new connections."""
    return _join("netlink group NFNLGRP_CONNTRACK_NEW", GROUP_CONNTRACK_NEW)


def nft_trace() -> Answer:
    """Whether nf_tables is there, and its trace may be listened to."""
    there = _ask("netlink NFT_MSG_GETGEN", NETFILTER, NFT_MSG_GETGEN, ANYTHING)
    return there if there.error else _join("netlink group NFNLGRP_NFTRACE", GROUP_NFTRACE)


def namespace_ids() -> Answer:
    """Whether the kernel names other network namespaces by number (a veth's other end is told in these)."""
    return _ask("netlink RTM_GETNSID", ROUTE, GETNSID, ANYTHING + attribute(NETNSA_PID, U32.pack(os.getpid())))


def _ask(source: str, protocol: int, kind: int, body: bytes, flags: int = 0) -> Answer:
    try:
        with Netlink(protocol) as netlink:
            netlink.ask(kind, body, flags)
    except OSError as error:
        return _answer(source, error.errno or errno.EINVAL)
    return _answer(source, 0)


def _join(source: str, group: int) -> Answer:
    try:
        Netlink(NETFILTER, [group]).close()
    except OSError as error:
        return _answer(source, error.errno or errno.EINVAL)
    return _answer(source, 0)


def _answer(source: str, error: int) -> Answer:
    return Answer(error, Evidence(source=source, value=os.strerror(error) if error else "answered"))
