"""The channels of exec and attach, against a session and a socket that are played."""

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace

import orjson
import pytest
from aiohttp import WSMsgType

from agent.runtime.docker_exec import split_frames
from agent.runtime.protocol import EngineError
from agent.streams import Wanted, converse, terminal_size


class Socket:
    """A client: what it says is in the queue (None: it hangs up), what it hears in a list."""

    def __init__(self, *said: bytes) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.heard: list[bytes] = []
        self.closed = False
        for message in said:
            self.queue.put_nowait(message)

    def __aiter__(self) -> "Socket":
        return self

    async def __anext__(self) -> SimpleNamespace:
        if (data := await self.queue.get()) is None:
            raise StopAsyncIteration
        return SimpleNamespace(type=WSMsgType.BINARY, data=data)

    async def send_bytes(self, data: bytes) -> None:
        self.heard.append(data)

    async def close(self) -> None:
        self.closed = True


class Session:
    """A command that says `outputs` once its input has ended (or at once), and then ends with `code`."""

    def __init__(self, *outputs: tuple[int, bytes], code: int = 0, reads: bool = False, breaks: bool = False) -> None:
        self.outputs, self.code, self.breaks = outputs, code, breaks
        self.input, self.sizes, self.closed = b"", [], False
        self.ready = asyncio.Event()
        if not reads:
            self.ready.set()

    async def chunks(self) -> AsyncGenerator[tuple[int, bytes], None]:
        await self.ready.wait()
        for output in self.outputs:
            yield output

    async def write(self, data: bytes) -> None:
        if self.breaks:
            raise BrokenPipeError
        self.input += data

    async def close_stdin(self) -> None:
        self.ready.set()

    async def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))

    async def exit_code(self) -> int:
        if self.code < 0:
            raise EngineError("the engine is gone")
        return self.code

    async def close(self) -> None:
        self.closed = True


ALL = Wanted(stdin=True, stdout=True, stderr=True)


async def talk(socket: Socket, session: Session, wanted: Wanted = ALL) -> dict:
    """Converse to the end; the status that was told."""
    async with asyncio.timeout(5):
        await converse(socket, session, wanted)  # type: ignore[arg-type]
    assert session.closed
    return orjson.loads(socket.heard[-1][1:]) if socket.heard and socket.heard[-1][:1] == b"\3" else {}


async def test_outputs_go_to_their_channels_and_success_ends_it() -> None:
    socket = Socket()
    status = await talk(socket, Session((1, b"out"), (2, b"err")))
    assert socket.heard[:-1] == [b"\1", b"\1out", b"\2err"]
    assert status == {"metadata": {}, "status": "Success"} and socket.closed


async def test_another_exit_code_is_a_cause_of_the_status() -> None:
    status = await talk(Socket(), Session(code=7))
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]


async def test_input_is_written_until_its_channel_is_closed() -> None:
    session = Session((1, b"bye"), reads=True)
    await talk(Socket(b"\0one ", b"", b"\0two", bytes([255, 0]), b"\0late"), session)
    assert session.input == b"one two"


async def test_a_command_that_no_longer_reads_is_heard_to_its_end() -> None:
    session = Session((1, b"bye"), reads=True, breaks=True)
    socket = Socket(b"\0lost")
    talking = asyncio.create_task(talk(socket, session))
    await asyncio.sleep(0)
    session.ready.set()
    assert (await talking)["status"] == "Success" and b"\1bye" in socket.heard


async def test_a_client_that_hangs_up_ends_the_session() -> None:
    socket, session = Socket(), Session(reads=True)
    socket.queue.put_nowait(None)
    assert await talk(socket, session) == {}


async def test_only_what_was_asked_for_is_told() -> None:
    socket, session = Socket(b"\0in"), Session((1, b"out"), (2, b"err"))
    await talk(socket, session, Wanted(stderr=True))
    assert socket.heard[:-1] == [b"\2", b"\2err"] and session.input == b""


async def test_an_engine_that_fails_is_an_internal_error() -> None:
    status = await talk(Socket(), Session(code=-1))
    assert (status["code"], status["message"]) == (500, "Internal error occurred: the engine is gone")


async def test_a_terminal_is_resized_and_nothing_else_is() -> None:
    size = b"\4" + orjson.dumps({"Width": 80, "Height": 24})
    with_one, without = Session(reads=True), Session(reads=True)
    await talk(Socket(size, bytes([255, 0])), with_one, ALL._replace(tty=True))
    await talk(Socket(size, bytes([255, 0])), without)
    assert (with_one.sizes, without.sizes) == ([(80, 24)], [])


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"Width":1}', b'{"Width":"x","Height":2}', b'{"Width":0,"Height":0}']
)
def test_a_size_that_is_none_is_ignored(data: bytes) -> None:
    assert terminal_size(data) is None


@pytest.mark.parametrize("cut", range(20))
def test_frames_survive_any_cut(cut: int) -> None:
    whole = b"\1\0\0\0\0\0\0\3one\2\0\0\0\0\0\0\2er"
    first, rest = split_frames(whole[:cut])
    second, rest = split_frames(rest + whole[cut:])
    assert ([*first, *second], rest) == ([(1, b"one"), (2, b"er")], b"")
