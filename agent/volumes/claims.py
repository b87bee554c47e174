"""Persistent volumes: from a pod's claim to the volume it is bound to, and to what that is on this node.

A claim that is not bound (yet), or a volume that is another's, is a `ClaimError`, whose text the kubelet puts among those of
the volumes that it could not process; it is looked at again until it is bound.
"""

from __future__ import annotations

import os
from pathlib import Path

from agent.objects import Objects
from agent.runtime.protocol import EngineError, Runtime
from agent.volumes.hostpath import ensure_path
from agent.volumes.prepared import Prepared, SetUpError, VolumeError
from kubeapi.core_v1.types import PersistentVolume, PersistentVolumeClaimVolumeSource, Pod
from kubeapi.errors import ApiError
from kubeapi.names import DOCKER_VOLUMES

AS_ENGINE_MADE_IT = (0, 0, 0o755)


class ClaimError(VolumeError):
    """The claim does not lead to a volume."""


async def bound_volume(objects: Objects, pod: Pod, source: PersistentVolumeClaimVolumeSource) -> PersistentVolume:
    """The PersistentVolume that a claim of the pod's namespace is bound to."""
    namespace, name = pod.metadata.namespace, source.claim_name
    trouble = f"error processing PVC {namespace}/{name}: "
    try:
        claim = await objects.claim(namespace, name)
        if claim is None:
            why = f'failed to fetch PVC from API server: persistentvolumeclaims "{name}" not found'
        elif claim.metadata.deletion_timestamp is not None:
            why = "PVC is being deleted"
        elif claim.status.phase != "Bound":
            why = "PVC is not bound"
        elif not claim.spec.volume_name:
            why = "PVC has empty pvc.Spec.VolumeName"
        else:
            return await _volume_of(objects, claim.spec.volume_name, claim.metadata.uid)
    except (ApiError, OSError) as e:
        raise ClaimError(f"{trouble}failed to fetch PVC from API server: {e}") from e
    raise ClaimError(trouble + why)


async def _volume_of(objects: Objects, name: str, claim_uid: str) -> PersistentVolume:
    volume = await objects.volume(name)
    if volume is None:
        raise ClaimError(f'failed to get PV {name} from API server: persistentvolumes "{name}" not found')
    owner = volume.spec.claim_ref
    if owner is None:
        raise ClaimError(
            f"found PV object {name} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim"
        )
    if owner.uid != claim_uid:
        raise ClaimError(
            f"found PV object {name} but its pv.Spec.ClaimRef.UID {owner.uid} does not point to claim.UID {claim_uid}"
        )
    return volume


def check_mode(pod: Pod, name: str, volume: PersistentVolume) -> None:
    """ClaimError if a container wants a file system of a block device, or the reverse."""
    mode, every = volume.spec.volume_mode or "Filesystem", [*pod.spec.init_containers, *pod.spec.containers]
    if mode != "Filesystem" and any(m.name == name for c in every for m in c.volume_mounts):
        raise ClaimError(f"volume {name} has volumeMode {mode}, but is specified in volumeMounts")
    if mode != "Block" and any(d.name == name for c in every for d in c.volume_devices):
        raise ClaimError(f"volume {name} has volumeMode {mode}, but is specified in volumeDevices")


async def prepare(volume: PersistentVolume, runtime: Runtime, read_only: bool) -> tuple[Prepared, bool]:
    """The volume on this node, and whether a pod's fsGroup may be given what is in it (a path of the host is not ours)."""
    spec = volume.spec
    if spec.mount_options:
        raise SetUpError(f"mount options ({', '.join(spec.mount_options)}) are not supported by this node")
    if (spec.volume_mode or "Filesystem") != "Filesystem":
        raise SetUpError(f"volumeMode {spec.volume_mode} is not supported by this node")
    if spec.csi is not None and spec.csi.driver == DOCKER_VOLUMES:
        try:
            path = Path(await runtime.ensure_volume(spec.csi.volume_handle))
        except EngineError as e:
            raise SetUpError(str(e)) from e
        _open_to_all(path)
        return Prepared(path, read_only or spec.csi.read_only, spec.csi.volume_handle), True
    if spec.host_path is not None:
        return Prepared(ensure_path(spec.host_path), read_only), False
    if spec.local is not None:
        path = Path(spec.local.path)
        if not path.exists():
            raise SetUpError(f'path "{path}" does not exist', "MountVolume.NewMounter initialization")
        if not path.is_dir():
            raise SetUpError(f'path "{path}" is not a directory: block devices are not supported by this node')
        return Prepared(path, read_only), True
    if spec.csi is not None:
        why = f"driver name {spec.csi.driver} not found in the list of registered CSI drivers"
        raise SetUpError(why, "MountVolume.MountDevice")
    raise SetUpError("the source of this persistent volume is not supported by this node (csi, hostPath and local are)")


def _open_to_all(path: Path) -> None:
    """Let every user write to a volume that nobody has used yet, as local provisioners do: the engine's is root's alone."""
    seen = path.stat()
    if (seen.st_uid, seen.st_gid, seen.st_mode & 0o7777) == AS_ENGINE_MADE_IT and not any(path.iterdir()):
        os.chmod(path, 0o777)
