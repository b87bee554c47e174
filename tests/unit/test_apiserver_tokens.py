"""Tokens of ServiceAccounts: what is asked, what is given, and when it stops being good."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest

from controlplane.apiserver import certs
from controlplane.apiserver.authentication import Authenticator, Identity, node_identity
from controlplane.apiserver.routing import route
from controlplane.apiserver.tokens import ISSUER, Tokens
from controlplane.store.sqlite import SqliteStore
from kubeapi import registry
from kubeapi.client.transport import Request
from kubeapi.errors import ApiError

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PATH = "/api/v1/namespaces/ns/serviceaccounts/app/token"
KINDS = registry.load()


class Clock:
    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment


class World:
    """A ServiceAccount `app`, its pod `p` on a node, and who makes tokens."""

    def __init__(self, store: SqliteStore, folder: Path) -> None:
        self.store, self.clock = store, Clock()
        self.tokens = Tokens(store, KINDS, self.clock, certs.ensure_signing_key(folder))

    async def put(self, key: str, uid: str, spec: dict[str, Any] | None = None, **meta: str) -> None:
        namespace, name = key.split("/")[-2:]
        body = {"metadata": {"name": name, "namespace": namespace, "uid": uid, **meta}, "spec": spec or {}}
        there = self.store.get(key)
        await self.store.commit(key, there.revision if there else 0, orjson.dumps(body))

    async def remove(self, key: str) -> None:
        await self.store.commit(key, self.store.get(key).revision, None)  # type: ignore[union-attr]

    async def ask(self, path: str = PATH, **spec: object) -> dict[str, Any]:
        target = route(KINDS, path)
        assert target is not None
        body = orjson.dumps({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec})
        response = await self.tokens.create(target, Request("POST", path, body=body))
        assert response.status == 201
        made: dict[str, Any] = orjson.loads(response.body)
        return made

    async def refusal(self, path: str = PATH, **spec: object) -> tuple[int, str]:
        with pytest.raises(ApiError) as refused:
            await self.ask(path, **spec)
        return refused.value.code, refused.value.message


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await SqliteStore.open(tmp_path / "store.db")
    made = World(store, tmp_path)
    await made.put("//serviceaccounts/ns/app", "sa-1")
    await made.put("//pods/ns/p", "pod-1", {"serviceAccountName": "app", "nodeName": "n"})
    await made.put("//nodes//n", "node-1")
    yield made
    await store.close()


def bound(**more: str) -> dict[str, str]:
    return {"kind": "Pod", "apiVersion": "v1", "name": "p", **more}


async def test_a_token_says_whose_it_is_and_until_when(world: World) -> None:
    made = await world.ask(boundObjectRef=bound(), expirationSeconds=1200)
    assert made["status"]["expirationTimestamp"] == "2030-01-01T00:20:00Z"
    assert (made["spec"]["audiences"], made["metadata"]["name"]) == ([ISSUER], "app")
    claims = jwt.decode(made["status"]["token"], options={"verify_signature": False})
    assert claims["sub"] == "system:serviceaccount:ns:app" and claims["exp"] - claims["iat"] == 1200
    assert claims["kubernetes.io"] == {
        "namespace": "ns",
        "serviceaccount": {"name": "app", "uid": "sa-1"},
        "pod": {"name": "p", "uid": "pod-1"},
        "node": {"name": "n", "uid": "node-1"},
    }


async def test_its_bearer_is_the_account(world: World) -> None:
    token = (await world.ask())["status"]["token"]
    groups = ("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated")
    assert world.tokens.identity(token) == Identity("system:serviceaccount:ns:app", groups)


async def test_a_token_ends_with_its_time(world: World) -> None:
    token = (await world.ask(expirationSeconds=600))["status"]["token"]
    world.clock.moment = NOW + timedelta(seconds=599)
    assert world.tokens.identity(token)
    world.clock.moment = NOW + timedelta(seconds=600)
    assert world.tokens.identity(token) is None


@pytest.mark.parametrize("key", ["//serviceaccounts/ns/app", "//pods/ns/p", "//nodes//n"])
async def test_a_token_ends_with_what_it_is_bound_to(world: World, key: str) -> None:
    token = (await world.ask(boundObjectRef=bound()))["status"]["token"]
    assert world.tokens.identity(token)
    await world.remove(key)
    assert world.tokens.identity(token) is None
    await world.put(key, "another", {"serviceAccountName": "app"})
    assert world.tokens.identity(token) is None


async def test_a_pod_that_is_ending_keeps_its_token_for_its_grace(world: World) -> None:
    token = (await world.ask(boundObjectRef=bound()))["status"]["token"]
    await world.put("//pods/ns/p", "pod-1", deletionTimestamp="2030-01-01T00:00:30Z")
    world.clock.moment = NOW + timedelta(seconds=89)
    assert world.tokens.identity(token)
    world.clock.moment = NOW + timedelta(seconds=91)
    assert world.tokens.identity(token) is None


async def test_a_token_for_others_or_of_another_key_opens_nothing(world: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    stranger = World(world.store, elsewhere)
    for token in ((await world.ask(audiences=["vault"]))["status"]["token"], (await stranger.ask())["status"]["token"]):
        assert world.tokens.identity(token) is None
    assert world.tokens.identity("not.a.token") is None


async def test_what_cannot_be_given_is_refused(world: World) -> None:
    least = "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes"
    assert await world.refusal(expirationSeconds=599) == (
        422, f'TokenRequest.authentication.k8s.io "" is invalid: {least}'
    )  # fmt: skip
    code, why = await world.refusal(expirationSeconds=(1 << 32) + 1)
    assert code == 422 and why.endswith("may not specify a duration larger than 2^32 seconds")
    assert await world.refusal(PATH.replace("app", "nobody")) == (404, 'serviceaccounts "nobody" not found')
    assert await world.refusal(boundObjectRef=bound(name="q")) == (404, 'pods "q" not found')
    assert (await world.refusal(boundObjectRef=bound(uid="pod-0")))[0] == 409
    unknown = await world.refusal(boundObjectRef=bound(kind="ConfigMap"))
    assert unknown == (400, "cannot bind token to object of type /v1, Kind=ConfigMap")
    await world.put("//serviceaccounts/ns/other", "sa-2")
    code, why = await world.refusal(PATH.replace("app", "other"), boundObjectRef=bound())
    assert code == 400 and "pod running with different serviceaccount name" in why


async def test_the_key_outlives_a_restart(world: World, tmp_path: Path) -> None:
    token = (await world.ask())["status"]["token"]
    assert World(world.store, tmp_path).tokens.identity(token)
    assert (tmp_path / "service-account.key").stat().st_mode & 0o777 == 0o600


async def test_known_tokens_come_first_and_others_are_looked_at(world: World) -> None:
    who = Authenticator({"secret": node_identity("n")}, world.tokens)
    assert who.identity({"authorization": "Bearer secret"}) == node_identity("n")
    signed = (await world.ask())["status"]["token"]
    assert who.identity({"authorization": f"bearer {signed}"}).user == "system:serviceaccount:ns:app"  # type: ignore[union-attr]
    for headers in (
        {},
        {"authorization": "Basic secret"},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer "},
    ):
        assert who.identity(headers) is None
