"""Discovery is the registry read aloud, in the words kubectl knows."""

from typing import Any

import pytest

from controlplane.apiserver.discovery import discover, storage_hash
from kubeapi.apps_v1.types import Deployment
from kubeapi.core_v1.types import ConfigMap, Pod
from kubeapi.registry import Kind, Registry

CONFIG_MAPS = Kind("", "v1", "ConfigMap", "configmaps", ConfigMap, short_names=("cm",))
PODS = Kind("", "v1", "Pod", "pods", Pod, has_status=True, short_names=("po",), categories=("all",))
DEPLOYMENTS = Kind("apps", "v1", "Deployment", "deployments", Deployment, has_status=True, has_scale=True)


def found(path: str, *, aggregated: bool = False) -> Any:
    registry = Registry()
    registry.add(PODS, CONFIG_MAPS, DEPLOYMENTS)
    return discover(registry, path, aggregated)


def test_a_versions_resources_are_sorted_and_carry_their_subresources() -> None:
    names = [r["name"] for r in found("/apis/apps/v1")["resources"]]
    assert names == ["deployments", "deployments/scale", "deployments/status"]


def test_scale_is_of_the_autoscaling_group() -> None:
    scale = found("/apis/apps/v1")["resources"][1]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")


def test_short_names_and_categories_are_told() -> None:
    rows = {r["name"]: r for r in found("/api/v1")["resources"]}
    assert rows["pods"]["shortNames"] == ["po"]
    assert rows["pods"]["categories"] == ["all"]


@pytest.mark.parametrize(("kind", "text"), [(CONFIG_MAPS, "qFsyl6wFWjQ="), (PODS, "xPOwRZ+Yhw8=")])
def test_storage_hashes_are_kubernetes_own(kind: Kind, text: str) -> None:
    assert storage_hash(kind) == text


def test_the_aggregated_form_separates_core_from_groups() -> None:
    core, groups = found("/api", aggregated=True), found("/apis", aggregated=True)
    assert [i["metadata"]["name"] for i in core["items"]] == [""]
    assert [i["metadata"]["name"] for i in groups["items"]] == ["apps"]
    subresources = groups["items"][0]["versions"][0]["resources"][0]["subresources"]
    assert [s["subresource"] for s in subresources] == ["scale", "status"]


@pytest.mark.parametrize("path", ["/apis/nope", "/apis/nope/v1", "/api/v2", "/nope"])
def test_what_is_not_served_is_not_described(path: str) -> None:
    assert found(path) is None
