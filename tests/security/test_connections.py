"""Clients that say too much, too little or nothing, or don't listen: they are ended, and others are answered meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import uvloop

from controlplane.apiserver.connections import PIPELINED, Limits
from controlplane.apiserver.fairness import Shares
from controlplane.apiserver.http import Bounds
from tests.security.served import Served, Wire, serving


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The loop that Naru runs on: what a connection costs is mostly its."""
    return uvloop.EventLoopPolicy()


MAPS = "/api/v1/namespaces/default/configmaps"
PATIENCE = 30


def limits(**some: float) -> Bounds:
    return Bounds(limits=Limits(**some))  # type: ignore[arg-type]


async def answers(served: Served) -> bool:
    """Whether somebody else is answered."""
    async with asyncio.timeout(PATIENCE):
        return (await served.ask("GET", MAPS)).status == 200


def resident() -> int:
    """Bytes of this process, the server's and the test's."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@contextlib.contextmanager
def descriptors(wanted: int) -> Iterator[None]:
    """So many open files may be had, or the test is skipped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        pytest.skip(f"needs {wanted} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("number", [2500, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_thousands_of_idle_connections_take_bounded_memory_and_others_are_answered(
    tmp_path: Path, number: int
) -> None:
    with descriptors(number + 4000), contextlib.ExitStack() as open_ones:
        async with serving(tmp_path) as served, served.wire() as watching:
            assert (await watching.ask("GET", f"{MAPS}?watch=1")).status == 200
            assert await answers(served)
            before = resident()
            loop = asyncio.get_running_loop()
            for one in range(number):
                idle = open_ones.enter_context(socket.socket())
                idle.setblocking(False)
                await loop.sock_connect(idle, ("127.0.0.1", served.port))
                if one % 1000 == 0:
                    assert await answers(served)
            assert await answers(served)
            assert resident() - before < Limits().connections * 100_000
            await _told(served, watching, "still-there")  # nobody who is being answered was sent away


async def test_who_comes_when_all_is_taken_gets_the_place_of_the_one_idle_for_longest(tmp_path: Path) -> None:
    async with serving(tmp_path, limits(connections=3)) as served, contextlib.AsyncExitStack() as there:
        first, second, third, fourth = [await there.enter_async_context(served.wire()) for _ in range(4)]
        assert await first.ended() == b""
        for wire in (second, third):
            assert (await wire.ask("GET", f"{MAPS}?watch=1")).status == 200
        assert await answers(served)  # in the place of the fourth, which is the only idle one
        assert await fourth.ended() == b""


async def test_where_everybody_is_being_answered_who_comes_next_is_turned_away(tmp_path: Path) -> None:
    async with serving(tmp_path, limits(connections=1)) as served, served.wire() as watching:
        assert (await watching.ask("GET", f"{MAPS}?watch=1")).status == 200
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await served.ask("GET", "/livez")


@pytest.mark.parametrize("said", [b"", b"GET /livez HTTP/1.1\r\nx-slow: "])
async def test_a_head_that_does_not_end_has_its_time_and_no_more(tmp_path: Path, said: bytes) -> None:
    async with serving(tmp_path, limits(head_seconds=0.5)) as served, served.wire() as slow:
        slow.writer.write(said)
        async with asyncio.timeout(PATIENCE):
            assert await slow.ended() == b""
        assert await answers(served)


async def test_a_head_that_comes_byte_by_byte_has_no_more_time_than_one_that_does_not(tmp_path: Path) -> None:
    async with serving(tmp_path, limits(head_seconds=0.5)) as served, served.wire() as slow:
        slow.writer.write(b"GET /livez HTTP/1.1\r\nx: ")

        async def drip() -> None:
            while not slow.writer.transport.is_closing():
                slow.writer.write(b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(PATIENCE):
            await slow.ended()
        dripping.cancel()


async def test_a_handshake_that_does_not_end_has_its_time_and_no_more(tmp_path: Path) -> None:
    async with serving(tmp_path, limits(head_seconds=0.5)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"\x16\x03\x01")  # the beginning of a ClientHello
        async with asyncio.timeout(PATIENCE):
            await Wire(reader, writer, "").ended()
        writer.close()
        assert await answers(served)


async def test_a_body_that_does_not_end_has_its_time_holds_no_seat_and_leaves_nothing(tmp_path: Path) -> None:
    bounds = Bounds(Shares(reads=1, writes=1), Limits(body_seconds=1))
    async with serving(tmp_path, bounds) as served, served.wire() as slow, served.wire() as other:
        slow.writer.write(slow.head("POST", MAPS, {"content-length": "1000000"}) + b"{" * 1000)
        assert (await other.ask("POST", MAPS, orjson.dumps({"metadata": {"name": "quick"}}))).status == 201
        async with asyncio.timeout(PATIENCE):
            assert await slow.ended() == b""


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as served:
        async with served.wire() as leaving:
            leaving.writer.write(leaving.head("POST", MAPS, {"content-length": "1000"}) + b"{")
            await leaving.writer.drain()
        assert await answers(served)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize("name", ["x-long", "cookie", "authorization"])
async def test_a_head_that_is_too_large_is_431(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path) as served:
        assert (await served.ask("GET", "/livez", headers={name: "x" * (Limits().head_bytes)})).status == 431
        assert (await served.ask("GET", f"{MAPS}?labelSelector={'a' * Limits().head_bytes}")).status == 431
        async with served.wire() as endless:
            endless.writer.write(b"GET /livez HTTP/1.1\r\n" + b"x-many: 1234567890\r\n" * 100_000)
            assert (await endless.answer()).status == 431


async def test_requests_sent_ahead_are_answered_in_order_and_bounded(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, served.wire() as wire:
        wire.writer.write(wire.head("GET", "/livez") * PIPELINED)
        assert [(await wire.answer()).status for _ in range(PIPELINED)] == [200] * PIPELINED
        wire.writer.write(wire.head("GET", "/livez") * 5000)
        assert (await wire.ended()).count(b"HTTP/1.1 200") <= PIPELINED
        assert await answers(served)


async def test_what_is_not_tls_and_what_is_not_http_is_ended_without_a_word_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET /livez HTTP/1.1\r\nhost: naru\r\n\r\n")
        await Wire(reader, writer, "").ended()
        writer.close()
        async with served.wire() as wire:
            wire.writer.write(b"\x00\x01 nonsense\r\n\r\n")
            assert (await wire.answer()).status == 400
        assert await answers(served)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


async def _told(served: Served, watching: Wire, name: str) -> None:
    """A watcher is told of a new object."""
    assert (await served.ask("POST", MAPS, orjson.dumps({"metadata": {"name": name}}))).status == 201
    async with asyncio.timeout(PATIENCE):
        while name.encode() not in await watching.reader.readuntil(b"\n"):
            pass


async def _fill(served: Served, number: int, size: int = 1 << 19) -> None:
    body = orjson.dumps({"metadata": {"name": f"big-{number}"}, "data": {"x": "x" * size}})
    assert (await served.ask("POST", MAPS, body)).status == 201


async def test_a_watcher_that_never_reads_is_ended_and_others_see_everything(tmp_path: Path) -> None:
    bounds = limits(stalled_seconds=1)
    async with serving(tmp_path, bounds) as served, served.wire(deaf=True) as deaf, served.wire() as good:
        assert (await good.ask("GET", f"{MAPS}?watch=1")).status == 200
        deaf.writer.write(deaf.head("GET", f"{MAPS}?watch=1"))
        for number in range(24):
            await _fill(served, number)
        await _told(served, good, "last")
        gone = asyncio.get_running_loop().create_future()
        watchers = served.server.store._collection("//configmaps/").watchers  # type: ignore[attr-defined]
        async with asyncio.timeout(PATIENCE):
            while len(watchers) > 1:
                await asyncio.wait([gone], timeout=0.05)
        assert await answers(served)
        gone.cancel()


async def test_answers_that_a_user_does_not_read_count_as_his_and_end_as_429(tmp_path: Path) -> None:
    async with serving(tmp_path, Bounds(shares=Shares(held=8 << 20))) as served, contextlib.AsyncExitStack() as deaf:
        for number in range(8):
            await _fill(served, number)
        codes = set()
        for _ in range(8):
            wire = await deaf.enter_async_context(served.wire(deaf=True))
            wire.writer.write(wire.head("GET", MAPS))
            codes.add((await served.ask("GET", f"{MAPS}/none")).status)
        assert codes == {404, 429}
        assert (await served.ask("GET", f"{MAPS}/none", file="agent.token")).status == 404
