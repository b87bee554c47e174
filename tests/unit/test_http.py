"""The HTTP transport against a real server on a unix socket and on loopback."""

import asyncio
import pathlib

import pytest
from aiohttp import web

from kubeapi.client.http import AT_ONCE, HttpTransport
from kubeapi.client.transport import Request


@pytest.fixture
async def served(tmp_path: pathlib.Path):
    """A server that echoes, and streams two lines for a watch until its client leaves; (socket, left)."""
    left = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            text = (
                f"{request.method} {request.path_qs} {request.headers.get('Authorization', '')} {await request.text()}"
            )
            return web.Response(status=201, text=text, headers={"Warning": '299 - "told"'})
        stream = web.StreamResponse()
        await stream.prepare(request)
        await stream.write(b"one\ntwo\n")
        try:
            while True:  # a client that left is noticed by writing to it
                await stream.write(b"\n")
                await asyncio.sleep(0)
        except ConnectionError:
            left.set()
        return stream

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "api.sock")).start()
    yield tmp_path / "api.sock", left
    await runner.cleanup()


async def test_a_request_goes_as_it_is_and_its_answer_comes_back(served) -> None:
    transport = HttpTransport(socket=served[0], token="secret")
    request = Request("POST", "/api/v1/pods", [("labelSelector", "a in (b,c)"), ("dryRun", "All")], body=b"body")
    response = await transport.send(request)
    await transport.close()
    assert response.status == 201
    assert response.body == b"POST /api/v1/pods?labelSelector=a+in+(b,c)&dryRun=All Bearer secret body"
    assert ("warning", '299 - "told"') in response.headers


async def test_closing_a_watch_lets_its_connection_go(served) -> None:
    socket, left = served
    transport = HttpTransport(socket=socket)
    response = await transport.send(Request("GET", "/api/v1/pods", [("watch", "1")]))
    assert response.stream is not None
    async with asyncio.timeout(5):
        assert (await anext(response.stream)).startswith(b"one\n")
        await response.stream.aclose()
        await left.wait()
    await transport.close()


async def test_a_server_out_of_reach_is_an_os_error(tmp_path: pathlib.Path) -> None:
    transport = HttpTransport(socket=tmp_path / "nobody.sock")
    with pytest.raises(OSError, match="nobody"):
        await transport.send(Request("GET", "/version"))
    await transport.close()


async def test_a_burst_of_requests_takes_turns_on_few_connections(tmp_path: pathlib.Path) -> None:
    connections: set[object] = set()

    async def answer(request: web.Request) -> web.Response:
        connections.add(request.transport)
        await asyncio.sleep(0)  # others may come meanwhile
        return web.Response()

    app = web.Application()
    app.router.add_get("/version", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "api.sock")).start()
    transport = HttpTransport(socket=tmp_path / "api.sock")
    answers = await asyncio.gather(*(transport.send(Request("GET", "/version")) for _ in range(10 * AT_ONCE)))
    await transport.close()
    await runner.cleanup()
    assert {a.status for a in answers} == {200}
    assert len(connections) <= AT_ONCE
