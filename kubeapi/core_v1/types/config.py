"""Types of core/v1: config.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from kubeapi.core_v1.types.references import LocalObjectReference, ObjectReference
from kubeapi.meta_v1.types import ListMeta, ObjectMeta
from kubeapi.model import (
    Bytes,
    GoType,
    Int32,
    ListMap,
    MicroTime,
    Model,
    Quantity,
    StrategicMerge,
    Time,
    always,
    empty,
    null,
)


class Binding(Model):
    needs: ClassVar[tuple[str, ...]] = ("target",)
    kind: str = always(lambda: "Binding")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    target: ObjectReference = always(lambda: ObjectReference())


class ComponentCondition(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "status")
    status: str = always(str)
    error: str = ""
    message: str = ""
    type: str = always(str)


class ComponentStatus(Model):
    kind: str = always(lambda: "ComponentStatus")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    conditions: Annotated[list[ComponentCondition], ListMap(("type",)), StrategicMerge(("merge",), "type")] = empty(
        list
    )


class ComponentStatusList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "ComponentStatusList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[ComponentStatus] = always(list)


class ConfigMap(Model):
    kind: str = always(lambda: "ConfigMap")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    binary_data: dict[str, Bytes] = empty(dict)
    data: dict[str, str] = empty(dict)
    immutable: bool | None = None


class ConfigMapList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "ConfigMapList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[ConfigMap] = always(list)


class Event(Model):
    needs: ClassVar[tuple[str, ...]] = ("metadata", "involvedObject")
    kind: str = always(lambda: "Event")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    action: str = ""
    count: Int32 = 0
    event_time: MicroTime | None = null()
    first_timestamp: Time | None = null()
    involved_object: ObjectReference = always(lambda: ObjectReference())
    last_timestamp: Time | None = null()
    message: str = ""
    reason: str = ""
    related: ObjectReference | None = None
    reporting_component: str = always(str)
    reporting_instance: str = always(str)
    series: EventSeries | None = None
    source: EventSource = always(lambda: EventSource())
    type: str = ""


class EventList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "EventList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[Event] = always(list)


class EventSeries(Model):
    count: Int32 = 0
    last_observed_time: MicroTime | None = null()


class EventSource(Model):
    component: str = ""
    host: str = ""


class LimitRange(Model):
    kind: str = always(lambda: "LimitRange")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: LimitRangeSpec = always(lambda: LimitRangeSpec())


class LimitRangeItem(Model):
    needs: ClassVar[tuple[str, ...]] = ("type",)
    default: dict[str, Quantity] = empty(dict)
    default_request: dict[str, Quantity] = empty(dict)
    max: dict[str, Quantity] = empty(dict)
    max_limit_request_ratio: dict[str, Quantity] = empty(dict)
    min: dict[str, Quantity] = empty(dict)
    type: str = always(str)


class LimitRangeList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "LimitRangeList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[LimitRange] = always(list)


class LimitRangeSpec(Model):
    needs: ClassVar[tuple[str, ...]] = ("limits",)
    limits: list[LimitRangeItem] = always(list)


class Namespace(Model):
    kind: str = always(lambda: "Namespace")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: NamespaceSpec = always(lambda: NamespaceSpec())
    status: NamespaceStatus = always(lambda: NamespaceStatus())


class NamespaceCondition(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "status")
    status: Annotated[str, GoType("v1.ConditionStatus")] = always(str)
    last_transition_time: Time | None = null()
    message: str = ""
    reason: str = ""
    type: Annotated[str, GoType("v1.NamespaceConditionType")] = always(str)


class NamespaceList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "NamespaceList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[Namespace] = always(list)


class NamespaceSpec(Model):
    finalizers: list[Annotated[str, GoType("v1.FinalizerName")]] = empty(list)


class NamespaceStatus(Model):
    conditions: Annotated[list[NamespaceCondition], ListMap(("type",)), StrategicMerge(("merge",), "type")] = empty(
        list
    )
    phase: Annotated[str, GoType("v1.NamespacePhase")] = ""


class ResourceQuota(Model):
    kind: str = always(lambda: "ResourceQuota")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: ResourceQuotaSpec = always(lambda: ResourceQuotaSpec())
    status: ResourceQuotaStatus = always(lambda: ResourceQuotaStatus())


class ResourceQuotaList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "ResourceQuotaList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[ResourceQuota] = always(list)


class ResourceQuotaSpec(Model):
    hard: dict[str, Quantity] = empty(dict)
    scope_selector: ScopeSelector | None = None
    scopes: list[str] = empty(list)


class ResourceQuotaStatus(Model):
    hard: dict[str, Quantity] = empty(dict)
    used: dict[str, Quantity] = empty(dict)


class ScopeSelector(Model):
    atomic: ClassVar[bool] = True
    match_expressions: list[ScopedResourceSelectorRequirement] = empty(list)


class ScopedResourceSelectorRequirement(Model):
    needs: ClassVar[tuple[str, ...]] = ("scopeName", "operator")
    operator: str = always(str)
    scope_name: str = always(str)
    values: list[str] = empty(list)


class Secret(Model):
    kind: str = always(lambda: "Secret")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    data: dict[str, Bytes] = empty(dict)
    immutable: bool | None = None
    string_data: dict[str, str] = empty(dict)
    type: Annotated[str, GoType("v1.SecretType")] = ""


class SecretList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "SecretList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[Secret] = always(list)


class ServiceAccount(Model):
    kind: str = always(lambda: "ServiceAccount")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    automount_service_account_token: bool | None = None
    image_pull_secrets: list[LocalObjectReference] = empty(list)
    secrets: Annotated[list[ObjectReference], ListMap(("name",)), StrategicMerge(("merge",), "name")] = empty(list)


class ServiceAccountList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "ServiceAccountList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[ServiceAccount] = always(list)
