"""Types of storage/v1.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from kubeapi.core_v1.types.references import TopologySelectorTerm
from kubeapi.meta_v1.types import ListMeta, ObjectMeta
from kubeapi.model import Model, always


class StorageClass(Model):
    kind: str = always(lambda: "StorageClass")
    api_version: str = always(lambda: "storage.k8s.io/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    allow_volume_expansion: bool | None = None
    allowed_topologies: list[TopologySelectorTerm] = []
    mount_options: list[str] = []
    parameters: dict[str, str] = {}
    provisioner: str = always(str)
    reclaim_policy: str | None = None
    volume_binding_mode: str | None = None


class StorageClassList(Model):
    kind: str = always(lambda: "StorageClassList")
    api_version: str = always(lambda: "storage.k8s.io/v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[StorageClass] = always(list)
