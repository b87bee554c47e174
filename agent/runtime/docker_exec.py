"""The streams of a command in a Docker container: one hijacked connection, frames in, bytes out.

The engine's API turns the connection of `exec start` and `attach` into a plain pipe. Docker's client would hand it out as a
blocking socket, less what it has read ahead; so the request is made here, on the event loop: no thread waits for a terminal
that nobody types into. Without a terminal Docker mixes both outputs into frames (a byte for which, four for the length).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import orjson

from agent.runtime.protocol import EngineDownError, EngineError

CHUNK = 65536
PATIENCE = 0.5  # seconds for a command to come up before its terminal is sized
EXIT_POLL = (0.005, 1.0)  # seconds, doubling: usually the engine knows the exit code at once
Call = Callable[[Callable[[Any], Any]], Awaitable[Any]]
"""Runs a function of Docker's client in a thread; raises EngineError."""


async def hijack(url: str, path: str, body: bytes = b"{}") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """POST to the engine at unix://PATH or tcp://HOST:PORT, and the connection that its answer leaves open."""
    try:
        reader, writer = await _connect(url)
    except OSError as error:
        raise EngineDownError(str(error)) from error
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (OSError, asyncio.IncompleteReadError) as error:
        writer.close()
        raise EngineDownError(str(error)) from error
    except asyncio.CancelledError:  # whoever asked waits no longer
        writer.close()
        raise
    if answer.split(" ", 2)[1] not in ("101", "200"):
        said = await reader.read(CHUNK)
        writer.close()
        with contextlib.suppress(orjson.JSONDecodeError, KeyError, TypeError):
            said = orjson.loads(said[said.find(b"{") : said.rfind(b"}") + 1])["message"].encode()
        raise EngineError(f"Error response from daemon: {said.decode(errors='replace').strip()}")
    return reader, writer


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        return await asyncio.open_unix_connection(rest)
    host, _, port = rest.rpartition(":")
    return await asyncio.open_connection(host, int(port))


class Attached:
    """An ExecSession over a hijacked connection: of an exec, or of a container's own streams."""

    def __init__(
        self,
        call: Call,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        tty: bool,
        *,
        exec_id: str = "",
        container_id: str = "",
    ) -> None:
        self._call, self._tty = call, tty
        self._reader, self._writer = streams
        self._exec_id, self._container_id = exec_id, container_id

    async def chunks(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """(stream, bytes) as they come, until the command closes its outputs."""
        pending = b""
        while data := await self._receive():
            if self._tty:
                yield 1, data
                continue
            frames, pending = split_frames(pending + data)
            for frame in frames:
                yield frame

    async def _receive(self) -> bytes:
        try:
            return await self._reader.read(CHUNK)
        except OSError:
            return b""  # the engine has gone, and with it the command's outputs

    async def write(self, data: bytes) -> None:
        """Bytes to the command's standard input; OSError once nobody reads it."""
        self._writer.write(data)
        await self._writer.drain()

    async def close_stdin(self) -> None:
        """End of the command's standard input."""
        with contextlib.suppress(OSError):  # the command was faster
            self._writer.write_eof()

    async def resize(self, width: int, height: int) -> None:
        """The terminal's size; a command that still starts is given a moment, one that has ended has none."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                if self._exec_id:
                    await self._call(lambda c: c.exec_resize(self._exec_id, height, width))
                else:
                    await self._call(lambda c: c.resize(self._container_id, height, width))
                return
            except EngineError:
                if asyncio.get_running_loop().time() > deadline:
                    return
            await asyncio.sleep(0.02)

    async def exit_code(self) -> int:
        """The command's exit code; an attached container has none to give here."""
        if not self._exec_id:
            return 0
        delay, longest = EXIT_POLL
        while True:  # the engine may hear of its end a moment after its outputs have ended
            seen = await self._call(lambda c: c.exec_inspect(self._exec_id))
            if not seen["Running"] and seen["ExitCode"] is not None:
                return int(seen["ExitCode"])
            await asyncio.sleep(delay)
            delay = min(2 * delay, longest)

    async def kill(self) -> None:
        """End the command and leave it; the engine has no call for that, but knows its process."""
        with contextlib.suppress(EngineError, ProcessLookupError):  # it may not answer, and the command may be faster
            seen = await self._call(lambda c: c.exec_inspect(self._exec_id))
            if seen["Running"] and seen["Pid"]:
                os.kill(seen["Pid"], signal.SIGKILL)
        await self.close()

    async def close(self) -> None:
        """Leave the streams; what the command has not read of its input is dropped, or the connection would wait for it."""
        self._writer.transport.abort()


def split_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Whole frames as (stream, payload), and what is left of the last."""
    frames = []
    start = 0
    while len(data) - start >= 8:
        stream, length = struct.unpack_from(">BxxxI", data, start)
        end = start + 8 + length
        if len(data) < end:
            break
        frames.append((stream, data[start + 8 : end]))
        start = end
    return frames, data[start:]
