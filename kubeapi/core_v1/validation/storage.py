"""PersistentVolumes."""

from __future__ import annotations

import posixpath

from kubeapi.core_v1.internal import difference
from kubeapi.core_v1.types import PersistentVolume, PersistentVolumeSpec, SecretReference
from kubeapi.core_v1.validation.claims import VOLUME_MODES, validate_access_modes, validate_size
from kubeapi.core_v1.validation.fields import validate_no_backsteps
from kubeapi.core_v1.validation.scheduling import validate_node_selector
from kubeapi.core_v1.validation.volumes import sources_of, validate_driver, validate_source
from kubeapi.errors import Cause, forbidden, invalid, not_supported, required
from kubeapi.meta_v1.validation import (
    IMMUTABLE,
    causes_of,
    dns_label,
    dns_subdomain,
    validate_meta,
)

SOURCES = (
    "host_path", "gce_persistent_disk", "aws_elastic_block_store", "glusterfs", "flocker", "nfs", "rbd", "quobyte",
    "cephfs", "iscsi", "cinder", "fc", "flex_volume", "azure_file", "vsphere_volume", "photon_persistent_disk",
    "portworx_volume", "azure_disk", "scale_io", "local", "storageos", "csi",
)  # fmt: skip
RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
CSI_SECRETS = (
    "controller_publish_secret_ref", "controller_expand_secret_ref", "node_publish_secret_ref",
    "node_expand_secret_ref",
)  # fmt: skip
OF_CSI = ("csi",)  # a PersistentVolume's has a handle and Secrets of any namespace: other rules than a pod's


def validate_volume(volume: PersistentVolume) -> list[Cause]:
    """A PersistentVolume has modes, a size and exactly one source."""
    return validate_meta(volume.metadata, False) + _validate_spec(volume.spec)


def _validate_spec(spec: PersistentVolumeSpec) -> list[Cause]:
    found: list[Cause] = []
    if not spec.access_modes:
        found.append(required("spec.accessModes"))
    found += validate_access_modes(spec.access_modes, "spec.accessModes")
    if not spec.capacity:
        found.append(required("spec.capacity"))
    if set(spec.capacity) != {"storage"}:
        given = spec.capacity if spec.capacity or "capacity" in spec.model_fields_set else None
        found.append(not_supported("spec.capacity", given, ("storage",)))
    for name, value in spec.capacity.items():
        found += validate_size(value, f"spec.capacity[{name}]")
    policy = spec.persistent_volume_reclaim_policy
    if policy and policy not in RECLAIM_POLICIES:
        found.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, RECLAIM_POLICIES))
    if spec.node_affinity is not None:
        at = "spec.nodeAffinity.required"
        if spec.node_affinity.required is None:
            found.append(required(at, "must specify required node constraints"))
        else:
            found += validate_node_selector(spec.node_affinity.required, at)
    found += _validate_source(spec)
    if spec.host_path and posixpath.normpath(spec.host_path.path) == "/" and policy == "Recycle":
        told = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(forbidden("spec.persistentVolumeReclaimPolicy", told))
    if spec.storage_class_name:
        found += causes_of(dns_subdomain, spec.storage_class_name, "spec.storageClassName")
    if spec.volume_mode is not None and spec.volume_mode not in VOLUME_MODES:
        found.append(not_supported("spec.volumeMode", spec.volume_mode, VOLUME_MODES))
    return found + _validate_attributes(spec)


def _validate_source(spec: PersistentVolumeSpec) -> list[Cause]:
    sources = sources_of(spec, SOURCES)
    if sources[:1] == [*OF_CSI]:
        return _validate_csi(spec)
    found = validate_source(spec, SOURCES, "spec")
    if spec.local is not None and sources[0] == "local":
        at = "spec.local.path"
        found += validate_no_backsteps(spec.local.path, at) if spec.local.path else [required(at)]
        if spec.node_affinity is None:
            found.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    return found


def _validate_csi(spec: PersistentVolumeSpec) -> list[Cause]:
    csi = spec.csi
    assert csi is not None
    found = validate_driver(csi.driver, "spec.csi.driver")
    if not csi.volume_handle:
        found.append(required("spec.csi.volumeHandle"))
    for name in CSI_SECRETS:
        ref: SecretReference | None = getattr(csi, name)
        if ref is not None:
            at = f"spec.csi.{type(csi).model_fields[name].alias}"
            for field, value, check in (("name", ref.name, dns_subdomain), ("namespace", ref.namespace, dns_label)):
                found += causes_of(check, value, f"{at}.{field}") if value else [required(f"{at}.{field}")]
    return found


def _validate_attributes(spec: PersistentVolumeSpec) -> list[Cause]:
    name, at = spec.volume_attributes_class_name, "spec.volumeAttributesClassName"
    if name is None:
        return []
    found = causes_of(dns_subdomain, name, at) if name else [required(at, "an empty string is disallowed")]
    if spec.csi is None:
        found.append(required("spec.csi", "has to be specified when using volumeAttributesClassName"))
    return found


def validate_volume_update(new: PersistentVolume, old: PersistentVolume) -> list[Cause]:
    """The source of a volume never changes."""
    found = validate_volume(new) * 2  # Kubernetes asks twice
    after = new.spec
    if old.spec.csi and after.csi and old.spec.csi.controller_expand_secret_ref is None:
        after = after.clone()
        assert after.csi is not None
        after.csi.controller_expand_secret_ref = None
    if any(getattr(after, name) != getattr(old.spec, name) for name in SOURCES):
        told = f"spec.persistentvolumesource is immutable after creation\n{difference(old.spec, after)}"
        found.append(forbidden("spec.persistentvolumesource", told))
    if new.spec.volume_mode != old.spec.volume_mode:
        found.append(invalid("volumeMode", new.spec.volume_mode, IMMUTABLE))
    if old.spec.node_affinity is not None and new.spec.node_affinity != old.spec.node_affinity:
        shown = new.spec.node_affinity.to_dict() if new.spec.node_affinity is not None else None
        found.append(invalid("nodeAffinity", shown, f"{IMMUTABLE}, except for updating from beta label to GA"))
    if old.spec.volume_attributes_class_name is not None and new.spec.volume_attributes_class_name is None:
        told = "update from non-nil value to nil is forbidden"
        found.append(forbidden("spec.volumeAttributesClassName", told))
    return found
