"""Types of core/v1: references.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from kubeapi.model import GoType, Model, Quantity, always, empty


class ConfigMapKeySelector(Model):
    atomic: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("key",)
    key: str = always(str)
    name: str = always(str)
    optional: bool | None = None


class FileKeySelector(Model):
    atomic: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("volumeName", "path", "key")
    key: str = always(str)
    optional: bool = always(bool)
    path: str = always(str)
    volume_name: str = always(str)


class LocalObjectReference(Model):
    atomic: ClassVar[bool] = True
    name: str = always(str)


class NodeSelector(Model):
    atomic: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("nodeSelectorTerms",)
    node_selector_terms: list[NodeSelectorTerm] = always(list)


class NodeSelectorRequirement(Model):
    needs: ClassVar[tuple[str, ...]] = ("key", "operator")
    key: str = always(str)
    operator: Annotated[str, GoType("v1.NodeSelectorOperator")] = always(str)
    values: list[str] = empty(list)


class NodeSelectorTerm(Model):
    atomic: ClassVar[bool] = True
    match_expressions: list[NodeSelectorRequirement] = empty(list)
    match_fields: list[NodeSelectorRequirement] = empty(list)


class ObjectFieldSelector(Model):
    atomic: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("fieldPath",)
    api_version: str = ""
    field_path: str = always(str)


class ObjectReference(Model):
    atomic: ClassVar[bool] = True
    kind: str = ""
    api_version: str = ""
    field_path: str = ""
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    uid: Annotated[str, GoType("types.UID")] = ""


class ResourceFieldSelector(Model):
    atomic: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("resource",)
    container_name: str = ""
    divisor: Quantity | None = None
    resource: str = always(str)


class SecretKeySelector(Model):
    atomic: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("key",)
    key: str = always(str)
    name: str = always(str)
    optional: bool | None = None


class SecretReference(Model):
    atomic: ClassVar[bool] = True
    name: str = ""
    namespace: str = ""


class TopologySelectorLabelRequirement(Model):
    needs: ClassVar[tuple[str, ...]] = ("key", "values")
    key: str = always(str)
    values: list[str] = always(list)


class TopologySelectorTerm(Model):
    atomic: ClassVar[bool] = True
    match_label_expressions: list[TopologySelectorLabelRequirement] = empty(list)


class TypedLocalObjectReference(Model):
    atomic: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("kind", "name")
    kind: str = always(str)
    api_group: str | None = None
    name: str = always(str)


class TypedObjectReference(Model):
    needs: ClassVar[tuple[str, ...]] = ("kind", "name")
    kind: str = always(str)
    api_group: str | None = None
    name: str = always(str)
    namespace: str | None = None
