"""What nothing acts on is named when it is set, and the page about it is up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kubeapi.inert import STEP, Inert, warnings_of
from kubeapi.registry import Kind, load
from kubeapi.schema import schema_of

ROOT = Path(__file__).parents[2]
KINDS = {kind.kind: kind for kind in load()}


def told(kind: str, new: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return [warning.partition(":")[0] for warning in warnings_of(KINDS[kind].inert, new, old)]


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}], **spec}}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({}, []),
        ({"hostUsers": False}, ["spec.hostUsers"]),
        ({"hostUsers": True}, []),
        ({"os": {"name": "linux"}}, []),
        ({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}, []),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, ["spec.securityContext.seccompProfile.type"]),
        (
            {"containers": [{"name": "a"}, {"name": "b", "securityContext": {"procMount": "Unmasked"}}]},
            ["spec.containers[1].securityContext.procMount"],
        ),
        ({"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]}, ["spec.volumes[0].nfs"]),
        ({"volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]}, []),
        ({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]}, ["spec.volumes[0].emptyDir.sizeLimit"]),
        (
            {"containers": [{"name": "c", "resources": {"limits": {"ephemeral-storage": "1Gi"}}}]},
            ["spec.containers[0].resources.limits[ephemeral-storage]"],
        ),
    ],
)
def test_a_field_is_named_where_it_stands(spec: dict[str, Any], fields: list[str]) -> None:
    assert told("Pod", pod(**spec)) == fields
    template = {"spec": {"template": pod(**spec)}}
    assert told("Deployment", template) == [f"spec.template.{field}" for field in fields]


def test_of_a_changed_object_only_what_is_new_in_it_is_named() -> None:
    before, after = pod(priorityClassName="a"), pod(priorityClassName="b", os={"name": "windows"})
    assert told("Pod", after, before) == ["spec.os.name"]


def test_a_key_of_a_map_stands_in_brackets() -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "privileged"}
    enforced = "metadata.labels[pod-security.kubernetes.io/enforce]"
    assert told("Namespace", {"metadata": {"labels": labels}}) == [enforced]


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.inert], ids=lambda kind: kind.kind)
def test_every_path_is_one_of_the_kind(kind: Kind) -> None:
    for field in kind.inert:
        assert is_known(kind, field), f"{kind.kind} {field.path}"


def is_known(kind: Kind, field: Inert) -> bool:
    node = schema_of(kind.model)
    for key, name in STEP.findall(field.path):
        while node.kind == "list" and node.element is not None:
            node = node.element
        found = node.element if key and node.kind == "map" else node.fields.get(name)
        if found is None:
            return False
        node = found
    return True


def test_the_page_is_up_to_date() -> None:
    """Otherwise: python tools/write_support.py"""
    command = [sys.executable, str(ROOT / "tools/write_support.py"), "--check"]
    assert subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False).returncode == 0
