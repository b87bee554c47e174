"""The same server in a container of the engine, on the engine's own bridge."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import docker

from benchmarks.vm.initramfs import Server
from benchmarks.vm.waiting import until_answered

LABEL = "naru-bench-vm"
PATIENCE = 30.0


class Running(NamedTuple):
    """A container whose server has answered: after how long, its processes and its shim."""

    seconds: float
    pids: Sequence[int]
    shim: int


@contextlib.contextmanager
def container(server: Server) -> Iterator[Running]:
    """Create and start one, and remove it with the block."""
    api = docker.APIClient(timeout=60)
    begun = time.monotonic()
    host = api.create_host_config(extra_hosts=dict.fromkeys(server.hosts, "127.0.0.1"))
    made = api.create_container(server.image, labels={LABEL: ""}, host_config=host)["Id"]
    try:
        api.start(made)
        told = api.inspect_container(made)
        addresses = [network["IPAddress"] for network in told["NetworkSettings"]["Networks"].values()]
        until_answered(addresses[0], server.port, server.path, PATIENCE)
        seconds = time.monotonic() - begun
        rows = api.top(made, "-o pid")["Processes"]
        yield Running(seconds, [int(row[0]) for row in rows], parent(told["State"]["Pid"]))
    finally:
        api.remove_container(made, force=True)
        api.close()


def image_size(image: str) -> int:
    """Bytes of an image's layers."""
    told = subprocess.run(["docker", "image", "inspect", "-f", "{{.Size}}", image], check=True, capture_output=True)
    return int(told.stdout)


def parent(pid: int) -> int:
    """The process that started another."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
