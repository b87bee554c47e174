"""PersistentVolumes and claims."""

from __future__ import annotations

from kubeapi import quantity
from kubeapi.core_v1.types import PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec
from kubeapi.errors import Cause, forbidden, invalid, not_supported, required
from kubeapi.meta_v1.validation import causes_of, dns_subdomain, validate_choice, validate_meta, validate_meta_update

ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
NOT_SOURCES = {
    "access_modes", "capacity", "claim_ref", "mount_options", "node_affinity", "persistent_volume_reclaim_policy",
    "storage_class_name", "volume_attributes_class_name", "volume_mode",
}  # fmt: skip


def validate_volume(volume: PersistentVolume) -> list[Cause]:
    """A PersistentVolume has modes, a size and exactly one source."""
    found = validate_meta(volume.metadata, False)
    spec = volume.spec
    if not spec.access_modes:
        found.append(required("spec.accessModes"))
    found += [not_supported("spec.accessModes", m, ACCESS_MODES) for m in spec.access_modes if m not in ACCESS_MODES]
    if not spec.capacity:
        found.append(required("spec.capacity"))
    if set(spec.capacity) != {"storage"}:
        given = spec.capacity if spec.capacity or "capacity" in spec.model_fields_set else None
        found.append(not_supported("spec.capacity", given, ("storage",)))
    for name, value in spec.capacity.items():
        found += _validate_size(value, f"spec.capacity[{name}]")
    reclaim = ("Delete", "Recycle", "Retain")
    found += validate_choice(spec.persistent_volume_reclaim_policy, reclaim, "spec.persistentVolumeReclaimPolicy")
    found += _validate_source(spec)
    if spec.storage_class_name:
        found += causes_of(dns_subdomain, spec.storage_class_name, "spec.storageClassName")
    found += validate_choice(spec.volume_mode or "Filesystem", ("Block", "Filesystem"), "spec.volumeMode")
    return found


def sources_of(spec: PersistentVolumeSpec) -> list[str]:
    """The names of the sources that are set."""
    return [n for n in sorted(spec.model_fields_set) if n not in NOT_SOURCES and getattr(spec, n) is not None]


def _validate_source(spec: PersistentVolumeSpec) -> list[Cause]:
    found: list[Cause] = []
    sources = sources_of(spec)
    if not sources:
        found.append(required("spec", "must specify a volume type"))
    if spec.host_path and not spec.host_path.path:
        found.append(required("spec.hostPath.path"))
    if spec.nfs:
        if not spec.nfs.server:
            found.append(required("spec.nfs.server"))
        if not spec.nfs.path:
            found.append(required("spec.nfs.path"))
    if spec.local:
        if not spec.local.path:
            found.append(required("spec.local.path"))
        if spec.node_affinity is None or spec.node_affinity.required is None:
            found.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    if spec.azure_file:
        if not spec.azure_file.secret_name:
            found.append(required("spec.azureFile.secretName"))
        if not spec.azure_file.share_name:
            found.append(required("spec.azureFile.shareName"))
    for name in sources[1:]:
        wire = PersistentVolumeSpec.model_fields[name].alias
        found.append(forbidden(f"spec.{wire}", "may not specify more than 1 volume type"))
    return found


def _validate_size(value: str | int | float, path: str) -> list[Cause]:
    try:
        number = quantity.parse(value)
    except ValueError as error:
        return [invalid(path, value, str(error))]
    return [] if number > 0 else [invalid(path, value, "must be greater than zero")]


def validate_volume_update(new: PersistentVolume, old: PersistentVolume) -> list[Cause]:
    """The source of a volume never changes."""
    found = validate_meta_update(new.metadata, old.metadata)
    found += [c for c in validate_volume(new) if not c.field.startswith("metadata")]
    sources = {*sources_of(new.spec), *sources_of(old.spec)}
    if any(getattr(new.spec, name) != getattr(old.spec, name) for name in sources):
        found.append(
            forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")
        )
    if new.spec.volume_mode != old.spec.volume_mode:
        found.append(invalid("spec.volumeMode", new.spec.volume_mode, "field is immutable"))
    return found


def validate_claim(claim: PersistentVolumeClaim) -> list[Cause]:
    """A claim asks for modes and a size."""
    return validate_meta(claim.metadata, True) + _validate_claim_spec(claim)


def _validate_claim_spec(claim: PersistentVolumeClaim) -> list[Cause]:
    found: list[Cause] = []
    spec = claim.spec
    if not spec.access_modes:
        found.append(required("spec.accessModes", "at least 1 access mode is required"))
    found += [not_supported("spec.accessModes", m, ACCESS_MODES) for m in spec.access_modes if m not in ACCESS_MODES]
    if "storage" not in spec.resources.requests:
        found.append(required("spec.resources[storage]"))
    else:
        found += _validate_size(spec.resources.requests["storage"], "spec.resources[storage]")
    if spec.storage_class_name:
        found += causes_of(dns_subdomain, spec.storage_class_name, "spec.storageClassName")
    return found + validate_choice(spec.volume_mode or "Filesystem", ("Block", "Filesystem"), "spec.volumeMode")


def validate_claim_update(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> list[Cause]:
    """Once made, a claim may be bound, and grow when it is; nothing else."""
    found = validate_meta_update(new.metadata, old.metadata) + _validate_claim_spec(new)
    before, after = old.spec.clone(), new.spec.clone()
    if not old.spec.volume_name:
        before.volume_name = after.volume_name
    if old.status.phase == "Bound":
        before.resources = after.resources
    before.volume_attributes_class_name = after.volume_attributes_class_name
    if before.storage_class_name is None:
        before.storage_class_name = after.storage_class_name
    if before != after:
        told = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        found.append(forbidden("spec", told))
    elif old.status.phase == "Bound":
        size, had = new.spec.resources.requests.get("storage"), old.spec.resources.requests.get("storage")
        if size is not None and had is not None and quantity.parse(size) < quantity.parse(had):
            found.append(forbidden("spec.resources.requests.storage", "field can not be less than previous value"))
    return found
