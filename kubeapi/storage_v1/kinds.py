"""The rows of storage/v1."""

from __future__ import annotations

from kubeapi.inert import Inert
from kubeapi.registry import Kind
from kubeapi.storage_v1 import columns, defaults, validation
from kubeapi.storage_v1 import types as t

INERT = (
    Inert("allowVolumeExpansion", "volumes have no size of their own", only=(True,)),
    Inert("allowedTopologies", "a volume is made on the node of its first pod"),
    Inert("mountOptions", "volumes are mounted without them"),
    Inert("parameters", "volumes are made without them"),
)

KINDS = (
    Kind(
        "storage.k8s.io", "v1", "StorageClass", "storageclasses", t.StorageClass,
        inert=INERT,
        columns=columns.STORAGE_CLASS,
        validate=validation.validate_storage_class,
        validate_update=validation.validate_storage_class_update,
        default=defaults.default_storage_class,
        namespaced=False,
        short_names=("sc",),
    ),
)  # fmt: skip
