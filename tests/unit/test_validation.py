"""What is refused of the kinds other than Pod, and what an update may not change: by table, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

import pytest

from kubeapi.errors import Cause
from kubeapi.registry import Kind, load

KINDS = {kind.kind: kind for kind in load()}
META = {"name": "x", "namespace": "n"}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
WORKLOAD = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
VOLUME = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
EVENT = {"involvedObject": {"namespace": "n"}}
CLUSTER_WIDE = ("Namespace", "Node", "PersistentVolume", "StorageClass")


def made(kind: str, body: dict[str, Any]) -> Any:
    meta = META | body.get("metadata", {})
    meta = {k: v for k, v in meta.items() if k != "namespace"} if kind in CLUSTER_WIDE else meta
    obj = KINDS[kind].model.model_validate(body | {"metadata": meta}, strict=False)
    KINDS[kind].default(obj)
    return obj


def shown(causes: list[Cause]) -> list[str]:
    return [f"{cause.reason.removeprefix('FieldValue')} {cause.field}" for cause in causes]


def row(kind: str) -> Kind:
    return KINDS[kind]


def service(**spec: Any) -> dict[str, Any]:
    return {"spec": {"ports": [{"port": 80}], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], **spec}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"ports": []}, ["Required spec.ports"]),
        (
            {"ports": [{"port": 80}, {"port": 80, "name": "a"}]},
            ["Required spec.ports[0].name", "Duplicate spec.ports[1]"],
        ),
        ({"ports": [{"port": 80, "targetPort": "No-Name"}]}, ["Invalid spec.ports[0].targetPort"]),
        ({"ports": [{"port": 80, "nodePort": 30000}]}, ["Forbidden spec.ports[0].nodePort"]),
        ({"type": "NodePort", "clusterIP": "None", "clusterIPs": ["None"]}, ["Invalid spec.clusterIPs[0]"]),
        ({"type": "ExternalName", "externalName": ""}, ["Forbidden spec.clusterIPs", "Required spec.externalName"]),
        ({"type": "Nope"}, ["NotSupported spec.type"]),
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90000}}},
            ["Invalid spec.sessionAffinityConfig.clientIP.timeoutSeconds"],
        ),
        ({"clusterIPs": ["10.0.0.2"]}, ["Invalid spec.clusterIPs"]),
        ({"ipFamilies": ["IPv4", "IPv4"]}, ["Duplicate spec.ipFamilies[1]"]),
        ({"ipFamilies": ["IPv6"]}, ["Invalid spec.clusterIPs[0]"]),
        ({"ipFamilyPolicy": "Both"}, ["NotSupported spec.ipFamilyPolicy"]),
        ({"externalIPs": ["127.0.0.1", "x"]}, ["Invalid spec.externalIPs[0]", "Invalid spec.externalIPs[1]"]),
        (
            {"loadBalancerSourceRanges": ["10.0.0.0"]},
            ["Forbidden spec.LoadBalancerSourceRanges", "Invalid spec.LoadBalancerSourceRanges[0]"],
        ),
        ({"loadBalancerClass": "a/b"}, ["Forbidden spec.loadBalancerClass"]),
        ({"allocateLoadBalancerNodePorts": True}, ["Forbidden spec.allocateLoadBalancerNodePorts"]),
        ({"externalTrafficPolicy": "Local"}, ["Invalid spec.externalTrafficPolicy"]),
        ({"healthCheckNodePort": 30000}, ["Invalid spec.healthCheckNodePort"]),
        ({"internalTrafficPolicy": "Far"}, ["NotSupported spec.internalTrafficPolicy"]),
        ({"trafficDistribution": "Far"}, ["NotSupported spec.trafficDistribution"]),
    ],
)
def test_services(spec: dict[str, Any], expected: list[str]) -> None:
    assert shown(row("Service").validate(made("Service", service(**spec)))) == expected


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("Endpoints", {"subsets": [{}]}, ["Required subsets[0]"]),
        (
            "Endpoints",
            {"subsets": [{"addresses": [{"ip": "169.254.1.1", "hostname": "A"}]}]},
            ["Invalid subsets[0].addresses[0].hostname", "Invalid subsets[0].addresses[0].ip"],
        ),
        (
            "Endpoints",
            {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 0}, {"port": 1}]}]},
            [
                "Required subsets[0].ports[0].name",
                "Invalid subsets[0].ports[0].port",
                "Required subsets[0].ports[1].name",
            ],
        ),
        ("EndpointSlice", {}, ["Required addressType"]),
        (
            "EndpointSlice",
            {"addressType": "IPv4", "endpoints": [{"addresses": []}, {"addresses": ["::1"]}]},
            [
                "Required endpoints[0].addresses",
                "Invalid endpoints[1].addresses[0]",
                "Invalid endpoints[1].addresses[0]",
            ],
        ),
        (
            "EndpointSlice",
            {"addressType": "FQDN", "endpoints": [{"addresses": ["one"]}], "ports": [{}, {}]},
            ["Invalid endpoints[0].addresses[0]", "Duplicate ports[1].name"],
        ),
        (
            "EndpointSlice",
            {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}] * 1001},
            ["TooMany endpoints"],
        ),
        ("Namespace", {"spec": {"finalizers": ["mine"]}}, ["Invalid spec.finalizers"]),
        (
            "Namespace",
            {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "strict"}}},
            ["Invalid metadata.labels[pod-security.kubernetes.io/enforce]"],
        ),
        ("Node", {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}] * 2}}, ["Duplicate metadata.taints[1]"]),
        ("Node", {"spec": {"taints": [{"key": "k", "effect": ""}]}}, ["Required metadata.taints[0].effect"]),
        ("Node", {"spec": {"podCIDRs": ["10.0.0.0/24", "10.1.0.0/24"]}}, ["Invalid spec.podCIDRs"]),
        (
            "Node",
            {"status": {"capacity": {"pods": "1500m"}}},
            ["Invalid status.capacity.pods", "Invalid status.allocatable.pods"],
        ),
        ("Event", {"involvedObject": {"namespace": "other"}}, ["Invalid involvedObject.namespace"]),
        (
            "Event",
            EVENT | {"eventTime": "2030-01-01T00:00:00.000000Z", "reportingComponent": "a"},
            ["Required reportingInstance", "Required action", "Required reason"],
        ),
        (
            "Lease",
            {"spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1, "preferredHolder": "a"}},
            ["Invalid spec.leaseDurationSeconds", "Invalid spec.leaseTransitions", "Forbidden spec.preferredHolder"],
        ),
        (
            "Secret",
            {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "W10="}},
            ["Invalid data[.dockerconfigjson]"],
        ),
        ("Secret", {"type": "kubernetes.io/tls"}, ["Required data[tls.crt]", "Required data[tls.key]"]),
        (
            "Secret",
            {"type": "kubernetes.io/service-account-token"},
            ["Required metadata.annotations[kubernetes.io/service-account.name]"],
        ),
        (
            "ConfigMap",
            {"data": {"a/b": "c", "k": "v"}, "binaryData": {"k": "dg=="}},
            ["Invalid data[a/b]", "Invalid data[k]"],
        ),
        (
            "PersistentVolume",
            {"spec": {}},
            ["Required spec.accessModes", "Required spec.capacity", "NotSupported spec.capacity", "Required spec"],
        ),
        (
            "PersistentVolume",
            {"spec": VOLUME | {"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]}},
            ["Forbidden spec.accessModes"],
        ),
        (
            "PersistentVolume",
            {"spec": VOLUME | {"hostPath": None, "local": {"path": "/x"}}},
            ["Required spec.nodeAffinity"],
        ),
        (
            "PersistentVolume",
            {"spec": VOLUME | {"hostPath": None, "csi": {"driver": "d"}}},
            ["Required spec.csi.volumeHandle"],
        ),
        ("PersistentVolumeClaim", {"spec": {}}, ["Required spec.accessModes", "Required spec.resources[storage]"]),
        (
            "PersistentVolumeClaim",
            {"spec": CLAIM | {"dataSource": {"kind": "Pod", "name": "p"}}},
            ["Invalid spec.dataSource"],
        ),
        ("StorageClass", {}, ["Required provisioner"]),
        (
            "StorageClass",
            {"provisioner": "p", "volumeBindingMode": "Late", "parameters": {"": "x"}},
            ["Invalid parameters", "NotSupported volumeBindingMode"],
        ),
        (
            "Deployment",
            {"spec": WORKLOAD | {"strategy": {"type": "Recreate", "rollingUpdate": {}}}},
            ["Forbidden spec.strategy.rollingUpdate"],
        ),
        (
            "Deployment",
            {"spec": WORKLOAD | {"strategy": {"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 0}}}},
            ["Invalid spec.strategy.rollingUpdate.maxUnavailable"],
        ),
        (
            "Deployment",
            {"spec": WORKLOAD | {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}}},
            ["Invalid spec.strategy.rollingUpdate.maxUnavailable"],
        ),
        (
            "Deployment",
            {"spec": WORKLOAD | {"progressDeadlineSeconds": 5, "minReadySeconds": 5}},
            ["Invalid spec.progressDeadlineSeconds"],
        ),
        (
            "Deployment",
            {"spec": {"template": TEMPLATE}},
            ["Required spec.selector", "Invalid spec.template.metadata.labels"],
        ),
        (
            "ReplicaSet",
            {"spec": WORKLOAD | {"selector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}},
            ["Invalid spec.selector.matchExpressions[0].operator", "Invalid spec.selector"],
        ),
        (
            "ConfigMap",
            {"metadata": {"finalizers": ["mine", "orphan", "foregroundDeletion"]}},
            ["Invalid metadata.finalizers", "Invalid metadata.finalizers[0]"],
        ),
    ],
)
def test_what_is_refused(kind: str, body: dict[str, Any], expected: list[str]) -> None:
    assert shown(row(kind).validate(made(kind, body))) == expected


@pytest.mark.parametrize(
    ("kind", "old", "new", "expected"),
    [
        ("Service", service(), service(clusterIP="10.0.0.2", clusterIPs=["10.0.0.2"]), ["Invalid spec.clusterIPs[0]"]),
        ("Service", service(), service(type="ExternalName", externalName="a.b", clusterIP="", clusterIPs=[]), []),
        (
            "Node",
            {"spec": {"podCIDR": "10.0.0.0/24", "providerID": "a"}},
            {"spec": {"podCIDR": "10.0.1.0/24", "providerID": "b"}},
            ["Forbidden spec.podCIDRs", "Forbidden spec.providerID"],
        ),
        ("Node", {"spec": {}}, {"spec": {"podCIDR": "10.0.0.0/24", "providerID": "b"}}, []),
        ("EndpointSlice", {"addressType": "IPv4"}, {"addressType": "IPv6"}, ["Invalid addressType"]),
        ("Secret", {"type": "a"}, {"type": "b"}, ["Invalid type"]),
        (
            "Secret",
            {"immutable": True, "data": {}},
            {"immutable": False, "data": {"a": "YQ=="}},
            ["Forbidden immutable", "Forbidden data"],
        ),
        (
            "StorageClass",
            {"provisioner": "a", "reclaimPolicy": "Retain"},
            {"provisioner": "b"},
            ["Invalid provisioner", "Invalid reclaimPolicy"],
        ),
        (
            "PersistentVolume",
            {"spec": VOLUME},
            {"spec": VOLUME | {"hostPath": {"path": "/y"}}},
            ["Forbidden spec.persistentvolumesource"],
        ),
        ("PersistentVolumeClaim", {"spec": CLAIM}, {"spec": CLAIM | {"volumeName": "v", "storageClassName": "s"}}, []),
        (
            "PersistentVolumeClaim",
            {"spec": CLAIM | {"volumeName": "v"}},
            {"spec": CLAIM | {"volumeName": "w"}},
            ["Forbidden spec"],
        ),
        (
            "PersistentVolumeClaim",
            {"spec": CLAIM, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}},
            {"spec": CLAIM | {"resources": {"requests": {"storage": "1Mi"}}}, "status": {"phase": "Bound"}},
            ["Forbidden spec.resources.requests.storage"],
        ),
        (
            "Deployment",
            {"spec": WORKLOAD},
            {"spec": WORKLOAD | {"selector": {"matchLabels": {}}}},
            ["Invalid spec.selector"] * 2,
        ),
    ],
)
def test_what_an_update_may_not_change(
    kind: str, old: dict[str, Any], new: dict[str, Any], expected: list[str]
) -> None:
    assert shown(row(kind).validate_update(made(kind, new), made(kind, old))) == expected


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("Deployment", {"status": {"replicas": 1, "readyReplicas": 2}}, ["Invalid status.readyReplicas"]),
        (
            "ReplicaSet",
            {"status": {"replicas": -1}},
            [
                "Invalid status.replicas",
                *(f"Invalid status.{c}Replicas" for c in ("fullyLabeled", "ready", "available")),
            ],
        ),
        ("Namespace", {"status": {"phase": "Terminating"}}, ["Invalid status.Phase"]),
        (
            "Service",
            {"status": {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}]}}},
            ["Forbidden status.loadBalancer.ingress"],
        ),
        ("PersistentVolumeClaim", {"status": {"capacity": {"storage": "-1"}}}, ["Invalid status.capacity[storage]"]),
    ],
)
def test_what_a_status_may_not_say(kind: str, body: dict[str, Any], expected: list[str]) -> None:
    assert shown(row(kind).validate_status(made(kind, body), made(kind, {}))) == expected
