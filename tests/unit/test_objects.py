"""What the agent reads from the API: data of ConfigMaps and Secrets, followed while pods use them, Services, tokens."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import orjson
import pytest

from agent.objects import Objects, Ref
from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.client.transport import Request, Response
from kubeapi.core_v1.types import Pod, Service
from kubeapi.errors import ApiError
from kubeapi.registry import load

REF = Ref("ConfigMap", "ns", "cm")


def config(revision: int, **data: str) -> dict[str, Any]:
    meta = {"name": "cm", "namespace": "ns", "uid": "u", "resourceVersion": str(revision)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data, "binaryData": {"raw": "AAE="}}


def service(namespace: str, name: str, address: str = "10.96.0.9") -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "uid": f"{namespace}/{name}", "resourceVersion": "1"}
    return {"metadata": meta, "spec": {"clusterIP": address}}


class Server:
    """One ConfigMap, `config`, some Services, and a queue of what the ConfigMap's watch tells."""

    def __init__(self) -> None:
        self.config, self.services, self.down = config(1, a="1"), list[dict[str, Any]](), False
        self.frames = asyncio.Queue[dict[str, Any]]()
        self.asked: list[Request] = []
        self.watches = 0

    async def send(self, request: Request) -> Response:
        if self.down:
            raise ConnectionError("nobody is there")
        self.asked.append(request)
        query = dict(request.query)
        if request.method == "POST":
            return Response(201, body=orjson.dumps({"status": {"token": "a.b.c"}}))
        if query.get("watch"):
            return Response(200, stream=self._watch())
        if request.path.endswith("/cm"):
            return Response(200, body=orjson.dumps(self.config))
        items = self.services if request.path.endswith("/services") else [self.config]
        if request.path.endswith(("/configmaps", "/services")):
            return Response(200, body=orjson.dumps({"metadata": {"resourceVersion": "1"}, "items": items}))
        error = ApiError(404, "NotFound", "there is none")
        return Response(404, body=orjson.dumps(error.status()))

    async def close(self) -> None:
        pass

    async def _watch(self) -> AsyncGenerator[bytes, None]:
        self.watches += 1
        try:
            while True:
                yield orjson.dumps(await self.frames.get()) + b"\n"
        finally:
            self.watches -= 1


class World:
    def __init__(self) -> None:
        self.server = Server()
        client = Client(self.server, load(), "test")
        self.services = Informer(client, Service)
        self.objects = Objects(client, self.services)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    async with asyncio.timeout(10):
        yield made
    await made.objects.close()
    await made.services.stop()


async def test_binary_data_belong_to_a_config_map(world: World) -> None:
    assert await world.objects.data(*REF) == {"a": b"1", "raw": b"\0\1"}
    assert await world.objects.data("Secret", "ns", "none") is None


async def test_what_is_followed_is_told_of_and_at_hand_without_the_api(world: World) -> None:
    told = asyncio.Event()
    await world.objects.follow("pod-1", [REF], told.set)
    await told.wait()
    told.clear()
    await world.server.frames.put({"type": "MODIFIED", "object": config(2, a="2")})
    await told.wait()
    world.server.down = True
    assert await world.objects.data(*REF) == {"a": b"2", "raw": b"\0\1"}


async def test_what_is_followed_is_not_asked_for_again(world: World) -> None:
    await world.objects.follow("pod-1", [REF], lambda: None)
    assert await world.objects.data(*REF) == {"a": b"1", "raw": b"\0\1"}
    assert {asked.path for asked in world.server.asked} == {"/api/v1/namespaces/ns/configmaps"}
    assert {dict(asked.query)["fieldSelector"] for asked in world.server.asked} == {"metadata.name=cm"}


async def test_pods_share_a_watch_until_the_last_of_them_is_gone(world: World) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    await world.objects.follow("pod-1", [REF], first.set)
    await world.objects.follow("pod-2", [REF], second.set)
    await first.wait()
    await second.wait()
    assert world.server.watches == 1
    await world.objects.release("pod-1")
    first.clear()
    second.clear()
    await world.server.frames.put({"type": "MODIFIED", "object": config(2, a="2")})
    await second.wait()
    assert not first.is_set()
    await world.objects.release("pod-2")
    assert world.server.watches == 0


async def test_services_of_a_pod_are_its_namespaces_and_the_apis_own(world: World) -> None:
    held = [service("default", "kubernetes", "10.96.0.1"), service("ns", "web"), service("other", "db")]
    world.server.services = [*held, service("ns", "headless", "None")]
    await world.services.start()
    await world.services.synced()
    assert [s.metadata.name for s in world.objects.services("ns")] == ["kubernetes", "web"]
    assert [s.metadata.name for s in world.objects.services("default")] == ["kubernetes"]


async def test_a_token_is_bound_to_its_pod(world: World) -> None:
    pod = Pod.model_validate({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": {}})
    pod.spec.service_account_name = "robot"
    assert await world.objects.token(pod, "them", 3607) == "a.b.c"
    (asked,) = world.server.asked
    assert asked.path == "/api/v1/namespaces/ns/serviceaccounts/robot/token"
    assert orjson.loads(asked.body)["spec"] == {
        "audiences": ["them"],
        "expirationSeconds": 3607,
        "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"},
    }
