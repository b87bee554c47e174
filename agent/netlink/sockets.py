"""A netlink socket: questions are answered, changes acknowledged, and groups heard, each by the calling thread.

There is no loop behind it and nothing is kept: a question costs the kernel's own time and some microseconds. It belongs to
the network namespace that its thread is in when it is opened, and stays there.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from agent.netlink.messages import ACK, DONE, DUMP, ERROR, REQUEST, Message, messages

ROUTE, SOCK_DIAG, NETFILTER, UEVENT = 0, 4, 12, 15  # linux/netlink.h: NETLINK_*
SOL_NETLINK, ADD_MEMBERSHIP, EXT_ACK = 270, 1, 11
LARGEST = 1 << 17
SECONDS = 2.0


class Change(NamedTuple):
    """What the kernel is asked to do: a message that it acknowledges or, without ACK, only refuses."""

    kind: int
    body: bytes
    flags: int = ACK


class Netlink:
    """A socket of the namespace that its thread is in, and a member of these groups. What goes wrong is an OSError with the
    kernel's number and reason; no answer within SECONDS is a TimeoutError."""

    def __init__(self, protocol: int = ROUTE, groups: Iterable[int] = (), room: int = 0) -> None:
        """room is how many bytes may wait to be heard, 0 for as many as the kernel thinks right."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._number = 0
        try:
            self._socket.setblocking(False)
            self._socket.bind((0, 0))
            if room:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            for group in groups:
                self._socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
            with contextlib.suppress(OSError):  # before Linux 4.12 a refusal is a number only
                self._socket.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let it go, with what the kernel holds for it."""
        self._socket.close()

    def fileno(self) -> int:
        """For an event loop: readable when there is something to be `heard`."""
        return self._socket.fileno()

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """All messages of a table; body is the fixed part of the question, with the attributes that narrow it."""
        self._send([Change(kind, body, DUMP)])
        return [message.body for message in self._answers()]

    def ask(self, kind: int, body: bytes, flags: int = 0) -> bytes | None:
        """The one answer to a question, or the first; None where a dump is empty."""
        self._send([Change(kind, body, flags)])
        return next((message.body for message in self._answers()), None)

    def change(self, *changes: Change) -> None:
        """Ask for changes, one after the other, in a single message to the kernel. Raises its first refusal; as it goes on
        after one, what is asked for in one breath must bear that."""
        numbers = self._send(changes)
        waiting = {number for number, change in zip(numbers, changes, strict=True) if change.flags & ACK}
        while waiting:
            for message in messages(self._answer()):
                if message.kind == ERROR and message.number in numbers:
                    if refusal := message.refusal:
                        raise refusal
                    waiting.discard(message.number)

    def heard(self) -> Iterator[Message | None]:
        """The messages to the groups that nobody has heard yet; None where the kernel had to drop some."""
        for data in self.received():
            if data is None:
                yield None
            else:
                yield from messages(data)

    def received(self) -> Iterator[bytes | None]:
        """As `heard`, but whatever was sent as it is: uevents are no messages."""
        while True:
            try:
                yield self._socket.recv(LARGEST)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                yield None

    def _send(self, changes: Iterable[Change]) -> range:
        first, data = self._number + 1, b""
        for kind, body, flags in changes:
            self._number += 1
            data += Message(kind, REQUEST | flags, self._number, body).packed()
        self._socket.send(data)
        return range(first, self._number + 1)

    def _answer(self) -> bytes:
        """What the kernel says next: nearly always it has, before the question's `send` returned."""
        with contextlib.suppress(BlockingIOError):
            return self._socket.recv(LARGEST)
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        if not waiting.poll(1000 * SECONDS):
            raise TimeoutError(errno.ETIMEDOUT, f"netlink does not answer within {SECONDS:g} s")
        return self._socket.recv(LARGEST)

    def _answers(self) -> Iterator[Message]:
        while True:
            for message in messages(self._answer()):
                if message.number != self._number:
                    continue  # of an earlier question that was given up
                if message.kind in (ERROR, DONE):
                    if refusal := message.refusal:
                        raise refusal
                    return
                yield message
