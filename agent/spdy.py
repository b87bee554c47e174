"""SPDY/3.1 as far as kubectl's port-forward speaks it: frames in bytes, and bytes of frames. Pure; no socket is touched.

    control  1 version(15) type(16) flags(8) length(24) payload       data  0 stream(31) flags(8) length(24) payload

A client opens streams (SYN_STREAM, with headers compressed over the whole connection), each side ends its half with FIN, and
PING asks for the same back. Windows and settings are of no use here: what carries the frames has its own flow control.
Source: SPDY Protocol, draft 3.1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
FIN = 1
PROTOCOL_ERROR, REFUSED_STREAM = 1, 3
LARGEST = 1 << 20  # of a frame's payload; clients send pieces of some KiB
_NAMES = """
options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow
authorization cache-control connection content-base content-encoding content-language content-length content-location
content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer
retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status
200_OK version HTTP/1.1 url public set-cookie keep-alive origin
"""
_REST = (
    b"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    b"203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    b"404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    b"Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    b"chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    b"publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


DICTIONARY = b"".join(_text(name.replace("_", " ").encode()) for name in _NAMES.split()) + _REST


class SpdyError(Exception):
    """The peer does not speak SPDY/3."""


class Opened(NamedTuple):
    """SYN_STREAM: the peer opens a stream; `fin` if it will send nothing on it."""

    stream: int
    headers: dict[str, str]
    fin: bool


class Data(NamedTuple):
    """Bytes of a stream; `fin` with the last."""

    stream: int
    data: bytes
    fin: bool


class Reset(NamedTuple):
    """RST_STREAM: the peer gives a stream up."""

    stream: int


class Ping(NamedTuple):
    """PING: to be sent back as it is."""

    id: int


class GoAway(NamedTuple):
    """GOAWAY: the peer opens no more streams."""


Frame = Opened | Data | Reset | Ping | GoAway


class Reader:
    """Frames from bytes as they come."""

    def __init__(self) -> None:
        self._pending = b""
        self._headers = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now; frames of no interest are left out. SpdyError for what is no SPDY."""
        self._pending += data
        while len(self._pending) >= 8:
            first, second = struct.unpack_from(">II", self._pending)
            flags, length = second >> 24, second & 0xFFFFFF
            if length > LARGEST:
                raise SpdyError(f"a frame of {length} bytes")
            if len(self._pending) < 8 + length:
                return
            payload, self._pending = self._pending[8 : 8 + length], self._pending[8 + length :]
            frame: Frame | None
            if first >> 31:
                frame = self._control(first >> 16 & 0x7FFF, first & 0xFFFF, flags, payload)
            else:
                frame = Data(first, payload, bool(flags & FIN))
            if frame is not None:
                yield frame

    def _control(self, version: int, type_: int, flags: int, payload: bytes) -> Frame | None:
        if version != VERSION:
            raise SpdyError(f"version {version}")
        try:
            match type_:
                case 1:  # SYN_STREAM: stream, associated stream, priority and slot, headers
                    (stream,) = struct.unpack_from(">I", payload)
                    return Opened(stream & 0x7FFFFFFF, self._read_headers(payload[10:]), bool(flags & FIN))
                case 3:
                    return Reset(struct.unpack_from(">I", payload)[0] & 0x7FFFFFFF)
                case 6:
                    return Ping(*struct.unpack_from(">I", payload))
                case 7:
                    return GoAway()
        except struct.error as error:
            raise SpdyError(f"a frame of type {type_} that is too short") from error
        return None

    def _read_headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._headers.decompress(block, LARGEST)
        except zlib.error as error:
            raise SpdyError(f"headers: {error}") from error
        (count,), position = struct.unpack_from(">I", plain), 4
        texts = []
        for _ in range(2 * count):
            (length,) = struct.unpack_from(">I", plain, position)
            texts.append(plain[position + 4 : position + 4 + length].decode("latin-1"))
            position += 4 + length
        return dict(zip(texts[::2], texts[1::2], strict=True))


class Writer:
    """Bytes of frames."""

    def __init__(self) -> None:
        self._headers = zlib.compressobj(zdict=DICTIONARY)

    def open(self, stream: int, headers: Mapping[str, str], fin: bool = False) -> bytes:
        """SYN_STREAM: open a stream of one's own."""
        return _control(SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + self._block(headers), FIN if fin else 0)

    def reply(self, stream: int) -> bytes:
        """SYN_REPLY: the stream is accepted."""
        return _control(SYN_REPLY, struct.pack(">I", stream) + self._block({}))

    def _block(self, headers: Mapping[str, str]) -> bytes:
        texts = b"".join(_text(name.encode()) + _text(value.encode()) for name, value in headers.items())
        return self._headers.compress(struct.pack(">I", len(headers)) + texts) + self._headers.flush(zlib.Z_SYNC_FLUSH)


def data(stream: int, payload: bytes, fin: bool = False) -> bytes:
    """Bytes on a stream."""
    return struct.pack(">II", stream, (FIN if fin else 0) << 24 | len(payload)) + payload


def reset(stream: int, status: int) -> bytes:
    """RST_STREAM: the stream is refused, or given up."""
    return _control(RST_STREAM, struct.pack(">II", stream, status))


def ping(id_: int) -> bytes:
    """PING."""
    return _control(PING, struct.pack(">I", id_))


def _control(type_: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, type_, flags << 24 | len(payload)) + payload
