"""The kernel's word that the machine itself has changed: a card, a switch or a tap, a disk, a processor, memory.

    rtnetlink, group link ──┐
                            ├──▶ news(message)? ──▶ wake
    uevents of the kernel ──┘

Pods come and go with a veth each, which says nothing of the machine: messages about veths are no news, nor are those of the
bridge that they are plugged into, but for its own coming and going. Nothing is polled.
"""

from __future__ import annotations

import contextlib
import re
import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable

from agent.netlink.messages import Message, messages
from agent.netlink.route import LINK, interface_of
from agent.netlink.sockets import ROUTE, UEVENT, Netlink

LINKS, KERNEL = 1, 1  # RTNLGRP_LINK; the kernel's own uevents, before udev's
NEWLINK, MADE = 16, 0xFFFFFFFF  # RTM_NEWLINK; the mask of what has changed, of a device that was not there
HARDWARE = re.compile(rb"SUBSYSTEM=(block|cpu|memory)\0")
PLUGS = (b"add@", b"remove@", b"online@", b"offline@")


def is_news(protocol: int, said: bytes) -> bool:
    """Whether what was said tells of the machine, and not of a pod's plug."""
    if protocol == UEVENT:
        return HARDWARE.search(said) is not None and said.startswith(PLUGS)
    return any(_is_news(message) for message in messages(said))


def _is_news(message: Message) -> bool:
    link = interface_of(message.body)
    if link is None:
        return False
    family, _, _, _, changed = LINK.unpack_from(message.body)
    if family != socket.AF_UNSPEC or link.kind == "veth":  # AF_BRIDGE tells of ports, of which their devices tell too
        return False
    return message.kind != NEWLINK or changed == MADE or link.kind != "bridge"


class Hotplug:
    """Calls `wake` on news from when it is made until it is closed. A kernel that lets nobody listen tells nothing."""

    def __init__(self, loop: AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop, self._wake = loop, wake
        self._listeners: list[Netlink] = []
        for protocol, group in ((ROUTE, LINKS), (UEVENT, KERNEL)):
            with contextlib.suppress(OSError):
                listener = Netlink(protocol, [group])
                self._listeners.append(listener)
                loop.add_reader(listener, self._read, protocol, listener)

    def _read(self, protocol: int, listener: Netlink) -> None:
        # None: more was said than the kernel keeps for us, so something has changed.
        news = [said is None or is_news(protocol, said) for said in listener.received()]
        if any(news):
            self._wake()

    def close(self) -> None:
        """Listen no longer."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()
