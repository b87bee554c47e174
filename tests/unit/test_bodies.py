"""No body, however odd, makes the server fail: it answers, with a refusal or an object."""

import json
import pathlib
import random
from typing import Any

import pytest

from controlplane.admission.chain import Admission
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.server import ApiServer
from controlplane.store.sqlite import SqliteStore
from kubeapi.client.transport import Request
from kubeapi.clock import SystemClock
from kubeapi.registry import load

NAMES = [
    "metadata",
    "spec",
    "status",
    "name",
    "labels",
    "annotations",
    "ports",
    "port",
    "protocol",
    "containers",
    "image",
    "replicas",
    "selector",
    "template",
    "$patch",
    "$retainKeys",
    "$setElementOrder/ports",
    "$deleteFromPrimitiveList/finalizers",
    "finalizers",
    "ownerReferences",
    "managedFields",
    "uid",
    "data",
    "clusterIP",
    "type",
    "kind",
    "apiVersion",
    "resourceVersion",
    "deletionTimestamp",
    "target",
    "deleteOptions",
    "env",
    "volumes",
    "matchLabels",
]
ODD = (None, True, 0, -1, 80, 1.5, 10**20, "", "a", "delete", "replace", "2020-01-01T00:00:00Z", "é")
POD: dict[str, Any] = {"spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "b"}]}]}}
SERVICE: dict[str, Any] = {
    "spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}], "selector": {"a": "b"}}
}
OBJECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "pods": ("Pod", POD),
    "services": ("Service", SERVICE),
    "configmaps": ("ConfigMap", {"data": {"a": "b"}}),
}
DOORS = {"pods": ("", "/status", "/binding", "/eviction"), "services": ("", "/status"), "configmaps": ("",)}
PATCHES = ("merge-patch+json", "strategic-merge-patch+json", "json-patch+json", "apply-patch+yaml")


class Dice:
    """Odd values, and objects that are nearly right."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        count = self.rng.randrange(4)
        match self.rng.randrange(2 if depth > 4 else 5):
            case 0 | 1:
                return self.rng.choice(ODD)
            case 2 | 3:
                return {self.rng.choice(NAMES): self.value(depth + 1) for _ in range(count)}
        return [self.value(depth + 1) for _ in range(count)]

    def nearly(self, value: Any) -> Any:
        """The value with one thing in it replaced, and perhaps one more."""
        if not value or not isinstance(value, (dict, list)) or self.rng.random() < 0.2:
            return self.value(1)
        copy = value.copy()
        key = self.rng.choice([*value]) if isinstance(value, dict) else self.rng.randrange(len(value))
        copy[key] = self.nearly(value[key])
        if isinstance(copy, list):
            return copy + copy[: self.rng.randrange(2)]
        return copy | {self.rng.choice(NAMES): self.value(1) for _ in range(self.rng.randrange(2))}

    def operations(self) -> list[Any]:
        """A JSON patch, of operations that may fit."""
        words = ["add", "remove", "replace", "move", "copy", "test"]
        path = ["/" + "/".join(self.rng.choices([*NAMES, "0", "-", "-1"], k=3)) for _ in range(2)]
        return [{"op": self.rng.choice(words), "path": path[0], "from": path[1], "value": self.value(2)}]


@pytest.mark.parametrize("seed", range(5))
async def test_every_body_is_answered(tmp_path: pathlib.Path, seed: int) -> None:
    store, rng, dice = await SqliteStore.open(tmp_path / "store.db"), random.Random(seed), Dice(seed)
    admission = Admission(store, rng)
    server = ApiServer(store, load(), SystemClock(), rng, admission)
    await bootstrap(server, admission.ranges.addresses, "127.0.0.1", 6443)
    codes = set()
    for _ in range(200):
        plural = rng.choice([*OBJECTS])
        kind, body = OBJECTS[plural]
        whole = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "labels": {"a": "b"}}, **body}
        path, door = f"/api/v1/namespaces/default/{plural}", rng.choice(DOORS[plural])
        patch = rng.choice(PATCHES)
        odd = dice.operations() if patch == "json-patch+json" else dice.nearly(whole)
        query = [("fieldManager", "f"), ("fieldValidation", rng.choice(["Strict", "Warn", "Ignore"]))]
        for method, where, media, sent in (
            ("POST", path, "json", whole),
            ("POST", f"{path}/x{door}" if door in ("/binding", "/eviction") else path, "json", dice.nearly(whole)),
            ("PUT", f"{path}/x{door}", "json", dice.nearly(whole)),
            ("PATCH", f"{path}/x{door}", patch, odd),
            ("DELETE", f"{path}/x", "json", dice.nearly({"kind": "DeleteOptions", "preconditions": {"uid": "u"}})),
        ):
            headers = {"content-type": f"application/{media}", "user-agent": "test"}
            response = await server.send(Request(method, where, query, headers, json.dumps(sent).encode(), user="a"))
            codes.add(response.status)
            assert json.loads(response.body)["kind"]
    await store.close()
    assert {200, 201, 400, 409, 422} <= codes
