"""Defaults of volumes and claims, as objects and inside of pods."""

from __future__ import annotations

from kubeapi.core_v1.types import (
    EmptyDirVolumeSource,
    ObjectFieldSelector,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    Volume,
)

FILE_MODE = 0o644
TOKEN_SECONDS = 3600


def default_volume(volume: PersistentVolume) -> None:
    """A PersistentVolume is kept after its claim is gone, and is a filesystem."""
    spec = volume.spec
    volume.status.phase = volume.status.phase or "Pending"
    spec.persistent_volume_reclaim_policy = spec.persistent_volume_reclaim_policy or "Retain"
    spec.volume_mode = spec.volume_mode or "Filesystem"
    if spec.host_path and spec.host_path.type is None:
        spec.host_path.type = ""
    _default_cloud_source(spec)
    if spec.scale_io:
        spec.scale_io.storage_mode = spec.scale_io.storage_mode or "ThinProvisioned"
        spec.scale_io.fs_type = spec.scale_io.fs_type or "xfs"


def default_claim(claim: PersistentVolumeClaim) -> None:
    """A claim begins Pending, and asks for a filesystem."""
    claim.status.phase = claim.status.phase or "Pending"
    default_claim_spec(claim.spec)


def default_claim_spec(spec: PersistentVolumeClaimSpec) -> None:
    """The spec alone: also of a claim template."""
    spec.volume_mode = spec.volume_mode or "Filesystem"


def default_pod_volume(volume: Volume) -> None:
    """A volume of a pod: an emptyDir when it names no source; modes of files; what its source leaves open."""
    given = volume.model_fields_set
    if not any(getattr(volume, name) is not None for name in given if name != "name"):
        volume.empty_dir = EmptyDirVolumeSource()
        return
    for source in (volume.secret, volume.config_map, volume.downward_api, volume.projected):
        if source is not None and source.default_mode is None:
            source.default_mode = FILE_MODE
    if volume.downward_api:
        for item in volume.downward_api.items:
            _default_api_version(item.field_ref)
    if volume.projected:
        for projection in volume.projected.sources:
            if projection.downward_api:
                for item in projection.downward_api.items:
                    _default_api_version(item.field_ref)
            token = projection.service_account_token
            if token and token.expiration_seconds is None:
                token.expiration_seconds = TOKEN_SECONDS
    if volume.host_path and volume.host_path.type is None:
        volume.host_path.type = ""
    if volume.ephemeral and volume.ephemeral.volume_claim_template:
        default_claim_spec(volume.ephemeral.volume_claim_template.spec)
    if volume.scale_io:
        volume.scale_io.storage_mode = volume.scale_io.storage_mode or "ThinProvisioned"
        volume.scale_io.fs_type = volume.scale_io.fs_type or "xfs"
    _default_cloud_source(volume)


def _default_api_version(ref: ObjectFieldSelector | None) -> None:
    if ref is not None and not ref.api_version:
        ref.api_version = "v1"


def _default_cloud_source(source: object) -> None:
    """Sources that pods and PersistentVolumes share, with the same defaults though with different types."""
    if iscsi := getattr(source, "iscsi", None):
        iscsi.iscsi_interface = iscsi.iscsi_interface or "default"
    if rbd := getattr(source, "rbd", None):
        rbd.pool, rbd.user, rbd.keyring = rbd.pool or "rbd", rbd.user or "admin", rbd.keyring or "/etc/ceph/keyring"
    if disk := getattr(source, "azure_disk", None):
        disk.caching_mode = disk.caching_mode or "ReadWrite"
        disk.kind = disk.kind or "Shared"
        disk.fs_type = disk.fs_type or "ext4"
        disk.read_only = bool(disk.read_only)
