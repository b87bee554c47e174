"""Port-forward: connections of a client, each to a port on a pod's own loopback, over SPDY inside one WebSocket (KEP-4006).

The client opens two streams per connection, bound by a requestID: `data`, which becomes a TCP connection inside the pod's
network namespace, and `error`, which ends empty when all went well and with one line when it did not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from agent import spdy
from agent.netlink.namespaces import setns

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
CHUNK = 32768
END = b""
LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
Connect = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Opens a connection to a port of the pod; raises OSError."""


async def connect_inside(pid: int, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a port on the loopback of a process' network namespace, IPv4 before IPv6; OSError if neither is."""
    loop, refusals = asyncio.get_running_loop(), []
    for family, address in LOOPBACKS:
        made = await _socket_inside(pid, family)
        made.setblocking(False)
        try:
            await loop.sock_connect(made, (address, port))
            return await asyncio.open_connection(sock=made)
        except OSError as error:
            made.close()
            refusals.append(f"{address}: {os.strerror(error.errno or 0)}")
        except BaseException:
            made.close()
            raise
    raise OSError(", ".join(refusals))


async def _socket_inside(pid: int, family: int) -> socket.socket:
    """A socket of the namespace. Only a thread of its own may enter: it takes the namespace with it to its end."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[socket.socket] = loop.create_future()

    def tell(made: socket.socket | OSError) -> None:
        if result.cancelled():
            if isinstance(made, socket.socket):
                made.close()
        elif isinstance(made, OSError):
            result.set_exception(made)
        else:
            result.set_result(made)

    def enter() -> None:
        made: socket.socket | OSError
        try:
            descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                setns(descriptor)
            finally:
                os.close(descriptor)
            made = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            made = error
        loop.call_soon_threadsafe(tell, made)

    threading.Thread(target=enter, name="portforward", daemon=True).start()
    return await result


@dataclass(slots=True)
class _Request:
    """One connection of the client: its two streams, what it says, and the pod's end once that is open."""

    port: int
    data: int = 0
    error: int = 0
    inbox: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(8))
    writer: asyncio.StreamWriter | None = None
    abandoned: bool = False

    def abandon(self) -> None:
        """The client wants no more of it, nor waits until the pod has read what it said."""
        self.abandoned = True
        if self.writer is not None:
            self.writer.transport.abort()

    def discard(self) -> None:
        """Forget what nobody will read: whoever waits to say more must not wait for ever."""
        while not self.inbox.empty():
            self.inbox.get_nowait()


class PortForward:
    """One client's port-forward into a pod; `sandbox` is how its messages name the pod."""

    def __init__(self, client: web.WebSocketResponse, connect: Connect, sandbox: str) -> None:
        self._client, self._connect, self._sandbox = client, connect, sandbox
        self._reader, self._writer = spdy.Reader(), spdy.Writer()
        self._requests: dict[str, _Request] = {}
        self._by_data: dict[int, _Request] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until the client leaves; then all its connections are closed."""
        try:
            async for message in self._client:
                if message.type is WSMsgType.BINARY:
                    for frame in self._reader.feed(message.data):
                        await self._on(frame)
        except (spdy.SpdyError, ConnectionError):
            pass  # it speaks something else, or has left while it was answered: both end it
        finally:
            tasks = [*self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.close()

    async def _on(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.Opened(stream, headers, _):
                await self._opened(stream, headers)
            case spdy.Data(stream, data, fin) if request := self._by_data.get(stream):
                if data:
                    await request.inbox.put(data)
                if fin:
                    await request.inbox.put(END)
            case spdy.Reset(stream) if request := self._by_data.get(stream):
                request.abandon()
            case spdy.Ping(id_):
                await self._client.send_bytes(spdy.ping(id_))

    async def _opened(self, stream: int, headers: dict[str, str]) -> None:
        """Accept a stream; the second of a request begins it."""
        port, kind, name = (headers.get(key, "") for key in ("port", "streamtype", "requestid"))
        if not port.isdigit() or not 0 < int(port) < 65536 or kind not in ("data", "error"):
            await self._client.send_bytes(spdy.reset(stream, spdy.PROTOCOL_ERROR))
            return
        request = self._requests.setdefault(name, _Request(int(port)))
        if getattr(request, kind):
            await self._client.send_bytes(spdy.reset(stream, spdy.PROTOCOL_ERROR))
            return
        setattr(request, kind, stream)
        await self._client.send_bytes(self._writer.reply(stream))
        if kind == "data":
            self._by_data[stream] = request
        if request.data and request.error:
            del self._requests[name]
            task = asyncio.create_task(self._forward(request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, request: _Request) -> None:
        failed = b""
        try:
            reader, request.writer = await self._connect(request.port)
            if request.abandoned:
                request.abandon()
            await self._pump(request, reader, request.writer)
        except OSError as error:
            failed = (
                f"error forwarding port {request.port} to pod {self._sandbox}, uid : failed to connect to "
                f"localhost:{request.port} inside the pod's namespace, {error}"
            ).encode()
        finally:
            del self._by_data[request.data]
            request.discard()
        with contextlib.suppress(ConnectionError):  # the client has left: nobody to tell
            await self._client.send_bytes(spdy.data(request.error, failed, fin=True))
            await self._client.send_bytes(spdy.data(request.data, b"", fin=True))

    async def _pump(self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both ways until the pod's end is closed. The client's end may close before: the pod may still answer."""
        upward = asyncio.create_task(_drain(request.inbox, writer))
        try:
            with contextlib.suppress(ConnectionError):
                while chunk := await reader.read(CHUNK):
                    await self._client.send_bytes(spdy.data(request.data, chunk))
            writer.close()
        except asyncio.CancelledError:
            request.abandon()
            raise
        finally:
            upward.cancel()
            await asyncio.gather(upward, return_exceptions=True)


async def _drain(inbox: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
    """What the client says, to the pod, until it says no more; once the pod does not listen, to nobody."""
    listens = True
    while (data := await inbox.get()) != END:
        if listens:
            try:
                writer.write(data)
                await writer.drain()
            except ConnectionError:
                listens = False
    with contextlib.suppress(OSError):  # it is closed already
        writer.write_eof()
