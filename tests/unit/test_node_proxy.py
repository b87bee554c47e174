"""What the API server checks, and where it goes, before an agent is asked."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from controlplane.apiserver.location import is_own
from controlplane.apiserver.node_proxy import NodeProxy, check_log_options, container_named
from controlplane.apiserver.routing import Target, route
from controlplane.store.sqlite import SqliteStore
from kubeapi import registry
from kubeapi.client.transport import Request
from kubeapi.core_v1.types import Pod
from kubeapi.errors import ApiError

KINDS = registry.load()
ELSEWHERE = "192.0.2.7"  # RFC 5737: nobody's address


def body(*containers: str, inits: tuple[str, ...] = (), node: str = "n") -> dict[str, Any]:
    named = {"containers": [{"name": c} for c in containers], "initContainers": [{"name": c} for c in inits]}
    return {"metadata": {"name": "p", "namespace": "ns"}, "spec": {"nodeName": node, **named}}


def pod(*containers: str, inits: tuple[str, ...] = ()) -> Pod:
    return Pod.from_json(orjson.dumps(body(*containers, inits=inits)))


def test_the_only_container_need_not_be_named() -> None:
    assert container_named(pod("a"), "") == "a"
    assert container_named(pod("a", inits=("i",)), "") == "a"
    assert container_named(pod("a", inits=("i",)), "i") == "i"


@pytest.mark.parametrize(
    ("asked", "name", "words"),
    [
        (pod("a", "b"), "", "a container name must be specified for pod p, choose one of: [a b]"),
        (pod("a", "b", inits=("i",)), "", "choose one of: [a b] or one of the init containers: [i]"),
        (pod("a"), "z", "container z is not valid for pod p"),
    ],
)
def test_a_container_that_is_not_clear_is_a_bad_request(asked: Pod, name: str, words: str) -> None:
    with pytest.raises(ApiError) as refused:
        container_named(asked, name)
    assert refused.value.code == 400 and refused.value.message.endswith(words)


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ({"tailLines": "-1"}, 422, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ({"limitBytes": "0"}, 422, "limitBytes: Invalid value: 0: must be greater than 0"),
        ({"sinceSeconds": "0"}, 422, "sinceSeconds: Invalid value: 0: must be greater than 0"),
        ({"sinceSeconds": "1", "sinceTime": "2030-01-01T00:00:00Z"}, 422, "at most one of `sinceTime` or `sinceSeconds`"),
        ({"sinceTime": "yesterday"}, 400, 'parsing time "yesterday"'),
        ({"tailLines": "many"}, 400, 'strconv.ParseInt: parsing "many": invalid syntax'),
        ({"stream": "Stdout"}, 422, "stream: Forbidden: may not be specified"),
    ],
)  # fmt: skip
def test_log_options_that_are_none_are_refused(query: dict[str, str], code: int, words: str) -> None:
    with pytest.raises(ApiError) as refused:
        check_log_options("p", query)
    assert refused.value.code == code and words in refused.value.message


def test_own_addresses_are_known() -> None:
    assert is_own("127.0.0.1") and not is_own(ELSEWHERE)


class World:
    """A store, and who finds the way from its pods to their nodes."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.proxy = NodeProxy(store, KINDS, ssl.create_default_context())

    async def put(self, key: str, obj: dict[str, Any]) -> None:
        there = self.store.get(key)
        await self.store.commit(key, there.revision if there else 0, orjson.dumps(obj))

    async def node(self, address: str, port: int = 10251) -> None:
        status: dict[str, Any] = {"addresses": [{"type": "InternalIP", "address": address}] if address else []}
        status |= {"daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
        await self.put("//nodes//n", {"metadata": {"name": "n"}, "status": status})

    def asked(self, subresource: str, *query: tuple[str, str]) -> tuple[Target, Request]:
        path = f"/api/v1/namespaces/ns/pods/p/{subresource}"
        target = route(KINDS, path)
        assert target is not None
        return target, Request("GET", path, query)

    def refusal(self, subresource: str, *query: tuple[str, str]) -> tuple[int, str]:
        with pytest.raises(ApiError) as refused:
            self.proxy.locate(*self.asked(subresource, *query))
        return refused.value.code, refused.value.message


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await SqliteStore.open(tmp_path / "store.db")
    made = World(store)
    await made.put("//pods/ns/p", body("a"))
    await made.node("127.0.0.1")
    yield made
    await made.proxy.close()
    await store.close()


async def test_an_exec_goes_to_the_agent_in_the_kubelets_words(world: World) -> None:
    query = (("command", "ls"), ("command", "a b&c"), ("stdin", "true"), ("stdout", "1"), ("tty", "false"))
    where = world.proxy.locate(*world.asked("exec", *query))
    assert where.url == "https://127.0.0.1:10251/exec/ns/p/a?input=1&output=1&command=ls&command=a+b%26c"
    assert where.node == "n"


async def test_a_node_of_this_machine_is_reached_over_loopback_and_another_by_its_address(world: World) -> None:
    await world.node("127.0.0.2")
    where = world.proxy.locate(*world.asked("attach"))
    assert where.url == "https://127.0.0.1:10251/attach/ns/p/a" and where.shown == where.url.replace("0.0.1", "0.0.2")
    await world.node(ELSEWHERE)
    where = world.proxy.locate(*world.asked("portforward"))
    assert where.url == where.shown == f"https://{ELSEWHERE}:10251/portForward/ns/p"


async def test_what_cannot_be_reached_is_told_in_kubernetes_words(world: World) -> None:
    await world.put("//pods/ns/p", body("a", node=""))
    assert world.refusal("exec") == (400, "pod p does not have a host assigned")
    assert (await world.proxy.logs(*world.asked("log"))).status == 204
    await world.put("//pods/ns/p", body("a", node="gone"))
    assert world.refusal("exec") == (404, 'nodes "gone" not found')
    await world.put("//pods/ns/p", body("a"))
    await world.node("")
    assert world.refusal("exec") == (500, "no preferred addresses found; known addresses: []")
    await world.store.commit("//pods/ns/p", world.store.get("//pods/ns/p").revision, None)  # type: ignore[union-attr]
    assert world.refusal("exec") == (404, 'pods "p" not found')


async def test_an_agent_that_is_not_there_is_a_server_error(world: World) -> None:
    await world.node("127.0.0.1", port=1)
    with pytest.raises(ApiError) as refused:
        await world.proxy.logs(*world.asked("log"))
    told = 'Get "https://127.0.0.1:1/containerLogs/ns/p/a": dial tcp 127.0.0.1:1: connect: connection refused'
    assert (refused.value.code, refused.value.message) == (500, told)


async def test_without_a_websocket_nothing_is_upgraded(world: World) -> None:
    with pytest.raises(ApiError, match="Upgrade request required"):
        await world.proxy.plain(*world.asked("exec"))
    target, request = world.asked("exec")
    request.headers = {"upgrade": "SPDY/3.1"}
    await world.node("127.0.0.1", port=1)
    with pytest.raises(ApiError, match=r"error dialing backend: dial tcp 127.0.0.1:1: connect: connection refused"):
        await world.proxy.plain(target, request)
