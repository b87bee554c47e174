"""kubectl's logs, exec, cp, attach and port-forward against a whole cluster, and a pod's own token."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import ssl
import struct
import subprocess
import termios
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Cluster

pytestmark = pytest.mark.docker
TALKS = "i=0; while [ $i -lt 5 ]; do echo line $i; i=$((i+1)); done; exec sleep 9999"
LISTENS = """use IO::Socket; $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8000, Listen => 5);
    while ($c = $s->accept) { <$c>; print $c "HTTP/1.0 200 OK\\r\\n\\r\\nfrom inside"; close $c }"""


def pod(name: str, *containers: dict[str, object]) -> dict[str, object]:
    spec = {"terminationGracePeriodSeconds": 0, "containers": [*containers]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def container(name: str, *command: str, **more: object) -> dict[str, object]:
    return {"name": name, "image": "naru/base", "imagePullPolicy": "IfNotPresent", "command": [*command], **more}


PODS = [
    pod("talks", container("c", "sh", "-c", TALKS)),
    pod("two", container("a", "sleep", "9999"), container("b", "sleep", "9999")),
    pod("fails", container("c", "sh", "-c", "echo last words; exit 3")),
    pod("shell", container("c", "sh", stdin=True, tty=True)),
    pod("listens", container("c", "perl", "-e", LISTENS)),
    pod("nowhere", container("c", "true", image="naru/nowhere:never", imagePullPolicy="Never")),
]


@pytest.fixture(scope="module")
def pods(node: Cluster) -> Cluster:
    """A cluster with the pods above, those that can be ready."""
    node.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(body) for body in PODS))
    ready = ("pod/talks", "pod/two", "pod/shell", "pod/listens")
    node.kubectl("wait", "--for=condition=Ready", "--timeout=60s", *ready)
    restarted = "--for=jsonpath={.status.containerStatuses[0].restartCount}=1"
    node.kubectl("wait", restarted, "--timeout=60s", "pod/fails")
    return node


@contextlib.contextmanager
def running(cluster: Cluster, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A kubectl that goes on until the block ends."""
    command = cluster.command(*arguments)
    process = subprocess.Popen(command, env=cluster.environment(), stdout=subprocess.PIPE, text=True, bufsize=1)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def in_terminal(cluster: Cluster, typed: str, *arguments: str) -> tuple[int, str]:
    """Run kubectl in a terminal of 101 by 37, type once it has said something; its exit code and all it showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(cluster.command()[0], cluster.command(*arguments), cluster.environment())
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 37, 101, 0, 0))
    shown = os.read(terminal, 4096)
    os.write(terminal, typed.encode())
    with contextlib.suppress(OSError):  # Linux says so when the other side of a terminal has gone
        while chunk := os.read(terminal, 4096):
            shown += chunk
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


def test_logs_by_tail_and_time(pods: Cluster) -> None:
    assert pods.kubectl("logs", "talks").stdout.splitlines() == [f"line {i}" for i in range(5)]
    assert pods.kubectl("logs", "talks", "--tail=2").stdout == "line 3\nline 4\n"
    assert pods.kubectl("logs", "talks", "--since=1h", "--limit-bytes=6").stdout == "line 0"
    assert pods.kubectl("logs", "talks", "--timestamps", "--tail=1").stdout.endswith("Z line 4\n")


def test_logs_of_the_previous_container(pods: Cluster) -> None:
    assert pods.kubectl("logs", "fails", "--previous").stdout == "last words\n"
    refused = pods.kubectl("logs", "talks", "--previous", check=False)
    assert refused.stderr == (
        'Error from server (BadRequest): previous terminated container "c" in pod "talks" not found\n'
    )


def test_logs_that_are_not_there_yet(pods: Cluster) -> None:
    pods.kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImageNeverPull",
                 "--timeout=30s", "pod/nowhere")  # fmt: skip
    refused = pods.kubectl("logs", "nowhere", check=False)
    assert refused.stderr == (
        'Error from server (BadRequest): container "c" in pod "nowhere" is waiting to start: ErrImageNeverPull\n'
    )


def test_followed_logs_end_with_their_pod(pods: Cluster) -> None:
    leaving = pod("leaving", container("c", "sh", "-c", "echo begun; exec sleep 9999"))
    pods.kubectl("apply", "-f", "-", stdin=json.dumps(leaving))
    pods.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "pod/leaving")
    with running(pods, "logs", "-f", "leaving") as following:
        assert following.stdout and following.stdout.readline() == "begun\n"
        pods.kubectl("delete", "pod", "leaving", "--now")
        assert following.wait(30) == 0


def test_exec_tells_outputs_and_exit_code(pods: Cluster) -> None:
    done = pods.kubectl("exec", "two", "-c", "b", "--", "sh", "-c", "echo out; echo err >&2; exit 5", check=False)
    assert (done.returncode, done.stdout) == (5, "out\n")
    assert done.stderr == "err\ncommand terminated with exit code 5\n"


def test_exec_reads_standard_input_to_its_end(pods: Cluster) -> None:
    text = "".join(f"{i}\n" for i in range(100_000))
    assert pods.kubectl("exec", "-i", "two", "-c", "a", "--", "wc", "-c", stdin=text).stdout.strip() == str(len(text))


def test_exec_in_a_terminal(pods: Cluster) -> None:
    code, shown = in_terminal(pods, "stty size; exit 4\n", "exec", "-it", "two", "-c", "a", "--", "bash")
    assert code == 4 and "37 101" in shown


def test_exec_of_what_cannot_be(pods: Cluster) -> None:
    done = pods.kubectl("exec", "nowhere", "--", "true", check=False)
    assert done.returncode == 1 and 'container not found ("c")' in done.stderr


def test_attach_to_a_shell(pods: Cluster) -> None:
    code, shown = in_terminal(pods, "echo sum $((40+2)); exit\n", "attach", "-it", "shell")
    assert code == 0 and "sum 42" in shown


def test_files_are_copied_both_ways(pods: Cluster, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "there").write_bytes(data)
    pods.kubectl("cp", str(tmp_path / "there"), "two:/tmp/file", "-c", "a")
    pods.kubectl("cp", "two:/tmp/file", str(tmp_path / "back"), "-c", "a")
    assert (tmp_path / "back").read_bytes() == data


def test_a_port_of_the_pods_loopback_is_forwarded(pods: Cluster) -> None:
    with running(pods, "port-forward", "listens", ":8000") as forwarding:
        assert forwarding.stdout
        local = forwarding.stdout.readline().split(" -> ")[0].rpartition(":")[2]
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{local}/", timeout=10) as answer:
                assert answer.read() == b"from inside"


def ask(cluster: Cluster, token: str, path: str, body: bytes | None = None) -> tuple[int, dict]:
    """Ask the API with a token; code and answer."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(cluster.url + path, data=body, headers=headers)
    trusted = ssl.create_default_context(cafile=cluster.data_dir / "ca.crt")
    try:
        with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_a_pods_token_is_its_account_until_the_pod_is_gone(pods: Cluster) -> None:
    pods.kubectl("apply", "-f", "-", stdin=json.dumps(pod("holder", container("c", "sleep", "9999"))))
    pods.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "pod/holder")
    token = pods.kubectl("exec", "holder", "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token").stdout
    code, review = ask(pods, token, "/apis/authentication.k8s.io/v1/selfsubjectreviews", b"{}")
    assert (code, review["status"]["userInfo"]["username"]) == (201, "system:serviceaccount:default:default")
    assert ask(pods, token, "/api/v1/namespaces/default/secrets")[0] == 403
    pods.kubectl("delete", "pod", "holder", "--force")
    assert ask(pods, token, "/version")[0] == 401
