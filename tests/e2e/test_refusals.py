"""Bad input gets Kubernetes' Status error and changes nothing."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

import pytest

from tests.e2e.conftest import Cluster

PODS, DEPLOYMENTS = "/api/v1/namespaces/default/pods", "/apis/apps/v1/namespaces/default/deployments"
JSON, YAML = "application/json", "application/yaml"


def pod(**container: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "naru/base", **container}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def deployment(label: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": label}}, "spec": pod()["spec"]}
    spec = {"selector": {"matchLabels": {"app": "a"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def named(name: str) -> dict[str, Any]:
    return pod() | {"metadata": {"name": name}}


def ask(
    cluster: Cluster, path: str, body: bytes, media: str = JSON, token: str | None = None
) -> tuple[int, dict[str, Any]]:
    """POST with field validation Strict; the code and the Status."""
    tls = ssl.create_default_context(cafile=str(cluster.data_dir / "ca.crt"))
    connection = http.client.HTTPSConnection("127.0.0.1", cluster.port, context=tls, timeout=20)
    headers = {"content-type": media}
    if shown := cluster.token if token is None else token:
        headers["authorization"] = f"Bearer {shown}"
    connection.request("POST", f"{path}?fieldValidation=Strict", body, headers)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


CASES = [
    ("malformed JSON", PODS, b'{"kind": "Pod",', JSON, 400, "BadRequest", ""),
    ("malformed YAML", PODS, b"kind: Pod\n  x: [", YAML, 400, "BadRequest", ""),
    ("unknown kind", PODS, pod() | {"kind": "Pood"}, JSON, 400, "BadRequest", "Pood"),
    ("unknown field", PODS, pod(imagee="x"), JSON, 400, "BadRequest", 'unknown field "spec.containers[0].imagee"'),
    ("wrong type", PODS, pod(ports=[{"containerPort": "http"}]), JSON, 400, "BadRequest", "containerPort"),
    ("invalid name", PODS, named("Not_A_Name"), JSON, 422, "Invalid", "metadata.name"),
    ("bad quantity", PODS, pod(resources={"limits": {"cpu": "much"}}), JSON, 400, "BadRequest", "quantities must match"),
    (
        "duplicate port",
        PODS,
        pod(ports=[{"containerPort": 1, "hostPort": 9}, {"containerPort": 2, "hostPort": 9}]),
        JSON,
        422,
        "Invalid",
        "spec.containers[0].ports[1].hostPort",
    ),
    ("selector that misses", DEPLOYMENTS, deployment("b"), JSON, 422, "Invalid", "`selector` does not match"),
    ("body too large", PODS, b'"' + b"x" * (3 * 2**20) + b'"', JSON, 413, "RequestEntityTooLarge", "limit is 3145728"),
    ("unknown media type", PODS, pod(), "text/csv", 415, "UnsupportedMediaType", ""),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_bad_input_is_refused_and_changes_nothing(api_only: Cluster, case: tuple[Any, ...]) -> None:
    _, path, body, media, code, reason, words = case
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    got, status = ask(api_only, path, raw, media)
    assert (got, status["kind"], status["status"]) == (code, "Status", "Failure"), status
    assert (status["reason"], status["code"]) == (reason, code)
    assert words in status["message"]
    if code == 422:
        assert words.startswith("`") or any(words == cause["field"] for cause in status["details"]["causes"])
    assert api_only.kubectl("get", "pods,deployments", "--all-namespaces", "-o", "name").stdout == ""


@pytest.mark.parametrize("token", ["", "wrong", "a.b.c"])
def test_no_or_a_wrong_token_is_unauthorized(api_only: Cluster, token: str) -> None:
    got, status = ask(api_only, PODS, json.dumps(pod()).encode(), token=token)
    assert (got, status["kind"], status["reason"]) == (401, "Status", "Unauthorized")


IMAGELESS = """
apiVersion: v1
kind: Pod
metadata: {name: imageless}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "localhost:1/absent:1"}]}
"""
COMMANDLESS = """
apiVersion: v1
kind: Pod
metadata: {name: commandless}
spec:
  terminationGracePeriodSeconds: 0
  restartPolicy: Never
  containers: [{name: c, image: naru/base, imagePullPolicy: IfNotPresent, command: [/no/such/command]}]
"""


@pytest.mark.docker
def test_an_image_that_does_not_exist_is_told_with_the_engines_words(node: Cluster) -> None:
    node.kubectl("apply", "-f", "-", stdin=IMAGELESS)
    waiting = "{.status.containerStatuses[0].state.waiting.reason}"
    for reason in ("ErrImagePull", "ImagePullBackOff"):
        node.kubectl("wait", f"--for=jsonpath={waiting}={reason}", "pod/imageless", "--timeout=60s")
    assert "ImagePullBackOff" in node.kubectl("get", "pod", "imageless").stdout
    described = node.kubectl("describe", "pod", "imageless").stdout
    assert "Error: ErrImagePull" in described and "localhost:1/absent:1" in described
    assert "connection refused" in described  # the engine's own word
    node.kubectl("delete", "pod", "imageless", "--timeout=30s")


@pytest.mark.docker
def test_a_command_that_does_not_exist_gives_its_reason(node: Cluster) -> None:
    node.kubectl("apply", "-f", "-", stdin=COMMANDLESS)
    node.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "pod/commandless", "--timeout=60s")
    described = node.kubectl("describe", "pod", "commandless").stdout
    assert "no such file or directory" in described
    terminated = "{.status.containerStatuses[0].state.terminated.exitCode}"
    assert node.kubectl("get", "pod", "commandless", "-o", f"jsonpath={terminated}").stdout in ("127", "128")
    node.kubectl("delete", "pod", "commandless", "--timeout=30s")
