"""Differences of what must not change are told in the server's own fields."""

from __future__ import annotations

import json
from typing import Any

import pytest

import kubeapi.core_v1.types as t
from kubeapi.core_v1.internal import STRUCTS, difference, inside

ELSEWHERE = {  # kept in another struct inside, or not at all
    "PodSpec": {"host_pid", "host_users", "host_ipc", "host_network", "share_process_namespace", "service_account"},
    "PersistentVolumeSpec": {
        "capacity", "access_modes", "claim_ref", "persistent_volume_reclaim_policy", "storage_class_name", "mount_options",
        "volume_mode", "node_affinity", "volume_attributes_class_name",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTS)
def test_a_struct_has_every_field_of_its_type(name: str) -> None:
    model = getattr(t, name)
    model.model_rebuild()
    assert len(STRUCTS[name].split()) == len(model.model_fields) - len(ELSEWHERE.get(name, ()))


def spec(**fields: Any) -> t.PodSpec:
    containers = [{"name": "c", "image": "i"}]
    return t.PodSpec.from_json(json.dumps({"containers": containers, **fields}))


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"nodeName": "a"}, {"nodeName": "a"}, []),
        ({"nodeName": "a"}, {"nodeName": "b"}, ['- "NodeName": "a",', '+ "NodeName": "b",']),
        ({"hostNetwork": True}, {}, ['-  "HostNetwork": true,', '+  "HostNetwork": false,']),
        (
            {},
            {"nodeSelector": {"b": "<2>", "a": "1"}},
            ['- "NodeSelector": null,', '+ "NodeSelector": {', '+  "a": "1",', '+  "b": "\\u003c2\\u003e"', "+ },"],
        ),
    ],
)
def test_only_what_changed_is_told_with_three_lines_around_it(
    old: dict[str, Any], new: dict[str, Any], lines: list[str]
) -> None:
    told = difference(spec(**old), spec(**new)).splitlines()
    assert [line for line in told if line[0] in "+-"] == lines
    assert not told or (told[0].startswith("@@ -") and len(told) == 7 + len(lines))


def test_what_has_names_for_json_keeps_them() -> None:
    claim = t.PersistentVolumeClaimSpec.from_json(
        b'{"selector":{"matchLabels":{"a":"b"}},"accessModes":["ReadWriteOnce"]}'
    )
    assert inside(claim) == {
        "AccessModes": ["ReadWriteOnce"],
        "Selector": {"matchLabels": {"a": "b"}},
        "Resources": {"Limits": None, "Requests": None},
        "VolumeName": "",
        "StorageClassName": None,
        "VolumeMode": None,
        "DataSource": None,
        "DataSourceRef": None,
        "VolumeAttributesClassName": None,
    }
