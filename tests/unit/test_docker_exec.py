"""The hijacked connection of an exec, against an engine that is played."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.runtime.docker_exec import Attached, hijack
from agent.runtime.protocol import EngineDownError, EngineError

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def engine(folder: Path, serve: Serve) -> AsyncIterator[str]:
    """The URL of an engine that reads a request's head and then does what `serve` says."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await serve(reader, writer)
        writer.close()

    server = await asyncio.start_unix_server(answer, folder / "engine.sock")
    try:
        yield f"unix://{folder / 'engine.sock'}"
    finally:
        server.close()


UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"


async def test_what_comes_with_the_answer_is_not_lost(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(UPGRADED + b"\1\0\0\0\0\0\0\5early\2\0\0\0\0\0\0\4late")

    async with engine(tmp_path, serve) as url:
        session = Attached(never, await hijack(url, "/exec/1/start"), tty=False)
        assert [chunk async for chunk in session.chunks()] == [(1, b"early"), (2, b"late")]
        await session.close()


async def test_a_refusal_is_the_engines_word(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = b'{"message":"Container c is paused"}\n'
        writer.write(b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n" % len(said) + said)

    async with engine(tmp_path, serve) as url:
        with pytest.raises(EngineError, match="Error response from daemon: Container c is paused"):
            await hijack(url, "/exec/1/start")


async def test_an_engine_that_is_not_there_is_down(tmp_path: Path) -> None:
    with pytest.raises(EngineDownError):
        await hijack(f"unix://{tmp_path / 'nobody.sock'}", "/exec/1/start")


async def test_leaving_does_not_wait_for_input_that_nobody_reads(tmp_path: Path) -> None:
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(UPGRADED)
        await left.wait()

    async with engine(tmp_path, serve) as url:
        streams = await hijack(url, "/exec/1/start")
        session = Attached(never, streams, tty=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                while True:
                    await session.write(bytes(65536))
        await session.close()
        async with asyncio.timeout(5):
            await streams[1].wait_closed()
        left.set()


async def test_the_exit_code_is_waited_for(tmp_path: Path) -> None:
    states = iter([{"Running": True, "ExitCode": None}, {"Running": False, "ExitCode": 7}])

    async def call(do: Callable[[Any], Any]) -> Any:
        return do(SimpleNamespace(exec_inspect=lambda _: next(states)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(UPGRADED)

    async with engine(tmp_path, serve) as url:
        session = Attached(call, await hijack(url, "/exec/1/start"), tty=False, exec_id="1")
        assert await session.exit_code() == 7
        await session.close()


async def never(do: Callable[[Any], Any]) -> Any:
    raise AssertionError("the engine's client is not needed here")
