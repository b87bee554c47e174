"""`naru trace` on a whole cluster: proven to a Service, a mistake named and mended by the command that it says, and what
lies beyond the uplink as Machines declare it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from naru.cli.trace import DROPPED
from tests.e2e.conftest import Cluster

pytestmark = [pytest.mark.docker, pytest.mark.timeout(200)]

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: app, image: naru/base, imagePullPolicy: IfNotPresent, command: [sleep, infinity]}]
---
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: app
    image: naru/was:1
    imagePullPolicy: IfNotPresent
    command: [python3, -m, http.server, "8080"]
    ports: [{containerPort: 8080}]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: server}
spec: {selector: {app: server}, ports: [{port: 80, targetPort: 8080}]}
"""
HOST = """
apiVersion: hardware.naru.dev/v1
kind: Machine
metadata: {name: classroom-pc}
spec:
  nics: [{name: enp3s0, model: I219-V}]
  hypervisor:
    kind: VMware
    switches: [{name: vmnet8, mode: nat, uplink: enp3s0, subnet: 192.168.80.0/24, words: VMnet8 (NAT)}]
"""


def trace(cluster: Cluster, *arguments: str) -> tuple[int, Any]:
    """The command's exit status, and its document."""
    command = [sys.executable, "-m", "naru", "trace", "--data-dir", str(cluster.data_dir), "-o", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout, done.stderr + cluster.logs()
    return done.returncode, json.loads(done.stdout)


def wait_for_rules(cluster: Cluster, status: int) -> None:
    """The kernel's rules follow the API in their own time: until a prediction from them ends like this."""
    deadline = time.monotonic() + 40
    while trace(cluster, "client", "--to", "service/server")[0] != status:
        assert time.monotonic() < deadline, cluster.logs()


def test_a_way_is_proven_a_mistake_is_named_and_its_mending_command_mends(node: Cluster) -> None:
    node.kubectl("apply", "-f", "-", stdin=PODS)
    node.kubectl("wait", "--for=condition=Ready", "pod/client", "pod/server", "--timeout=60s")
    wait_for_rules(node, 0)
    status, found = trace(node, "client", "--to", "service/server", "--probe")
    assert status == 0, found
    assert {hop["state"] for hop in found["hops"]} == {"seen"}
    assert [hop["name"] for hop in found["hops"] if hop["kind"] == "process"] == ["client/app", "server/app"]
    assert all(hop["part"] for hop in found["hops"])

    port = '[{"op":"replace","path":"/spec/ports/0/targetPort","value":9999}]'
    node.kubectl("patch", "service", "server", "--type=json", "-p", port)
    wait_for_rules(node, DROPPED)
    status, found = trace(node, "client", "--to", "service/server", "--probe")
    assert status == DROPPED
    assert "nothing in server listens on 9999/TCP; it does on 8080" in found["drop"]["reason"]
    mended = subprocess.run(["sh", "-c", found["drop"]["mend"]], env=with_kubectl(node), capture_output=True, text=True)
    assert mended.returncode == 0, mended.stderr
    wait_for_rules(node, 0)
    assert trace(node, "client", "--to", "service/server", "--probe")[0] == 0


def with_kubectl(cluster: Cluster) -> dict[str, str]:
    """An environment in which `kubectl` is the package's, on this cluster."""
    environment = cluster.environment()
    folder = cluster.command()[0].rpartition("/")[0]
    return environment | {"PATH": f"{folder}:{environment['PATH']}"}


def test_beyond_the_uplink_stands_what_is_declared(node: Cluster) -> None:
    node.kubectl("apply", "-f", "-", stdin=HOST)
    name = node.kubectl("get", "nodes", "-o", "name").stdout.strip().removeprefix("node/")
    plug = {"spec": {"runsOn": "classroom-pc", "nics": [{"name": "eth0", "switch": "vmnet8"}]}}
    node.kubectl("wait", "--for=create", f"machine/{name}", "--timeout=30s")
    node.kubectl("patch", "machine", name, "--type=merge", "-p", json.dumps(plug))
    status, found = trace(node, "--from", "host", "--to", "203.0.113.9:443")
    assert status == 0
    told = [(hop["kind"], hop["name"], hop["state"]) for hop in found["hops"]]
    assert told[-3:] == [
        ("switch", "VMnet8 (NAT)", "declared"),
        ("nat", "VMnet8 (NAT) NAT", "declared"),
        ("nic", "enp3s0", "declared"),
    ]


def test_what_is_asked_wrongly_is_answered_in_words(node: Cluster) -> None:
    command = [
        sys.executable,
        "-m",
        "naru",
        "trace",
        "--data-dir",
        str(node.data_dir),
        "--from",
        "host",
        "--to",
        "nobody",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "namespace default has no pod or Service nobody" in done.stderr
