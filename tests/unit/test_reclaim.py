"""When an engine's volume is removed with its PersistentVolume, and when it is not."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from agent.runtime.protocol import EngineError
from agent.volumes.reclaim import Reclaimer, may_be_removed
from kubeapi.client.client import Client
from kubeapi.client.transport import Request, Response
from kubeapi.core_v1.types import PersistentVolume
from kubeapi.names import DOCKER_VOLUME_FINALIZER, DOCKER_VOLUMES
from kubeapi.registry import load


def volume(
    policy: str = "Delete", node: str = "n1", finalizers: tuple[str, ...] = (DOCKER_VOLUME_FINALIZER,)
) -> PersistentVolume:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    spec = {
        "csi": {"driver": DOCKER_VOLUMES, "volumeHandle": "pvc-1"},
        "persistentVolumeReclaimPolicy": policy,
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
    }
    made = PersistentVolume.model_validate({"metadata": {"name": "pv", "uid": "u"}, "spec": spec})
    made.metadata.deletion_timestamp = datetime.now(UTC)
    made.metadata.finalizers = list(finalizers)
    return made


def living() -> PersistentVolume:
    made = volume()
    made.metadata.deletion_timestamp = None
    return made


@pytest.mark.parametrize(
    ("given", "removed"),
    [
        (volume(), True),
        (living(), False),
        (volume(node="n2"), False),
        (volume(finalizers=()), False),
        (volume(finalizers=(DOCKER_VOLUME_FINALIZER, "kubernetes.io/pv-protection")), False),
    ],
)
def test_a_volume_is_removed_on_its_node_once_nothing_protects_it(given: PersistentVolume, removed: bool) -> None:
    assert may_be_removed(given, "n1") is removed


class World:
    """An API that holds one volume, and an engine that remembers what it removed."""

    def __init__(self) -> None:
        self.held, self.in_use = volume(), False
        self.removed: list[str] = []
        self.said: list[str] = []
        self.done = asyncio.Event()
        part: Any = self
        self.reclaimer = Reclaimer(Client(self, load(), "test"), part, part, "n1")

    async def run(self) -> None:
        """Until the volume is let go, or the user is told why not."""
        await self.reclaimer.start()
        async with asyncio.timeout(10):
            await self.done.wait()
        await self.reclaimer.stop()

    async def send(self, request: Request) -> Response:
        if request.method == "PUT":
            self.held = PersistentVolume.from_json(request.body)
            self.done.set()
            return Response(200, body=request.body)
        if dict(request.query).get("watch"):
            return Response(200, stream=silence())
        items = [orjson.loads(self.held.to_json())]
        return Response(200, body=orjson.dumps({"metadata": {"resourceVersion": "1"}, "items": items}))

    async def close(self) -> None:
        pass

    async def remove_volume(self, name: str) -> None:
        if self.in_use:
            raise EngineError("volume is in use")
        assert DOCKER_VOLUME_FINALIZER in self.held.metadata.finalizers
        self.removed.append(name)

    def event(self, obj: PersistentVolume, type: str, reason: str, message: str) -> None:
        self.said.append(f"{type} {reason} {message}")
        self.done.set()


async def silence() -> AsyncGenerator[bytes, None]:
    await asyncio.Event().wait()
    yield b""


@pytest.fixture
def world() -> World:
    return World()


async def test_the_data_go_before_the_finalizer(world: World) -> None:
    await world.run()
    assert (world.removed, world.held.metadata.finalizers) == (["pvc-1"], [])


async def test_what_is_to_be_retained_keeps_its_data(world: World) -> None:
    world.held = volume("Retain")
    await world.run()
    assert (world.removed, world.held.metadata.finalizers) == ([], [])


async def test_a_volume_in_use_is_told_and_kept(world: World) -> None:
    world.in_use = True
    await world.run()
    assert world.held.metadata.finalizers == [DOCKER_VOLUME_FINALIZER]
    assert world.said == ["Warning VolumeFailedDelete volume is in use"]
