"""The kernel's word that something has changed: one shot, so that a machine nobody looks at is not listened to.

Two netlink sockets are members of the groups that tell of devices, addresses, routes, neighbours (and so of forwarding
tables) and nftables. What is said does not matter, only that it is; after the first word both are closed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from agent.netlink.sockets import NETFILTER, ROUTE, Netlink

# rtnetlink(7): link, neigh, ipv4 address, ipv4 route, ipv6 address, ipv6 route; nfnetlink.h: NFNLGRP_NFTABLES
GROUPS = {ROUTE: (1, 3, 5, 7, 9, 11), NETFILTER: (7,)}


class Changes:
    """Listens from when it is made until it has `seen` a change, or is closed. A kernel that lets nobody listen has always
    changed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sockets: list[Netlink] = []
        self.seen = False
        try:
            for protocol, groups in GROUPS.items():
                self._listen(protocol, groups)
        except OSError:
            self._tell()

    def _listen(self, protocol: int, groups: Iterable[int]) -> None:
        listener = Netlink(protocol, groups)
        self._sockets.append(listener)
        self._loop.add_reader(listener, self._tell)

    def _tell(self) -> None:
        self.seen = True
        self.close()

    def close(self) -> None:
        """Listen no longer. May be repeated."""
        for listener in self._sockets:
            with contextlib.suppress(ValueError):  # it was never added
                self._loop.remove_reader(listener)
            listener.close()
        self._sockets.clear()
