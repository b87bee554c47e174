"""Unmodified kubectl against the control plane."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

from tests.e2e.conftest import Cluster
from tests.waiting import until

SHOP = pathlib.Path(__file__).parents[2] / "manifests" / "shop"


def test_the_example_is_applied_scaled_and_deleted(cluster: Cluster) -> None:
    said = cluster.kubectl("apply", "--server-side", "-f", str(SHOP)).stdout
    assert said.count("serverside-applied") == 10
    again = cluster.kubectl("apply", "--server-side", "-f", str(SHOP), "-o", "json").stdout
    versions = {item["metadata"]["name"]: item["metadata"]["generation"] for item in json.loads(again)["items"][-1:]}
    assert versions == {"web": 1}
    cluster.kubectl("wait", "-n", "shop", "--for=jsonpath={.status.replicas}=2", "deployment/web", "--timeout=20s")
    names = cluster.kubectl("get", "pods", "-n", "shop", "-l", "app=web", "-o", "name").stdout.split()
    assert len(names) == 2
    reasons = ("get", "events", "-n", "shop", "-o", "jsonpath={.items[*].reason}")
    until(lambda: {"ScalingReplicaSet", "SuccessfulCreate"} <= {*cluster.kubectl(*reasons).stdout.split()})
    cluster.kubectl("scale", "-n", "shop", "deployment/web", "--replicas=1")
    cluster.kubectl("wait", "-n", "shop", "--for=jsonpath={.status.replicas}=1", "deployment/web", "--timeout=20s")
    cluster.kubectl("delete", "pods", "-n", "shop", "--all", "--grace-period=0", "--force")
    cluster.kubectl("delete", "namespace", "shop", "--timeout=30s")
    gone = cluster.kubectl("get", "namespace", "shop", check=False)
    assert gone.returncode == 1 and "NotFound" in gone.stderr


def test_a_wrong_token_is_unauthorized(cluster: Cluster) -> None:
    refused = cluster.kubectl("--token=wrong", "get", "pods", check=False)
    assert refused.returncode == 1
    assert "Unauthorized" in refused.stderr or "must be logged in" in refused.stderr


def test_a_second_control_plane_of_one_directory_is_told_so(cluster: Cluster) -> None:
    command = [sys.executable, "-m", "naru", "server", "--data-dir", str(cluster.data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "another process holds" in done.stderr


def test_a_list_of_objects_is_applied(cluster: Cluster) -> None:
    items = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in ("in-list-a", "in-list-b")
    ]
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    said = cluster.kubectl("apply", "-f", "-", stdin=body).stdout
    assert said == "configmap/in-list-a created\nconfigmap/in-list-b created\n"


def test_objects_are_created_by_words_alone(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "words")
    words = ("configmap c --from-literal=a=b", "secret generic s --from-literal=a=b", "deployment d --image=naru/base")
    for line in (*words, "service clusterip v --tcp=80:8080", "serviceaccount a"):
        assert "created" in cluster.kubectl("create", "-n", "words", *line.split()).stdout
    assert cluster.kubectl("get", "-n", "words", "configmap/c", "-o", "jsonpath={.data}").stdout == '{"a":"b"}'
    cluster.kubectl("delete", "namespace", "words", "--timeout=30s")
