"""Volumes of the engine that nobody needs any more are removed, with their data, before the API forgets them.

The provisioner's PersistentVolumes carry its finalizer. When one is being deleted and no claim protects it any longer, the
agent of its node removes the engine's volume (one that is to be retained stays) and then the finalizer. What nobody
provisioned has no such finalizer, and is never touched.
"""

from __future__ import annotations

from agent.runtime.protocol import EngineError, Runtime
from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.client.recorder import Recorder
from kubeapi.client.workqueue import Queue
from kubeapi.core_v1.types import PersistentVolume
from kubeapi.names import DOCKER_VOLUME_FINALIZER

PROTECTION, HOSTNAME = "kubernetes.io/pv-protection", "kubernetes.io/hostname"
RETRY = 5.0


def may_be_removed(volume: PersistentVolume, node: str) -> bool:
    """Whether it is this node's to remove now."""
    affinity = volume.spec.node_affinity
    terms = affinity.required.node_selector_terms if affinity and affinity.required else []
    places = {v for term in terms for e in term.match_expressions if e.key == HOSTNAME for v in e.values}
    return (
        volume.metadata.deletion_timestamp is not None
        and DOCKER_VOLUME_FINALIZER in volume.metadata.finalizers
        and PROTECTION not in volume.metadata.finalizers
        and (not places or node in places)
    )


class Reclaimer:
    """Follows the PersistentVolumes that are on this node."""

    def __init__(self, client: Client, runtime: Runtime, recorder: Recorder, node: str) -> None:
        self._client, self._runtime, self._recorder, self._node = client, runtime, recorder, node
        self._volumes = Informer(client, PersistentVolume)
        self._queue = Queue(self._reclaim, workers=1)

    async def start(self) -> None:
        """Begin, in the background."""
        self._volumes.on_change(self._changed)
        await self._queue.start()
        await self._volumes.start()

    async def stop(self) -> None:
        """What is left is found again by the next agent."""
        await self._volumes.stop()
        await self._queue.stop()

    def _changed(self, _old: PersistentVolume | None, new: PersistentVolume | None) -> None:
        if new is not None and may_be_removed(new, self._node):
            self._queue.add(new.metadata.name)

    async def _reclaim(self, name: str) -> None:
        volume = self._volumes.get("", name)
        if volume is None or not may_be_removed(volume, self._node):
            return
        if volume.spec.csi is not None and volume.spec.persistent_volume_reclaim_policy == "Delete":
            try:
                await self._runtime.remove_volume(volume.spec.csi.volume_handle)
            except EngineError as error:  # a container that has ended may still hold it
                self._recorder.event(volume, "Warning", "VolumeFailedDelete", str(error))
                self._queue.add_after(name, RETRY)
                return
        changed = volume.clone()
        changed.metadata.finalizers = [f for f in changed.metadata.finalizers if f != DOCKER_VOLUME_FINALIZER]
        await self._client.update(changed)
