"""kill -9 of control plane and agent: what was answered is there, what ran runs on untouched, what died is replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading

import pytest
from pyroute2 import IPRoute

from naru.processes import Process
from tests.e2e.conftest import Cluster

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]
APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 3
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: app, image: naru/base, imagePullPolicy: IfNotPresent, command: [sleep, infinity]}
"""


def named(name: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})


def docker(*arguments: str) -> list[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout.split()


def containers(node: Cluster, *filters: str) -> set[str]:
    """The ids of the cluster's containers, sandboxes included."""
    told = [f"--filter=label=naru.dev/cluster={node.id}", *(f"--filter={f}" for f in filters)]
    return {*docker("ps", "--no-trunc", "--quiet", *told)}


def devices(node: Cluster) -> list[str]:
    """The kernel's devices of the cluster's pods."""
    with IPRoute() as kernel:
        names = [str(link.get("ifname")) for link in kernel.get_links()]
    return [name for name in names if name.startswith(f"nv{node.id}")]


def kill(node: Cluster, *names: str) -> None:
    for name in names:
        found = Process(node.data_dir, name).identity()
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)


def test_after_kill_9_of_both_nothing_is_lost_and_nothing_runs_twice(node: Cluster) -> None:
    node.kubectl("apply", "-f", "-", stdin=APP)
    node.kubectl("wait", "--for=condition=Available", "deployment/app", "--timeout=60s")
    before = containers(node)
    assert len(before) == 6
    victim = sorted(containers(node, "label=naru.dev/container=app"))[0]
    answered: list[str] = []
    under_way = threading.Event()

    def write() -> None:
        for number in range(1000):
            done = node.kubectl("create", "-f", "-", stdin=named(f"c{number}"), check=False)
            if done.returncode:
                return
            answered.append(f"c{number}")
            if number == 3:
                under_way.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert under_way.wait(60)
    kill(node, "server", "agent")
    writer.join()
    docker("kill", victim)

    node.naru("up", "--detach")
    names = node.kubectl("get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}").stdout.split()
    assert {*answered} <= {*names}
    node.kubectl("wait", "--for=jsonpath={.status.availableReplicas}=3", "deployment/app", "--timeout=60s")
    counts = node.kubectl("get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[0].restartCount}").stdout
    assert sorted(counts.split()) == ["0", "0", "1"]
    after = containers(node)
    assert len(after) == 6 and before - after == {victim}
    assert len(devices(node)) == 3

    node.kubectl("delete", "deployment/app", "--cascade=foreground", "--timeout=60s")
    node.kubectl("wait", "--for=delete", "pods", "--all", "--timeout=60s")
    assert docker("ps", "--all", "--quiet", f"--filter=label=naru.dev/cluster={node.id}") == []
    assert devices(node) == []


def test_pods_deleted_while_no_agent_ran_are_ended_by_the_next(node: Cluster) -> None:
    node.kubectl("apply", "-f", "-", stdin=APP)
    node.kubectl("wait", "--for=condition=Available", "deployment/app", "--timeout=60s")
    kill(node, "agent")
    node.kubectl("delete", "deployment/app", "--timeout=60s")
    node.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")
    assert containers(node)
    node.naru("up", "--detach")
    left = containers(node)
    if left:  # the engine says when the last of them is gone
        subprocess.run(["docker", "wait", *left], capture_output=True, timeout=60, check=False)
    assert containers(node) == set()
