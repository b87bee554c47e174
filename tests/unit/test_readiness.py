"""When objects are ready, by table: what a person is told while they are not."""

from typing import Any

import pytest

from controlplane.apiserver.readiness import RULES, UNUSED_CLAIM, Rule, Verdict
from kubeapi import registry as kinds
from kubeapi.core_v1.types import PersistentVolumeClaim, Pod, Service
from kubeapi.discovery_v1.types import EndpointSlice
from kubeapi.meta_v1.types import LabelSelector
from kubeapi.model import Model
from kubeapi.selectors import matches, parse_labels, text_of
from kubeapi.storage_v1.types import StorageClass

REGISTRY = kinds.load()


def made(kind: str, **parts: Any) -> Model:
    """An object of a kind, its fields as on the wire."""
    model = next(k.model for k in REGISTRY if k.kind == kind)
    return model.model_validate({"metadata": {"name": "x"}, **parts})


def judged(obj: Model, *related: Model, rule: Rule | None = None) -> Verdict:
    return (rule or RULES[type(obj)]).judge(obj, related)


def deployment(generation: int = 1, wanted: int = 2, **status: Any) -> Model:
    meta = {"name": "web", "generation": generation}
    return made("Deployment", metadata=meta, spec={"replicas": wanted}, status={"observedGeneration": 1, **status})


def stuck(name: str, reason: str, message: str = "") -> Pod:
    state = {"waiting": {"reason": reason, "message": message}}
    return Pod.model_validate(
        {
            "metadata": {"name": name},
            "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "state": state}]},
        }
    )


ROLLED_OUT = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("obj", "state", "message"),
    [
        (deployment(**ROLLED_OUT), "ready", ""),
        (deployment(wanted=0), "ready", ""),
        (deployment(generation=2, **ROLLED_OUT), "waiting", "spec update to be observed"),
        (deployment(**ROLLED_OUT | {"updatedReplicas": 1}), "waiting", "1 out of 2 new replicas have been updated"),
        (deployment(**ROLLED_OUT | {"replicas": 3}), "waiting", "1 old replicas are pending termination"),
        (deployment(**ROLLED_OUT | {"availableReplicas": 0}), "waiting", "0 of 2 updated replicas are available"),
        (
            deployment(conditions=[{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]),
            "failed",
            'deployment "web" exceeded its progress deadline',
        ),
        (made("ReplicaSet", spec={"replicas": 1}), "waiting", "0 of 1 replicas are available"),
        (made("ReplicaSet", spec={"replicas": 1}, status={"replicas": 1, "availableReplicas": 1}), "ready", ""),
        (made("Pod", status={"phase": "Running"}), "waiting", "phase Running"),
        (made("Pod", status={"conditions": [{"type": "Ready", "status": "True"}]}), "ready", ""),
        (made("Pod", status={"phase": "Succeeded"}), "ready", ""),
        (made("Pod", status={"phase": "Failed", "reason": "Evicted"}), "failed", "Evicted"),
        (made("PersistentVolumeClaim", status={"phase": "Bound"}), "ready", ""),
        (made("PersistentVolumeClaim", status={"phase": "Pending"}), "waiting", "not bound yet"),
        (made("PersistentVolumeClaim", status={"phase": "Lost"}), "failed", "its volume is lost"),
        (made("Service", spec={}), "ready", ""),
        (made("Service", spec={"selector": {"a": "b"}}), "waiting", "no ready endpoint"),
    ],
)
def test_each_kind_is_judged_by_its_status(obj: Model, state: str, message: str) -> None:
    assert judged(obj) == (state, message)


def test_a_pods_trouble_stands_behind_the_count() -> None:
    pods = [stuck("web-2", "ErrImagePull", "no such image"), stuck("web-1", "ContainerCreating")]
    assert judged(deployment(**ROLLED_OUT | {"availableReplicas": 1}), *pods).message == (
        "1 of 2 updated replicas are available; pod web-2: ErrImagePull: no such image"
    )


def test_a_pod_that_fits_nowhere_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    assert judged(made("Pod", status={"conditions": [condition]})).message == "Unschedulable: 0/1 nodes"


@pytest.mark.parametrize(("ready", "state"), [(True, "ready"), (None, "ready"), (False, "waiting")])
def test_a_service_is_ready_with_its_first_ready_endpoint(ready: bool | None, state: str) -> None:
    service = Service.model_validate({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}})
    endpoint = {"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}
    slice_ = EndpointSlice.model_validate({"addressType": "IPv4", "endpoints": [endpoint]})
    assert judged(service, slice_).state == state
    assert RULES[Service].related(service).labels == "kubernetes.io/service-name=web"  # type: ignore[union-attr]


def test_an_unused_claim_waits_only_where_its_class_binds_at_once() -> None:
    claim = PersistentVolumeClaim.model_validate({"spec": {"storageClassName": "slow"}})
    at_once, later = (
        StorageClass.model_validate({"provisioner": "p", "volumeBindingMode": mode})
        for mode in ("Immediate", "WaitForFirstConsumer")
    )
    assert judged(claim, at_once, rule=UNUSED_CLAIM).state == "waiting"
    assert judged(claim, later, rule=UNUSED_CLAIM).state == "ready"


@pytest.mark.parametrize("labels", [{"a": "b", "tier": "x"}, {"a": "b", "tier": "y", "old": ""}, {}, {"tier": "x"}])
def test_a_selector_in_a_query_selects_what_the_object_does(labels: dict[str, str]) -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["x", "y"]},
        {"key": "tier", "operator": "NotIn", "values": ["z"]},
        {"key": "a", "operator": "Exists"},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    selector = LabelSelector.model_validate({"matchLabels": {"a": "b"}, "matchExpressions": expressions})
    assert parse_labels(text_of(selector)).matches(labels) == matches(selector, labels)
