"""`naru down` lists first and removes only what is the cluster's, also after it was killed; data stays until asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Cluster, free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]
APP = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kept}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: naru/base
    imagePullPolicy: IfNotPresent
    command: [sh, -c, "echo line >> /data/lines; trap exit TERM; sleep infinity & wait"]
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: data, mountPath: /part, subPath: part}
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: kept}}
"""
OTHER = "zzzz"  # no cluster has it: ids are hexadecimal


def told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


class Foreign:
    """Containers, volumes, a network, a bridge and a table that are not the cluster's, some of them named like it."""

    def __init__(self) -> None:
        label = f"--label=naru.dev/cluster={OTHER}"
        self.containers = [
            told("docker", "run", "--detach", *more, "naru/base", "sleep", "infinity").strip()
            for more in ((), (label,))
        ]
        self.volumes = [told("docker", "volume", "create", *more).strip() for more in ((), (label,))]
        self.network = told("docker", "network", "create", f"naru-{os.getpid()}").strip()
        told("ip", "link", "add", f"naru-{OTHER}", "type", "bridge")
        told("nft", "add", "table", "ip", f"naru_{OTHER}")

    def state(self) -> object:
        """All of it as it is: had one been removed, this would fail; had it been restarted or changed, it would differ."""
        containers = json.loads(told("docker", "inspect", *self.containers))
        return (
            [(c["Id"], c["State"]["StartedAt"], c["State"]["Running"], c["RestartCount"]) for c in containers],
            json.loads(told("docker", "volume", "inspect", *self.volumes)),
            json.loads(told("docker", "network", "inspect", self.network)),
            json.loads(told("ip", "-json", "link", "show", "dev", f"naru-{OTHER}"))[0]["ifindex"],
            told("nft", "list", "table", "ip", f"naru_{OTHER}"),
        )

    def remove(self) -> None:
        told("docker", "rm", "--force", *self.containers)
        told("docker", "volume", "rm", *self.volumes)
        told("docker", "network", "rm", self.network)
        told("ip", "link", "delete", f"naru-{OTHER}")
        told("nft", "delete", "table", "ip", f"naru_{OTHER}")


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    made = Foreign()
    before = made.state()
    try:
        yield made
        assert made.state() == before
    finally:
        made.remove()


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster in a directory that is reached through a link, with a pod that has written to its volume."""
    (tmp_path / "where").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "where")
    cluster = Cluster(tmp_path / "link" / "data", free_port())
    try:
        cluster.naru("up", "--detach", "--port", str(cluster.port))
        cluster.kubectl("apply", "-f", "-", stdin=APP)
        cluster.kubectl("wait", "--for=condition=Ready", "pod/writer", "--timeout=60s")
        cluster.kubectl("exec", "writer", "--", "sh", "-c", "echo part > /part/file")
        yield cluster
    finally:
        if (cluster.data_dir / "cluster.json").exists():
            cluster.naru("down", "--delete-data")


def things(cluster: Cluster, identity: str) -> dict[str, list[str]]:
    """What of the cluster is on the machine."""
    label = f"--filter=label=naru.dev/cluster={identity}"
    links = [link["ifname"] for link in json.loads(told("ip", "-json", "link"))]
    return {
        "containers": told("docker", "ps", "--all", "--quiet", label).split(),
        "volumes": told("docker", "volume", "ls", "--quiet", label).split(),
        "devices": [name for name in links if name.startswith((f"nv{identity}", f"naru-{identity}"))],
        "tables": [line for line in told("nft", "list", "tables").splitlines() if line.endswith(f"naru_{identity}")],
        "routes": [line for line in told("ip", "route").splitlines() if "unreachable" in line and identity in line],
        "processes": [line for line in told("ps", "axww", "-o", "args").splitlines() if str(cluster.data_dir) in line],
    }


def test_down_lists_and_removes_what_is_the_clusters_and_users_data_stays(whole: Cluster, foreign: Foreign) -> None:
    identity = whole.id
    before = things(whole, identity)
    assert all(before[sort] for sort in ("containers", "volumes", "devices", "tables", "processes")), before
    (volume,) = before["volumes"]

    planned = whole.naru("down", "--dry-run")
    assert {**things(whole, identity), "processes": []} == {**before, "processes": []}
    said = whole.naru("down")
    for listing in (planned, said):
        for name in ("default/writer/app", "default/writer (sandbox)", *before["devices"]):
            assert name in listing
        assert f"volumes that stay: {volume}" in listing
    assert said.index("to be removed") < said.index("removed\n")
    left = things(whole, identity)
    assert left.pop("volumes") == [volume]
    assert not any(left.values()), left
    held = Path(json.loads(told("docker", "volume", "inspect", volume))[0]["Mountpoint"])
    assert (held / "lines").read_text() == "line\n"
    assert (held / "part" / "file").read_text() == "part\n"

    whole.naru("up", "--detach")
    whole.kubectl("wait", "--for=condition=Ready", "pod/writer", "--timeout=60s")
    assert whole.kubectl("exec", "writer", "--", "cat", "/data/lines").stdout == "line\nline\n"
    assert f"volumes to be deleted, with their data: {volume}" in whole.naru("down", "--delete-data")
    assert not any(things(whole, identity).values())
    assert not whole.data_dir.exists()


@pytest.mark.faults
def test_down_that_was_killed_is_finished_by_the_next(whole: Cluster, foreign: Foreign) -> None:
    identity, command = whole.id, [sys.executable, "-u", "-m", "naru", "down", "--delete-data", "--data-dir"]
    for moment in ("agent: ended", "containers to be removed", "containers: ", "network: ", "volumes: "):
        with subprocess.Popen([*command, str(whole.data_dir)], stdout=subprocess.PIPE, text=True) as down:
            assert down.stdout is not None
            for line in down.stdout:
                if line.startswith(moment):
                    down.kill()
                    break
    if whole.data_dir.exists():
        whole.naru("down", "--delete-data")
    assert not any(things(whole, identity).values())
    assert not whole.data_dir.exists()
