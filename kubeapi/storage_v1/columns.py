"""The columns of storage/v1."""

from __future__ import annotations

from kubeapi.meta_v1.columns import AGE, NAME, UNSET, column
from kubeapi.registry import Column
from kubeapi.storage_v1.types import StorageClass

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def _name(obj: StorageClass) -> str:
    meta = obj.metadata
    return f"{meta.name} (default)" if meta.annotations.get(DEFAULT_CLASS) == "true" else meta.name


STORAGE_CLASS = (
    Column("Name", lambda o, _now: _name(o), format="name", description=NAME.description),
    column("Provisioner", lambda o: o.provisioner),
    column("ReclaimPolicy", lambda o: o.reclaim_policy or "Delete"),
    column("VolumeBindingMode", lambda o: o.volume_binding_mode or UNSET),
    column("AllowVolumeExpansion", lambda o: bool(o.allow_volume_expansion)),
    AGE,
)
