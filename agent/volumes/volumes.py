"""The volumes of a node's pods: made before a pod's sandbox starts, mounted into its containers, kept true, and removed.

`prepare` brings them to their places and remembers them, `mounts` says what a container is to see, `refresh` renews tokens
and is a safety net for files, `release` and `remove` unmount and delete what was the pod's own. A persistent volume's data
and paths of the host are only ever mounted from: nothing here deletes them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from agent.objects import Objects
from agent.runtime.protocol import Mount, Runtime
from agent.volumes.files import Files
from agent.volumes.kernel import delete_directory
from agent.volumes.pod import PodVolumes, Sources
from agent.volumes.tokens import Tokens
from kubeapi.clock import Clock, Steps, SystemClock
from kubeapi.core_v1.types import Container, Pod


class Volumes:
    """All of them. allocatable is what the node has (the downward API tells it); now counts seconds, only forward.

    wake is called with the uid of a pod whose volumes failed once an object that they come from has changed.
    """

    def __init__(
        self,
        objects: Objects,
        runtime: Runtime,
        directory: Path,
        allocatable: Mapping[str, str | int | float] | None = None,
        now: Callable[[], float] = time.monotonic,
        clock: Clock | None = None,
        wake: Callable[[str], None] = lambda _: None,
    ) -> None:
        files = Files(objects, Tokens(objects, now, Steps(clock or SystemClock())), allocatable or {})
        self._sources = Sources(objects, runtime, files)
        self._directory, self._wake = directory, wake
        self._pods: dict[str, PodVolumes] = {}

    async def prepare(self, pod: Pod) -> None:
        """Bring every volume that a container mounts to its place. VolumeError with the kubelet's words if one can't be had.

        Once all are there it costs nothing. A new agent goes through all of them once and leaves them as they are.
        """
        await self._of(pod.metadata.uid).prepare(pod)

    def mounts(self, pod: Pod, container: Container, variables: Mapping[str, str]) -> tuple[Mount, ...]:
        """What the container sees of its pod's volumes. ConfigError with the kubelet's words when that can't be had."""
        return self._of(pod.metadata.uid).mounts(container, variables)

    async def refresh(self, pod: Pod) -> None:
        """Let files follow their objects, and renew tokens. What can't be had stays as it was, and is a VolumeError."""
        if held := self._pods.get(pod.metadata.uid):
            await held.refresh(pod)

    async def release(self, pod_uid: str) -> None:
        """The pod has run to its end, though its object stays: its volumes are given back. Repeating it costs nothing."""
        await self._of(pod_uid).release()

    async def remove(self, pod_uid: str) -> None:
        """Nothing of the pod is left: unmount what is below its directory, and delete it."""
        await self._of(pod_uid).remove()
        self._pods.pop(pod_uid, None)

    async def collect(self, known: Collection[str]) -> None:
        """Delete what pods that nobody knows any more have left: they went while no agent looked."""
        left = [d for d in self._directory.iterdir() if d.name not in known and d.name not in self._pods]
        for directory in left:
            await asyncio.to_thread(delete_directory, directory)

    def _of(self, uid: str) -> PodVolumes:
        if uid not in self._pods:
            self._pods[uid] = PodVolumes(uid, self._sources, self._directory / uid, lambda: self._wake(uid))
        return self._pods[uid]
