"""Types of storage/v1.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from kubeapi.core_v1.types.references import TopologySelectorTerm
from kubeapi.meta_v1.types import ListMeta, ObjectMeta
from kubeapi.model import GoType, Model, always, empty


class StorageClass(Model):
    needs: ClassVar[tuple[str, ...]] = ("provisioner",)
    kind: str = always(lambda: "StorageClass")
    api_version: str = always(lambda: "storage.k8s.io/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    allow_volume_expansion: bool | None = None
    allowed_topologies: list[TopologySelectorTerm] = empty(list)
    mount_options: list[str] = empty(list)
    parameters: dict[str, str] = empty(dict)
    provisioner: str = always(str)
    reclaim_policy: Annotated[str, GoType("v1.PersistentVolumeReclaimPolicy")] | None = None
    volume_binding_mode: Annotated[str, GoType("v1.VolumeBindingMode")] | None = None


class StorageClassList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "StorageClassList")
    api_version: str = always(lambda: "storage.k8s.io/v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[StorageClass] = always(list)
