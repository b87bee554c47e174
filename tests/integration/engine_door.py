"""A second door to the engine: a unix socket that passes everything on, notes what was asked, and can be shut."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path

ENGINE = "/var/run/docker.sock"
ASKED = re.compile(rb"^([A-Z]+) /v[\d.]+(/[^ ?]*)[^\r\n]* HTTP/1.1\r\n", re.M)


class EngineDoor:
    """Use it as `async with`; `url` is the engine's address through it, `asked` the method and path of each call."""

    def __init__(self, path: Path) -> None:
        self._path, self._server = path, None
        self._open: set[asyncio.StreamWriter] = set()
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    async def __aenter__(self) -> EngineDoor:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut()

    async def open(self) -> None:
        """Let everybody in."""
        self._server = await asyncio.start_unix_server(self._enter, self._path)

    async def shut(self) -> None:
        """Throw everybody out, as an engine that stops does."""
        if self._server:
            self._server.close()
            self._server = None
        self._path.unlink(missing_ok=True)
        for writer in [*self._open]:
            writer.transport.abort()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, out = await asyncio.open_unix_connection(ENGINE)
        self._open |= {writer, out}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._pass(reader, out, note=True), self._pass(inner, writer))
        self._open -= {writer, out}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: bool = False) -> None:
        try:
            while data := await reader.read(65536):
                if note:
                    self.asked += [f"{method.decode()} {path.decode()}" for method, path in ASKED.findall(data)]
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
