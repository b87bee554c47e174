"""OpenAPI documents: against Kubernetes' own where they are beside the checkout, and in one piece."""

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane.apiserver.discovery import subresources_of
from kubeapi.openapi import OpenApi
from kubeapi.registry import load

RECORDED = Path(__file__).parents[2].parent / "shared" / "openapi"
REGISTRY = load()
API = OpenApi(REGISTRY, subresources_of)
FILES = {"api/v1": "v1", "apis/apps/v1": "apps_v1", "apis/storage.k8s.io/v1": "storage.k8s.io_v1"}


def document(group: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(API.document(group) or b"{}")
    return found


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(v) for v in value.values()))
    return set().union(*(references(v) for v in value)) if isinstance(value, list) else set()


@pytest.mark.skipif(not RECORDED.exists(), reason="Kubernetes' OpenAPI is not beside the checkout")
@pytest.mark.parametrize("group", FILES)
def test_types_are_described_as_by_kubernetes(group: str) -> None:
    theirs = json.loads((RECORDED / f"{FILES[group]}.json").read_text())["schemas"]
    ours = document(group)["components"]["schemas"]
    for name in ours.keys() & theirs.keys():
        assert ours[name].get("required", []) == theirs[name].get("required", []), name
        assert ours[name]["properties"].keys() == theirs[name].get("properties", {}).keys(), name
        for field, mine in ours[name]["properties"].items():
            marks = {k: v for k, v in theirs[name]["properties"][field].items() if k.startswith("x-kubernetes-")}
            for mark in ("x-kubernetes-list-map-keys", "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key"):
                assert mine.get(mark) == marks.get(mark), (name, field)


@pytest.mark.skipif(not RECORDED.exists(), reason="Kubernetes' OpenAPI is not beside the checkout")
@pytest.mark.parametrize("group", FILES)
def test_every_verb_of_a_served_kind_is_told(group: str) -> None:
    theirs = json.loads((RECORDED / f"{FILES[group]}.json").read_text())["paths"]
    ours = document(group)["paths"]
    methods = {"get", "put", "post", "patch", "delete"}
    for kind in REGISTRY:
        for path in (kind.path("{namespace}"), kind.path("{namespace}", "{name}"), kind.path()):
            if kind.prefix.strip("/") == group:
                assert sorted(ours[path].keys() & methods) == sorted(set(theirs[path])), path


def test_version_2_is_whole() -> None:
    swagger = json.loads(API.version_2())
    assert references(swagger) <= {f"#/definitions/{name}" for name in swagger["definitions"]}
    scale = swagger["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["put"]
    assert scale["x-kubernetes-group-version-kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert [p["name"] for p in scale["parameters"] if p["in"] == "body"] == ["body"]
