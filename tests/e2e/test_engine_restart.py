"""The Docker Engine stops and starts again: the node turns NotReady and says why, and all recovers by itself.

The engine is one of the test's own, beside the machine's: other directories, another socket, and a network namespace, since
a daemon that is to have no bridge removes the one that it finds.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Cluster, free_port

ROOTED = str(pathlib.Path(__file__).parents[2] / "scripts" / "rooted.py")
pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]
POD = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: naru/base, imagePullPolicy: IfNotPresent, command: [sleep, infinity]}
"""


class Engine:
    """A Docker Engine in a folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.host = folder, f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers."""
        f = self.folder
        places = [f"--data-root={f}/data", f"--exec-root={f}/exec", f"--pidfile={f}/pid", f"--host={self.host}"]
        with (f / "log").open("ab") as log:
            options = ["--bridge=none", "--iptables=false", "--ip6tables=false"]
            self._process = subprocess.Popen(
                ["unshare", "--net", sys.executable, ROOTED, "dockerd", *places, *options], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while self.docker("version", check=False).returncode:
            assert self._process.poll() is None and time.monotonic() < deadline, (f / "log").read_text()[-2000:]

    def stop(self) -> None:
        """End it, and with it every container that it runs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["docker", "--host", self.host, *arguments], capture_output=True, timeout=100, check=check
        )


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="naru-engine-"))  # its socket's path must be short
    made = Engine(folder)
    try:
        made.start()
        image = subprocess.run(["docker", "save", "naru/base"], capture_output=True, check=True, timeout=100).stdout
        subprocess.run(
            ["docker", "--host", made.host, "load"], input=image, capture_output=True, check=True, timeout=100
        )
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_the_node_turns_not_ready_with_the_reason_and_recovers(
    engine: Engine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "DOCKER_HOST", engine.host)
    node = Cluster(tmp_path, free_port())
    try:
        node.naru("up", "--detach", "--port", str(node.port))
        node.kubectl("apply", "-f", "-", stdin=POD)
        node.kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=60s")

        engine.stop()
        node.kubectl("wait", "--for=condition=Ready=False", "nodes", "--all", "--timeout=20s")
        described = node.kubectl("describe", "nodes").stdout
        assert "container runtime is down" in described and "KubeletNotReady" in described
        assert "NotReady" in node.kubectl("get", "nodes").stdout

        engine.start()
        node.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=20s")
        node.kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/p", "--timeout=60s")
        node.kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=60s")
    finally:
        node.naru("down", "--delete-data")
