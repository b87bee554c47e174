"""Connections: so many at once and no more, each with a time for what it says and for taking what it is told.

    socket ─▶ Gate: handshake ─▶ Connection: head ─▶ body ─▶ request under way ─▶ answer ─▶ idle ─▶ …

Whoever connects costs memory before anybody knows who it is. So a gate has room for a number, and who comes when all is
taken gets the place of the connection that has done nothing for the longest: in a handshake, in a head that does not end, or
between requests. Nobody who is being answered is sent away.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

BURST = 64  # connections accepted before the loop turns to others
RETRY = 1.0  # seconds after which a process without descriptors looks again
PIPELINED = 16  # requests sent ahead on one connection
WRITE_BUFFER = 64 << 10


class Limits(NamedTuple):
    """Room and times. A connection over TLS costs 64 KB while it does nothing."""

    connections: int = 2048
    head_bytes: int = 64 << 10
    head_seconds: float = 30  # for the handshake, and for a head
    body_seconds: float = 60
    stalled_seconds: float = 30  # with more than WRITE_BUFFER bytes that the client does not take


class Gate:
    """Accepts connections, as an asyncio.Server does, as long as there is room. `make` makes their protocols."""

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[Gate], Connection],
        open_ones: set[Any],
        tls: ssl.SSLContext | None,
        limits: Limits,
    ) -> None:
        self.limits = limits
        self.idle: dict[
            Connection, Callable[[], object]
        ] = {}  # those that do nothing, the longest first, and their ends
        self._listening, self._make, self._open, self._tls = listening, make, open_ones, tls
        self.entering: set[Connection] = set()  # those in a handshake
        self._handshakes: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._listening)
        if self._again is not None:
            self._again.cancel()
        self._listening.close()
        for task in self._handshakes:
            task.cancel()

    async def wait_closed(self) -> None:
        """What had begun to enter has left."""
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    def _listen(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(BURST):
            try:
                accepted, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # out of descriptors or memory
                if not self._make_room():
                    self._loop.remove_reader(self._listening)
                    self._again = self._loop.call_later(RETRY, self._listen)
                return
            if len(self._open) + len(self.entering) >= self.limits.connections and not self._make_room():
                accepted.close()
                continue
            accepted.setblocking(False)
            connection = self._make(self)
            task = self._loop.create_task(self._enter(connection, accepted))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)
            self.entering.add(connection)
            self.idle[connection] = task.cancel

    def _make_room(self) -> bool:
        """End what has been idle for the longest, if anything is."""
        if not self.idle:
            return False
        self.idle.pop(next(iter(self.idle)))()
        return True

    async def _enter(self, connection: Connection, accepted: socket.socket) -> None:
        seconds = self.limits.head_seconds if self._tls else None
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection, accepted, ssl=self._tls, ssl_handshake_timeout=seconds
            )
        except OSError:
            pass  # no TLS, or none that we speak, or too slow: nobody to tell
        finally:
            if connection in self.entering:
                self.entering.discard(connection)
                self.idle.pop(connection, None)


class Connection(HttpToolsProtocol):
    """uvicorn's connection, which waits for its client only so long."""

    def __init__(self, gate: Gate, config: uvicorn.Config, state: ServerState, lifespan: dict[str, Any]) -> None:
        super().__init__(config, state, lifespan)
        self._gate, self._limits = gate, gate.limits
        self._awaited = "head"  # what of a message is not here yet; empty between messages
        self._head = 0
        self._due: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._refused: tuple[int, str] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a first request."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(WRITE_BUFFER)
        self._gate.entering.discard(self)
        self._gate.idle[self] = transport.abort
        self._expect(self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._gate.idle.pop(self, None)
        self._expect(None)
        self._taken()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a message that is not whole then has a time to become so."""
        before = self._awaited
        super().data_received(data)
        if not self._awaited:
            if self._due is not None:
                self._expect(None)
            return
        if self._awaited != before or self._due is None:
            self._expect(self._limits.head_seconds if self._awaited == "head" else self._limits.body_seconds)
        if self._awaited == before == "head":
            self._head += len(data)
            if self._head > self._limits.head_bytes and not self.transport.is_closing():
                self._refused = (431, "the headers are too large")
                self.send_400_response("")

    def _expect(self, seconds: float | None) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = self.loop.call_later(seconds, self.transport.abort) if seconds is not None else None

    def on_message_begin(self) -> None:
        """A head begins."""
        self._awaited, self._head = "head", 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole: a request is under way, unless its head says too much."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self._limits.head_bytes:
            self._refused = (431, "the headers are too large")
        elif len(self.pipeline) >= PIPELINED:
            self._refused = (400, "too many requests at once on one connection")
        if self._refused:
            raise ValueError(self._refused[1])  # ends the parser's work, who calls send_400_response
        self._awaited = "body"
        self._gate.idle.pop(self, None)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Nothing more is waited for."""
        self._awaited = ""
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Idle, unless there is a next request already."""
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            self._gate.idle[self] = self.transport.abort

    def send_400_response(self, msg: str) -> None:
        """What is wrong with a request that could not be read."""
        code, text = self._refused or (400, msg)
        phrase = HTTPStatus(code).phrase.encode()
        head = b"HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\n" % (code, phrase)
        self.transport.write(head + b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(text), text.encode()))
        self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        """From here on the WebSocket's protocol has its own pings, by which it knows who has left."""
        self._gate.idle.pop(self, None)
        self._awaited = ""
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """The client does not take what it is told: it has a time to."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self._limits.stalled_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It took some."""
        super().resume_writing()
        self._taken()

    def _taken(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
