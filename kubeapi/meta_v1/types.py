"""Types of meta/v1.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from kubeapi.model import GoType, Int32, Int64, ListMap, ListSet, Model, StrategicMerge, Time, always, empty, null


class APIResource(Model):
    needs: ClassVar[tuple[str, ...]] = ("name", "singularName", "namespaced", "kind", "verbs")
    kind: str = always(str)
    categories: list[str] = empty(list)
    group: str = ""
    name: str = always(str)
    namespaced: bool = always(bool)
    short_names: list[str] = empty(list)
    singular_name: str = always(str)
    storage_version_hash: str = ""
    verbs: list[str] = always(list)
    version: str = ""


class APIResourceList(Model):
    needs: ClassVar[tuple[str, ...]] = ("groupVersion", "resources")
    kind: str = always(lambda: "APIResourceList")
    api_version: str = always(lambda: "v1")
    group_version: str = always(str)
    resources: list[APIResource] = always(list)


class Condition(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "status", "lastTransitionTime", "reason", "message")
    status: str = always(str)
    last_transition_time: Time | None = null()
    message: str = always(str)
    observed_generation: Int64 = 0
    reason: str = always(str)
    type: str = always(str)


class DeleteOptions(Model):
    kind: str = ""
    api_version: str = ""
    dry_run: list[str] = empty(list)
    grace_period_seconds: Int64 | None = None
    ignore_store_read_error_with_cluster_breaking_potential: bool | None = None
    orphan_dependents: bool | None = None
    preconditions: Preconditions | None = None
    propagation_policy: Annotated[str, GoType("v1.DeletionPropagation")] | None = None


class FieldSelectorRequirement(Model):
    needs: ClassVar[tuple[str, ...]] = ("key", "operator")
    key: str = always(str)
    operator: str = always(str)
    values: list[str] = empty(list)


class LabelSelector(Model):
    atomic: ClassVar[bool] = True
    match_expressions: list[LabelSelectorRequirement] = empty(list)
    match_labels: dict[str, str] = empty(dict)


class LabelSelectorRequirement(Model):
    needs: ClassVar[tuple[str, ...]] = ("key", "operator")
    key: str = always(str)
    operator: Annotated[str, GoType("v1.LabelSelectorOperator")] = always(str)
    values: list[str] = empty(list)


class ListMeta(Model):
    continue_: str = Field(default="", alias="continue")
    remaining_item_count: Int64 | None = None
    resource_version: str = ""
    self_link: str = ""
    shard_info: ShardInfo | None = None


class ManagedFieldsEntry(Model):
    api_version: str = ""
    fields_type: str = ""
    fields_v1: dict[str, Any] = empty(dict)
    manager: str = ""
    operation: Annotated[str, GoType("v1.ManagedFieldsOperationType")] = ""
    subresource: str = ""
    time: Time | None = None


class ObjectMeta(Model):
    annotations: dict[str, str] = empty(dict)
    creation_timestamp: Time | None = None
    deletion_grace_period_seconds: Int64 | None = None
    deletion_timestamp: Time | None = None
    finalizers: Annotated[list[str], ListSet(), StrategicMerge(("merge",), "")] = empty(list)
    generate_name: str = ""
    generation: Int64 = 0
    labels: dict[str, str] = empty(dict)
    managed_fields: list[ManagedFieldsEntry] = empty(list)
    name: str = ""
    namespace: str = ""
    owner_references: Annotated[list[OwnerReference], ListMap(("uid",)), StrategicMerge(("merge",), "uid")] = empty(
        list
    )
    resource_version: str = ""
    self_link: str = ""
    uid: Annotated[str, GoType("types.UID")] = ""


class OwnerReference(Model):
    atomic: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("apiVersion", "kind", "name", "uid")
    kind: str = always(str)
    api_version: str = always(str)
    block_owner_deletion: bool | None = None
    controller: bool | None = None
    name: str = always(str)
    uid: Annotated[str, GoType("types.UID")] = always(str)


class Preconditions(Model):
    resource_version: str = ""
    uid: Annotated[str, GoType("types.UID")] = ""


class ShardInfo(Model):
    needs: ClassVar[tuple[str, ...]] = ("selector",)
    selector: str = always(str)


class Status(Model):
    kind: str = always(lambda: "Status")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    status: str = ""
    code: Int32 | None = None
    details: StatusDetails | None = None
    message: str = ""
    reason: str = ""


class StatusCause(Model):
    field: str = ""
    message: str = ""
    reason: str = ""


class StatusDetails(Model):
    kind: str = ""
    causes: list[StatusCause] = empty(list)
    group: str = ""
    name: str = ""
    retry_after_seconds: Int32 | None = None
    uid: str = ""


class WatchEvent(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "object")
    object: dict[str, Any] = always(dict)
    type: str = always(str)
