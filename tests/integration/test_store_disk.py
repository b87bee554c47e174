"""A full disk under the store: what can't be written is refused with a reason, reads go on, and room heals it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.store import StoreError
from controlplane.store.sqlite import SqliteStore
from naru.processes import Process
from tests.disks import Disk, small_disk
from tests.e2e.conftest import Cluster, started

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]  # for its root: no engine is needed
MEGABYTES = 24


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "image", tmp_path / "disk", MEGABYTES) as made:
        yield made


async def test_what_finds_no_room_is_refused_and_all_that_was_answered_stays(disk: Disk) -> None:
    path = disk.path / "store.db"
    store = await SqliteStore.open(path)
    answered = 0

    async def write_until_refused() -> StoreError:
        nonlocal answered
        while True:
            try:
                await store.commit(f"//pods/a/{answered}", 0, os.urandom(20_000))
            except StoreError as error:
                return error
            answered += 1

    try:
        for _ in range(3):
            disk.fill()
            error = await write_until_refused()
            assert "no room is left on its file system" in str(error)
            assert len(store.list("//pods/").entries) == store.revision == answered
            assert not store.fault
            disk.give_room()
            await store.commit(f"//pods/a/{answered}", 0, b"room again")
            answered += 1
    finally:
        await store.close()
    store = await SqliteStore.open(path)
    assert len(store.list("//pods/").entries) == store.revision == answered
    await store.close()


@pytest.fixture
def cramped(disk: Disk) -> Iterator[Cluster]:
    yield from started(disk.path / "data")


def create(cluster: Cluster, name: str) -> tuple[int, str]:
    """Create a ConfigMap of some size: kubectl's exit status, and what it says."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": "x" * 50_000}}
    done = cluster.kubectl("create", "-f", "-", stdin=json.dumps(body), check=False)
    return done.returncode, done.stderr


def names(cluster: Cluster) -> set[str]:
    return {*cluster.kubectl("get", "configmaps", "-o", "name").stdout.split()}


def test_a_cluster_on_a_full_disk_reads_on_says_why_it_can_not_write_and_heals(cramped: Cluster, disk: Disk) -> None:
    answered: set[str] = {"configmap/first"}
    assert create(cramped, "first")[0] == 0
    disk.fill()
    for number in range(1000):
        code, said = create(cramped, f"more-{number}")
        if code:
            break
        answered.add(f"configmap/more-{number}")
    assert "Error from server (InternalError)" in said and "no room is left on its file system" in said
    assert answered <= names(cramped)
    assert cramped.kubectl("get", "--raw", "/readyz").stdout == "ok"

    server = Process(cramped.data_dir, "server")
    server.stop()
    server.start([])
    assert answered <= names(cramped)

    disk.give_room()
    assert create(cramped, "after") == (0, "")
    assert answered | {"configmap/after"} <= names(cramped)
