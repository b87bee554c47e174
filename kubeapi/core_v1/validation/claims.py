"""PersistentVolumeClaims, and their specs inside of pods."""

from __future__ import annotations

from kubeapi import quantity
from kubeapi.core_v1.internal import difference
from kubeapi.core_v1.types import PersistentVolumeClaim, PersistentVolumeClaimSpec
from kubeapi.core_v1.types.references import TypedLocalObjectReference, TypedObjectReference
from kubeapi.errors import Cause, forbidden, invalid, not_supported, required
from kubeapi.meta_v1.validation import (
    IMMUTABLE,
    causes_of,
    dns_label,
    dns_subdomain,
    qualified_name,
    validate_meta,
    validate_meta_update,
    validate_selector,
)

ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
RESIZES = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizePending", "NodeResizeInProgress",
    "NodeResizeInfeasible",
)  # fmt: skip
CLASS = "volume.beta.kubernetes.io/storage-class"
FIXED = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def validate_claim(claim: PersistentVolumeClaim) -> list[Cause]:
    """A claim asks for modes and a size."""
    return validate_meta(claim.metadata, True) + validate_claim_spec(claim.spec, "spec")


def validate_access_modes(modes: list[str], path: str) -> list[Cause]:
    """Known modes; the one for a single pod stands alone."""
    found = [not_supported(path, m, ACCESS_MODES) for m in modes if m not in ACCESS_MODES]
    if "ReadWriteOncePod" in modes and set(modes) & set(ACCESS_MODES[:3]):
        found.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return found


def validate_size(value: str, path: str) -> list[Cause]:
    """More than nothing."""
    return [] if quantity.parse(value) > 0 else [invalid(path, value, "must be greater than zero")]


def validate_claim_spec(spec: PersistentVolumeClaimSpec, path: str) -> list[Cause]:
    """The spec of a claim or of a pod's claim template."""
    found: list[Cause] = []
    if not spec.access_modes:
        found.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    if spec.selector is not None:
        found += validate_selector(spec.selector, f"{path}.selector")
    found += validate_access_modes(spec.access_modes, f"{path}.accessModes")
    at = f"{path}.resources[storage]"
    size = spec.resources.requests.get("storage")
    found += validate_size(size, at) if size is not None else [required(at)]
    if spec.storage_class_name:
        found += causes_of(dns_subdomain, spec.storage_class_name, f"{path}.storageClassName")
    if spec.volume_mode is not None and spec.volume_mode not in VOLUME_MODES:
        found.append(not_supported(f"{path}.volumeMode", spec.volume_mode, VOLUME_MODES))
    for field, source in (("dataSource", spec.data_source), ("dataSourceRef", spec.data_source_ref)):
        if source is not None:
            found += _validate_data_source(source, f"{path}.{field}")
    if spec.volume_attributes_class_name:
        found += causes_of(dns_subdomain, spec.volume_attributes_class_name, f"{path}.volumeAttributesClassName")
    return found


def _validate_data_source(source: TypedLocalObjectReference | TypedObjectReference, path: str) -> list[Cause]:
    found: list[Cause] = []
    for field, value in (("name", source.name), ("kind", source.kind)):
        if not value:
            found.append(required(f"{path}.{field}"))
    if not source.api_group and source.kind != "PersistentVolumeClaim":
        told = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        found.append(invalid(path, source.kind, told))
    if source.api_group:
        found += causes_of(dns_subdomain, source.api_group, f"{path}.apiGroup")
    if isinstance(source, TypedObjectReference) and source.namespace:
        found += causes_of(dns_label, source.namespace, f"{path}.namespace")
    return found


def validate_claim_update(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> list[Cause]:
    """Once made, a claim may be bound, and grow when it is; nothing else."""
    found = validate_meta_update(new.metadata, old.metadata) + validate_claim(new)
    before, after = old.spec.clone(), new.spec.clone()
    if not old.spec.volume_name:
        before.volume_name = after.volume_name
    was, now = old.metadata.annotations.get(CLASS), new.metadata.annotations.get(CLASS)
    moved = was is not None and old.spec.storage_class_name is None and new.spec.storage_class_name == was
    if moved and now in (None, was):
        after.storage_class_name = None
    else:
        if was != now:
            found.append(invalid(f"metadata.annotations.{CLASS}", now or "", IMMUTABLE))
        if old.spec.storage_class_name is None and was in (None, new.spec.storage_class_name):
            after.storage_class_name = before.storage_class_name
    if new.status.phase == "Bound":
        if after.resources.requests and "storage" in before.resources.requests:
            after.resources.requests["storage"] = before.resources.requests["storage"]
        if after.volume_attributes_class_name is not None:
            after.volume_attributes_class_name = before.volume_attributes_class_name
    if before != after:
        found.append(forbidden("spec", f"{FIXED}\n{difference(before, after)}"))
    found += _validate_shrinking(new, old)
    if new.spec.volume_mode != old.spec.volume_mode:
        found.append(invalid("volumeMode", new.spec.volume_mode, IMMUTABLE))
    attributes, had = new.spec.volume_attributes_class_name, old.spec.volume_attributes_class_name
    if had is not None and not attributes:
        what = "nil" if attributes is None else "an empty string"
        told = f"update from non-nil value to {what} is forbidden"
        found.append(forbidden("spec.volumeAttributesClassName", told))
    return found


def _validate_shrinking(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> list[Cause]:
    """A claim may ask for less again while it did not get more (KEP-1790)."""
    wanted, had = (quantity.parse(c.spec.resources.requests.get("storage", "0")) for c in (new, old))
    if wanted >= had or wanted > quantity.parse(old.status.capacity.get("storage", "0")):
        return []
    return [forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")]


def validate_claim_status(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> list[Cause]:
    """What the volume controllers report."""
    found = validate_meta_update(new.metadata, old.metadata)
    for name, value in new.status.capacity.items():
        if quantity.parse(value) < 0:
            found.append(invalid(f"status.capacity[{name}]", value, "must be a valid resource quantity"))
    at = "status.allocatedResourceStatus"
    for name, state in new.status.allocated_resource_statuses.items():
        found += causes_of(qualified_name, name, at)
        if state not in RESIZES:
            found.append(not_supported(at, name, RESIZES))
    return found
