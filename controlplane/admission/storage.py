"""Storage: DefaultStorageClass for claims that name none, and StorageObjectInUseProtection's finalizers."""

from __future__ import annotations

from typing import Any

from controlplane.store import Store
from kubeapi.registry import Kind
from kubeapi.storage_v1.types import StorageClass

CLASS = "volume.beta.kubernetes.io/storage-class"  # how a claim named its class before it had a field for it
DEFAULT = "storageclass.kubernetes.io/is-default-class"
FINALIZERS = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
}


async def admit(store: Store, kind: Kind, obj: Any) -> None:
    """Protect a claim or a volume; give a claim its class."""
    finalizer = FINALIZERS[kind.plural]
    if finalizer not in obj.metadata.finalizers:
        obj.metadata.finalizers = [*obj.metadata.finalizers, finalizer]
    if kind.plural != "persistentvolumeclaims" or CLASS in obj.metadata.annotations:
        return
    if obj.spec.storage_class_name is None:
        entries, _ = store.list("/storage.k8s.io/storageclasses/")
        if name := default_class([StorageClass.from_json(e.value) for e in entries]):
            obj.spec.storage_class_name = name


def default_class(classes: list[StorageClass]) -> str:
    """The class marked as default: the youngest, then the first by name; empty when there is none."""
    marked = [c for c in classes if c.metadata.annotations.get(DEFAULT) == "true"]
    marked.sort(key=lambda c: c.metadata.name)
    marked.sort(key=lambda c: str(c.metadata.creation_timestamp), reverse=True)
    return marked[0].metadata.name if marked else ""
