"""Paths find their row, and nothing else."""

import pytest

from controlplane.apiserver.routing import Target, key_of, route, subresources
from kubeapi.apps_v1.types import Deployment
from kubeapi.core_v1.types import Namespace, Node, Pod
from kubeapi.registry import Kind, Registry

PODS = Kind("", "v1", "Pod", "pods", Pod, has_status=True)
NODES = Kind("", "v1", "Node", "nodes", Node, namespaced=False)
NAMESPACES = Kind("", "v1", "Namespace", "namespaces", Namespace, namespaced=False, has_status=True)
DEPLOYMENTS = Kind("apps", "v1", "Deployment", "deployments", Deployment, has_status=True, has_scale=True)


@pytest.fixture
def registry() -> Registry:
    rows = Registry()
    rows.add(PODS, NODES, NAMESPACES, DEPLOYMENTS)
    return rows


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/pods", Target(PODS)),
        ("/api/v1/namespaces/shop/pods", Target(PODS, "shop")),
        ("/api/v1/namespaces/shop/pods/web/", Target(PODS, "shop", "web")),
        ("/api/v1/namespaces/shop/pods/web/binding", Target(PODS, "shop", "web", "binding")),
        ("/api/v1/namespaces/shop", Target(NAMESPACES, "", "shop")),
        ("/api/v1/namespaces/shop/finalize", Target(NAMESPACES, "", "shop", "finalize")),
        ("/api/v1/nodes/n1", Target(NODES, "", "n1")),
        ("/api/v1/nodes/n1/proxy", Target(NODES, "", "n1", "proxy")),
        ("/api/v1/nodes/n1/proxy/", Target(NODES, "", "n1", "proxy", "/")),
        ("/api/v1/nodes/n1/proxy/layers/memory", Target(NODES, "", "n1", "proxy", "/layers/memory")),
        ("/apis/apps/v1/namespaces/a/deployments/b/scale", Target(DEPLOYMENTS, "a", "b", "scale")),
    ],
)
def test_a_path_names_kind_namespace_name_and_subresource(registry: Registry, path: str, target: Target) -> None:
    assert route(registry, path) == target


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v1/pods/web",
        "/api/v1/namespaces/shop/nodes/n1",
        "/apis/apps/v9/deployments",
        "/apis/apps/v1/namespaces/a/deployments/b/log",
        "/api/v1/nodes/n1/scale",
        "/api/v1/namespaces/shop/pods/web/status/more",
    ],
)
def test_what_no_row_serves_is_not_found(registry: Registry, path: str) -> None:
    assert route(registry, path) is None


def test_a_collections_prefix_covers_exactly_its_keys() -> None:
    assert Target(PODS, "shop").prefix == "//pods/shop/"
    assert Target(PODS, "shop", "web").key.startswith(Target(PODS, "shop").prefix)
    assert not key_of(PODS, "shopping", "web").startswith(Target(PODS, "shop").prefix)
    assert key_of(NODES, "", "n1").startswith(Target(NODES).prefix)


def test_subresources_follow_the_row() -> None:
    assert subresources(NODES) == ("proxy",)
    assert subresources(DEPLOYMENTS) == ("status", "scale")
    assert "binding" in subresources(PODS)
