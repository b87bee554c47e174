"""The volumes of one pod, from before its sandbox is started until nothing of it is left.

Each is a directory of the pod's own (DIRECTORY/volumes/NAME), a path of the host, or a volume of the engine. Files follow
their objects by themselves: a change of a ConfigMap, a Secret, or the pod's labels and annotations is written at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from agent.environment import ConfigError, expand, names_in, references
from agent.objects import Objects, Ref
from agent.runtime.protocol import Mount, Runtime
from agent.volumes import atomic, claims, emptydir, hostpath, kernel, subpath
from agent.volumes.claims import ClaimError
from agent.volumes.files import Files, projected
from agent.volumes.ownership import give_to_group
from agent.volumes.prepared import Prepared, SetUpError, VolumeError
from kubeapi.core_v1.types import Container, Pod, Volume, VolumeMount

log = structlog.get_logger()
OWN = VOLUMES, PARTS = "volumes", "volume-subpaths"
PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared"}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the volumes of a node's pods come from."""

    objects: Objects
    runtime: Runtime
    files: Files


class PodVolumes:
    """One pod's volumes, as far as they are ready. directory is the pod's own; wake has what failed prepared again."""

    def __init__(self, uid: str, sources: Sources, directory: Path, wake: Callable[[], None]) -> None:
        self._uid, self._sources, self._directory, self._wake = uid, sources, directory, wake
        self._pod: Pod | None = None  # as its files tell it; None until all are ready
        self._failed = False
        self._ready: dict[str, Prepared] = {}
        self._busy = asyncio.Lock()
        self._refreshing: set[asyncio.Task[None]] = set()

    async def prepare(self, pod: Pod) -> None:
        """Bring every volume that a container mounts to its place, once; VolumeError if one can't be had."""
        if self._pod is None:
            async with self._busy:
                await self._sources.objects.follow(self._uid, _references(pod), self._changed)
                try:
                    self._directory.mkdir(0o750, parents=True, exist_ok=True)
                    self._ready = await self._all_of(pod, _mounted(pod))
                except VolumeError:
                    self._failed = True
                    raise
                except OSError as error:
                    raise VolumeError(f"no directory for the pod: {error}") from error
                self._pod, self._failed = pod, False
        elif _told(pod) != _told(self._pod):
            self._pod = pod
            self._changed()

    async def refresh(self, pod: Pod) -> None:
        """Work the files out again, and renew tokens. What can't be had stays as it was, and is a VolumeError."""
        async with self._busy:
            if self._pod is not None:
                self._pod = pod
                await self._all_of(pod, [v for v in _mounted(pod) if projected(v) is not None])

    async def release(self) -> None:
        """The pod has run to its end: give back its memory, its tokens and all else that is in its volumes."""
        if self._pod is not None or any((self._directory / name).exists() for name in OWN):
            await self._delete(*(self._directory / name for name in OWN))

    async def remove(self) -> None:
        """Unmount all that is mounted below the pod's directory, and delete it."""
        await self._delete(self._directory)

    async def _delete(self, *directories: Path) -> None:
        await self._sources.objects.release(self._uid)
        self._sources.files.forget(self._uid)
        async with self._busy:
            self._pod, self._ready = None, {}
            for directory in directories:
                await asyncio.to_thread(kernel.delete_directory, directory)

    def mounts(self, container: Container, variables: Mapping[str, str]) -> tuple[Mount, ...]:
        """What the container sees of the volumes. ConfigError with the kubelet's words when that can't be had."""
        return tuple(
            self._mount(container, variables, mount, index) for index, mount in enumerate(container.volume_mounts)
        )

    def _changed(self) -> None:
        if self._pod is None:
            if self._failed:  # what was missing may be there now
                self._wake()
            return

        async def refresh() -> None:
            try:
                if self._pod is not None:
                    await self.refresh(self._pod)
            except VolumeError as error:  # containers keep the files that they have
                log.warning("volume not refreshed", pod=self._uid, why=str(error))

        task = asyncio.create_task(refresh(), name=f"volumes of {self._uid}")
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)

    async def _all_of(self, pod: Pod, volumes: list[Volume]) -> dict[str, Prepared]:
        found = await asyncio.gather(*(self._prepare(pod, v) for v in volumes), return_exceptions=True)
        ready, troubles = {}, {}
        for volume, result in zip(volumes, found, strict=True):
            if isinstance(result, BaseException):
                troubles[volume.name] = result
            else:
                ready[volume.name] = result
        if troubles:
            raise _told_together(troubles)
        return ready

    async def _prepare(self, pod: Pod, volume: Volume) -> Prepared:
        name, path = volume.name, self._directory / VOLUMES / volume.name
        try:
            if (claim := volume.persistent_volume_claim) is not None:
                bound = await claims.bound_volume(self._sources.objects, pod, claim)
                claims.check_mode(pod, volume.name, bound)
                name = bound.metadata.name
                prepared, ours = await claims.prepare(bound, self._sources.runtime, claim.read_only)
                if ours and not prepared.read_only:
                    await asyncio.to_thread(_own_once, pod, prepared.path, path)
                return prepared
            if (host := volume.host_path) is not None:
                return Prepared(hostpath.ensure_path(host))
            if (empty := volume.empty_dir) is not None:
                emptydir.ensure_directory(path, pod, empty)
                return Prepared(path)
            if (source := projected(volume)) is not None:
                files = await self._sources.files.of(pod, source)
                if volume.config_map is not None:
                    emptydir.ensure_on_disk(path)
                else:
                    emptydir.ensure_in_memory(path)
                atomic.write(path, files, _group(pod))
                return Prepared(path, read_only=True)
            kind = ", ".join(sorted(volume.model_dump(by_alias=True, exclude_unset=True, exclude={"name"}))) or "empty"
            raise SetUpError(f"volume source {kind} is not supported by this node")
        except SetUpError as e:
            raise VolumeError(f'{e.failed} failed for volume "{name}" : {e}') from e
        except (OSError, ValueError) as e:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {e}') from e

    def _mount(self, container: Container, variables: Mapping[str, str], mount: VolumeMount, index: int) -> Mount:
        volume = self._ready.get(mount.name)
        if volume is None:
            raise ConfigError(f'cannot find volume "{mount.name}" to mount into container "{container.name}"')
        if mount.recursive_read_only == "Enabled":
            why = f'volume "{mount.name}" requested recursive read-only mode, but it is not supported by the runtime'
            raise ConfigError(f"failed to resolve recursive read-only mode: {why}")
        read_only, target = mount.read_only or volume.read_only, str(Path("/", mount.mount_path))
        propagation = PROPAGATION.get(mount.mount_propagation or "", "")
        if wanted := _sub_path(mount, variables):
            own = self._directory / PARTS / mount.name / container.name / str(index)
            try:
                subpath.hold(volume.path, wanted, own)
            except OSError as e:  # the kubelet does not tell either what it met on the host
                why = f'failed to prepare subPath for volumeMount "{mount.name}" of container "{container.name}"'
                raise ConfigError(why) from e
            return Mount(str(own), target, read_only, propagation=propagation)
        if volume.engine_volume and not propagation:
            return Mount(volume.engine_volume, target, read_only, volume=True)
        return Mount(str(volume.path), target, read_only, propagation=propagation)


def _mounted(pod: Pod) -> list[Volume]:
    """The volumes that a container mounts; the others are never looked at."""
    every = [*pod.spec.init_containers, *pod.spec.containers]
    names = {m.name for c in every for m in c.volume_mounts} | {d.name for c in every for d in c.volume_devices}
    return [volume for volume in pod.spec.volumes if volume.name in names]


def _references(pod: Pod) -> set[Ref]:
    """The ConfigMaps and Secrets that the pod's files and variables come from."""
    needed = {name for c in [*pod.spec.init_containers, *pod.spec.containers] for name in references(c)}
    for volume in _mounted(pod):
        for source in projection.sources if (projection := projected(volume)) else ():
            needed |= {("ConfigMap", source.config_map.name)} if source.config_map else set()
            needed |= {("Secret", source.secret.name)} if source.secret else set()
    return {Ref(kind, pod.metadata.namespace, name) for kind, name in needed}


def _told(pod: Pod) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What the downward API tells of a pod that may change in its life."""
    return pod.metadata.labels, pod.metadata.annotations


def _group(pod: Pod) -> int | None:
    return pod.spec.security_context.fs_group if pod.spec.security_context else None


def _own_once(pod: Pod, path: Path, marker: Path) -> None:
    """Give a persistent volume to its pod's group, once in the pod's life: not again while its containers write."""
    if (group := _group(pod)) is None or marker.exists():
        return
    assert pod.spec.security_context is not None
    give_to_group(path, group, policy=pod.spec.security_context.fs_group_change_policy or "Always")
    marker.mkdir(parents=True)


def _told_together(troubles: Mapping[str, BaseException]) -> BaseException:
    """One error for all: a fault of ours as it is; else each volume that failed, and then all claims that lead nowhere."""
    for error in troubles.values():
        if not isinstance(error, VolumeError):
            return error
    lost = {name: str(error) for name, error in troubles.items() if isinstance(error, ClaimError)}
    messages = [str(error) for name, error in troubles.items() if name not in lost]
    if lost:
        messages.append(
            f"Unable to attach or mount volumes: unmounted volumes=[{' '.join(sorted(troubles))}], unattached volumes=[], "
            f"failed to process volumes=[{' '.join(sorted(lost))}]: {'; '.join(lost.values())}"
        )
    return VolumeError(*messages)


def _sub_path(mount: VolumeMount, variables: Mapping[str, str]) -> str:
    """The part of the volume that is wanted, with its variables filled in; empty for all of it."""
    wanted = mount.sub_path
    if mount.sub_path_expr:
        missing = {name for name in names_in(mount.sub_path_expr) if not variables.get(name)}
        if missing:
            raise ConfigError(f"missing value for {', '.join(sorted(missing))}")
        wanted = expand(mount.sub_path_expr, variables)
    if wanted.startswith("/"):
        raise ConfigError(f"error SubPath `{wanted}` must not be an absolute path")
    if ".." in wanted.split("/"):
        raise ConfigError(f"unable to provision SubPath `{wanted}`: must not contain '..'")
    return wanted
