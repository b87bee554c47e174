"""`naru apply`, `delete`, `status` and `kubeconfig`, and the same as curl does it, against a control plane alone."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml

from tests.e2e.conftest import Cluster

SHOP = pathlib.Path(__file__).parents[2] / "manifests" / "shop"
QUIET = """\
apiVersion: v1
kind: Namespace
metadata: {name: quiet}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: quiet, labels: {app: quiet}}
data: {k: v}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: none, namespace: quiet}
spec:
  replicas: 0
  selector: {matchLabels: {app: none}}
  template:
    metadata: {labels: {app: none}}
    spec: {containers: [{name: c, image: i}]}
"""


def naru(*arguments: str, stdin: str = "", home: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does."""
    environment = {**os.environ, "HOME": str(home)} if home else None
    command = [sys.executable, "-m", "naru", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, env=environment)


class Unix(http.client.HTTPConnection):
    """What `curl --unix-socket` does."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__("naru", timeout=20)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(self.path))


@pytest.fixture
def curl(cluster: Cluster) -> Iterator[Unix]:
    connection = Unix(cluster.data_dir / "naru.sock")
    yield connection
    connection.close()


def test_apply_shows_each_step_and_delete_removes_the_same(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    data = ("--data-dir", str(cluster.data_dir))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "quiet.yaml").write_text(QUIET)
    refused = naru("apply", *data, "-f", str(tmp_path))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no .yaml, .yml or .json file (-R looks into the folders below)" in refused.stderr
    done = naru("apply", *data, "-R", "-f", str(tmp_path))
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[:3] == [
        "namespace/quiet created",
        "configmap/one created in quiet",
        "deployment.apps/none created in quiet",
    ]
    assert "deployment.apps/none ready in quiet" in said
    assert said[-1].startswith("3 created; all ready after ")
    again = naru("apply", *data, "-f", "-", stdin=QUIET)
    assert "deployment.apps/none unchanged in quiet" in again.stdout.splitlines()
    gone = naru("delete", *data, "-f", "-", stdin=QUIET)
    assert gone.returncode == 0, gone.stderr
    assert "namespace/quiet gone" in gone.stdout.splitlines()
    assert cluster.kubectl("get", "namespace", "quiet", check=False).returncode == 1


def test_the_example_waits_for_a_node_and_says_so(cluster: Cluster) -> None:
    data = ("--data-dir", str(cluster.data_dir))
    done = naru("apply", *data, "-f", str(SHOP), "--timeout", "3")
    assert done.returncode == 1
    assert "no nodes available to schedule pods" in done.stdout
    assert done.stderr.startswith("naru: 10 created; not ready after 3 s: ")
    gone = naru("delete", *data, "-f", str(SHOP), "--no-wait")
    assert gone.returncode == 0, gone.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("-f", "/nowhere.yaml"), "", "/nowhere.yaml: No such file or directory"),
        (("-f", "-"), "a: [", "standard input: error converting YAML to JSON"),
        (("-f", "-"), "", "no objects passed to apply"),
        (("-f", "-"), "apiVersion: v1\nkind: Foo\nmetadata: {name: x}\n", 'no matches for kind "Foo" in version "v1"'),
        (("-f", "-", "--prune"), QUIET, "prune=true and selector=LABEL=VALUE go together"),
        (("-f", "-", "--kubeconfig", "/nowhere"), QUIET, "/nowhere has no current context with a server and a token"),
        (("-f", "-", "--data-dir", "/nowhere"), QUIET, "no cluster runs in /nowhere: start one with naru up"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(
    cluster: Cluster, arguments: tuple[str, ...], stdin: str, words: str
) -> None:
    done = naru("apply", "--data-dir", str(cluster.data_dir), *arguments, stdin=stdin)
    assert done.returncode == 1
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1 and words in done.stderr


def test_curl_applies_over_the_socket_with_progress_and_prunes(cluster: Cluster, curl: Unix) -> None:
    curl.request("POST", "/apply?wait=ready", QUIET)
    answer = curl.getresponse()
    said = answer.read().decode().splitlines()
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain")
    assert said[0] == "namespace/quiet created" and said[-1].startswith("3 created; all ready after ")
    fewer = QUIET.replace("name: one", "name: two")
    curl.request("POST", "/apply?prune=true&selector=app%3Dquiet", fewer, {"Accept": "application/json"})
    answer = curl.getresponse()
    results = json.loads(answer.read())["results"]
    assert [(r["name"], r["outcome"]) for r in results] == [
        ("quiet", "unchanged"),
        ("two", "created"),
        ("none", "unchanged"),
        ("one", "pruned"),
    ]
    curl.request("DELETE", "/apply?wait=deleted", QUIET)
    said = curl.getresponse().read().decode().splitlines()
    assert "configmap/one absent in quiet" in said
    assert said[-1].startswith("2 deleted, 1 absent; all gone after ")


def test_status_tells_processes_nodes_and_what_is_open(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    done = naru("status", "--data-dir", str(cluster.data_dir))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith(f"in {cluster.data_dir}, https://127.0.0.1:{cluster.port}")
    assert lines[1] == "at boot: nothing starts it (naru up --at-boot)"
    assert lines[2].split()[:2] == ["server", "pid"] and lines[2].endswith("MiB")
    assert lines[3].split() == ["agent", "not", "running"]
    assert "nodes" in lines and any(line.split()[:2] == ["default", "kubernetes"] for line in lines)
    nothing = naru("status", "--data-dir", str(tmp_path))
    assert nothing.returncode == 3 and "no cluster in" in nothing.stderr


def test_the_kubeconfig_is_merged_and_nothing_else_is_lost(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    mine = tmp_path / ".kube" / "config"
    mine.parent.mkdir()
    other = {"name": "other", "cluster": {"server": "https://example.com"}}
    mine.write_text(yaml.safe_dump({"clusters": [other], "contexts": [], "users": [], "preferences": {"colors": True}}))
    mine.chmod(0o644)
    for _ in range(2):  # the second time replaces, and adds nothing
        done = naru("kubeconfig", "--data-dir", str(cluster.data_dir), "--merge", home=tmp_path)
        assert done.returncode == 0, done.stderr
    merged = yaml.safe_load(mine.read_text())
    assert merged["clusters"][0] == other and len(merged["clusters"]) == 2
    assert merged["preferences"] == {"colors": True}
    assert stat.S_IMODE(mine.stat().st_mode) == 0o600
    applied = naru("apply", "--kubeconfig", str(mine), "--data-dir", "/nowhere", "-f", "-", stdin=QUIET)
    assert applied.returncode == 0, applied.stderr
    assert naru("delete", "--kubeconfig", str(mine), "-f", "-", stdin=QUIET).returncode == 0


def test_a_file_that_is_no_kubeconfig_is_left_as_it_is(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    mine = tmp_path / "config"
    mine.write_text("clusters: 5\n")
    done = naru("kubeconfig", "--data-dir", str(cluster.data_dir), "--into", str(mine))
    assert done.returncode == 1 and f"{mine} is no kubeconfig" in done.stderr
    assert mine.read_text() == "clusters: 5\n"
