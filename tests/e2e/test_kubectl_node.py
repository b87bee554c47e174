"""Unmodified kubectl on a cluster that runs containers: a day's commands, in the order in which a person tries them."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.e2e.conftest import Cluster

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]
APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, labels: {app: app}}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: naru/base
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "trap 'exit 0' TERM; echo $WORD; sleep infinity & wait"]
        env: [{name: WORD, value: hello}]
"""
SEEN = "{apiVersion: v1, kind: ConfigMap, metadata: {name: seen}}"


@pytest.fixture(scope="module")
def app(node: Cluster) -> Cluster:
    """The Deployment, applied from the client's side and rolled out."""
    said = node.kubectl("apply", "-f", "-", stdin=APP)
    assert said.stdout == "deployment.apps/app created\n" and said.stderr == ""
    done = node.kubectl("rollout", "status", "deployment/app", "--timeout=60s")
    assert "successfully rolled out" in done.stdout
    return node


def pod_of(app: Cluster) -> str:
    """A pod that runs and is not on its way out."""
    items = json.loads(app.kubectl("get", "pods", "-l", "app=app", "-o", "json").stdout)["items"]
    living = [i["metadata"]["name"] for i in items if "deletionTimestamp" not in i["metadata"]]
    return str(living[0])


def logs_of(app: Cluster, pod: str, awaited: str) -> str:
    """All that a pod has said, once that is as long as what it is to say."""
    app.kubectl("logs", "-f", f"--limit-bytes={len(awaited)}", pod)
    return app.kubectl("logs", pod).stdout


def test_apply_again_changed_and_from_the_servers_side(app: Cluster) -> None:
    assert app.kubectl("apply", "-f", "-", stdin=APP).stdout == "deployment.apps/app unchanged\n"
    assert app.kubectl("diff", "-f", "-", stdin=APP).returncode == 0
    changed = APP.replace("replicas: 2", "replicas: 1")
    differs = app.kubectl("diff", "-f", "-", stdin=changed, check=False)
    assert differs.returncode == 1 and "replicas: 1" in differs.stdout
    assert app.kubectl("apply", "-f", "-", stdin=changed).stdout == "deployment.apps/app configured\n"
    app.kubectl("wait", "--for=jsonpath={.status.replicas}=1", "deployment/app", "--timeout=60s")
    server_side = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    assert app.kubectl(*server_side, stdin=APP).stdout == "deployment.apps/app serverside-applied\n"
    app.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/app", "--timeout=60s")


def test_get_shows_tables_yaml_and_changes_as_they_come(app: Cluster) -> None:
    wide = app.kubectl("get", "pods", "-o", "wide").stdout
    assert wide.splitlines()[0].split() == (
        ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
    )
    staying = [line.split()[1:3] for line in wide.splitlines()[1:] if "Terminating" not in line]
    assert staying == [["1/1", "Running"]] * 2
    assert "\nkind: Deployment\n" in app.kubectl("get", "deployment", "app", "-o", "yaml").stdout
    watching = subprocess.Popen(
        app.command("get", "configmaps", "-w", "-o", "name"), env=app.environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "configmap/kube-root-ca.crt\n"
        app.kubectl("create", "-f", "-", stdin=SEEN)
        assert watching.stdout.readline() == "configmap/seen\n"
    finally:
        watching.kill()
        watching.wait()


def test_describe_and_events_tell_what_happened(app: Cluster) -> None:
    described = app.kubectl("describe", "pod", pod_of(app)).stdout
    for word in ("Successfully assigned", "Container created", "Container started", "Restart Count:  0"):
        assert word in described
    assert "Replicas:               2 desired" in app.kubectl("describe", "deployment", "app").stdout
    assert "Ready" in app.kubectl("describe", "nodes").stdout
    assert "ScalingReplicaSet" in app.kubectl("events", "--for", "deployment/app").stdout


def test_logs_are_read_and_followed(app: Cluster) -> None:
    pod = pod_of(app)
    assert logs_of(app, pod, "hello\n") == "hello\n"
    following = subprocess.Popen(
        app.command("logs", "-f", pod), env=app.environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert following.stdout is not None and following.stdout.readline() == "hello\n"
        app.kubectl("exec", pod, "--", "sh", "-c", "echo more > /proc/1/fd/1")
        assert following.stdout.readline() == "more\n"
    finally:
        following.kill()
        following.wait()
    assert app.kubectl("logs", pod, "--tail=1").stdout == "more\n"


def test_exec_gives_output_input_and_exit_codes(app: Cluster) -> None:
    pod = pod_of(app)
    assert app.kubectl("exec", pod, "--", "hostname").stdout == f"{pod}\n"
    assert app.kubectl("exec", "-i", pod, "--", "cat", stdin="through\n").stdout == "through\n"
    failed = app.kubectl("exec", pod, "--", "sh", "-c", "echo no >&2; exit 3", check=False)
    assert failed.returncode == 3 and "no\n" in failed.stderr


def test_scale_set_and_rollout_commands(app: Cluster) -> None:
    app.kubectl("scale", "deployment/app", "--replicas=3")
    app.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=3", "deployment/app", "--timeout=60s")
    app.kubectl("set", "env", "deployment/app", "WORD=again")
    app.kubectl("rollout", "status", "deployment/app", "--timeout=60s")
    assert logs_of(app, pod_of(app), "again\n") == "again\n"
    app.kubectl("set", "image", "deployment/app", "app=naru/base:latest")
    app.kubectl("rollout", "status", "deployment/app", "--timeout=60s")
    history = app.kubectl("rollout", "history", "deployment/app").stdout
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2", "3"]
    app.kubectl("rollout", "undo", "deployment/app", "--to-revision=1")
    app.kubectl("rollout", "status", "deployment/app", "--timeout=60s")
    assert logs_of(app, pod_of(app), "hello\n") == "hello\n"
    before = pod_of(app)
    app.kubectl("rollout", "restart", "deployment/app")
    app.kubectl("rollout", "status", "deployment/app", "--timeout=60s")
    assert pod_of(app) != before


def test_label_wait_and_delete(app: Cluster) -> None:
    pod = pod_of(app)
    app.kubectl("label", "pod", pod, "colour=blue")
    assert app.kubectl("get", "pods", "-l", "colour=blue", "-o", "name").stdout == f"pod/{pod}\n"
    app.kubectl("label", "pod", pod, "colour-")
    app.kubectl("annotate", "deployment", "app", "note=x")
    app.kubectl("delete", "deployment", "app", "--timeout=60s")
    app.kubectl("wait", "--for=delete", "pods", "-l", "app=app", "--timeout=60s")
    assert app.kubectl("get", "all", "-l", "app=app").stderr.startswith("No resources found")
