"""Types of policy/v1.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from kubeapi.meta_v1.types import DeleteOptions, ObjectMeta
from kubeapi.model import Model, always


class Eviction(Model):
    kind: str = always(lambda: "Eviction")
    api_version: str = always(lambda: "policy/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    delete_options: DeleteOptions | None = None
