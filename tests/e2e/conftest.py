"""A control plane of its own for each module: started as people start it, on a free port, in a directory of its own."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from naru.processes import Process


class Cluster(NamedTuple):
    """A running control plane."""

    data_dir: pathlib.Path
    port: int

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.data_dir / "token").read_text()

    def kubectl(self, *arguments: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the unmodified kubectl against it."""
        command = [str(pathlib.Path(sys.executable).with_name("kubectl")), "--request-timeout=20s", *arguments]
        environment = {**os.environ, "KUBECONFIG": str(self.data_dir / "kubeconfig"), "HOME": str(self.data_dir)}
        done = subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def started(data_dir: pathlib.Path, *arguments: str) -> Iterator[Cluster]:
    """A control plane until the caller is done with it."""
    port, process = free_port(), Process(data_dir, "server")
    process.start(["--port", str(port), *arguments])
    try:
        yield Cluster(data_dir, port)
    finally:
        process.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With all controllers."""
    yield from started(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="module")
def api_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Without controllers: only requests change objects."""
    yield from started(tmp_path_factory.mktemp("api"), "--controllers", "")
