"""What of a pod is refused, and where: by table, in the order of a pod's parts."""

from __future__ import annotations

from typing import Any

import pytest

from kubeapi.core_v1.types import Pod
from kubeapi.registry import load

ROW = next(kind for kind in load() if kind.kind == "Pod")
CLAIM = {"persistentVolumeClaim": {"claimName": "c"}}
TERMS = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
PODS = "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution"


def pod(status: dict[str, Any] | None = None, annotations: dict[str, str] | None = None, **spec: Any) -> Pod:
    container = {"name": "c", "image": "i"}
    spec.setdefault("containers", [container])
    spec["containers"] = [container | given for given in spec["containers"]]
    meta = {"name": "p", "namespace": "n", "annotations": annotations or {}}
    body = {"metadata": meta, "spec": {"serviceAccountName": "default", **spec}, "status": status or {}}
    made = Pod.model_validate(body, strict=False)
    ROW.default(made)
    return made


def refused(made: Pod, under: str = "spec.") -> list[str]:
    return [f"{c.reason.removeprefix('FieldValue')} {c.field.removeprefix(under)}" for c in ROW.validate(made)]


def told(made: Pod) -> list[str]:
    return [cause.message for cause in ROW.validate(made)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"restartPolicy": "Sometimes"}, ["NotSupported restartPolicy"]),
        ({"dnsPolicy": "None"}, ["Required dnsConfig"]),
        ({"dnsPolicy": "None", "dnsConfig": {"searches": ["a"]}}, ["Required dnsConfig.nameservers"]),
        (
            {"dnsConfig": {"nameservers": ["nine"], "options": [{}]}},
            ["Invalid dnsConfig.nameservers[0]", "Required dnsConfig.options[0]"],
        ),
        ({"dnsConfig": {"nameservers": ["1.1.1.1"] * 4}}, ["Invalid dnsConfig.nameservers"]),
        ({"dnsConfig": {"searches": [".", "a_b.example.", "-"]}}, ["Invalid dnsConfig.searches[2]"]),
        ({"hostname": "a.b"}, ["Invalid hostname"]),
        ({"activeDeadlineSeconds": 0}, ["Invalid activeDeadlineSeconds"]),
        (
            {"hostAliases": [{"ip": "x", "hostnames": ["A"]}]},
            ["Invalid hostAliases[0].ip", "Invalid hostAliases[0].hostnames[0]"],
        ),
        ({"nodeSelector": {"bad key!": "x"}}, ["Invalid nodeSelector"]),
        ({"readinessGates": [{"conditionType": "a b"}]}, ["Invalid readinessGates[0].conditionType"]),
        ({"schedulingGates": [{"name": "a"}, {"name": "a"}]}, ["Duplicate schedulingGates[1]"]),
        ({"nodeName": "n", "schedulingGates": [{"name": "a"}]}, ["Forbidden nodeName"]),
        ({"preemptionPolicy": "Always"}, ["NotSupported preemptionPolicy"]),
        ({"ephemeralContainers": [{"name": "e", "image": "i"}]}, ["Forbidden ephemeralContainers"]),
        ({"hostUsers": False, "hostNetwork": True, "hostPID": True}, ["Forbidden hostNetwork", "Forbidden HostPID"]),
        ({"os": {"name": "plan9"}}, ["NotSupported os"]),
        ({"os": {"name": "windows"}, "securityContext": {"runAsUser": 1}}, ["Forbidden securityContext.runAsUser"]),
        ({"overhead": {"cpu": "-1"}}, ["Invalid overhead.limits[cpu]"]),
        ({"resourceClaims": [{"name": "r"}]}, ["Invalid resourceClaims[0]"]),
        ({"shareProcessNamespace": True, "hostPID": True}, ["Invalid securityContext.shareProcessNamespace"]),
    ],
)
def test_the_pod_as_a_whole(spec: dict[str, Any], expected: list[str]) -> None:
    assert refused(pod(**spec)) == expected


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"ports": [{"containerPort": 80, "name": "-"}]}, ["Invalid ports[0].name"] * 2),
        (
            {"ports": [{"containerPort": 80, "hostPort": 1}, {"containerPort": 81, "hostPort": 1}]},
            ["Duplicate ports[1].hostPort"],
        ),
        ({"env": [{"name": "a=b"}]}, ["Invalid env[0].name"]),
        ({"env": [{"name": "a", "valueFrom": {}}]}, ["Invalid env[0].valueFrom"]),
        (
            {"env": [{"name": "a", "value": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            ["Invalid env[0].valueFrom"],
        ),
        (
            {"env": [{"name": "a", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "a/b"}}}]},
            ["Invalid env[0].valueFrom.configMapKeyRef.key"],
        ),
        (
            {"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]},
            ["NotSupported env[0].valueFrom.fieldRef.fieldPath"],
        ),
        ({"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}}]}, []),
        (
            {"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "spec.x['a']"}}}]},
            ["Invalid env[0].valueFrom.fieldRef.fieldPath"],
        ),
        (
            {"env": [{"name": "a", "valueFrom": {"resourceFieldRef": {"resource": "limits.disk"}}}]},
            ["NotSupported env[0].valueFrom.resourceFieldRef.resource"],
        ),
        (
            {"env": [{"name": "a", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1Mi"}}}]},
            ["Invalid env[0].valueFrom.resourceFieldRef.divisor"],
        ),
        ({"envFrom": [{}]}, ["Invalid envFrom"]),
        ({"envFrom": [{"secretRef": {}}]}, ["Required envFrom[0].secretRef.name"]),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "../x"}]},
            ["NotFound volumeMounts[0].name", "Invalid volumeMounts.subPath"],
        ),
        ({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}, ["Invalid resources.requests"]),
        ({"resources": {"requests": {"example.com/gpu": "1"}}}, ["Required resources.limits"]),
        (
            {"resources": {"limits": {"example.com/gpu": "1500m"}}},
            ["Invalid resources.limits[example.com/gpu]", "Invalid resources.requests[example.com/gpu]"],
        ),
        (
            {"resources": {"limits": {"hugepages-2Mi": "3Mi", "cpu": "1"}}},
            ["Invalid resources.limits[hugepages-2Mi]", "Invalid resources.requests[hugepages-2Mi]"],
        ),
        ({"resources": {"limits": {"hugepages-2Mi": "4Mi"}}}, ["Forbidden resources"]),
        ({"resources": {"claims": [{"name": "r"}]}}, ["NotFound resources.claims[0]"]),
        ({"livenessProbe": {"httpGet": {"port": 0}}}, ["Invalid livenessProbe.httpGet.port"]),
        (
            {"livenessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}},
            ["Forbidden livenessProbe.tcpSocket"],
        ),
        (
            {"livenessProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}},
            ["Invalid livenessProbe.successThreshold"],
        ),
        (
            {"readinessProbe": {"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 1}},
            ["Invalid readinessProbe.terminationGracePeriodSeconds"],
        ),
        ({"lifecycle": {"preStop": {}}}, ["Required lifecycle.preStop"]),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}, ["Invalid lifecycle.preStop.sleep"]),
        (
            {"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]},
            ["Required restartPolicy"],
        ),
        (
            {"restartPolicy": "Never", "restartPolicyRules": [{"action": "Stop"}]},
            ["NotSupported restartPolicyRules[0].action", "Required restartPolicyRules[0].exitCodes"],
        ),
        ({"securityContext": {"runAsUser": -1}}, ["Invalid securityContext.runAsUser"]),
        ({"securityContext": {"procMount": "Unmasked"}}, ["Invalid securityContext.procMount"]),
        (
            {"securityContext": {"seccompProfile": {"type": "Localhost"}}},
            ["Required securityContext.seccompProfile.localhostProfile"],
        ),
        ({"securityContext": {"allowPrivilegeEscalation": False, "privileged": True}}, ["Invalid securityContext"]),
        ({"image": " i"}, ["Invalid image"]),
        ({"resizePolicy": [{"resourceName": "disk", "restartPolicy": "NotRequired"}]}, ["NotSupported resizePolicy"]),
    ],
)
def test_containers(container: dict[str, Any], expected: list[str]) -> None:
    assert refused(pod(containers=[container]), "spec.containers[0].") == expected


def test_ephemeral_containers_have_little() -> None:
    debug = {"name": "c", "image": "i", "ports": [{"containerPort": 1}], "targetContainerName": "x"}
    assert refused(pod(ephemeralContainers=[debug]), "spec.ephemeralContainers[0].") == [
        "Duplicate name",
        "NotFound targetContainerName",
        "Forbidden ports",
        "Forbidden spec.ephemeralContainers",
    ]


def test_init_containers_end_unless_they_are_sidecars() -> None:
    probe = {"startupProbe": {"exec": {"command": ["a"]}}}
    init = {"name": "i", "image": "i", **probe}
    assert refused(pod(initContainers=[init])) == ["Forbidden initContainers[0].startupProbe"]
    assert refused(pod(initContainers=[init | {"restartPolicy": "Always"}])) == []
    assert refused(pod(initContainers=[{"name": "c", "image": "i"}])) == ["Duplicate initContainers[0].name"]


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({"hostPath": {"path": "/a/../b"}}, ["Invalid hostPath.path"]),
        ({"hostPath": {"path": "/a", "type": "Folder"}}, ["NotSupported hostPath.type"]),
        ({"emptyDir": {"sizeLimit": "-1"}}, ["Forbidden emptyDir.sizeLimit"]),
        ({"secret": {"secretName": "s", "items": [{"key": "k", "path": "/x"}]}}, ["Invalid secret.items[0].path"]),
        ({"configMap": {"name": "c", "defaultMode": 512}}, ["Invalid configMap.defaultMode"]),
        ({"nfs": {"server": "s", "path": "x"}}, ["Invalid nfs.path"]),
        ({"emptyDir": {}, "nfs": {"server": "s", "path": "/x"}}, ["Forbidden nfs"]),
        ({"downwardAPI": {"items": [{"path": "a"}]}}, ["Required downwardAPI"]),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]}},
            ["Invalid projected.sources[0].serviceAccountToken.expirationSeconds"],
        ),
        (
            {
                "projected": {
                    "sources": [
                        {"secret": {"name": "a", "items": [{"key": "k", "path": "p"}]}},
                        {"secret": {"name": "b", "items": [{"key": "k", "path": "p"}]}},
                    ]
                }
            },
            ["Invalid projected"],
        ),
        ({"csi": {"driver": "A_b"}}, ["Invalid csi.driver"]),
        ({"iscsi": {"targetPortal": "t", "iqn": "x", "lun": 300}}, ["Invalid iscsi.iqn", "Invalid iscsi.lun"]),
        ({"ephemeral": {}}, ["Required ephemeral.volumeClaimTemplate"]),
    ],
)
def test_volumes(volume: dict[str, Any], expected: list[str]) -> None:
    assert refused(pod(volumes=[{"name": "v", **volume}]), "spec.volumes[0].") == expected


def test_a_volume_that_is_refused_can_not_be_mounted() -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    made = pod(containers=[mount], volumes=[{"name": "v", "hostPath": {"path": ""}}])
    assert refused(made) == ["Required volumes[0].hostPath.path", "NotFound containers[0].volumeMounts[0].name"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"tolerations": [{"operator": "Equal"}]}, ["Invalid tolerations[0].operator"]),
        (
            {"tolerations": [{"key": "k", "operator": "Exists", "value": "v", "effect": "Nope"}]},
            ["Invalid tolerations[0].operator", "NotSupported tolerations[0].effect"],
        ),
        (
            {
                "affinity": {
                    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}
                }
            },
            [f"Required {TERMS}"],
        ),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [{"matchExpressions": [{"key": "k", "operator": "In"}]}]
                        }
                    }
                }
            },
            [f"Required {TERMS}[0].matchExpressions[0].values"],
        ),
        (
            {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ""}]}}},
            [f"Required {PODS}[0].topologyKey", *[f"Invalid {PODS}[0].topologyKey"] * 2],
        ),
        (
            {
                "affinity": {
                    "podAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 0, "podAffinityTerm": {"topologyKey": "k"}}
                        ]
                    }
                }
            },
            ["Invalid affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight"],
        ),
        (
            {"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "Cry"}]},
            [
                "Invalid topologySpreadConstraints[0].maxSkew",
                "Required topologySpreadConstraints[0].topologyKey",
                "NotSupported topologySpreadConstraints[0].whenUnsatisfiable",
            ],
        ),
        (
            {
                "topologySpreadConstraints": [
                    {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}
                ]
            },
            ["Invalid topologySpreadConstraints[0].minDomains"],
        ),
        (
            {
                "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"}]
                * 2
            },
            ["Duplicate topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}"],
        ),
    ],
)
def test_scheduling(spec: dict[str, Any], expected: list[str]) -> None:
    assert refused(pod(**spec)) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"containers": [{}, {"name": "d"}]}, "pod updates may not add or remove containers"),
        ({"containers": [{"command": ["x"]}]}, "pod updates may not change fields other than"),
        ({"activeDeadlineSeconds": 20}, "must be less than or equal to previous value"),
        ({"activeDeadlineSeconds": None}, "must not update from a positive integer to nil value"),
        ({"tolerations": []}, "existing toleration can not be modified except its tolerationSeconds"),
        ({"schedulingGates": [{"name": "g"}]}, "only deletion is allowed, but found new scheduling gate 'g'"),
    ],
)
def test_what_may_not_change_of_a_pod(change: dict[str, Any], message: str) -> None:
    before: dict[str, Any] = {"activeDeadlineSeconds": 10, "tolerations": [{"key": "a", "operator": "Exists"}]}
    causes = ROW.validate_update(pod(**before | change), pod(**before))
    assert [message in cause.message for cause in causes] == [True]


def test_a_gated_pod_may_be_narrowed() -> None:
    gate: dict[str, Any] = {"schedulingGates": [{"name": "g"}]}
    old, narrowed = pod(**gate, nodeSelector={"a": "b"}), pod(**gate, nodeSelector={"a": "b", "c": "d"})
    assert ROW.validate_update(narrowed, old) == []
    assert [c.field for c in ROW.validate_update(pod(**gate), old)] == ["spec.nodeSelector"]
    assert [c.field for c in ROW.validate_update(pod(nodeSelector={"c": "d"}), pod())] == ["spec"]


def terminated(code: int) -> dict[str, Any]:
    return status_of({"terminated": {"exitCode": code}})


def status_of(state: dict[str, Any], **status: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}
    return {"containerStatuses": [container], **status}


@pytest.mark.parametrize(
    ("policy", "code", "fine"),
    [("Always", 0, True), ("OnFailure", 1, True), ("OnFailure", 0, False), ("Never", 1, False)],
)
def test_what_ended_for_good_stays_ended(policy: str, code: int, fine: bool) -> None:
    old = pod(terminated(code), restartPolicy=policy)
    new = pod(status_of({"running": {}}), restartPolicy=policy)
    fields = [cause.field for cause in ROW.validate_status(new, old)]
    assert fields == ([] if fine else ["status.containerStatuses[0].state"])


def test_a_pod_has_one_address_of_each_family() -> None:
    twice = pod(
        {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "hostIP": "1.1.1.1", "hostIPs": [{"ip": "2.2.2.2"}]}
    )
    assert [c.field for c in ROW.validate_status(twice, pod())] == ["status.hostIPs[0].ip", "status.podIPs"]


def test_values_and_words_are_those_of_kubernetes() -> None:
    made = pod(terminationGracePeriodSeconds=5, containers=[{"lifecycle": {"preStop": {"sleep": {"seconds": 6}}}}])
    assert told(made) == [
        "Invalid value: 6: must be non-negative and less than terminationGracePeriodSeconds (5)",
    ]
