"""`POST /apply` and `DELETE /apply` as a person with curl meets them: a real server in process, no controllers."""

import asyncio
import json
import pathlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controlplane.admission.chain import Admission, Ranges
from controlplane.apiserver.server import ApiServer
from controlplane.store.sqlite import SqliteStore
from kubeapi import registry as kinds
from kubeapi.client.client import Client
from kubeapi.client.transport import Request, Response
from kubeapi.clock import SystemClock
from kubeapi.core_v1.types import ConfigMap, Namespace, PersistentVolumeClaim, Pod, Secret, ServiceAccount
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, labels: {app: a}}\ndata: {k: v}\n---\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i}]}
---
"""


class Door:
    """The server, asked as curl would."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.client = Client(server, server.registry, "test")

    async def send(self, body: str, method: str = "POST", accept: str = "*/*", **query: str) -> Response:
        headers = {"accept": accept}
        return await self.server.send(Request(method, "/apply", [*query.items()], headers, body.encode()))

    async def lines(self, body: str, method: str = "POST", **query: str) -> list[str]:
        """The lines of an answer that is not streamed."""
        return (await self.send(body, method, **query)).body.decode().splitlines()

    async def follow(self, body: str, method: str = "POST", **query: str) -> AsyncIterator[dict[str, Any]]:
        """The records of an answer that is streamed."""
        response = await self.send(body, method, "application/x-ndjson", **query)
        assert response.status == 200 and response.stream is not None, response.body
        async for chunk in response.stream:
            for line in chunk.splitlines():
                yield json.loads(line)


@pytest.fixture
async def door(tmp_path: pathlib.Path) -> AsyncIterator[Door]:
    store = await SqliteStore.open(tmp_path / "store.db")
    rng = random.Random(7)
    door = Door(ApiServer(store, kinds.load(), SystemClock(), rng, Admission(store, rng, Ranges())))
    await door.client.create(Namespace(metadata=ObjectMeta(name="default")))
    yield door
    await store.close()


def config(name: str) -> str:
    return CONFIG.replace("NAME", name)


async def test_objects_go_in_the_order_in_which_others_need_them(door: Door) -> None:
    said = await door.lines(DEPLOYMENT + config("one") + NAMESPACE)
    assert said == [
        "namespace/shop created",
        "configmap/one created in default",
        "deployment.apps/web created in shop",
        "3 created",
    ]


async def test_what_changes_nothing_is_unchanged(door: Door) -> None:
    await door.send(config("one"))
    assert (await door.lines(config("one")))[0] == "configmap/one unchanged in default"
    changed = config("one").replace("k: v", "k: w")
    assert (await door.lines(changed))[0] == "configmap/one configured in default"


async def test_a_json_list_and_a_list_are_as_good_as_a_stream(door: Door) -> None:
    one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}
    two = {"apiVersion": "v1", "kind": "List", "items": [{**one, "metadata": {"name": "two"}}]}
    listed = {"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"metadata": {"name": "three"}}]}
    said = await door.lines(json.dumps([one, two, listed]))
    assert [line.split()[0] for line in said[:3]] == ["configmap/one", "configmap/two", "configmap/three"]


@pytest.mark.parametrize(
    ("bad", "code", "words"),
    [
        ("a: [", 400, "error converting YAML to JSON"),
        ("apiVersion: v1\nmetadata: {name: x}\n", 400, "Object 'Kind' is missing in"),
        ("kind: ConfigMap\nmetadata: {name: x}\n", 400, "Object 'ApiVersion' is missing in"),
        ("apiVersion: v1\nkind: Foo\nmetadata: {name: x}\n", 400, 'no matches for kind "Foo" in version "v1"'),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nwat: 1\n", 400, 'unknown field "wat"'),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 5}\n", 400, "cannot unmarshal number"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: X_Y}\n", 422, 'ConfigMap "X_Y" is invalid: metadata.name'),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", 400, "metadata.name: Required value"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: nope}\n", 404, 'namespaces "nope" not found'),
        (config("good"), 400, "stands twice"),
        ("just text", 400, "an object is a map of fields"),
        ("[" * 9000 + "]" * 9000, 400, "exceeded max depth"),
        ("apiVersion: v1\nkind: List\nitems: 5\n", 400, "items of a List are a list"),
        ("{kind: [1], apiVersion: v1}", 400, "Object 'Kind' is missing"),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: 99999999999999999999999}}",
            400,
            "cannot unmarshal number",
        ),
    ],
)
async def test_one_bad_object_keeps_all_from_changing_anything(door: Door, bad: str, code: int, words: str) -> None:
    before = door.server.store.revision
    response = await door.send(config("good") + bad)
    status = json.loads(response.body)
    assert (response.status, status["kind"], status["code"]) == (code, "Status", code)
    assert words in status["message"]
    assert door.server.store.revision == before


async def test_several_refusals_are_all_told(door: Door) -> None:
    unknown = "apiVersion: v1\nkind: Foo\nmetadata: {name: x}\n---\n"
    status = json.loads((await door.send(unknown + unknown.replace("Foo", "Bar"))).body)
    assert [cause["field"] for cause in status["details"]["causes"]] == ["Foo x", "Bar x"]


async def test_an_empty_body_is_refused(door: Door) -> None:
    assert json.loads((await door.send("---\n# nothing\n")).body)["message"] == "no objects passed to apply"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"wait": "soon"}, 'wait: Unsupported value: "soon": supported values: "ready"'),
        ({"timeout": "-1"}, "timeout: Invalid value"),
        ({"timeout": "nan"}, "timeout: Invalid value"),
        ({"prune": "true"}, "prune=true and selector=LABEL=VALUE go together"),
        ({"selector": "a=b"}, "prune=true and selector=LABEL=VALUE go together"),
        ({"dryrun": "true"}, 'unknown parameter "dryrun"'),
        ({"dryRun": "Some"}, "dryRun: Unsupported value"),
    ],
)
async def test_a_query_that_says_nothing_sensible_is_refused(door: Door, query: dict[str, str], words: str) -> None:
    response = await door.send(config("one"), **query)
    assert response.status == 400
    assert words in json.loads(response.body)["message"]


async def test_a_dry_run_tells_and_changes_nothing(door: Door) -> None:
    await door.send(config("one"))
    before = door.server.store.revision
    changed = config("one").replace("k: v", "k: w")
    said = await door.lines(changed + NAMESPACE + DEPLOYMENT, dryRun="All", wait="ready")
    assert [line.split()[1] for line in said[:3]] == ["created", "configured", "created"]
    assert said[3].endswith("nothing was changed")
    assert door.server.store.revision == before


async def test_warnings_stand_beside_their_object(door: Door) -> None:
    said = await door.lines(config("one").replace("\ndata:", "\nwat: 1\ndata:"), fieldValidation="Warn")
    assert said[:2] == ["configmap/one created in default", '  Warning: unknown field "wat"']
    response = await door.send(config("two").replace("\ndata:", "\nwat: 1\ndata:"), "POST", "application/json",
                               fieldValidation="Warn")  # fmt: skip
    assert json.loads(response.body)["results"][0]["warnings"] == ['unknown field "wat"']


async def test_a_field_that_nothing_acts_on_is_named_before_and_after(door: Door) -> None:
    labelled = DEPLOYMENT.replace(
        "spec: {containers", "spec: {securityContext: {seLinuxOptions: {level: s0}}, containers"
    )
    for query in ({"dryRun": "All"}, {}):
        said = await door.lines(NAMESPACE + labelled, **query)
        assert said[2].startswith("  Warning: spec.template.spec.securityContext.seLinuxOptions: ")


async def test_a_field_that_another_manager_holds_is_a_conflict_until_it_is_forced(door: Door) -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"k": "theirs"}}
    await door.client.patch(ConfigMap, "one", theirs, "default", "apply", manager="kubectl")
    refused = json.loads((await door.send(config("two") + config("one"))).body)
    assert refused["reason"] == "Conflict" and 'conflict with "kubectl"' in refused["message"]
    with pytest.raises(ApiError, match="not found"):
        await door.client.get(ConfigMap, "two", "default")
    assert (await door.lines(config("one"), force="true"))[0] == "configmap/one configured in default"


async def test_prune_removes_only_what_the_same_manager_applied_with_the_label(door: Door) -> None:
    await door.send(config("kept") + config("stale"))
    await door.send(config("theirs"), fieldManager="them")
    await door.client.create(ConfigMap(metadata=ObjectMeta(name="made", namespace="default", labels={"app": "a"})))
    await door.send(config("other").replace("app: a", "app: b"))
    said = await door.lines(config("kept"), prune="true", selector="app=a", dryRun="true")
    assert said[1] == "configmap/stale pruned in default"
    said = await door.lines(config("kept"), prune="true", selector="app=a")
    assert said[:-1] == ["configmap/kept unchanged in default", "configmap/stale pruned in default"]
    left = {c.metadata.name for c in (await door.client.list(ConfigMap, "default")).items}
    assert left == {"kept", "theirs", "made", "other"}


async def test_prune_looks_into_the_namespaces_of_the_set_alone(door: Door) -> None:
    await door.send(NAMESPACE + config("elsewhere").replace("labels", "namespace: shop, labels"))
    said = await door.lines(config("here"), prune="true", selector="app=a")
    assert said == ["configmap/here created in default", "1 created"]
    said = await door.lines(NAMESPACE, prune="true", selector="app=a")
    assert said == ["namespace/shop unchanged", "configmap/elsewhere pruned in shop", "1 unchanged, 1 pruned"]


async def test_delete_goes_the_other_way_and_what_is_not_there_is_absent(door: Door) -> None:
    await door.send(config("one") + "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n")
    body = config("one") + config("two") + "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
    said = await door.lines(body, "DELETE")
    assert said == [
        "configmap/two absent in default",
        "configmap/one deleted in default",
        "secret/s deleted in default",
        "1 absent, 2 deleted",
    ]
    assert not (await door.client.list(Secret, "default")).items


async def status(door: Door, path: str, value: dict[str, Any]) -> None:
    """Write a status, as a controller or an agent would."""
    headers = {"content-type": "application/merge-patch+json"}
    body = json.dumps({"status": value}).encode()
    response = await door.server.send(Request("PATCH", f"{path}/status", [], headers, body))
    assert response.status == 200, response.body


async def test_waiting_tells_each_step_until_a_deployment_is_rolled_out(door: Door) -> None:
    path, said = "/apis/apps/v1/namespaces/shop/deployments/web", []
    steps = iter([
        {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1},
        {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 1, "availableReplicas": 1},
        {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2},
    ])  # fmt: skip
    async with asyncio.timeout(10):
        async for record in door.follow(NAMESPACE + DEPLOYMENT, wait="ready"):
            said.append(record)
            if record.get("state") == "waiting":
                await status(door, path, next(steps))
    assert [r["message"] for r in said if r.get("state") == "waiting"] == [
        "spec update to be observed",
        "1 out of 2 new replicas have been updated",
        "1 of 2 updated replicas are available",
    ]
    assert said[-2]["state"] == "ready"
    assert said[-1]["ok"] and said[-1]["message"].startswith("2 created; all ready after ")


async def test_what_is_not_ready_in_time_is_named(door: Door) -> None:
    response = await door.send(NAMESPACE + DEPLOYMENT, accept="application/json", wait="ready", timeout="0.05")
    answer = json.loads(response.body)
    assert response.status == 504 and not answer["ok"]
    assert answer["message"] == "2 created; not ready after 0.05 s: deployment.apps/web"
    assert [(r["outcome"], r.get("state")) for r in answer["results"]] == [("created", None), ("created", "waiting")]


async def test_a_claim_that_nobody_mounts_yet_does_not_hold_up(door: Door) -> None:
    storage = (
        "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: slow}\nprovisioner: p\n"
        "volumeBindingMode: WaitForFirstConsumer\n---\n"
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n"
        "spec: {accessModes: [ReadWriteOnce], storageClassName: slow, resources: {requests: {storage: 1Gi}}}\n"
    )
    async with asyncio.timeout(5):
        said = [r async for r in door.follow(storage, wait="ready")]
    assert said[-2]["message"] == "bound when a pod first mounts it"
    await door.client.delete(PersistentVolumeClaim, "data", "default")


async def test_a_pod_in_a_new_namespace_waits_for_its_account(door: Door) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: c, image: i}]}\n"
    said = []
    async with asyncio.timeout(5):
        async for record in door.follow(NAMESPACE + pod, wait="ready", timeout="0.05"):
            said.append(record)
            if record.get("kind") == "Namespace":
                await door.client.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace="shop")))
    assert said[1]["outcome"] == "created"
    assert said[2] == {"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "p", "state": "waiting",
                       "message": "phase Pending"}  # fmt: skip


async def test_waiting_for_deletion_ends_when_the_finalizer_is_gone(door: Door) -> None:
    held = config("one").replace("labels", "finalizers: [example.com/hold], labels")
    await door.send(held)
    said = []
    async with asyncio.timeout(5):
        async for record in door.follow(held, "DELETE", wait="deleted"):
            said.append(record)
            if record.get("state") == "waiting" and "example.com/hold" in record["message"]:
                patch = {"metadata": {"finalizers": None}}
                await door.client.patch(ConfigMap, "one", patch, "default")
    assert [r.get("state") for r in said] == [None, "waiting", "gone", None]
    assert said[-1]["ok"] is True


async def test_a_pod_of_a_namespace_without_account_is_told_as_kubernetes_does(door: Door) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}\n"
    response = await door.send(pod)
    assert response.status == 422
    assert b'pod/p failed in default: pods "p" is forbidden: error looking up service account' in response.body
    assert not (await door.client.list(Pod, "default")).items


async def test_a_reader_that_leaves_ends_the_wait(door: Door) -> None:
    response = await door.send(NAMESPACE + DEPLOYMENT, wait="ready")
    assert response.stream is not None
    async with asyncio.timeout(5):
        async for line in response.stream:
            if b"waiting" in line:
                break
        await response.stream.aclose()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("informer")]


async def test_fields_that_nobody_knows_are_no_trouble_for_the_wait_where_they_are_let_through(door: Door) -> None:
    body = config("one").replace("data: {k: v}", "spec: 5")
    async with asyncio.timeout(5):
        said = [r async for r in door.follow(body, wait="ready", fieldValidation="Ignore")]
    assert [r.get("outcome") for r in said] == ["created", None]


async def test_other_methods_are_told_what_is_taken(door: Door) -> None:
    response = await door.send("", "PUT")
    assert response.status == 405 and ("allow", "POST, DELETE") in response.headers


async def test_of_many_that_apply_at_once_the_first_creates_and_the_others_merge(door: Door) -> None:
    fields = [config("one").replace("k: v", f"k{i}: v") for i in range(4)]
    answers = await asyncio.gather(*(door.lines(f, fieldManager=f"m{i}") for i, f in enumerate(fields)))
    assert sorted(said[0].split()[1] for said in answers) == ["configured"] * 3 + ["created"]
    made = await door.client.get(ConfigMap, "one", "default")
    assert made.data == {f"k{i}": "v" for i in range(4)}
