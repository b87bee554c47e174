"""A full disk under the engine: the pod that finds no room says so, what runs runs on, and room is all that it needs."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from tests.disks import Disk, small_disk
from tests.e2e.conftest import Cluster, free_port
from tests.engines import Engine

pytestmark = [pytest.mark.docker, pytest.mark.faults, pytest.mark.timeout(600)]
MEGABYTES = 400  # the image naru/base, and some room


@pytest.fixture
def cramped(tmp_path: pathlib.Path) -> Iterator[tuple[Cluster, Disk]]:
    """A whole cluster on an engine whose data is on a small disk."""
    engine = Engine(pathlib.Path(tempfile.mkdtemp(prefix="naru-engine-")))
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path / "image", tmp_path / "disk", MEGABYTES))
        (engine.folder / "data").symlink_to(disk.path)
        engine.make_network()
        stack.callback(engine.remove_network)
        stack.callback(engine.remove)
        engine.start()
        engine.load("naru/base")
        cluster = Cluster(tmp_path / "cluster", free_port(), engine)
        stack.callback(cluster.naru, "down", "--delete-data")
        cluster.naru("up", "--detach", "--port", str(cluster.port))
        yield cluster, disk


def pod(name: str) -> str:
    container = {
        "name": "app",
        "image": "naru/base",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
    }
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def test_a_pod_that_finds_no_room_on_the_engines_disk_says_so_and_starts_when_there_is(
    cramped: tuple[Cluster, Disk],
) -> None:
    cluster, disk = cramped
    cluster.kubectl("apply", "-f", "-", stdin=pod("before"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/before", "--timeout=60s")
    running = cluster.containers()

    disk.fill()
    cluster.kubectl("apply", "-f", "-", stdin=pod("cramped"))
    warnings, shown = "involvedObject.name=cramped,type=Warning", "jsonpath={.reason} {.message}{'\\n'}"
    command = cluster.command("get", "events", "--watch", f"--field-selector={warnings}", "-o", shown)
    with subprocess.Popen(command, env=cluster.environment(), stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        said = watching.stdout.readline()
        watching.kill()
    assert said.startswith("FailedCreatePodSandBox ") and "no space left on device" in said
    assert running <= cluster.containers()
    assert cluster.kubectl("get", "pod/before", "-o", "jsonpath={.status.phase}").stdout == "Running"

    disk.give_room()
    cluster.kubectl("wait", "--for=condition=Ready", "pod/cramped", "--timeout=120s")
    assert running <= cluster.containers()
