"""Sends the probe: one UDP datagram, or one TCP connection that is given up at once, from inside a namespace.

What became of it is seen where it can be: a packet socket in the destination's namespace hears it arrive, before any rule
there; the sender's own socket hears an answer, or the refusal that came back. Nothing is written into the connection.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from agent.netlink.conntrack import PROTOCOLS
from agent.netlink.namespaces import entered
from agent.trace.nfttrace import Mark
from agent.trace.packet import Packet

PAYLOAD = b"naru trace: a probe, nothing to answer\n".ljust(613, b".")  # an odd size, which the witnesses look for
UDP_LENGTH = 20 + 8 + len(PAYLOAD)
SYN_LENGTHS = (60, 52, 48, 44)  # with the options that the kernel is told to send, from all to none
WAIT = {"udp": 0.3, "tcp": 0.9}  # seconds for a sign of it; TCP would send again after one
AFTERWARDS = 0.05  # seconds for a refusal, once it has arrived
OUTGOING = 4  # linux/if_packet.h
IPV4 = 0x0800
ATTACH_FILTER = 26
RECVERR = 11  # linux/in.h

Answer = Literal["", "answered", "refused", "unreachable"]


class Outcome(NamedTuple):
    """What became of a probe. seconds are CLOCK_MONOTONIC's; arrived is None where nobody could see it."""

    packet: Packet
    thread: int
    began: float
    ended: float
    arrived: bool | None
    answer: Answer = ""


def open_sender(path: str, protocol: str, address: str) -> socket.socket:
    """A socket in the namespace at `path`, bound to a free port; address is its pod's, or empty for the host."""
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM

    with entered(path):
        made = socket.socket(socket.AF_INET, kind)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_IP, RECVERR, 1)  # else the kernel keeps "unreachable" to itself, and tries again
    made.bind((address, 0))
    return made


def send(sender: socket.socket, to: tuple[str, int], watch: Sequence[str] = ()) -> Outcome:
    """Send one probe and wait for a sign of it. watch are the paths of the namespaces of this node where it may arrive."""
    protocol = "udp" if sender.type == socket.SOCK_DGRAM else "tcp"
    mark = Mark(protocol, sender.getsockname()[1])
    with contextlib.ExitStack() as stack:
        arrivals = [stack.enter_context(_arrivals(path, mark)) for path in watch]
        arrived = False if arrivals else None
        began, answer = time.monotonic(), _send(sender, to)
        source = sender.getsockname()[0]
        selector = stack.enter_context(selectors.DefaultSelector())
        if not answer:
            selector.register(sender, selectors.EVENT_READ | (selectors.EVENT_WRITE if protocol == "tcp" else 0))
        for heard in arrivals:
            selector.register(heard, selectors.EVENT_READ)
        until = began + (AFTERWARDS if answer else WAIT[protocol])
        while (left := until - time.monotonic()) > 0 and selector.get_map():
            for key, _ in selector.select(left):
                if isinstance(key.fileobj, socket.socket) and key.fileobj in arrivals:
                    if any(packet_type != OUTGOING for packet_type in _packet_types(key.fileobj)):
                        arrived, until = True, time.monotonic() + AFTERWARDS
                        selector.unregister(key.fileobj)
                else:
                    answer = _answer(sender, protocol)
                    selector.unregister(sender)
                    until = min(until, time.monotonic() + AFTERWARDS)
    if arrived is None and answer == "answered":
        arrived = True
    packet = Packet(protocol, source, mark.sport, *to)
    return Outcome(packet, threading.get_native_id(), began, time.monotonic(), arrived, answer)


def give_up(sender: socket.socket) -> None:
    """Close it. A connection is reset: nothing of it stays at either end."""
    if sender.type == socket.SOCK_STREAM:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sender.close()


def _send(sender: socket.socket, to: tuple[str, int]) -> Answer:
    try:
        sender.connect(to)
        if sender.type == socket.SOCK_DGRAM:
            sender.send(PAYLOAD)
    except BlockingIOError:
        return ""
    except OSError as error:
        return _word(error.errno)
    return ""


def _answer(sender: socket.socket, protocol: str) -> Answer:
    if number := sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return _word(number)
    if protocol == "udp":
        try:
            sender.recv(1)
        except OSError as error:
            return _word(error.errno)
    return "answered"


def _word(number: int | None) -> Answer:
    if number in (errno.ECONNREFUSED, errno.ECONNRESET):
        return "refused"
    if number in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM):
        return "unreachable"
    raise OSError(number, os.strerror(number or 0))


@contextlib.contextmanager
def _arrivals(path: str, mark: Mark) -> Iterator[socket.socket]:
    """A packet socket that hears the marked packets in the namespace at `path`."""
    # ld proto; jeq; ldx 4*(header length); ldh source port; jeq; take all; take nothing
    program = [(0x30, 0, 0, 9), (0x15, 0, 4, PROTOCOLS[mark.protocol]), (0xB1, 0, 0, 0), (0x48, 0, 0, 0)]
    program += [(0x15, 0, 1, mark.sport), (0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    filtering = struct.pack("HL", len(program), ctypes.addressof(code))
    with entered(path):
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4))
    with opened:
        opened.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, filtering)
        opened.setblocking(False)
        while _packet_types(opened):  # what came before the filter did
            pass
        yield opened


def _packet_types(heard: socket.socket) -> list[int]:
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            _, (_, _, packet_type, *_) = heard.recvfrom(64)
            found.append(packet_type)
    return found
