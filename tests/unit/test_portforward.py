"""Port-forward's connections, against a client that is played and a real server on loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from aiohttp import WSMsgType

from agent import spdy
from agent.portforward import PortForward


class Client:
    """kubectl's end: opens streams, says things, and collects what comes back by stream."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.writer = spdy.Writer()
        self.frames: asyncio.Queue[tuple[int, bytes, bool]] = asyncio.Queue()
        self.raw: list[bytes] = []

    def __aiter__(self) -> "Client":
        return self

    async def __anext__(self) -> SimpleNamespace:
        if (data := await self.queue.get()) is None:
            raise StopAsyncIteration
        return SimpleNamespace(type=WSMsgType.BINARY, data=data)

    async def send_bytes(self, data: bytes) -> None:
        self.raw.append(data)
        if not data[0] >> 7:
            self.frames.put_nowait((int.from_bytes(data[:4]), data[8:], bool(data[4] & spdy.FIN)))

    async def close(self) -> None:
        pass

    def say(self, data: bytes) -> None:
        self.queue.put_nowait(data)

    def open(self, data: int, error: int, port: int = 80, request: str = "0") -> None:
        for stream, kind in ((error, "error"), (data, "data")):
            headers = {"streamtype": kind, "port": str(port), "requestid": request}
            self.say(self.writer.open(stream, headers, kind == "error"))

    async def until_closed(self, *streams: int) -> dict[int, bytes]:
        """What came on each stream until all of them were closed."""
        said, open_ = dict.fromkeys(streams, b""), set(streams)
        async with asyncio.timeout(5):
            while open_:
                stream, payload, fin = await self.frames.get()
                said[stream] = said.get(stream, b"") + payload
                open_ -= {stream} if fin else set()
        return said


@contextlib.asynccontextmanager
async def forwarding(serve, refuse: str = "") -> AsyncIterator[Client]:  # type: ignore[no-untyped-def]
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def connect(_: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if refuse:
            raise OSError(refuse)
        return await asyncio.open_connection("127.0.0.1", port)

    client = Client()
    running = asyncio.create_task(PortForward(client, connect, "sandbox").run())  # type: ignore[arg-type]
    yield client
    client.queue.put_nowait(None)
    async with asyncio.timeout(5):
        await running
    server.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"heard " + await reader.read())
    writer.close()


async def test_a_connection_is_carried_both_ways_to_its_end() -> None:
    async with forwarding(echo) as client:
        client.open(data=3, error=1)
        client.say(spdy.data(3, b"one ") + spdy.data(3, b"two", fin=True))
        assert await client.until_closed(1, 3) == {1: b"", 3: b"heard one two"}


async def test_connections_do_not_mix() -> None:
    async with forwarding(echo) as client:
        client.open(data=3, error=1, request="0")
        client.open(data=7, error=5, request="1")
        client.say(spdy.data(7, b"b", fin=True) + spdy.data(3, b"a", fin=True))
        assert await client.until_closed(1, 3, 5, 7) == {1: b"", 3: b"heard a", 5: b"", 7: b"heard b"}


async def test_a_port_where_nobody_listens_is_told_on_the_error_stream() -> None:
    async with forwarding(echo, refuse="127.0.0.1: Connection refused") as client:
        client.open(data=3, error=1, port=81)
        told = (await client.until_closed(1, 3))[1].decode()
        assert told.startswith("error forwarding port 81 to pod sandbox") and told.endswith("Connection refused")


async def test_a_client_that_gives_a_connection_up_closes_the_pods_end() -> None:
    closed = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await reader.read()
        closed.set()
        writer.close()

    async with forwarding(listen) as client:
        client.open(data=3, error=1)
        async with asyncio.timeout(5):
            assert (await client.frames.get())[1] == b"hello"
            client.say(spdy.reset(3, 5))
            await closed.wait()
        await client.until_closed(1)


async def test_a_pod_that_hangs_up_does_not_hold_up_the_other_connections() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1) == b"x":
            writer.transport.abort()
        else:
            await echo(reader, writer)

    async with forwarding(rude) as client:
        client.open(data=3, error=1, request="0")
        for _ in range(100):
            client.say(spdy.data(3, b"x" * 1000))
        client.open(data=7, error=5, request="1")
        client.say(spdy.data(7, b"-last", fin=True))
        assert (await client.until_closed(1, 3, 5, 7))[7] == b"heard last"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"streamtype": "data", "port": "x", "requestid": "0"},
        {"streamtype": "data", "port": "65536", "requestid": "0"},
        {"streamtype": "other", "port": "80", "requestid": "0"},
    ],
)
async def test_a_stream_that_asks_for_nothing_is_refused(headers: dict[str, str]) -> None:
    async with forwarding(echo) as client:
        client.say(client.writer.open(1, headers) + spdy.ping(9))
        client.open(data=5, error=3)
        client.say(spdy.data(5, b"", fin=True))
        await client.until_closed(3, 5)
        assert client.raw[:2] == [spdy.reset(1, spdy.PROTOCOL_ERROR), spdy.ping(9)]


async def test_what_is_no_spdy_ends_the_connection() -> None:
    async with forwarding(echo) as client:
        client.say(b"GET / HTTP/1.1\r\n\r\n")
