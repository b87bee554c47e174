"""What storage/v1 fills in. Source: k8s.io/kubernetes/pkg/apis/storage/v1/defaults.go."""

from __future__ import annotations

from kubeapi.storage_v1.types import StorageClass


def default_storage_class(storage_class: StorageClass) -> None:
    """Volumes go with their claims, and are bound at once."""
    storage_class.reclaim_policy = storage_class.reclaim_policy or "Delete"
    storage_class.volume_binding_mode = storage_class.volume_binding_mode or "Immediate"
