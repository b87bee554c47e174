"""nodes/NODE/proxy/PATH: what a client says reaches the agent as it is, and the agent's answer the client."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from aiohttp import web

from controlplane.apiserver import authorization, certs
from controlplane.apiserver.authentication import Identity
from controlplane.apiserver.discovery import discover
from controlplane.apiserver.node_proxy import NodeProxy, node_named
from controlplane.apiserver.routing import route
from controlplane.store.sqlite import SqliteStore
from kubeapi import registry
from kubeapi.client.transport import Request, Response
from kubeapi.errors import ApiError

KINDS = registry.load()


class World(NamedTuple):
    """A node `n` whose agent notes what it is asked, and a proxy that leads there."""

    store: SqliteStore
    proxy: NodeProxy
    heard: list[tuple[str, str, dict[str, str], bytes]]
    more: asyncio.Event
    port: int

    async def node(self, name: str, port: int) -> None:
        status = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}
        status |= {"daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}  # type: ignore[dict-item]
        await self.store.commit(f"//nodes//{name}", 0, orjson.dumps({"metadata": {"name": name}, "status": status}))

    async def ask(self, path: str, method: str = "GET", **more: Any) -> Response:
        target = route(KINDS, path)
        assert target is not None
        return await self.proxy.proxy(target, Request(method, path, **more))

    async def refusal(self, path: str) -> ApiError:
        with pytest.raises(ApiError) as refused:
            await self.ask(path)
        return refused.value


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    heard: list[tuple[str, str, dict[str, str], bytes]] = []
    more = asyncio.Event()

    async def note(request: web.Request) -> web.StreamResponse:
        heard.append((request.method, request.path_qs, dict(request.headers), await request.read()))
        match request.path:
            case "/streams":
                answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
                await answer.prepare(request)
                await answer.write(b"first\n")
                await more.wait()
                await answer.write(b"second\n")
                return answer
            case "/teapot":
                return web.Response(status=418, text="short and stout", headers={"X-Spout": "1"})
        return web.json_response({"kind": "Layers"})

    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certs.ensure_authority(tmp_path))
    served.verify_mode = ssl.CERT_REQUIRED
    served.load_cert_chain(*certs.ensure_certificate(tmp_path, "agent", ["n"]))
    let_in = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    let_in.load_cert_chain(*certs.ensure_agent_client(tmp_path))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=served).start()
    store = await SqliteStore.open(tmp_path / "store.db")
    made = World(store, NodeProxy(store, KINDS, let_in), heard, more, runner.addresses[0][1])
    await made.node("n", made.port)
    yield made
    await made.proxy.close()
    await runner.cleanup()
    await store.close()


async def whole(answer: Response) -> bytes:
    return answer.body if answer.stream is None else b"".join([chunk async for chunk in answer.stream])


async def test_path_query_and_answer_are_passed_on(world: World) -> None:
    answer = await world.ask("/api/v1/nodes/n/proxy/layers/a b", query=(("from", "shop/web"), ("probe", "1")))
    assert (answer.status, await whole(answer)) == (200, b'{"kind": "Layers"}')
    assert ("content-type", "application/json; charset=utf-8") in answer.headers
    assert world.heard[0][:2] == ("GET", "/layers/a%20b?from=shop%2Fweb&probe=1")


async def test_other_methods_carry_their_body(world: World) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        headers = {"content-type": "text/plain", "content-length": "999"}
        await whole(await world.ask("/api/v1/nodes/n/proxy/trace/", method, body=b"told", headers=headers))
        heard = world.heard.pop()
        assert (*heard[:2], heard[3], heard[2]["Content-Type"]) == (method, "/trace/", b"told", "text/plain")


async def test_who_asks_is_not_told_to_the_agent(world: World) -> None:
    headers = {"authorization": "Bearer secret", "cookie": "c=1", "impersonate-user": "jane", "accept": "text/plain"}
    await whole(await world.ask("/api/v1/nodes/n/proxy/", headers=headers))
    told = {name.lower(): value for name, value in world.heard[0][2].items()}
    assert told.keys() & headers.keys() == {"accept"} and world.heard[0][1] == "/"


async def test_a_long_answer_comes_as_it_is_said(world: World) -> None:
    answer = await world.ask("/api/v1/nodes/n/proxy/streams")
    assert answer.stream is not None
    assert await anext(answer.stream) == b"first\n"  # the agent has not ended: it waits for us
    world.more.set()
    assert [chunk async for chunk in answer.stream] == [b"second\n"]


async def test_the_agents_refusal_is_the_answer(world: World) -> None:
    answer = await world.ask("/api/v1/nodes/n/proxy/teapot")
    assert (answer.status, answer.body) == (418, b"short and stout")
    names = [name for name, _ in answer.headers]
    assert ("x-spout", "1") in answer.headers and not {"date", "server", "content-length"} & {*names}


async def test_without_a_path_the_client_is_led_to_the_root(world: World) -> None:
    answer = await world.ask("/api/v1/nodes/n/proxy", query=(("a", "b c"),))
    assert (answer.status, answer.headers) == (301, [("location", "/api/v1/nodes/n/proxy/?a=b+c")])
    assert (await world.ask("/api/v1/nodes/n/proxy", "POST")).status == 200


async def test_what_cannot_be_reached_is_told_in_kubernetes_words(world: World) -> None:
    missing = await world.refusal("/api/v1/nodes/gone/proxy/layers")
    assert (missing.code, missing.message) == (404, 'nodes "gone" not found')
    await world.node("deaf", 1)
    deaf = await world.refusal("/api/v1/nodes/deaf/proxy/layers")
    words = "error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused"
    assert (deaf.code, deaf.reason, deaf.message) == (503, "ServiceUnavailable", words)


async def test_only_the_agents_own_port_may_be_named(world: World) -> None:
    assert (await world.ask(f"/api/v1/nodes/https:n:{world.port}/proxy/layers")).status == 200
    other = await world.refusal("/api/v1/nodes/n:22/proxy/")
    assert other.code == 400 and f"at its port {world.port}" in other.message


def test_a_node_may_be_named_with_scheme_and_port() -> None:
    assert node_named("n") == ("n", "") == node_named("https:n:")
    assert node_named("n:10250") == ("n", "10250") == node_named("https:n:10250")
    for wrong in ("http:n:10250", "n:", ":", "a:b:c:d"):
        with pytest.raises(ApiError, match="invalid node request"):
            node_named(wrong)


def test_roles_know_it_as_nodes_proxy() -> None:
    request = Request("POST", "/api/v1/nodes/n/proxy/trace")
    with pytest.raises(ApiError) as refused:
        authorization.check(Identity("jane", ("system:authenticated",)), KINDS, request)
    assert 'cannot create resource "nodes/proxy"' in refused.value.message
    authorization.check(Identity("root", ("system:masters",)), KINDS, request)


def test_discovery_lists_it_as_kubernetes_does() -> None:
    found = discover(KINDS, "/api/v1", False)
    assert found is not None
    row = next(r for r in found["resources"] if r["name"] == "nodes/proxy")
    assert (row["kind"], row["namespaced"]) == ("NodeProxyOptions", False)
    assert row["verbs"] == ["create", "delete", "get", "patch", "update"]
