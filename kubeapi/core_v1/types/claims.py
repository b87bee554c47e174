"""Types of core/v1: claims.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from kubeapi.core_v1.types.references import TypedLocalObjectReference, TypedObjectReference
from kubeapi.meta_v1.types import LabelSelector, ListMeta, ObjectMeta
from kubeapi.model import GoType, ListMap, Model, Quantity, StrategicMerge, Time, always, empty, null


class ModifyVolumeStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("status",)
    status: str = always(str)
    target_volume_attributes_class_name: str = ""


class PersistentVolumeClaim(Model):
    kind: str = always(lambda: "PersistentVolumeClaim")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: PersistentVolumeClaimSpec = always(lambda: PersistentVolumeClaimSpec())
    status: PersistentVolumeClaimStatus = always(lambda: PersistentVolumeClaimStatus())


class PersistentVolumeClaimCondition(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "status")
    status: Annotated[str, GoType("v1.ConditionStatus")] = always(str)
    last_probe_time: Time | None = null()
    last_transition_time: Time | None = null()
    message: str = ""
    reason: str = ""
    type: Annotated[str, GoType("v1.PersistentVolumeClaimConditionType")] = always(str)


class PersistentVolumeClaimList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "PersistentVolumeClaimList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[PersistentVolumeClaim] = always(list)


class PersistentVolumeClaimSpec(Model):
    access_modes: list[Annotated[str, GoType("v1.PersistentVolumeAccessMode")]] = empty(list)
    data_source: TypedLocalObjectReference | None = None
    data_source_ref: TypedObjectReference | None = None
    resources: VolumeResourceRequirements = always(lambda: VolumeResourceRequirements())
    selector: LabelSelector | None = None
    storage_class_name: str | None = None
    volume_attributes_class_name: str | None = None
    volume_mode: Annotated[str, GoType("v1.PersistentVolumeMode")] | None = None
    volume_name: str = ""


class PersistentVolumeClaimStatus(Model):
    access_modes: list[Annotated[str, GoType("v1.PersistentVolumeAccessMode")]] = empty(list)
    allocated_resource_statuses: dict[str, str] = empty(dict)
    allocated_resources: dict[str, Quantity] = empty(dict)
    capacity: dict[str, Quantity] = empty(dict)
    conditions: Annotated[
        list[PersistentVolumeClaimCondition], ListMap(("type",)), StrategicMerge(("merge",), "type")
    ] = empty(list)
    current_volume_attributes_class_name: str | None = None
    modify_volume_status: ModifyVolumeStatus | None = None
    phase: Annotated[str, GoType("v1.PersistentVolumeClaimPhase")] = ""


class VolumeResourceRequirements(Model):
    limits: dict[str, Quantity] = empty(dict)
    requests: dict[str, Quantity] = empty(dict)
