"""What every API type promises: Go's omitempty, camelCase on the wire, strict types."""

import pydantic
import pytest

from kubeapi.core_v1.types import Pod, Service
from kubeapi.model import forget_given
from kubeapi.registry import Registry


def test_zero_values_of_go_are_left_out_and_pointers_are_kept() -> None:
    pod = Pod.from_json(
        b'{"metadata":{"name":"a"},"spec":{"hostNetwork":false,"automountServiceAccountToken":false,'
        b'"containers":[{"name":"c","args":[]}]}}'
    )
    assert pod.to_dict() == {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "a"},
        "spec": {"automountServiceAccountToken": False, "containers": [{"name": "c", "resources": {}}]},
        "status": {},
    }


def test_a_time_that_is_a_value_in_go_is_null_while_it_is_unset() -> None:
    pod = Pod.from_json(b'{"status":{"conditions":[{"type":"Ready","status":"True","lastProbeTime":null}]}}')
    assert pod.to_dict()["status"]["conditions"] == [
        {"type": "Ready", "status": "True", "lastProbeTime": None, "lastTransitionTime": None}
    ]
    assert "startTime" not in pod.to_dict()["status"]  # a pointer


def test_names_are_snake_case_in_python_and_camel_case_on_the_wire() -> None:
    service = Service.from_json(b'{"spec":{"clusterIP":"None","clusterIPs":["None"],"ports":[{"port":80}]}}')
    assert service.spec.cluster_ip == "None"
    assert service.to_dict()["spec"] == {"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 80}]}


@pytest.mark.parametrize("body", [b'{"spec":{"hostNetwork":"yes"}}', b'{"metadata":{"name":1}}', b'{"specx":{}}'])
def test_wrong_types_and_unknown_fields_are_refused(body: bytes) -> None:
    with pytest.raises(pydantic.ValidationError):
        Pod.from_json(body)


def test_a_clone_is_equal_and_nothing_of_it_is_shared() -> None:
    pod = Pod.from_json(b'{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","args":["x"]}]}}')
    copy = pod.clone()
    assert copy == pod and copy.to_json() == pod.to_json() and copy.model_fields_set == pod.model_fields_set
    copy.metadata.labels["a"] = "changed"
    copy.spec.containers[0].args.append("y")
    copy.spec.containers[0].name = "other"
    assert pod.to_dict()["metadata"] == {"labels": {"a": "b"}}
    assert pod.to_dict()["spec"]["containers"] == [{"name": "c", "args": ["x"], "resources": {}}]


def test_an_unknown_resource_has_no_row() -> None:
    assert Registry().resource("", "v1", "pods") is None


def test_what_was_given_is_forgotten_in_every_part_and_nothing_else_changes() -> None:
    pod = Pod.from_json(
        b'{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","env":[{"name":"A"}],"args":["x"]}]}}'
    )
    before = pod.clone()
    forget_given(pod)
    container = pod.spec.containers[0]
    pod.spec.node_name = container.env[0].value = "set later"
    parts = (pod, pod.metadata, pod.spec, container, container.env[0])
    assert [part.model_fields_set for part in parts] == [set()] * len(parts)
    pod.spec.node_name = container.env[0].value = ""
    assert (pod, pod.to_json()) == (before, before.to_json())
    copy = pod.clone()
    copy.spec.node_name = "n"
    assert copy.spec.model_fields_set == {"node_name"}
