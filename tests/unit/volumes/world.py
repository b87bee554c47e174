"""A node with pods' volumes, what the API and the engine hold for them, and a pod that mounts one."""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.objects import Ref
from agent.volumes import Volumes
from kubeapi.core_v1.types import (
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
)
from kubeapi.errors import ApiError
from naru.simulation.virtual import VirtualClock

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and groups need root")
GROUP = 4242


class FakeObjects:
    """What the API holds, as a pod's volumes ask for it."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], dict[str, bytes]] = {
            ("ConfigMap", "cm"): {"KEY": b"value", "OTHER": b"two"},
            ("Secret", "sec"): {"user": b"u", "password": b"p"},
        }
        self.claims: dict[str, PersistentVolumeClaim] = {}
        self.volumes: dict[str, PersistentVolume] = {}
        self.tokens: list[tuple[str, int]] = []
        self.followed: set[Ref] = set()
        self.changed: Callable[[], None] = lambda: None
        self.down = False

    async def data(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        if self.down:
            raise ConnectionError("no API answers")
        return self.held.get((kind, name))

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        return self.claims.get(name)

    async def volume(self, name: str) -> PersistentVolume | None:
        return self.volumes.get(name)

    async def token(self, pod: Pod, audience: str, seconds: int) -> str:
        if pod.spec.service_account_name == "nobody":
            raise ApiError(404, "NotFound", 'serviceaccounts "nobody" not found')
        self.tokens.append((audience, seconds))
        return f"token-{len(self.tokens)}"

    async def follow(self, pod_uid: str, refs: Iterable[Ref], changed: Callable[[], None]) -> None:
        self.followed, self.changed = set(refs), changed

    async def release(self, pod_uid: str) -> None:
        self.followed = set()


class FakeEngine:
    """An engine whose named volumes are directories."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def ensure_volume(self, name: str) -> str:
        path = self._directory / name
        path.mkdir(exist_ok=True)
        return str(path)


class World:
    """A node with pods' volumes below a directory of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.objects, self.seconds, self.clock = FakeObjects(), 0.0, VirtualClock()
        self.woken: list[str] = []
        self.pods, self.engine = directory / "pods", directory / "engine"
        self.engine.mkdir()
        self.volumes = self.restarted()

    def restarted(self) -> Volumes:
        runtime: Any = FakeEngine(self.engine)
        objects: Any = self.objects
        given: Any = {"now": lambda: self.seconds, "clock": self.clock, "wake": self.woken.append}
        return Volumes(objects, runtime, self.pods, {"cpu": "8"}, **given)

    async def prepare(self, spec: Pod) -> Path:
        """The place of the volume `v`."""
        await self.volumes.prepare(spec)
        return Path(self.volumes.mounts(spec, spec.spec.containers[0], {})[0].source)


def pod(volume: dict[str, Any], mount: dict[str, Any] | None = None, **spec: Any) -> Pod:
    """A pod that mounts one volume, named v."""
    mounts = [{"name": "v", "mountPath": "/v", **(mount or {})}]
    container = {"name": "c", "volumeMounts": mounts, "resources": {"limits": {"memory": "64Mi"}}}
    body = {"volumes": [{"name": "v", **volume}], "containers": [container], **spec}
    meta = {"name": "p", "namespace": "ns", "uid": "uid-1", "labels": {"l": "x"}}
    return Pod.model_validate({"metadata": meta, "spec": body})


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
