"""A claim's way through an API server in process: provisioned, bound, and its volume given back when the claim goes."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from controlplane.admission.chain import Admission
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.server import ApiServer
from controlplane.controllers.controller import Context
from controlplane.controllers.volumes import VolumeController
from controlplane.store.sqlite import SqliteStore
from kubeapi.client.client import Client
from kubeapi.clock import SystemClock
from kubeapi.core_v1.types import PersistentVolume, PersistentVolumeClaim
from kubeapi.names import DOCKER_VOLUMES
from kubeapi.registry import load
from kubeapi.storage_v1.types import StorageClass


class World:
    """The controller at work, and its volumes as they are now."""

    def __init__(self, context: Context) -> None:
        self.client, self.volumes, self._changed = context.client, context.informer(PersistentVolume), asyncio.Event()
        self.volumes.on_change(lambda *_: self._changed.set())

    async def until(self, holds: Callable[[PersistentVolume], bool]) -> PersistentVolume:
        """A volume of which it holds."""
        async with asyncio.timeout(10):
            while not (found := [v for v in self.volumes.list() if holds(v)]):
                self._changed.clear()
                await self._changed.wait()
        return found[0]

    async def provisioned(self, policy: str) -> PersistentVolume:
        """The volume of a claim `data` of a class that reclaims so."""
        kind = {"provisioner": DOCKER_VOLUMES, "reclaimPolicy": policy}
        await self.client.create(StorageClass.model_validate({"metadata": {"name": "c"}, **kind}))
        spec = {
            "storageClassName": "c",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
        meta = {"name": "data", "namespace": "default"}
        await self.client.create(PersistentVolumeClaim.model_validate({"metadata": meta, "spec": spec}))
        return await self.until(lambda v: v.status.phase == "Bound")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store, rng, clock = await SqliteStore.open(tmp_path / "store.db"), random.Random(1), SystemClock()
    admission = Admission(store, rng)
    server = ApiServer(store, load(), clock, rng, admission)
    await bootstrap(server, admission.ranges.addresses, "127.0.0.1", 6443)
    client = Client(server, load(), "test", user="system:admin", groups=("system:masters",))
    context = Context(client, load(), clock, rng)
    controller = VolumeController(context)
    made = World(context)
    await context.start()
    await controller.start()
    yield made
    await controller.stop()
    await context.stop()
    await store.close()


async def test_a_volume_is_deleted_with_its_claim_but_waits_for_its_data_to_go(world: World) -> None:
    await world.provisioned("Delete")
    await world.client.delete(PersistentVolumeClaim, "data", "default")
    left = await world.until(lambda v: v.metadata.deletion_timestamp is not None and len(v.metadata.finalizers) == 1)
    assert left.metadata.finalizers == ["naru.dev/docker-volume"]


async def test_a_volume_to_be_retained_is_released(world: World) -> None:
    await world.provisioned("Retain")
    await world.client.delete(PersistentVolumeClaim, "data", "default")
    released = await world.until(lambda v: v.status.phase == "Released")
    assert released.metadata.deletion_timestamp is None
