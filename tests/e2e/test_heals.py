"""What breaks heals by itself, and the user sees what happened: in `kubectl get`, in `describe`, and in Events."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from naru.processes import Process
from tests.e2e.conftest import Cluster
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]
FOREVER = ["sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]
RESTARTS = "{.status.containerStatuses[0].restartCount}"
PROBE = {
    "exec": {"command": ["sh", "-c", "! test -e /tmp/ill || { echo ill; false; }"]},
    "periodSeconds": 1,
    "timeoutSeconds": 10,
}
LIVENESS = {"livenessProbe": {**PROBE, "failureThreshold": 2}}


class SeenPod:
    """A pod of one container, as a user at the shell sees it."""

    def __init__(self, cluster: Cluster, name: str, policy: str = "Always", **container: Any) -> None:
        self.cluster, self.name = cluster, name
        app = {"name": "app", "image": "naru/base", "imagePullPolicy": "IfNotPresent", "command": FOREVER, **container}
        spec = {"containers": [app], "restartPolicy": policy, "terminationGracePeriodSeconds": 1}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(body))

    def wait(self, what: str, seconds: int = 30) -> None:
        self.cluster.kubectl("wait", f"pod/{self.name}", f"--for={what}", f"--timeout={seconds}s")

    def healed(self, restarts: int = 1) -> float:
        """Until it has been restarted so often and is ready; how many seconds that took."""
        begun = time.monotonic()
        self.wait(f"jsonpath={RESTARTS}={restarts}")
        self.wait("condition=Ready")
        return time.monotonic() - begun

    @property
    def status(self) -> Any:
        return json.loads(self.cluster.kubectl("get", "pod", self.name, "-o", "json").stdout)["status"]

    @property
    def container(self) -> str:
        """The id of its container on the engine."""
        return str(self.status["containerStatuses"][0]["containerID"]).removeprefix("docker://")

    @property
    def sandbox(self) -> str:
        """The id of what holds its namespaces."""
        return (
            docker("inspect", "--format", "{{.HostConfig.NetworkMode}}", self.container)
            .strip()
            .removeprefix("container:")
        )

    def row(self) -> list[str]:
        """READY, STATUS and RESTARTS of `kubectl get`."""
        return self.cluster.kubectl("get", "pod", self.name, "--no-headers").stdout.split()[1:4]

    def described(self, start: str = "") -> str:
        """`kubectl describe`, with single spaces; of its lines those that start so."""
        told = spaced(self.cluster.kubectl("describe", "pod", self.name).stdout)
        return "\n".join(line for line in told.splitlines() if line.startswith(start))

    def events(self) -> set[tuple[str, str, str]]:
        """(type, reason, message) of all that was said about it."""
        chosen = f"--field-selector=involvedObject.name={self.name}"
        items = json.loads(self.cluster.kubectl("get", "events", chosen, "-o", "json").stdout)["items"]
        return {(e["type"], e["reason"], e["message"]) for e in items}


def spaced(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True, timeout=30).stdout


def test_a_killed_container_runs_again_in_the_same_sandbox(node: Cluster) -> None:
    pod = SeenPod(node, "killed")
    pod.wait("condition=Ready")
    before, container = pod.status, pod.container
    docker("kill", container)
    print(f"killed container: {1000 * pod.healed():.0f} ms by kubectl wait")
    assert pod.row() == ["1/1", "Running", "1"]
    assert pod.status["podIP"] == before["podIP"]
    assert pod.container != container
    assert "Last State: Terminated\nReason: Error\nExit Code: 137" in pod.described()
    until(lambda: "(x2 over" in pod.described("Normal Started"))
    assert len(pod.described("Normal Started").splitlines()) == 1


def test_a_killed_sandbox_is_replaced_with_its_containers(node: Cluster) -> None:
    pod = SeenPod(node, "unboxed")
    pod.wait("condition=Ready")
    sandbox = pod.sandbox
    docker("kill", sandbox)
    print(f"killed sandbox: {1000 * pod.healed():.0f} ms by kubectl wait")
    assert pod.row() == ["1/1", "Running", "1"]
    assert pod.sandbox != sandbox
    changed = "Pod sandbox changed, it will be killed and re-created."
    until(lambda: ("Normal", "SandboxChanged", changed) in pod.events())
    assert "Normal SandboxChanged" in pod.described()
    pod.cluster.kubectl("exec", pod.name, "--", "true")


def test_a_removed_container_runs_again(node: Cluster) -> None:
    pod = SeenPod(node, "removed")
    pod.wait("condition=Ready")
    docker("rm", "--force", pod.container)
    print(f"removed container: {1000 * pod.healed():.0f} ms by kubectl wait")
    assert pod.row() == ["1/1", "Running", "1"]
    assert pod.cluster.kubectl("exec", pod.name, "--", "echo", "here").stdout == "here\n"


def test_a_container_that_fails_its_liveness_is_restarted(node: Cluster) -> None:
    pod = SeenPod(node, "ill", **LIVENESS)
    pod.wait("condition=Ready")
    pod.cluster.kubectl("exec", pod.name, "--", "touch", "/tmp/ill")
    pod.healed()
    assert pod.row() == ["1/1", "Running", "1"]
    said = {
        ("Warning", "Unhealthy", "Liveness probe failed: ill\n"),
        ("Normal", "Killing", "Container app failed liveness probe, will be restarted"),
    }
    until(lambda: said <= pod.events())
    assert "Last State: Terminated" in pod.described()
    assert "Warning Unhealthy" in pod.described() and "Liveness probe failed: ill" in pod.described()


def test_a_container_that_fails_its_readiness_gets_no_traffic_and_is_left_alone(node: Cluster) -> None:
    pod = SeenPod(node, "unready", readinessProbe={**PROBE, "failureThreshold": 1})
    pod.wait("condition=Ready")
    pod.cluster.kubectl("exec", pod.name, "--", "touch", "/tmp/ill")
    pod.wait("condition=Ready=False")
    assert pod.row() == ["0/1", "Running", "0"]
    until(lambda: ("Warning", "Unhealthy", "Readiness probe failed: ill\n") in pod.events())
    assert "\nReady False\n" in pod.described() and "\nContainersReady False\n" in pod.described()
    pod.cluster.kubectl("exec", pod.name, "--", "rm", "/tmp/ill")
    pod.wait("condition=Ready")
    assert pod.row() == ["1/1", "Running", "0"]


def test_a_paused_container_fails_its_probe_and_is_restarted(node: Cluster) -> None:
    pod = SeenPod(node, "frozen", **LIVENESS)
    pod.wait("condition=Ready")
    container = pod.container
    docker("pause", container)
    pod.healed()
    assert pod.row() == ["1/1", "Running", "1"]
    assert any(r == "Unhealthy" and m.startswith("Liveness probe failed: ") for _, r, m in pod.events())
    until(lambda: ("Normal", "Killing", "Container app failed liveness probe, will be restarted") in pod.events())
    assert "Last State: Terminated" in pod.described()
    running = docker(
        "ps", "--quiet", "--no-trunc", f"--filter=label=naru.dev/cluster={node.id}", "--filter=status=paused"
    )
    assert running == ""


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_an_exit_is_answered_by_the_restart_policy(node: Cluster, policy: str, code: int) -> None:
    pod = SeenPod(node, f"exits-{policy.lower()}-{code}", policy, command=["sh", "-c", f"exit {code}"])
    reason = "Error" if code else "Completed"
    if policy == "Never" or (policy == "OnFailure" and code == 0):
        phase = "Failed" if code else "Succeeded"
        pod.wait(f"jsonpath={{.status.phase}}={phase}")
        assert pod.row() == ["0/1", reason, "0"]
        assert f"State: Terminated\nReason: {reason}\nExit Code: {code}" in pod.described()
        assert "BackOff" not in {reason for _, reason, _ in pod.events()}
    else:
        pod.wait("jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff")
        ready, status, restarts = pod.row()
        assert (ready, status) == ("0/1", "CrashLoopBackOff") and int(restarts) >= 1
        assert f"Last State: Terminated\nReason: {reason}\nExit Code: {code}" in pod.described()
        backing_off = "Back-off restarting failed container app"
        until(lambda: any(r == "BackOff" and m.startswith(backing_off) for _, r, m in pod.events()))


@contextlib.contextmanager
def stopped_agent(node: Cluster) -> Iterator[None]:
    """The agent's process is there, but neither ends nor does anything."""
    found = Process(node.data_dir, "agent").identity()
    assert found is not None
    os.kill(found.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(found.pid, signal.SIGCONT)


def test_a_stopped_agent_turns_its_node_not_ready_and_its_pods_run_on(node: Cluster) -> None:
    steady, dying = SeenPod(node, "steady"), SeenPod(node, "dying")
    for pod in (steady, dying):
        pod.wait("condition=Ready")
    name, container = node.kubectl("get", "nodes", "-o", "name").stdout.strip(), steady.container

    def row() -> list[str]:
        return node.kubectl("get", name, "--no-headers").stdout.split()

    with stopped_agent(node):
        node.kubectl("wait", name, "--for=condition=Ready=Unknown", "--timeout=70s")
        assert row()[1] == "NotReady"
        described = spaced(node.kubectl("describe", name).stdout)
        assert "NodeStatusUnknown Kubelet stopped posting node status." in described
        assert "node.kubernetes.io/unreachable:NoExecute" in described
        steady.wait("condition=Ready=False")
        until(lambda: ("Warning", "NodeNotReady", "Node is not ready") in steady.events())
        assert docker("inspect", "--format", "{{.State.Running}}", container) == "true\n"
        docker("kill", dying.container)

    node.kubectl("wait", name, "--for=condition=Ready", "--timeout=30s")
    assert row()[1] == "Ready"
    dying.healed()
    assert dying.row() == ["1/1", "Running", "1"]
    steady.wait("condition=Ready")
    assert (steady.row(), steady.container) == (["1/1", "Running", "0"], container)
    SeenPod(node, "newcomer").wait("condition=Ready")  # the taints are gone
