"""netlink(7)'s messages and attributes as bytes, both ways: the one place that knows how they are laid out.

    message     length  type  flags  number  port │ a fixed part, which the type decides │ attributes
    attribute   length  type                      │ a value, or attributes again

Each begins at a multiple of 4 bytes. What makes no sense when it is read is left out, never an error. Numbers are in the
machine's byte order, but for netfilter's and addresses, which are in the network's.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

REQUEST, ACK, DUMP, TOLD_WHY = 0x1, 0x4, 0x300, 0x200  # NLM_F_REQUEST, _ACK, _DUMP, _ACK_TLVS
REPLACE, EXCL, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800  # NLM_F_*: of a change
ERROR, DONE = 2, 3
NESTED, KIND = 0x8000, 0x3FFF  # NLA_F_NESTED, NLA_TYPE_MASK
WHY = 1  # NLMSGERR_ATTR_MSG
HEADER, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
U32, S32, BE32, BE16 = struct.Struct("=I"), struct.Struct("=i"), struct.Struct(">I"), struct.Struct(">H")
FAMILIES = {4: socket.AF_INET, 16: socket.AF_INET6}  # by the bytes of an address


class Message(NamedTuple):
    """A message without its header: body is the fixed part and the attributes."""

    kind: int
    flags: int
    number: int
    body: bytes

    def packed(self) -> bytes:
        """As it is sent."""
        head = HEADER.pack(HEADER.size + len(self.body), self.kind, self.flags, self.number, 0)
        return head + self.body + bytes(-len(self.body) % 4)

    @property
    def refusal(self) -> OSError | None:
        """What an ERROR or a DONE says went wrong, in the kernel's words where it has some; None where nothing did."""
        code = -(signed(self.body[:4]) or 0)
        if code <= 0:
            return None
        words = os.strerror(code)
        if self.kind == ERROR and self.flags & TOLD_WHY:  # behind the message that is refused
            length = unsigned(self.body[4:8])
            words = f"{words}: {text(attributes(self.body[4 + length + -length % 4 :]).get(WHY))}".removesuffix(": ")
        return OSError(code, words)


def messages(data: bytes) -> Iterator[Message]:
    """What was received, one by one; ends at the first that makes no sense."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, flags, number, _ = HEADER.unpack_from(data, at)
        if length < HEADER.size or at + length > len(data):
            return
        yield Message(kind, flags, number, data[at + HEADER.size : at + length])
        at += (length + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """A list of attributes by their types, the last of each; ends at the first that makes no sense."""
    found: dict[int, bytes] = {}
    at = 0
    while at + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, at)
        if length < ATTRIBUTE.size or at + length > len(data):
            break
        found[kind & KIND] = data[at + ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, filled up to a multiple of 4."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *inner: bytes) -> bytes:
    """An attribute of attributes."""
    return attribute(kind | NESTED, b"".join(inner))


def name(value: str) -> bytes:
    """A name, with the zero at its end that the kernel wants and sends."""
    return value.encode() + b"\0"


def text(value: bytes | None) -> str:
    """A text up to its zero, empty where there is none."""
    return (value or b"").split(b"\0")[0].decode(errors="replace")


def unsigned(value: bytes | None) -> int:
    """A number of 32 bits in the machine's order, 0 where there is none."""
    return int(U32.unpack(value)[0]) if value is not None and len(value) == 4 else 0


def signed(value: bytes | None) -> int | None:
    """A number of 32 bits in the machine's order, None where there is none."""
    return int(S32.unpack(value)[0]) if value is not None and len(value) == 4 else None


def big(value: bytes | None) -> int:
    """A number of any size in the network's order, 0 where there is none."""
    return int.from_bytes(value or b"", "big")


def address(value: bytes | None) -> str:
    """An IPv4 or IPv6 address, empty for all else."""
    family = FAMILIES.get(len(value or b""))
    return socket.inet_ntop(family, value) if family and value else ""
