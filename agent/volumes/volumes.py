"""The volumes of pods: made before a pod's sandbox, mounted into its containers, kept true to their objects, and removed.

Flow: `prepare` brings every volume that a container mounts to its place (directory/POD_UID/volumes/NAME, a path of the
host, or a volume of the engine) and remembers it; `mounts` says what a container is to see of them; `refresh` works the
files out again; `remove` unmounts and deletes what was the pod's own. A persistent volume's data and paths of the host
are only ever mounted from: nothing here deletes them.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from agent.environment import ConfigError, expand
from agent.objects import Objects
from agent.runtime.protocol import Mount, Runtime
from agent.volumes import atomic, claims, emptydir, hostpath, kernel, subpath
from agent.volumes.claims import ClaimError
from agent.volumes.files import Files, projected
from agent.volumes.ownership import give_to_group
from agent.volumes.prepared import Prepared, VolumeError
from agent.volumes.tokens import Tokens
from kubeapi.core_v1.types import Container, Pod, Volume, VolumeMount

PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared"}


class Volumes:
    """All volumes of this node's pods. allocatable is what the node has, for the downward API."""

    def __init__(
        self,
        objects: Objects,
        runtime: Runtime,
        directory: Path,
        allocatable: Mapping[str, str | int | float] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objects, self._runtime, self._directory = objects, runtime, directory
        self._tokens = Tokens(objects, now)
        self._files = Files(objects, self._tokens, allocatable or {})
        self._ready: dict[str, dict[str, Prepared]] = {}
        self._busy: dict[str, asyncio.Lock] = {}

    async def prepare(self, pod: Pod) -> None:
        """Bring every volume that a container mounts to its place. VolumeError with the kubelet's words if one can't be had.

        Once all are there it costs nothing. A new agent goes through all of them once and leaves them as they are.
        """
        uid = pod.metadata.uid
        if uid in self._ready:
            return
        async with self._busy.setdefault(uid, asyncio.Lock()):
            (self._directory / uid).mkdir(0o750, parents=True, exist_ok=True)
            wanted = _mounted(pod)
            found = await asyncio.gather(*(self._prepare(pod, v) for v in wanted), return_exceptions=True)
            troubles = {v.name: r for v, r in zip(wanted, found, strict=True) if isinstance(r, BaseException)}
            if troubles:
                raise _first_to_tell(troubles)
            self._ready[uid] = {
                v.name: r for v, r in zip(wanted, found, strict=True) if not isinstance(r, BaseException)
            }

    def mounts(self, pod: Pod, container: Container, variables: Mapping[str, str]) -> tuple[Mount, ...]:
        """What the container sees of its pod's volumes. ConfigError with the kubelet's words when that can't be had."""
        return tuple(
            self._mount(pod, container, variables, mount, index) for index, mount in enumerate(container.volume_mounts)
        )

    async def refresh(self, pod: Pod) -> None:
        """Let files follow their objects, and renew tokens. What can't be had stays as it was, and is a VolumeError."""
        uid = pod.metadata.uid
        async with self._busy.setdefault(uid, asyncio.Lock()):
            if uid not in self._ready:
                return
            wanted = [v for v in _mounted(pod) if projected(v) is not None]
            found = await asyncio.gather(*(self._prepare(pod, v) for v in wanted), return_exceptions=True)
        troubles = {v.name: r for v, r in zip(wanted, found, strict=True) if isinstance(r, BaseException)}
        if troubles:
            raise _first_to_tell(troubles)

    async def remove(self, pod_uid: str) -> None:
        """Unmount all that is mounted below the pod's directory, and delete it."""
        async with self._busy.setdefault(pod_uid, asyncio.Lock()):
            self._ready.pop(pod_uid, None)
            self._tokens.forget(pod_uid)
            await asyncio.to_thread(delete_directory, self._directory / pod_uid)
        del self._busy[pod_uid]

    async def _prepare(self, pod: Pod, volume: Volume) -> Prepared:
        name, path = volume.name, self._directory / pod.metadata.uid / "volumes" / volume.name
        try:
            if (source := volume.persistent_volume_claim) is not None:
                bound = await claims.bound_volume(self._objects, pod, source)
                name = bound.metadata.name
                prepared, ours = await claims.prepare(bound, self._runtime, source.read_only)
                if ours and not prepared.read_only:
                    await asyncio.to_thread(_own_once, pod, prepared.path, path)
                return prepared
            if volume.host_path is not None:
                return Prepared(hostpath.ensure_path(volume.host_path))
            if volume.empty_dir is not None:
                emptydir.ensure_directory(path, pod, volume.empty_dir)
                return Prepared(path)
            if (files := projected(volume)) is not None:
                written = await self._files.of(pod, files)
                if volume.config_map is not None:
                    emptydir.ensure_on_disk(path)
                else:
                    emptydir.ensure_in_memory(path)
                atomic.write(path, written, _group(pod))
                return Prepared(path, read_only=True)
            kind = ", ".join(sorted(volume.model_dump(by_alias=True, exclude_unset=True, exclude={"name"}))) or "empty"
            raise VolumeError(f"volume source {kind} is not supported by this node")
        except ClaimError:
            raise
        except (VolumeError, OSError, ValueError) as e:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {e}') from e

    def _mount(
        self, pod: Pod, container: Container, variables: Mapping[str, str], mount: VolumeMount, index: int
    ) -> Mount:
        volume = self._ready.get(pod.metadata.uid, {}).get(mount.name)
        if volume is None:
            raise ConfigError(f'cannot find volume "{mount.name}" to mount into container "{container.name}"')
        read_only, propagation = mount.read_only or volume.read_only, PROPAGATION.get(mount.mount_propagation or "", "")
        if wanted := _sub_path(mount, variables):
            own = self._directory / pod.metadata.uid / "volume-subpaths" / mount.name / container.name / str(index)
            try:
                subpath.hold(volume.path, wanted, own)
            except OSError as e:  # the kubelet does not tell either what it met on the host
                why = f'failed to prepare subPath for volumeMount "{mount.name}" of container "{container.name}"'
                raise ConfigError(why) from e
            return Mount(str(own), mount.mount_path, read_only, propagation=propagation)
        if volume.engine_volume and not propagation:
            return Mount(volume.engine_volume, mount.mount_path, read_only, volume=True)
        return Mount(str(volume.path), mount.mount_path, read_only, propagation=propagation)


def _mounted(pod: Pod) -> list[Volume]:
    """The volumes that a container mounts; the others are never looked at."""
    every = [*pod.spec.init_containers, *pod.spec.containers]
    names = {m.name for c in every for m in c.volume_mounts} | {d.name for c in every for d in c.volume_devices}
    return [volume for volume in pod.spec.volumes if volume.name in names]


def _group(pod: Pod) -> int | None:
    return pod.spec.security_context.fs_group if pod.spec.security_context else None


def _own_once(pod: Pod, path: Path, marker: Path) -> None:
    """Give a persistent volume to its pod's group, once in the pod's life: not again while its containers write."""
    if (group := _group(pod)) is None or marker.exists():
        return
    assert pod.spec.security_context is not None
    give_to_group(path, group, policy=pod.spec.security_context.fs_group_change_policy or "Always")
    marker.mkdir(parents=True)


def _first_to_tell(troubles: Mapping[str, BaseException]) -> BaseException:
    """One error of several: a fault of ours, else a volume's, else those of all claims that lead nowhere."""
    for error in troubles.values():
        if not isinstance(error, VolumeError):
            return error
    for error in troubles.values():
        if not isinstance(error, ClaimError):
            return error
    names, why = " ".join(sorted(troubles)), "; ".join(str(e) for e in troubles.values())
    return VolumeError(
        f"Unable to attach or mount volumes: unmounted volumes=[{names}], unattached volumes=[], "
        f"failed to process volumes=[{names}]: {why}"
    )


def _sub_path(mount: VolumeMount, variables: Mapping[str, str]) -> str:
    """The part of the volume that is wanted, with its variables filled in; empty for all of it."""
    wanted = mount.sub_path
    if mount.sub_path_expr:
        known = _Asked(variables)
        wanted = expand(mount.sub_path_expr, known)
        if known.missing:
            raise ConfigError(f"missing value for {', '.join(sorted(known.missing))}")
    if wanted.startswith("/"):
        raise ConfigError(f"error SubPath `{wanted}` must not be an absolute path")
    if ".." in wanted.split("/"):
        raise ConfigError(f"unable to provision SubPath `{wanted}`: must not contain '..'")
    return wanted


class _Asked(dict[str, str]):
    """Variables that remember which of them were asked for in vain."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.missing: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        value = super().get(name, "")
        if not value:
            self.missing.add(name)
        return value or default


def delete_directory(directory: Path) -> None:
    """Unmount what is mounted below, then delete. Nothing goes while a mount is left: it may be somebody's data."""
    for point in kernel.mounted_below(directory):
        kernel.detach(point)
    if left := kernel.mounted_below(directory):
        raise OSError(f"still mounted: {', '.join(map(str, left))}")
    if directory.exists():
        shutil.rmtree(directory)
