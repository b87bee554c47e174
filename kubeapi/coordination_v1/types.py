"""Types of coordination/v1.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from kubeapi.meta_v1.types import ListMeta, ObjectMeta
from kubeapi.model import GoType, Int32, MicroTime, Model, always


class Lease(Model):
    kind: str = always(lambda: "Lease")
    api_version: str = always(lambda: "coordination.k8s.io/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: LeaseSpec = always(lambda: LeaseSpec())


class LeaseList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "LeaseList")
    api_version: str = always(lambda: "coordination.k8s.io/v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[Lease] = always(list)


class LeaseSpec(Model):
    acquire_time: MicroTime | None = None
    holder_identity: str | None = None
    lease_duration_seconds: Int32 | None = None
    lease_transitions: Int32 | None = None
    preferred_holder: str | None = None
    renew_time: MicroTime | None = None
    strategy: Annotated[str, GoType("v1.CoordinatedLeaseStrategy")] | None = None
