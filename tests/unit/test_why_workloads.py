"""`why` a Deployment, ReplicaSet, Service, claim, node or namespace: chains down to the pod, claim or node at fault."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubeapi.apps_v1.types import Deployment, ReplicaSet
from kubeapi.core_v1.types import Namespace, Node, PersistentVolumeClaim, Pod, Service
from kubeapi.discovery_v1.types import EndpointSlice
from kubeapi.storage_v1.types import StorageClass
from naru.why.text import as_json, lines
from tests.why_world import asked, at, chain, event, looping, made, pod, root, seen

LABELS = {"app": "web"}
CRASH = "Container app ended with exit code 3, which the program itself chose."


def owned_by(owner: Any) -> dict[str, Any]:
    ref = {"apiVersion": "apps/v1", "kind": owner.kind, "name": owner.metadata.name, "uid": owner.metadata.uid}
    return {"ownerReferences": [{**ref, "controller": True}]}


def deployment(status: dict[str, Any], **spec: Any) -> Deployment:
    template = {"metadata": {"labels": LABELS}}
    told: Deployment = made(
        Deployment,
        spec={"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template, **spec},
        status=status,
    )
    return told


def replica_set(owner: Deployment, status: dict[str, Any], revision: int = 2, **spec: Any) -> ReplicaSet:
    meta = {"name": f"x-{revision}", "uid": f"rs{revision}", **owned_by(owner)}
    meta["annotations"] = {"deployment.kubernetes.io/revision": str(revision)}
    told: ReplicaSet = made(ReplicaSet, metadata=meta, spec={"replicas": 2, **spec}, status=status)
    return told


def replica(rs: ReplicaSet, name: str, status: dict[str, Any] | None = None) -> Pod:
    return pod(status or looping(3), metadata={"name": name, "uid": name, "labels": LABELS, **owned_by(rs)})


def ready_pod(name: str = "ok", **fields: Any) -> Pod:
    ready = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(9)}]}
    running = seen({"running": {"startedAt": at(60)}}, ready=True)
    return pod({**ready, **running}, metadata={"name": name, "uid": name, "labels": LABELS}, **fields)


def test_a_rollout_is_told_down_to_the_container_that_crashes_and_twins_are_told_once() -> None:
    web = deployment({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 0})
    rs = replica_set(web, {"replicas": 2})
    report = asked(web, rs, replica(rs, "a"), replica(rs, "b"))
    assert [f.about for f in chain(report)] == ["deployment/x", "replicaset/x-2", "pod/a", "pod/a", "pod/a"]
    assert [f.says for f in chain(report)][:3] == [
        "2 of 2 replicas are of the newest template, 0 are available.",
        "0 of 2 replicas are available.",
        "It is not ready; the same holds for b.",
    ]
    assert chain(report)[-1].says == CRASH


def test_replicas_with_different_troubles_are_told_apart() -> None:
    web = deployment({"replicas": 2, "updatedReplicas": 2})
    rs = replica_set(web, {"replicas": 2})
    set_ = asked(web, rs, replica(rs, "a"), replica(rs, "b", looping(4))).wrong[0].because[0]
    assert [one.about for one in set_.because] == ["pod/a", "pod/b"]


@pytest.mark.parametrize(
    ("status", "spec", "says"),
    [
        ({"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
          "replicas": 3, "updatedReplicas": 1, "availableReplicas": 2}, {"progressDeadlineSeconds": 60},
         "Its rollout is stuck: nothing moved for 60 s; 1 of 2 replicas are of the newest template, 2 are available."),
        ({"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2}, {},
         "Its rollout is not over: 1 of 2 replicas are of the newest template, 2 are available."),
        ({"replicas": 2, "updatedReplicas": 0, "availableReplicas": 2}, {"paused": True},
         "Its rollout is paused: 0 of 2 replicas are of the newest template."),
    ],
)  # fmt: skip
def test_a_rollout_that_does_not_end_says_how_far_it_is(
    status: dict[str, Any], spec: dict[str, Any], says: str
) -> None:
    web = deployment(status, **spec)
    assert asked(web).wrong[0].says == says
    assert any(f"updatedReplicas = {status['updatedReplicas']}" in line for line in asked(web).wrong[0].evidence)


def test_a_stuck_rollout_with_a_template_before_it_can_go_back() -> None:
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    web = deployment({"conditions": [stuck], "replicas": 3, "updatedReplicas": 1, "availableReplicas": 2})
    full = {"replicas": 2, "availableReplicas": 2}
    found = asked(web, replica_set(web, full, 1), replica_set(web, {"replicas": 1})).wrong[0]
    assert found.remedy.endswith("kubectl rollout undo deployment x -n ns")


def test_a_spec_that_no_controller_has_seen_is_said() -> None:
    web = deployment({"observedGeneration": 1})
    web.metadata.generation = 2
    assert root(web).says == "Its controller has not seen its newest spec yet."


def test_pods_that_the_api_refuses_are_told_with_the_refusal() -> None:
    web = deployment({"replicas": 0})
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: small"}
    rs = replica_set(web, {"replicas": 0, "conditions": [failure]})
    found = root(web, rs, event("FailedCreate", "Error creating: exceeded quota: small", rs))
    assert found.says == "0 of 2 pods were made: the API server refuses the others: exceeded quota: small"
    assert "Event FailedCreate: Error creating: exceeded quota: small" in found.evidence


def test_replicas_that_have_not_been_ready_for_long_enough_are_named() -> None:
    web = deployment({"replicas": 1, "updatedReplicas": 1}, replicas=1)
    rs = replica_set(web, {"replicas": 1, "readyReplicas": 1}, replicas=1, minReadySeconds=30)
    ok = ready_pod()
    ok.metadata.owner_references = replica(rs, "a").metadata.owner_references
    assert root(web, rs, ok).says == "0 of 1 replicas are available. ok must have been ready for 30 s first."


def test_a_deployment_that_is_well_says_so() -> None:
    report = asked(deployment({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}))
    assert (report.wrong, report.well) == ((), "deployment/x has all of its 2 replicas, and all are available.")
    assert asked(deployment({}, replicas=0)).well == "deployment/x is asked for no replicas, and has none."


def service(target: int | str | None = None, **spec: Any) -> Service:
    port = {"port": 80, **({} if target is None else {"targetPort": target})}
    told: Service = made(Service, spec={"selector": LABELS, "ports": [port], **spec})
    return told


def endpoints(ready: bool) -> EndpointSlice:
    one = {"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}
    meta = {"labels": {"kubernetes.io/service-name": "x"}}
    told: EndpointSlice = made(EndpointSlice, metadata=meta, addressType="IPv4", endpoints=[one])
    return told


def test_a_selector_that_matches_nothing_is_told_with_what_comes_near() -> None:
    near = ready_pod()
    near.metadata.labels = {"app": "wbe"}
    found = root(service(), near)
    assert found.says == "It leads nowhere: its selector app=web matches none of the 1 pods in its namespace."
    assert "pod ok has app=wbe" in found.evidence


def test_a_service_whose_pods_nobody_makes_is_told_down_to_who_should() -> None:
    web = deployment({"replicas": 0}, replicas=0)
    found = root(service(), web)
    assert found.says == "It leads nowhere: its selector app=web matches no pod, for deployment/x has none."
    assert found.remedy == "kubectl scale deployment x -n ns --replicas=1"


def test_a_service_whose_pods_are_not_ready_is_told_down_to_the_container() -> None:
    sick = pod(looping(3), metadata={"name": "a", "labels": LABELS})
    top, *_, last = chain(asked(service(), sick, endpoints(ready=False)))
    assert top.says == "It leads nowhere: none of the 1 pods that its selector matches is ready."
    assert "1 EndpointSlices with 1 endpoints, 0 of them ready" in top.evidence
    assert last.says == CRASH


def test_a_port_name_that_no_container_has_is_told() -> None:
    found = root(service("http"), ready_pod(container={"ports": [{"name": "web", "containerPort": 80}]}))
    assert found.says == "Its port 80 leads to a port called http, which no container of its pods has."
    assert found.evidence == ("spec.ports[0].targetPort = http", "port names of its pods: web")


def test_a_port_that_no_container_declares_is_worth_knowing_and_no_fault() -> None:
    report = asked(service(8081), ready_pod(container={"ports": [{"containerPort": 80}]}), endpoints(ready=True))
    assert report.wrong == () and report.well == "service/x leads to 1 ready endpoint."
    (hint,) = report.past
    assert hint.says.startswith("Its port 80 leads to port 8081, which no container declares")


def test_services_without_a_selector_are_judged_by_their_endpoints() -> None:
    assert root(service(selector={})).says.startswith("It has no selector")
    assert asked(service(selector={}), endpoints(ready=True)).wrong == ()
    assert asked(service(selector={}, type="ExternalName", externalName="example.com")).wrong == ()


def claim(phase: str = "Pending", **spec: Any) -> PersistentVolumeClaim:
    told: PersistentVolumeClaim = made(
        PersistentVolumeClaim, spec={"storageClassName": "fast", **spec}, status={"phase": phase}
    )
    return told


def class_(mode: str = "Immediate") -> StorageClass:
    told: StorageClass = made(
        StorageClass, metadata={"name": "fast", "namespace": ""}, provisioner="p", volumeBindingMode=mode
    )
    return told


def user() -> Pod:
    message = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "x"}}]
    return pod(
        {"conditions": [condition]}, spec={"nodeName": "", "volumes": volumes}, metadata={"name": "u", "uid": "u"}
    )


def test_a_pod_that_waits_for_its_claim_is_told_down_to_the_class_that_is_not_there() -> None:
    found = chain(asked(user(), claim()))
    assert [f.about for f in found] == ["pod/u", "persistentvolumeclaim/x"]
    assert found[-1].says == "There is no StorageClass fast, and no volume of that class is free."


@pytest.mark.parametrize(
    ("told", "others", "says"),
    [
        (claim(storageClassName=""), [], "It asks for no StorageClass, and no free PersistentVolume fits."),
        (claim("Lost", volumeName="v"), [], "Its volume v is gone, and what was on it."),
        (claim(), [class_(), event("ExternalProvisioning", "Waiting", claim())],
         "It waits for the provisioner p of its class fast."),
        (claim(), [class_("WaitForFirstConsumer"), user(), event("WaitForFirstConsumer", "waiting", claim())],
         "It waits until a pod that mounts it gets a node: class fast binds then."),
    ],
)  # fmt: skip
def test_a_claim_says_what_it_waits_for(told: PersistentVolumeClaim, others: list[Any], says: str) -> None:
    assert root(told, *others).says == says


def test_a_claim_that_nobody_mounts_waits_rightly() -> None:
    report = asked(claim(), class_("WaitForFirstConsumer"))
    assert report.wrong == () and "waits for the first pod that mounts it" in report.well


def test_a_claim_that_is_deleted_names_who_still_mounts_it() -> None:
    meta = {"deletionTimestamp": at(9), "finalizers": ["kubernetes.io/pvc-protection"]}
    going = made(PersistentVolumeClaim, metadata=meta)
    assert root(going, user()).says == "It is being deleted, and stays until u no longer mount it."


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ([], "It has said nothing of itself yet."),
        ([{"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "container runtime is down"}],
         "It says itself that it is not ready: container runtime is down"),
        ([{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True", "message": "full"}],
         "It tells DiskPressure: full"),
    ],
)  # fmt: skip
def test_a_node_says_why_it_is_not_well(status: list[dict[str, Any]], says: str) -> None:
    sick = made(Node, metadata={"name": "n", "namespace": ""}, status={"conditions": status})
    assert root(sick, node=None).says == says


def test_a_node_that_is_cordoned_is_well_and_says_so() -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": at(60)}
    node = made(Node, metadata={"namespace": ""}, spec={"unschedulable": True}, status={"conditions": [ready]})
    report = asked(node, node=None)
    assert report.wrong == () and report.past[0].remedy == "kubectl uncordon x"


def test_what_is_in_a_namespace_that_goes_says_so_and_the_namespace_says_what_holds_it() -> None:
    content = {"type": "NamespaceContentRemaining", "status": "True", "message": "pods has 1 resource instances"}
    meta = {"name": "ns", "namespace": "", "deletionTimestamp": at(40)}
    going = made(Namespace, metadata=meta, status={"phase": "Terminating", "conditions": [content]})
    found = asked(service(), ready_pod(), endpoints(ready=True), going).wrong
    assert [f.about for f in found] == ["namespace/ns"]
    assert "condition NamespaceContentRemaining = True (pods has 1 resource instances)" in root(going).evidence


def test_an_object_whose_deletion_is_held_says_by_what() -> None:
    meta = {"deletionTimestamp": at(30), "finalizers": ["example.com/lb"]}
    held = made(Service, metadata=meta, spec={"type": "ExternalName"})
    assert root(held).says == "It is being deleted, and finalizers hold it: example.com/lb."
    web = made(Deployment, metadata={**meta, "finalizers": ["foregroundDeletion"]}, spec={"replicas": 0})
    assert root(web, replica_set(web, {})).says == (
        "It is being deleted, and waits until what it owns is gone: replicaset/x-2."
    )


def test_both_outputs_tell_the_same() -> None:
    web = deployment({"replicas": 1, "updatedReplicas": 1}, replicas=1)
    rs = replica_set(web, {"replicas": 1}, replicas=1)
    report = asked(web, rs, replica(rs, "a"))
    text = " ".join(" ".join(lines(report, 80)).split())
    for finding in chain(report):
        assert finding.says in text and finding.remedy in text
        assert finding.says in json.dumps(as_json(report))
        for line in finding.evidence:
            assert line in text and json.dumps(line) in json.dumps(as_json(report))
    assert max(map(len, lines(report, 80))) <= 80
