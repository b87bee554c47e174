"""The streams of a command in a Docker container: one hijacked connection, frames in, bytes out.

Without a terminal Docker mixes both outputs into frames (a byte for which, four for the length); with one it is a plain
stream. Reading and writing block, so they go through threads of the loop's own pool.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator
from typing import Any


class Attached:
    """An ExecSession over the socket that Docker's client hands out."""

    def __init__(self, client: Any, stream: Any, tty: bool, *, exec_id: str = "", container_id: str = "") -> None:
        self._client, self._stream, self._tty = client, stream, tty
        self._socket: socket.socket = getattr(stream, "_sock", stream)
        self._socket.settimeout(None)
        self._exec_id, self._container_id = exec_id, container_id

    async def chunks(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """(stream, bytes) as they come, until the command closes its outputs."""
        pending = b""
        while data := await asyncio.to_thread(self._receive):
            if self._tty:
                yield 1, data
                continue
            frames, pending = split_frames(pending + data)
            for frame in frames:
                yield frame

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except OSError:
            return b""  # closed under us by close()

    async def write(self, data: bytes) -> None:
        """Bytes to the command's standard input."""
        await asyncio.to_thread(self._socket.sendall, data)

    async def close_stdin(self) -> None:
        """End of the command's standard input."""
        self._socket.shutdown(socket.SHUT_WR)

    async def resize(self, width: int, height: int) -> None:
        """The terminal's size."""
        if self._exec_id:
            await asyncio.to_thread(self._client.exec_resize, self._exec_id, height, width)
        else:
            await asyncio.to_thread(self._client.resize, self._container_id, height, width)

    async def exit_code(self) -> int:
        """The command's exit code; an attached container has none to give here."""
        if not self._exec_id:
            return 0
        seen = await asyncio.to_thread(self._client.exec_inspect, self._exec_id)
        return int(seen["ExitCode"] or 0)

    async def close(self) -> None:
        """Leave the streams."""
        with contextlib.suppress(OSError):  # the other side was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._stream.close()


def split_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Whole frames as (stream, payload), and what is left of the last."""
    frames = []
    while len(data) >= 8:
        stream, length = struct.unpack(">BxxxI", data[:8])
        if len(data) < 8 + length:
            break
        frames.append((stream, data[8 : 8 + length]))
        data = data[8 + length :]
    return frames, data
