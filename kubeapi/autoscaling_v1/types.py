"""Types of autoscaling/v1.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import ClassVar

from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.model import Int32, Model, always


class Scale(Model):
    kind: str = always(lambda: "Scale")
    api_version: str = always(lambda: "autoscaling/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: ScaleSpec = always(lambda: ScaleSpec())
    status: ScaleStatus = always(lambda: ScaleStatus())


class ScaleSpec(Model):
    replicas: Int32 = 0


class ScaleStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("replicas",)
    replicas: Int32 = always(int)
    selector: str = ""
