"""Simulated nodes beside a real one: they take the pods that tolerate them, and go when they are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from naru.processes import Process
from tests.e2e.conftest import Cluster, free_port

pytestmark = pytest.mark.docker
COUNT = 5


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A whole cluster with simulated nodes. Nothing of it is left after."""
    whole = Cluster(tmp_path_factory.mktemp("fleet"), free_port())
    try:
        whole.naru("up", "--detach", "--port", str(whole.port), "--simulated-nodes", str(COUNT))
        yield whole
    finally:
        if whole.data_dir.joinpath("cluster.json").exists():
            whole.naru("down", "--delete-data")


def nodes(cluster: Cluster, selector: str) -> list[str]:
    return sorted(cluster.kubectl("get", "nodes", "-l", selector, "-o", "name").stdout.split())


def app(name: str, replicas: int, **spec: Any) -> str:
    labels, containers = {"app": name}, [{"name": "app", "image": "naru/web:1", "command": ["sleep", "1000"]}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, **spec}}
    body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": body})


def placed(cluster: Cluster, name: str) -> list[str]:
    told = ("get", "pods", "-l", f"app={name}", "-o", "jsonpath={.items[*].spec.nodeName}")
    return cluster.kubectl(*told).stdout.split()


def test_they_are_ready_and_listed(fleet: Cluster) -> None:
    assert nodes(fleet, "naru.dev/simulated=true") == [f"node/simulated-{n}" for n in range(COUNT)]
    fleet.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")
    told = fleet.naru("status")
    assert f"simulated  pid {fleet.pid('simulated')}" in told
    assert "simulated-0" in told


def test_pods_that_tolerate_them_run_there_and_no_container_does(fleet: Cluster) -> None:
    before = fleet.containers()
    tolerated = [{"key": "naru.dev/simulated", "operator": "Exists"}]
    there = {"tolerations": tolerated, "nodeSelector": {"naru.dev/simulated": "true"}}
    fleet.kubectl("apply", "-f", "-", stdin=app("fake", 2 * COUNT, **there))
    fleet.kubectl("rollout", "status", "deploy/fake", "--timeout=60s")
    assert sorted(placed(fleet, "fake")) == sorted([f"simulated-{n}" for n in range(COUNT)] * 2)
    assert fleet.containers() == before
    pod = fleet.kubectl("get", "pods", "-l", "app=fake", "-o", "name").stdout.split()[0]
    refused = fleet.kubectl("logs", pod, check=False)
    assert refused.returncode != 0
    assert "connection refused" in refused.stderr


def test_pods_that_do_not_tolerate_them_run_on_the_real_node(fleet: Cluster) -> None:
    fleet.kubectl("apply", "-f", "-", stdin=app("real", 2))
    fleet.kubectl("rollout", "status", "deploy/real", "--timeout=60s")
    assert {f"node/{name}" for name in placed(fleet, "real")} == {*nodes(fleet, "!naru.dev/simulated")}


def test_another_number_replaces_them_and_down_ends_them(fleet: Cluster) -> None:
    fleet.naru("up", "--detach", "--simulated-nodes", "2")
    assert nodes(fleet, "naru.dev/simulated=true") == ["node/simulated-0", "node/simulated-1"]
    fleet.naru("down")
    assert Process(fleet.data_dir, "simulated").identity() is None
