"""The write path as clients meet it: a real server in process, no controllers."""

import asyncio
import json
import pathlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controlplane.admission.chain import Admission
from controlplane.apiserver import writes
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.server import ApiServer
from controlplane.store.sqlite import SqliteStore
from kubeapi.client.transport import Request
from kubeapi.clock import SystemClock
from kubeapi.registry import load

CORE = "/api/v1/namespaces/default"
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
SERVICE = {"spec": {"ports": [{"port": 80}], "selector": {"app": "a"}}}


class Asker:
    """The server, asked as a client would."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    async def ask(self, method: str, path: str, body: Any = None, media: str = "", **query: str) -> tuple[int, Any]:
        """One request; the code and the parsed answer."""
        headers = {"content-type": media or "application/json", "user-agent": "test/1"}
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await self.server.send(Request(method, path, [*query.items()], headers, data, user="admin"))
        return response.status, json.loads(response.body)

    async def made(self, path: str, body: dict[str, Any], **query: str) -> Any:
        """An object that must be made."""
        code, answer = await self.ask("POST", path, body, **query)
        assert code == 201, answer
        return answer


@pytest.fixture
async def api(tmp_path: pathlib.Path) -> AsyncIterator[Asker]:
    store, rng = await SqliteStore.open(tmp_path / "store.db"), random.Random(3)
    admission = Admission(store, rng)
    server = ApiServer(store, load(), SystemClock(), rng, admission)
    await bootstrap(server, admission.ranges.addresses, "127.0.0.1", 6443)
    yield Asker(server)
    await store.close()


def owned(obj: dict[str, Any]) -> dict[str, Any]:
    """Who owns what: the fields by manager."""
    return {e["manager"]: e["fieldsV1"] for e in obj["metadata"]["managedFields"]}


async def test_services_made_at_one_moment_get_addresses_of_their_own(api: Asker) -> None:
    bodies = [SERVICE | {"metadata": {"name": f"s{i}"}} for i in range(40)]
    made = await asyncio.gather(*[api.made(f"{CORE}/services", body) for body in bodies])
    assert len({service["spec"]["clusterIP"] for service in made}) == len(bodies)


async def test_one_address_asked_for_twice_is_given_once(api: Asker) -> None:
    asked = [{"metadata": {"name": n}, "spec": SERVICE["spec"] | {"clusterIP": "10.96.7.7"}} for n in ("a", "b")]
    codes = [code for code, _ in await asyncio.gather(*[api.ask("POST", f"{CORE}/services", body) for body in asked])]
    assert sorted(codes) == [201, 422]


async def test_what_the_server_adds_is_nobodys(api: Asker) -> None:
    service = await api.made(f"{CORE}/services", SERVICE | {"metadata": {"name": "s"}})
    assert "f:clusterIP" not in owned(service)["test"]["f:spec"]
    assert "f:sessionAffinity" in owned(service)["test"]["f:spec"]  # a default is its creator's


async def test_a_generated_name_that_is_taken_is_made_anew(api: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    suffixes = iter(["aaaaa", "aaaaa", "bbbbb"])
    monkeypatch.setattr(writes, "random_suffix", lambda _rng: next(suffixes))
    body = {"metadata": {"generateName": "x-"}}
    names = [(await api.made(f"{CORE}/configmaps", body))["metadata"]["name"] for _ in range(2)]
    assert names == ["x-aaaaa", "x-bbbbb"]


async def test_an_apply_that_changes_nothing_makes_no_revision(api: Asker) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}}
    answers = [await api.ask("PATCH", f"{CORE}/configmaps/c", config, APPLY, fieldManager="me") for _ in range(2)]
    assert [code for code, _ in answers] == [201, 200]
    assert answers[0][1] == answers[1][1]


async def test_a_dry_run_changes_nothing(api: Asker) -> None:
    before = api.server.store.revision
    await api.made(f"{CORE}/configmaps", {"metadata": {"name": "c"}}, dryRun="All")
    assert (await api.ask("GET", f"{CORE}/configmaps/c"))[0] == 404
    await api.made(f"{CORE}/configmaps", {"metadata": {"name": "d"}})
    await api.ask("PATCH", f"{CORE}/configmaps/d", {"data": {"k": "v"}}, MERGE, dryRun="All")
    await api.ask("DELETE", f"{CORE}/configmaps/d", {"kind": "DeleteOptions"}, dryRun="All")
    assert (await api.ask("GET", f"{CORE}/configmaps/d"))[1].get("data") is None
    assert api.server.store.revision == before + 1


async def test_pages_show_one_moment(api: Asker) -> None:
    for name in "abcd":
        await api.made(f"{CORE}/configmaps", {"metadata": {"name": name}})
    _, first = await api.ask("GET", f"{CORE}/configmaps", limit="3")
    await api.ask("DELETE", f"{CORE}/configmaps/d")
    _, rest = await api.ask("GET", f"{CORE}/configmaps", limit="3", **{"continue": first["metadata"]["continue"]})
    assert first["metadata"]["remainingItemCount"] == 1
    assert [item["metadata"]["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c", "d"]
    assert rest["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"kind":"Pod"}', b'"x"'])
@pytest.mark.parametrize("door", ["binding", "eviction"])
async def test_a_body_that_is_none_is_a_bad_request(api: Asker, door: str, body: bytes) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await api.made(f"{CORE}/pods", pod)
    assert (await api.ask("POST", f"{CORE}/pods/p/{door}", body))[0] == 400
    if body:
        assert (await api.ask("DELETE", f"{CORE}/pods/p", body))[0] == 400
    assert (await api.ask("GET", f"{CORE}/pods/p"))[0] == 200


async def test_a_scale_that_is_none_is_refused(api: Asker) -> None:
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": pod}
    apps = "/apis/apps/v1/namespaces/default/deployments"
    await api.made(apps, {"metadata": {"name": "d"}, "spec": spec})
    named = {"metadata": {"name": "d"}}
    for code, body in (
        (400, []),
        (400, named | {"spec": {"replicas": "x"}}),
        (422, named | {"spec": {"replicas": -1}}),
    ):
        assert (await api.ask("PUT", f"{apps}/d/scale", body))[0] == code
    assert (await api.ask("PUT", f"{apps}/d/scale", named | {"spec": {"replicas": 3}}))[1]["spec"] == {"replicas": 3}
    assert (await api.ask("GET", f"{apps}/d"))[1]["metadata"]["generation"] == 2


async def test_a_watch_list_ends_with_its_bookmark(api: Asker) -> None:
    await api.made(f"{CORE}/configmaps", {"metadata": {"name": "c"}})
    query = {"watch": "1", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    query |= {"allowWatchBookmarks": "true", "timeoutSeconds": "5"}
    response = await api.server.send(Request("GET", f"{CORE}/configmaps", [*query.items()]))
    assert response.stream is not None
    events = [json.loads(await anext(response.stream)) for _ in range(2)]
    await response.stream.aclose()
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_many_writers_of_one_object_all_get_on(api: Asker) -> None:
    await api.made(f"{CORE}/configmaps", {"metadata": {"name": "c"}})
    patches = [api.ask("PATCH", f"{CORE}/configmaps/c", {"data": {f"k{i}": "v"}}, MERGE) for i in range(20)]
    assert {code for code, _ in await asyncio.gather(*patches)} == {200}
    assert len((await api.ask("GET", f"{CORE}/configmaps/c"))[1]["data"]) == 20
