"""A real API server on loopback and its unix socket, with bounds small enough to be reached; a client that may misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

from controlplane.apiserver.http import Bounds
from controlplane.apiserver.serve import serve
from controlplane.apiserver.server import ApiServer
from controlplane.store.sqlite import SqliteStore
from kubeapi.clock import SystemClock
from kubeapi.registry import load

NODE = "node-1"


class Answer(NamedTuple):
    """Status, headers (lower case) and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection on which every byte is the test's own choice."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self.reader, self.writer, self._token = reader, writer, token

    def head(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """A request's head, with the token."""
        told = {"host": "naru", "authorization": f"Bearer {self._token}", **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items() if value)]
        return "\r\n".join([*lines, "", ""]).encode()

    async def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request, read its answer."""
        length = {"content-length": str(len(body)), "content-type": "application/json"} if body else {}
        self.writer.write(self.head(method, path, {**length, **(headers or {})}) + body)
        return await self.answer()

    async def answer(self) -> Answer:
        """Read an answer; of one without a length only the head."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(first.split()[1]), headers, body)

    async def ended(self) -> bytes:
        """What still came until the server ended the connection."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    def close(self) -> None:
        """Leave."""
        self.writer.transport.abort()


class Served(NamedTuple):
    """A running API server, its place, and its files."""

    server: ApiServer
    port: int
    data: Path

    @property
    def tls(self) -> ssl.SSLContext:
        """What a client of this cluster trusts."""
        return ssl.create_default_context(cafile=self.data / "ca.crt")

    def token(self, file: str = "token") -> str:
        """The administrator's, or the agent's (`agent.token`)."""
        return (self.data / file).read_text().strip()

    @contextlib.asynccontextmanager
    async def wire(self, file: str = "token", *, deaf: bool = False) -> AsyncIterator[Wire]:
        """A connection over TLS, as who has the token in a file; a deaf one reads nothing once it is there."""
        sock = socket.socket()
        sock.setblocking(False)
        if deaf:  # nor does its kernel
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=self.tls, server_hostname="localhost", limit=1 << 24
        )
        if deaf:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        wire = Wire(reader, writer, self.token(file))
        try:
            yield wire
        finally:
            wire.close()

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, file: str = "token"
    ) -> Answer:
        """One request on a connection of its own."""
        async with self.wire(file) as wire:
            return await wire.ask(method, path, body, headers)


@contextlib.asynccontextmanager
async def serving(data: Path, bounds: Bounds | None = None) -> AsyncIterator[Served]:
    """An API server with these bounds until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = await SqliteStore.open(data / "store.db")
    try:
        async with serve(
            store, load(), SystemClock(), random.Random(1), data, port, node=NODE, bounds=bounds or Bounds()
        ) as server:
            yield Served(server, port, data)
    finally:
        await store.close()
