"""Backup and restore of a live cluster, as people do it: kubectl, `naru backup`, kubectl, `naru restore`, kubectl."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubeapi import registry
from kubeapi.client.client import Client
from kubeapi.client.http import HttpTransport
from kubeapi.client.informer import Informer
from kubeapi.core_v1.types import ConfigMap
from naru.processes import Process, StartError
from tests.e2e.conftest import Cluster, started
from tests.e2e.test_crash import APP
from tests.waiting import until


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Cluster]:
    """A control plane that may be ended and started."""
    yield from started(tmp_path / "data")


def set_to(cluster: Cluster, name: str, value: str) -> None:
    """A ConfigMap with a value."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))


def values(cluster: Cluster) -> dict[str, str]:
    """All ConfigMaps' values that the tests have set."""
    told = json.loads(cluster.kubectl("get", "configmaps", "-o", "json").stdout)
    return {item["metadata"]["name"]: item["data"]["value"] for item in told["items"] if "value" in item["data"]}


def refused(cluster: Cluster, *arguments: str) -> str:
    """What a naru command that fails says."""
    command = [sys.executable, "-m", "naru", arguments[0], "--data-dir", str(cluster.data_dir), *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_a_live_cluster_is_again_what_it_was(live: Cluster, tmp_path: Path) -> None:
    backup = tmp_path / "cluster.backup"
    set_to(live, "kept", "before")
    set_to(live, "deleted", "before")
    token = live.kubectl("create", "token", "default").stdout.strip()
    pid = Process(live.data_dir, "server").identity()
    assert "objects of cluster" in live.naru("backup", str(backup))
    assert Process(live.data_dir, "server").identity() == pid
    set_to(live, "kept", "after")
    set_to(live, "made", "after")
    live.kubectl("delete", "configmap", "deleted")
    newest = json.loads(live.kubectl("get", "--raw", "/api/v1/configmaps").stdout)["metadata"]["resourceVersion"]

    said = live.naru("restore", str(backup))
    assert "server: ended" in said and "server: ready" in said
    assert values(live) == {"kept": "before", "deleted": "before"}
    set_to(live, "new", "since")
    told = json.loads(live.kubectl("get", "configmap", "new", "-o", "json").stdout)
    assert int(told["metadata"]["resourceVersion"]) > int(newest)
    gone = live.kubectl("get", "--raw", f"/api/v1/configmaps?watch=1&resourceVersion={newest}").stdout
    assert json.loads(gone)["object"]["code"] == 410
    assert "default" in live.kubectl("auth", "whoami", "--token", token).stdout
    (aside,) = live.data_dir.glob("replaced-*")
    assert (aside / "store.db").exists() and aside.stat().st_mode & 0o777 == 0o700


async def test_an_informer_that_saw_the_lost_life_sees_the_restored_one(live: Cluster, tmp_path: Path) -> None:
    """Its cache has what the backup does not know, at revisions that must not come again."""
    set_to(live, "kept", "before")
    live.naru("backup", str(tmp_path / "cluster.backup"))
    set_to(live, "kept", "after")
    set_to(live, "made", "after")
    transport = HttpTransport(live.url, token=live.token, ca=live.data_dir / "ca.crt")
    seen = Informer(Client(transport, registry.load(), "test"), ConfigMap, namespace="default")
    changed = asyncio.Event()
    seen.on_change(lambda *_: changed.set())

    def known() -> dict[str, str]:
        return {found.metadata.name: found.data["value"] for found in seen.list() if "value" in (found.data or {})}

    await seen.start()
    try:
        await seen.synced()
        assert known() == {"kept": "after", "made": "after"}
        await asyncio.to_thread(live.naru, "restore", str(tmp_path / "cluster.backup"))
        async with asyncio.timeout(30):
            while known() != {"kept": "before"}:
                changed.clear()
                await changed.wait()
    finally:
        await seen.stop()
        await transport.close()


def test_a_cluster_comes_back_from_nothing_but_its_backup_with_its_clients_credentials(
    live: Cluster, tmp_path: Path
) -> None:
    set_to(live, "kept", "before")
    live.naru("backup", str(tmp_path / "cluster.backup"))
    Process(live.data_dir, "server").stop()
    lost = live.data_dir.rename(tmp_path / "lost")
    assert "naru up starts it" in live.naru("restore", str(tmp_path / "cluster.backup"))
    Process(live.data_dir, "server").start([])
    of_before = Cluster(lost, live.port)  # its kubeconfig names a certificate that is where it was
    (lost / "kubeconfig").write_text((lost / "kubeconfig").read_text().replace(str(live.data_dir), str(lost)))
    assert values(of_before) == values(live) == {"kept": "before"}


def test_what_can_not_be_restored_leaves_the_cluster_running_as_it_is(live: Cluster, tmp_path: Path) -> None:
    backup = tmp_path / "cluster.backup"
    set_to(live, "kept", "now")
    live.naru("backup", str(backup))
    pid = Process(live.data_dir, "server").identity()
    whole = backup.read_bytes()
    backup.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refused(live, "restore", str(backup))
    backup.write_text("kind: List\n")
    assert "no backup of Naru's" in refused(live, "restore", str(backup))
    assert Process(live.data_dir, "server").identity() == pid
    assert values(live) == {"kept": "now"}


def test_a_damaged_store_is_said_at_start_with_what_to_do_and_doing_that_helps(live: Cluster, tmp_path: Path) -> None:
    set_to(live, "kept", "before")
    live.naru("backup", str(tmp_path / "cluster.backup"))
    server = Process(live.data_dir, "server")
    server.stop()
    store = live.data_dir / "store.db"
    whole = store.read_bytes()
    store.write_bytes(whole[:4096] + bytes(4096) + whole[8192:])
    before = server.log.stat().st_size
    with pytest.raises(StartError, match=r"naru: .*store\.db.* damaged.*naru restore FILE"):
        server.start([])
    assert "Traceback" not in server.log.read_text()[before:]
    assert "damaged" in refused(live, "backup", str(tmp_path / "another.backup"))
    live.naru("restore", str(tmp_path / "cluster.backup"))
    server.start([])
    assert values(live) == {"kept": "before"}


@pytest.mark.docker
@pytest.mark.faults
@pytest.mark.timeout(240)
def test_pods_become_what_the_restored_objects_say_and_those_of_both_lives_run_on(
    node: Cluster, tmp_path: Path
) -> None:
    def deployment(name: str) -> str:
        return APP.replace("{name: app}", f"{{name: {name}}}", 1).replace("replicas: 3", "replicas: 1")

    def running(name: str) -> str:
        """The container of the Deployment's pod."""
        asked = "jsonpath={.items[*].status.containerStatuses[0].containerID}"
        return node.kubectl("get", "pods", "-l", f"app={name}", "-o", asked).stdout

    def make(name: str) -> None:
        node.kubectl("apply", "-f", "-", stdin=deployment(name).replace("app: app", f"app: {name}"))
        node.kubectl("wait", "--for=condition=Available", f"deployment/{name}", "--timeout=60s")

    with subprocess.Popen(
        [sys.executable, "-m", "naru", "up", "--data-dir", str(node.data_dir)], stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        assert any("Ctrl-C" in line for line in up.stdout)
        try:
            make("both")
            make("deleted")
            container, ended = running("both"), running("deleted")
            node.naru("backup", str(tmp_path / "cluster.backup"))
            node.kubectl("delete", "deployment/deleted", "--cascade=foreground", "--timeout=60s")
            make("made")

            node.naru("restore", str(tmp_path / "cluster.backup"))
            node.kubectl("wait", "--for=delete", "pods", "-l", "app=made", "--timeout=60s")
            node.kubectl("wait", "--for=condition=Available", "deployment/both", "deployment/deleted", "--timeout=60s")
            assert running("both") == container
            assert node.kubectl("get", "deployment/made", check=False).returncode == 1
            # What was restored says that it is available, as it was.
            until(lambda: running("deleted") not in ("", ended))
            until(lambda: len(node.containers("label=naru.dev/container=app")) == 2)
            assert up.poll() is None  # who started it in the foreground has not lost it
        finally:
            up.send_signal(signal.SIGINT)
        assert up.wait(60) == 0
    node.naru("up", "--detach")
