"""A container's log, against an engine that is played."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from agent.runtime.docker_logs import read_logs
from agent.runtime.protocol import EngineDownError, EngineError

FRAMES = b"\1\0\0\0\0\0\0\4one\n\2\0\0\0\0\0\0\4two\n"


@contextlib.asynccontextmanager
async def engine(folder: Path, *pieces: bytes, breaks: bool = False) -> AsyncIterator[str]:
    """The URL of an engine that answers any log with these pieces, and 404 for the container `gone`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if "gone" in request.path:
            return web.json_response({"message": "No such container: gone"}, status=404)
        assert request.query["tail"] == "all"
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if breaks:
            assert request.transport is not None
            request.transport.abort()
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "engine.sock")).start()
    yield f"unix://{folder / 'engine.sock'}"
    await runner.cleanup()


async def read(url: str, container: str = "c", *, tty: bool = False) -> bytes:
    chunks = read_logs(url, f"/v1.41/containers/{container}/logs", {"tail": "all"}, tty)
    return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize("cut", [0, 3, 8, 11, 12, 20])
async def test_both_outputs_come_in_order_whatever_the_cuts(tmp_path: Path, cut: int) -> None:
    async with engine(tmp_path, FRAMES[:cut], FRAMES[cut:]) as url:
        assert await read(url) == b"one\ntwo\n"


async def test_a_terminals_log_is_as_it_is(tmp_path: Path) -> None:
    async with engine(tmp_path, b"\1\0plain") as url:
        assert await read(url, tty=True) == b"\1\0plain"


async def test_a_container_that_is_gone_is_told_in_the_engines_words(tmp_path: Path) -> None:
    async with engine(tmp_path) as url:
        with pytest.raises(EngineError, match="Error response from daemon: No such container: gone"):
            await read(url, "gone")


async def test_an_engine_that_goes_ends_the_log_and_one_that_is_not_there_is_down(tmp_path: Path) -> None:
    async with engine(tmp_path, FRAMES, breaks=True) as url:
        assert await read(url) == b"one\ntwo\n"
    with pytest.raises(EngineDownError):
        await read(f"unix://{tmp_path / 'nobody.sock'}")
