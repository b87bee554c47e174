"""Defaults, refusals and columns of the kinds, by table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kubeapi.core_v1.defaults.pod import tag_of
from kubeapi.core_v1.strategy import create_pod
from kubeapi.core_v1.types import ConfigMap, Pod, Service
from kubeapi.meta_v1.columns import short_duration
from kubeapi.registry import Kind, load

REGISTRY = load()
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def row(kind: str, api_version: str = "v1") -> Kind:
    found = REGISTRY.kind(api_version, kind)
    assert found is not None
    return found


def pod(**spec: Any) -> Pod:
    containers = spec.pop("containers", [{"name": "c", "image": "nginx"}])
    made = Pod.model_validate({"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": containers, **spec}})
    row("Pod").default(made)
    return made


def causes(made: Pod) -> list[tuple[str, str]]:
    return [(c.reason.removeprefix("FieldValue"), c.field) for c in row("Pod").validate(made)]


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("nginx", "latest"),
        ("nginx:1", "1"),
        ("host:5000/nginx", "latest"),
        (f"nginx@sha256:{'ab' * 32}", ""),
        ("nginx@sha256:ab", ""),
        ("Not An Image", ""),
        ("a" * 64, ""),
        ("Registry.example/nginx", "latest"),
        ("", ""),
        ("a/b:latest", "latest"),
    ],
)
def test_tag_of_an_image(image: str, tag: str) -> None:
    assert tag_of(image) == tag


def test_every_default_may_be_repeated() -> None:
    for kind in REGISTRY:
        obj = kind.model()
        kind.default(obj)
        once = obj.to_json()
        kind.default(obj)
        assert obj.to_json() == once, kind.kind


def test_limits_are_requests_unless_said_otherwise() -> None:
    limits = {"cpu": "0.5", "memory": "1024Mi"}
    made = pod(containers=[{"name": "c", "image": "i", "resources": {"limits": limits, "requests": {"cpu": "100m"}}}])
    assert made.spec.containers[0].resources.requests == {"cpu": "100m", "memory": "1Gi"}
    create_pod(made)
    assert (made.status.phase, made.status.qos_class) == ("Pending", "Burstable")


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"name": "c", "image": "i"}, []),
        ({"name": "C", "image": ""}, [("Invalid", "name"), ("Required", "image")]),
        ({"name": "c", "image": "i", "ports": [{"containerPort": 0}]}, [("Required", "ports[0].containerPort")]),
        ({"name": "c", "image": "i", "readinessProbe": {}}, [("Required", "readinessProbe")]),
        (
            {"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
            [("NotFound", "volumeMounts[0].name")],
        ),
    ],
)
def test_containers_that_are_refused(container: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert causes(pod(containers=[container])) == [(why, f"spec.containers[0].{field}") for why, field in expected]


OWN = {"labelSelector": {"matchLabels": {"app": "a"}}, "matchLabelKeys": ["version", "none"], "topologyKey": "zone"}


def test_a_pod_selects_those_with_its_own_labels() -> None:
    spread = OWN | {"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [OWN]}}
    made = pod(topologySpreadConstraints=[spread], affinity=apart)
    made.metadata.labels = {"version": "2"}
    create_pod(made)
    assert made.spec.affinity is not None and made.spec.affinity.pod_anti_affinity is not None
    (term,) = made.spec.affinity.pod_anti_affinity.required_during_scheduling_ignored_during_execution
    for selector in (term.label_selector, made.spec.topology_spread_constraints[0].label_selector):
        assert selector is not None
        assert [(e.key, e.operator, e.values) for e in selector.match_expressions] == [("version", "In", ["2"])]


def test_a_gated_pod_says_why_it_waits() -> None:
    made = pod(schedulingGates=[{"name": "example.com/gate"}])
    create_pod(made)
    assert [(c.type, c.status, c.reason) for c in made.status.conditions] == [
        ("PodScheduled", "False", "SchedulingGated")
    ]


def service(**spec: Any) -> Service:
    return Service.model_validate({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], **spec}})


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [
        ({"type": "NodePort"}, {"type": "ClusterIP"}, {"external_traffic_policy"}),
        (
            {"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]},
            {"type": "ExternalName"},
            {"cluster_ip", "cluster_ips"},
        ),
        (
            {"type": "LoadBalancer", "loadBalancerClass": "a/b"},
            {"type": "NodePort"},
            {"allocate_load_balancer_node_ports", "load_balancer_class"},
        ),
        (
            {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30001},
            {"type": "ClusterIP"},
            {"allocate_load_balancer_node_ports", "external_traffic_policy", "health_check_node_port"},
        ),
    ],
)
def test_a_service_keeps_only_what_its_new_type_needs(old: dict[str, Any], new: dict[str, Any], gone: set[str]) -> None:
    before = service(**old)
    row("Service").default(before)
    after = before.clone()
    after.spec.type = new["type"]
    row("Service").prepare_update(after, before)
    changed = {
        name for name in type(after.spec).model_fields if getattr(after.spec, name) != getattr(before.spec, name)
    }
    assert changed == gone | {"type"}


def test_a_pod_changes_its_image_and_little_else() -> None:
    old, image, command = pod(), pod(), pod()
    image.spec.containers[0].image = "other"
    command.spec.containers[0].command = ["sh"]
    assert row("Pod").validate_update(image, old) == []
    assert [c.field for c in row("Pod").validate_update(command, old)] == ["spec"]


def test_an_immutable_config_map_keeps_its_data() -> None:
    old = ConfigMap.model_validate({"metadata": {"name": "c", "namespace": "n"}, "data": {"a": "1"}, "immutable": True})
    new = old.clone()
    new.data["a"] = "2"
    assert [c.field for c in row("ConfigMap").validate_update(new, old)] == ["data"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (130, "2m10s"), (3600, "60m"), (4 * 3600 + 60, "4h1m"), (86400 * 3, "3d")],
)
def test_short_durations(seconds: int, text: str) -> None:
    assert short_duration(seconds) == text


def test_restarts_say_when_the_last_one_was() -> None:
    ended = {"exitCode": 1, "reason": "Error", "finishedAt": (NOW - timedelta(seconds=5)).isoformat()}
    status = {
        "name": "c",
        "ready": True,
        "restartCount": 1,
        "state": {"running": {}},
        "lastState": {"terminated": ended},
    }
    made = pod()
    made.status = type(made.status).model_validate({"phase": "Running", "containerStatuses": [status]}, strict=False)
    cells = {column.name: column.cell(made, NOW) for column in row("Pod").columns}
    assert (cells["Ready"], cells["Status"], cells["Restarts"]) == ("1/1", "Running", "1 (5s ago)")
