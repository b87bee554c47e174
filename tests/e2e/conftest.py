"""A cluster of its own for each module: started as people start it, on a free port, in a directory of its own.

Those who only look share one for the whole session, on which the example runs."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from naru.config import ClusterConfig
from naru.processes import Process
from tests.engines import Engine


class Cluster(NamedTuple):
    """A running control plane, or a whole cluster: on the machine's Docker Engine, or on a test's own and in its network."""

    data_dir: pathlib.Path
    port: int
    engine: Engine | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.data_dir / "token").read_text()

    def kubectl(self, *arguments: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the unmodified kubectl against it."""
        done = subprocess.run(
            self.command(*arguments), env=self.environment(), input=stdin, capture_output=True, text=True, timeout=110
        )
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done

    def command(self, *arguments: str) -> list[str]:
        """The command line of a kubectl command."""
        return [*self._inside(), str(pathlib.Path(sys.executable).with_name("kubectl")), *arguments]

    def environment(self) -> dict[str, str]:
        """What kubectl needs to find the cluster, and nobody else's."""
        return {**os.environ, "KUBECONFIG": str(self.data_dir / "kubeconfig"), "HOME": str(self.data_dir)}

    def naru(self, *arguments: str) -> str:
        """Run a naru command on it; what it prints."""
        command = [sys.executable, "-m", "naru", arguments[0], "--data-dir", str(self.data_dir), *arguments[1:]]
        done = self.run(*command, check=False)
        assert done.returncode == 0, f"naru {' '.join(arguments)}: {done.stdout}{done.stderr}{self.logs()}"
        return done.stdout

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command where the cluster is: in its network, with its engine."""
        env = {**os.environ, "DOCKER_HOST": self.engine.host} if self.engine else None
        whole = [*self._inside(), *command]
        return subprocess.run(whole, env=env, capture_output=True, text=True, timeout=110, check=check)

    def _inside(self) -> list[str]:
        return list(self.engine.inside) if self.engine else []

    def kill(self, *names: str) -> None:
        """kill -9 of its server, its agent, or both."""
        for name in names:
            os.kill(self.pid(name), signal.SIGKILL)

    def pid(self, name: str) -> int:
        """The number of its server's or its agent's process, which runs."""
        found = Process(self.data_dir, name).identity()
        assert found is not None, f"no {name} runs{self.logs()}"
        return found.pid

    def containers(self, *filters: str) -> set[str]:
        """The ids of its running containers, sandboxes included."""
        told = [f"--filter=label=naru.dev/cluster={self.id}", *(f"--filter={f}" for f in filters)]
        return {*self.run("docker", "ps", "--no-trunc", "--quiet", *told).stdout.split()}

    def devices(self) -> list[str]:
        """The kernel's devices of its pods."""
        links = json.loads(self.run("ip", "-json", "link").stdout)
        return [link["ifname"] for link in links if link["ifname"].startswith(f"nv{self.id}")]

    def logs(self) -> str:
        """The ends of its processes' logs, for a failure's message."""
        files = sorted((self.data_dir / "logs").glob("*.log"))
        return "".join(f"\n--- {f.name}\n" + "\n".join(f.read_text().splitlines()[-15:]) for f in files)

    @property
    def id(self) -> str:
        """What its containers and devices are known by."""
        config = ClusterConfig.read(self.data_dir)
        assert config is not None
        return config.id


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


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A whole cluster: control plane and node agent on this machine's Docker Engine. Nothing of it is left after."""
    whole = Cluster(tmp_path_factory.mktemp("node"), free_port())
    try:
        whole.naru("up", "--detach", "--port", str(whole.port))
        yield whole
    finally:
        if whole.data_dir.joinpath("cluster.json").exists():
            whole.naru("down", "--delete-data")


@pytest.fixture(scope="session")
def shop_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A whole cluster on which the example is ready, for all who only look and kill a container now and then."""
    from tests.e2e.test_shop import MANIFESTS, free_node_port

    whole = Cluster(tmp_path_factory.mktemp("shop"), free_port())
    try:
        whole.naru("up", "--detach", "--port", str(whole.port))
        manifests = "".join(path.read_text() for path in sorted(MANIFESTS.glob("*.yaml")))
        applied = whole.data_dir / "shop.yaml"
        applied.write_text(manifests.replace("nodePort: 30080", f"nodePort: {free_node_port()}"))
        whole.naru("apply", "-f", str(applied), "--timeout", "100")
        yield whole
    finally:
        if whole.data_dir.joinpath("cluster.json").exists():
            whole.naru("down", "--delete-data")
