"""kill -9 of control plane and agent: what was answered is there, what ran runs on untouched, what died is replaced."""

from __future__ import annotations

import json
import subprocess
import threading

import pytest

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


def test_after_kill_9_of_both_nothing_is_lost_and_nothing_runs_twice(node: Cluster) -> None:
    node.kubectl("apply", "-f", "-", stdin=APP)
    node.kubectl("wait", "--for=condition=Available", "deployment/app", "--timeout=60s")
    before = node.containers()
    assert len(before) == 6
    victim = sorted(node.containers("label=naru.dev/container=app"))[0]
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
    node.kill("server", "agent")
    writer.join()
    whose = node.run(
        "docker", "inspect", "--format", '{{index .Config.Labels "naru.dev/pod.name"}}', victim
    ).stdout.strip()
    node.run("docker", "kill", victim)

    node.naru("up", "--detach")
    names = node.kubectl("get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}").stdout.split()
    assert {*answered} <= {*names}
    restarted = "--for=jsonpath={.status.containerStatuses[0].restartCount}=1"
    node.kubectl("wait", restarted, f"pod/{whose}", "--timeout=60s")
    node.kubectl("wait", "--for=condition=Ready", "pods", "--all", "--timeout=60s")
    node.kubectl("wait", "--for=jsonpath={.status.availableReplicas}=3", "deployment/app", "--timeout=60s")
    counts = node.kubectl("get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[0].restartCount}").stdout
    assert sorted(counts.split()) == ["0", "0", "1"]
    after = node.containers()
    assert len(after) == 6 and before - after == {victim}
    assert len(node.devices()) == 3

    node.kubectl("delete", "deployment/app", "--cascade=foreground", "--timeout=60s")
    node.kubectl("wait", "--for=delete", "pods", "--all", "--timeout=60s")
    assert node.run("docker", "ps", "--all", "--quiet", f"--filter=label=naru.dev/cluster={node.id}").stdout == ""
    assert node.devices() == []


def test_pods_deleted_while_no_agent_ran_are_ended_by_the_next(node: Cluster) -> None:
    node.kubectl("apply", "-f", "-", stdin=APP)
    node.kubectl("wait", "--for=condition=Available", "deployment/app", "--timeout=60s")
    node.kill("agent")
    node.kubectl("delete", "deployment/app", "--timeout=60s")
    node.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")
    assert node.containers()
    node.naru("up", "--detach")
    left = node.containers()
    if left:  # the engine says when the last of them is gone
        subprocess.run(["docker", "wait", *left], capture_output=True, timeout=60, check=False)
    assert node.containers() == set()
