"""OpenAPI v3 documents, made from the registry's rows and the types' shapes: what kubectl explains and validates by.

One document per group and version, as bytes, made when first asked for. Types carry the extensions that clients merge by
(x-kubernetes-list-type, x-kubernetes-patch-strategy, ...).
"""

from __future__ import annotations

from typing import Any

import orjson

from kubeapi.meta_v1.types import DeleteOptions
from kubeapi.model import Model
from kubeapi.registry import Kind, Registry
from kubeapi.schema import Schema, schema_of

PACKAGES = {"meta_v1": "io.k8s.apimachinery.pkg.apis.meta.v1"}
SCALARS: dict[str, dict[str, Any]] = {
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "float64": {"type": "number"},
    "[]uint8": {"type": "string", "format": "byte"},
    "v1.Time": {"type": "string", "format": "date-time"},
    "resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "intstr.IntOrString": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
}
WRITE_OPTIONS = ("dryRun", "fieldManager", "fieldValidation", "pretty")


def name_of(model: type[Model]) -> str:
    """The definition's name: `io.k8s.api.apps.v1.Deployment`."""
    package = model.__module__.split(".")[1]
    return f"{PACKAGES.get(package, 'io.k8s.api.' + package.replace('_', '.'))}.{model.__name__}"


class OpenApi:
    """The documents of a registry's groups."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._documents: dict[str, bytes] = {}

    def index(self) -> dict[str, Any]:
        """/openapi/v3: where each group's document is."""
        groups = {kind.prefix.strip("/") for kind in self._registry}
        return {"paths": {group: {"serverRelativeURL": f"/openapi/v3/{group}"} for group in sorted(groups)}}

    def document(self, group: str) -> bytes | None:
        """The document of `api/v1` or `apis/GROUP/VERSION` as JSON, None where nothing is served."""
        if group not in self._documents:
            kinds = [kind for kind in self._registry if kind.prefix.strip("/") == group]
            if not kinds:
                return None
            self._documents[group] = orjson.dumps(document_of(kinds))
        return self._documents[group]


def document_of(kinds: list[Kind]) -> dict[str, Any]:
    """The OpenAPI document of some kinds."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for kind in kinds:
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        define(kind.model, schemas)
        schemas[name_of(kind.model)]["x-kubernetes-group-version-kind"] = [gvk]
        paths |= paths_of(kind, gvk)
    define(DeleteOptions, schemas)
    info = {"title": "Kubernetes", "version": "v1.36.0"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def paths_of(kind: Kind, gvk: dict[str, str]) -> dict[str, Any]:
    """The collection's and the object's paths with their verbs."""
    reference = {"$ref": f"#/components/schemas/{name_of(kind.model)}"}

    def operation(action: str, body: bool, options: tuple[str, ...]) -> dict[str, Any]:
        answer = {"description": "OK", "content": {"application/json": {"schema": reference}}}
        found: dict[str, Any] = {
            "operationId": f"{action}{kind.group.title().replace('.', '')}{kind.version.title()}{kind.kind}",
            "responses": {"200": answer},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
            "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in options],
        }
        if body:
            found["requestBody"] = {"content": {"application/json": {"schema": reference}}}
        return found

    collection, one = kind.path("{namespace}"), kind.path("{namespace}", "{name}")
    return {
        collection: {"get": operation("list", False, ()), "post": operation("post", True, WRITE_OPTIONS)},
        one: {
            "get": operation("get", False, ()),
            "put": operation("put", True, WRITE_OPTIONS),
            "patch": operation("patch", True, (*WRITE_OPTIONS, "force")),
            "delete": operation("delete", False, ("dryRun", "gracePeriodSeconds", "propagationPolicy")),
        },
    }


def define(model: type[Model], schemas: dict[str, Any]) -> None:
    """Add a type and all that it is made of to the definitions."""
    name = name_of(model)
    if name in schemas:
        return
    schema = schema_of(model)
    found: dict[str, Any] = {"type": "object"}
    schemas[name] = found
    found["properties"] = {field: described(child, schemas) for field, child in schema.fields.items()}
    if schema.atomic:
        found["x-kubernetes-map-type"] = "atomic"


def described(schema: Schema, schemas: dict[str, Any]) -> dict[str, Any]:
    """The description of one field, with the extensions that clients merge by."""
    found: dict[str, Any]
    if schema.model is not None:
        define(schema.model, schemas)
        return {"allOf": [{"$ref": f"#/components/schemas/{name_of(schema.model)}"}], "default": {}}
    if schema.kind == "map":
        found = {"type": "object"}
        if schema.element is not None:
            found["additionalProperties"] = described(schema.element, schemas)
        if schema.atomic:
            found["x-kubernetes-map-type"] = "atomic"
    elif schema.kind == "list":
        found = {"type": "array", "items": described(schema.element, schemas) if schema.element else {}}
        found["x-kubernetes-list-type"] = schema.list_type
        if schema.keys:
            found["x-kubernetes-list-map-keys"] = [*schema.keys]
    else:
        return SCALARS.get(schema.go_name, {"type": "string"})
    if schema.strategy:
        found["x-kubernetes-patch-strategy"] = ",".join(schema.strategy)
    if schema.merge_key:
        found["x-kubernetes-patch-merge-key"] = schema.merge_key
    return found
