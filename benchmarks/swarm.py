"""A peer: Docker Swarm, one node, on an engine of its own, that nothing leaves and nothing is left of.

The engine is a second dockerd in a network namespace that has no way out, with its data, its socket and its containerd in a
directory that is removed after. All times are milliseconds; a death begins when the process is killed from outside.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker

from benchmarks.engine import COMMAND, IMAGE, LOOK_EVERY, PATIENCE, moment

NAMESPACE, ADDRESS = "naru-bench-swarm", "198.18.255.1"
STOP_PATIENCE = 30.0


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Swarm:
    """One manager that is also the worker. Make it with `running`."""

    def __init__(self, socket: Path) -> None:
        self.api: Any = docker.APIClient(base_url=f"unix://{socket}", timeout=60, version="auto")
        self._made = 0

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[Swarm]:
        """Start the second engine and its swarm; end both, and remove all of them."""
        with contextlib.ExitStack() as stack:
            directory = Path(tempfile.mkdtemp(prefix="naru-bench-swarm-"))
            stack.callback(_remove, directory)
            _run("ip", "netns", "add", NAMESPACE)
            stack.callback(_run, "ip", "netns", "delete", NAMESPACE)
            for command in (
                "link set lo up", "link add out type bridge", f"address add {ADDRESS}/24 dev out", "link set out up",
            ):  # fmt: skip
                _run("ip", "-n", NAMESPACE, *command.split())
            sock = directory / "docker.sock"
            stack.enter_context(_daemon(directory, sock))
            swarm = cls(sock)
            stack.callback(swarm.api.close)
            _copy(IMAGE, sock)
            swarm.api.init_swarm(advertise_addr=ADDRESS, listen_addr=f"{ADDRESS}:2377")
            stack.callback(swarm.api.leave_swarm, force=True)
            yield swarm

    def _service(self, replicas: int) -> str:
        self._made += 1
        template = {"ContainerSpec": {"Image": IMAGE, "Command": COMMAND}}
        mode = {"Replicated": {"Replicas": replicas}}
        made = self.api.create_service(template, name=f"bench-{self._made}", mode=mode)
        return str(made["ID"])

    def _running(self, service: str) -> list[dict[str, Any]]:
        filters = {"service": service, "desired-state": "running"}
        return [task for task in self.api.tasks(filters) if task["Status"]["State"] == "running"]

    def pods(self, count: int) -> float:
        """A service of so many tasks, from its creation until all run; it is removed after."""
        begun = time.perf_counter()
        service = self._service(count)
        _wait(lambda: len(self._running(service)) == count, f"{count} tasks do not come to run")
        took = 1000 * (time.perf_counter() - begun)
        self._end(service)
        return took

    def heal(self) -> float:
        """Kill a task's process; until its replacement's start by the engine's clock (Swarm waits 5 s, if not told less)."""
        service = self._service(1)
        _wait(lambda: bool(self._running(service)), "no task comes to run")
        (first,) = self._running(service)
        killed = time.time()
        os.kill(first["Status"]["ContainerStatus"]["PID"], signal.SIGKILL)
        _wait(lambda: any(task["ID"] != first["ID"] for task in self._running(service)), "no task replaces the killed")
        (second,) = (task for task in self._running(service) if task["ID"] != first["ID"])
        container = self.api.inspect_container(second["Status"]["ContainerStatus"]["ContainerID"])
        self._end(service)
        return 1000 * (moment(container["State"]["StartedAt"]) - killed)

    def _end(self, service: str) -> None:
        self.api.remove_service(service)
        for row in self.api.containers(all=True):
            with contextlib.suppress(docker.errors.APIError):  # Swarm removes them as well
                self.api.remove_container(row["Id"], force=True)
        _wait(lambda: not self.api.containers(all=True), "containers of a removed service stay")


def _wait(holds: Callable[[], bool], why_not: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > ends:
            raise RuntimeError(why_not)
        time.sleep(LOOK_EVERY / 4)


def _answers(sock: Path) -> bool:
    with contextlib.closing(docker.APIClient(base_url=f"unix://{sock}", version="1.40")) as api:
        try:
            return bool(api.ping())
        except (OSError, docker.errors.DockerException):
            return False


@contextlib.contextmanager
def _daemon(directory: Path, sock: Path) -> Iterator[None]:
    """dockerd from when it answers until it has ended."""
    # Not by `ip netns exec`, which mounts a /sys of its own, without cgroups.
    command = ["nsenter", f"--net=/run/netns/{NAMESPACE}", "dockerd", "--host", f"unix://{sock}"]
    command += ["--data-root", str(directory / "data"), "--exec-root", str(directory / "run")]
    command += ["--pidfile", str(directory / "pid")]
    with (directory / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        with contextlib.suppress(RuntimeError):
            _wait(lambda: daemon.poll() is not None or (sock.exists() and _answers(sock)), "")
        if not _answers(sock):
            raise RuntimeError(f"a second dockerd does not start: {(directory / 'log').read_text()[-1000:]}")
        yield
    finally:
        daemon.terminate()
        try:
            daemon.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _copy(image: str, sock: Path) -> None:
    """From the machine's engine to the second one."""
    saved = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
    subprocess.run(["docker", "-H", f"unix://{sock}", "load", "--quiet"], stdin=saved.stdout, check=True, stdout=-3)
    if saved.wait():
        raise RuntimeError(f"docker save {image} failed")


def _remove(directory: Path) -> None:
    """The directory, and what is still mounted in it."""
    mounts = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{directory}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False)
    shutil.rmtree(directory, ignore_errors=True)
