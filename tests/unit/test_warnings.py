"""What Kubernetes accepts but warns of, by table."""

from __future__ import annotations

from typing import Any

import pytest

from kubeapi.registry import load

KINDS = {kind.kind: kind for kind in load()}
NOTHING = "a null labelSelector results in matching no pod"
FRACTION = 'fractional byte value "1500m" is invalid, must be an integer'
CLASS = "volume.beta.kubernetes.io/storage-class"


def warned(kind: str, body: dict[str, Any]) -> list[str]:
    body = {"metadata": {"name": "x"} | body.pop("metadata", {}), **body}
    obj = KINDS[kind].model.model_validate(body, strict=False)
    KINDS[kind].default(obj)
    return KINDS[kind].warn(obj, None)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"nodeSelector": {"beta.kubernetes.io/os": "linux"}},
            ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
        ),
        (
            {"topologySpreadConstraints": [{"topologyKey": "z"}]},
            [f"spec.topologySpreadConstraints[0].labelSelector: {NOTHING}"],
        ),
        (
            {"volumes": [{"name": "v", "rbd": {}}]},
            ["spec.volumes[0].rbd: deprecated in v1.28, non-functional in v1.31+"],
        ),
        ({"hostAliases": [{"ip": "1.1.1.1"}] * 2}, ['spec.hostAliases[1].ip: duplicate ip "1.1.1.1"']),
        ({"imagePullSecrets": [{"name": ""}]}, ['spec.imagePullSecrets[0].name: invalid empty name ""']),
        (
            {"terminationGracePeriodSeconds": -1},
            ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"],
        ),
        (
            {"containers": [{"name": "c", "resources": {"requests": {"memory": "1500m"}}}]},
            [f"spec.containers[0].resources.requests[memory]: {FRACTION}"],
        ),
        (
            {"containers": [{"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}]},
            ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'],
        ),
        ({"containers": [{"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]}]}, []),
        (
            {
                "containers": [
                    {"name": "c", "ports": [{"containerPort": 80}]},
                    {"name": "d", "ports": [{"containerPort": 80}]},
                ]
            },
            ["spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]"],
        ),
    ],
)
def test_pods_and_their_templates(spec: dict[str, Any], expected: list[str]) -> None:
    assert warned("Pod", {"spec": dict(spec)}) == expected
    template = {"spec": {"template": {"spec": dict(spec)}}}
    assert warned("Deployment", template) == [w.replace("spec.", "spec.template.spec.") for w in expected]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("Pod", {"metadata": {"name": "a.b"}}, ["this is used in the Pod's hostname"]),
        ("ReplicaSet", {"metadata": {"name": "a.b"}}, ["this is used in Pod names and hostnames"]),
        (
            "Service",
            {"spec": {"clusterIPs": ["None"], "sessionAffinity": "ClientIP"}},
            ["spec.SessionAffinity is ignored"],
        ),
        (
            "Service",
            {"spec": {"externalName": "a"}},
            ['spec.externalName is ignored when spec.type is not "ExternalName"'],
        ),
        (
            "Service",
            {"spec": {"externalIPs": ["010.0.0.1"]}},
            ["non-standard IP address", "spec.externalIPs is deprecated"],
        ),
        (
            "PersistentVolumeClaim",
            {"metadata": {"annotations": {CLASS: "a"}}},
            [f"metadata.annotations[{CLASS}]: deprecated"],
        ),
        ("PersistentVolumeClaim", {"spec": {"resources": {"requests": {"storage": "1500m"}}}}, [FRACTION]),
        ("PersistentVolume", {"spec": {"persistentVolumeReclaimPolicy": "Recycle"}}, ["The Recycle reclaim policy"]),
        ("Secret", {"type": "kubernetes.io/tls"}, ["tls: failed to find any PEM data in certificate input"]),
        ("Secret", {"type": "Opaque"}, []),
    ],
)
def test_other_kinds(kind: str, body: dict[str, Any], expected: list[str]) -> None:
    found = warned(kind, dict(body))
    assert len(found) == len(expected)
    assert all(part in whole for part, whole in zip(expected, found, strict=True))


def test_a_changed_pod_is_nobodys_concern() -> None:
    pod = KINDS["Pod"].model.model_validate({"metadata": {"name": "a.b"}})
    assert KINDS["Pod"].warn(pod, pod) == []
