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
import struct
from asyncio import AbstractEventLoop
from collections.abc import Callable

UEVENT = 15  # NETLINK_KOBJECT_UEVENT
LINKS, KERNEL = 1, 1  # RTMGRP_LINK; the kernel's own uevents, before udev's
HEAD = struct.Struct(
    "=IHHIIBxHiII"
)  # nlmsghdr and ifinfomsg (rtnetlink(7)), which ends with a mask of what has changed
NEWLINK, MADE = 16, 0xFFFFFFFF  # RTM_NEWLINK; the mask of a device that was not there
INFO_KIND = 1  # IFLA_INFO_KIND; what a port is plugged into stands in another attribute
HARDWARE = re.compile(rb"SUBSYSTEM=(block|cpu|memory)\0")
PLUGS = (b"add@", b"remove@", b"online@", b"offline@")
LARGEST = 1 << 16


def is_news(protocol: int, message: bytes) -> bool:
    """Whether a message tells of the machine, and not of a pod's plug."""
    if protocol == UEVENT:
        return HARDWARE.search(message) is not None and message.startswith(PLUGS)
    if len(message) < HEAD.size:
        return False
    _, type_, _, _, _, family, _, _, _, changed = HEAD.unpack_from(message)
    if family != socket.AF_UNSPEC or _is(b"veth", message):  # AF_BRIDGE tells of ports, of which their devices tell too
        return False
    return type_ != NEWLINK or changed == MADE or not _is(b"bridge", message)


def _is(kind: bytes, message: bytes) -> bool:
    return struct.pack("=HH", 4 + len(kind) + 1, INFO_KIND) + kind + b"\0" in message


class Hotplug:
    """Calls `wake` on news from when it is made until it is closed. A kernel that lets nobody listen tells nothing."""

    def __init__(self, loop: AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop, self._wake = loop, wake
        self._sockets: list[socket.socket] = []
        for protocol, groups in ((socket.NETLINK_ROUTE, LINKS), (UEVENT, KERNEL)):
            with contextlib.suppress(OSError):
                listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
                self._sockets.append(listener)
                listener.bind((0, groups))
                loop.add_reader(listener, self._read, listener)

    def _read(self, listener: socket.socket) -> None:
        try:
            news = is_news(listener.proto, listener.recv(LARGEST))
        except BlockingIOError:
            return
        except OSError:  # more was said than the kernel keeps for us: something has changed
            news = True
        if news:
            self._wake()

    def close(self) -> None:
        """Listen no longer."""
        for listener in self._sockets:
            self._loop.remove_reader(listener)
            listener.close()
        self._sockets.clear()
