"""OpenAPI documents, made from the registry's rows and the types' shapes: what kubectl explains and validates by.

Version 3 has one document per group and version, version 2 one for all; each is bytes, made when first asked for. Types
carry the extensions that clients merge by (x-kubernetes-list-type, x-kubernetes-patch-strategy, ...).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import orjson

from kubeapi.meta_v1.types import DeleteOptions
from kubeapi.model import Model
from kubeapi.registry import Kind, Registry
from kubeapi.schema import Schema, schema_of

INFO = {"title": "Kubernetes", "version": "v1.36.0"}
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
LIST_OPTIONS = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "pretty", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
DELETE_OPTIONS = ("dryRun", "gracePeriodSeconds", "orphanDependents", "pretty", "propagationPolicy")
PATCHES = (
    "application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)  # fmt: skip
# A verb's HTTP method, what the operation is called, and the options in its query.
VERBS = {
    "create": ("post", "post", WRITE_OPTIONS),
    "delete": ("delete", "delete", DELETE_OPTIONS),
    "deletecollection": ("delete", "deletecollection", (*DELETE_OPTIONS, *LIST_OPTIONS)),
    "get": ("get", "get", ("pretty",)),
    "list": ("get", "list", LIST_OPTIONS),
    "patch": ("patch", "patch", (*WRITE_OPTIONS, "force")),
    "update": ("put", "put", WRITE_OPTIONS),
}

PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"  # as it is asked for
PROTOBUF_ANSWER = PROTOBUF.replace("@", ".")  # as media types are written
WITHOUT_DEFINITIONS = b"\n\x032.0\x12\x15\n\nKubernetes\x12\x07v1.36.0"
"""A Swagger 2 document in protobuf that defines nothing (openapi.v2.Document: swagger, info). kubectl asks for it to check a
`kind: List` by itself; what is not defined it leaves to the server, which checks every object anyway."""


class Subresource(NamedTuple):
    """A subresource of a kind: its name, its verbs, and what it shows: group, version and kind."""

    name: str
    verbs: tuple[str, ...]
    shows: tuple[str, str, str]


Subresources = Callable[[Kind], Iterable[Subresource]]


def name_of(model: type[Model]) -> str:
    """The definition's name: `io.k8s.api.apps.v1.Deployment`."""
    package = model.__module__.split(".")[1]
    return f"{PACKAGES.get(package, 'io.k8s.api.' + package.replace('_', '.'))}.{model.__name__}"


class OpenApi:
    """The documents of a registry's groups. `subresources` tells what each kind serves beside itself."""

    def __init__(self, registry: Registry, subresources: Subresources) -> None:
        self._registry, self._subresources = registry, subresources
        self._documents: dict[str, bytes] = {}
        self._together: bytes | None = None

    def index(self) -> dict[str, Any]:
        """/openapi/v3: where each group's document is."""
        return {"paths": {group: {"serverRelativeURL": f"/openapi/v3/{group}"} for group in self._groups()}}

    def document(self, group: str) -> bytes | None:
        """The document of `api/v1` or `apis/GROUP/VERSION` as JSON, None where nothing is served."""
        if group not in self._documents:
            kinds = [kind for kind in self._registry if kind.prefix.strip("/") == group]
            if not kinds:
                return None
            self._documents[group] = orjson.dumps(document_of(kinds, self._subresources))
        return self._documents[group]

    def version_2(self) -> bytes:
        """/openapi/v2: all groups in one Swagger document."""
        if self._together is None:
            found = [orjson.loads(self.document(group) or b"{}") for group in self._groups()]
            self._together = orjson.dumps(swagger_of(found))
        return self._together

    def _groups(self) -> list[str]:
        return sorted({kind.prefix.strip("/") for kind in self._registry})


def document_of(kinds: list[Kind], subresources: Subresources) -> dict[str, Any]:
    """The OpenAPI document of some kinds."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for kind in kinds:
        define(kind.model, schemas)
        schemas[name_of(kind.model)]["x-kubernetes-group-version-kind"] = [_gvk((kind.group, kind.version, kind.kind))]
        paths |= paths_of(kind, subresources)
    define(DeleteOptions, schemas)
    return {"openapi": "3.0.0", "info": INFO, "paths": paths, "components": {"schemas": schemas}}


def _gvk(of: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("group", "version", "kind"), of, strict=True))


def paths_of(kind: Kind, subresources: Subresources) -> dict[str, Any]:
    """Every path of a kind with its verbs: collections, the object, its subresources."""
    reference = {"$ref": f"#/components/schemas/{name_of(kind.model)}"}
    own = kind.group, kind.version, kind.kind
    collection, one = kind.path("{namespace}"), kind.path("{namespace}", "{name}")
    many = ("list", "create") if kind.resource == "namespaces" else ("list", "create", "deletecollection")
    found = {
        collection: _operations(kind, many, own, reference),
        one: _operations(kind, ("get", "update", "patch", "delete"), own, reference),
    }
    if kind.namespaced:
        found[kind.path()] = _operations(kind, ("list",), own, reference)
    for name, verbs, shows in subresources(kind):
        found[f"{one}/{name}"] = _operations(
            kind, verbs, shows, reference if shows == own else {"type": "object"}, name
        )
    for path, item in found.items():
        named = [name for name in ("namespace", "name") if f"{{{name}}}" in path]
        item["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in named
        ]
    return found


def _operations(
    kind: Kind, verbs: Iterable[str], shows: tuple[str, str, str], schema: dict[str, Any], subresource: str = ""
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for verb in verbs:
        method, action, options = VERBS[verb]
        of = f"{kind.group.title().replace('.', '')}{kind.version.title()}{kind.kind}{subresource.title()}"
        operation: dict[str, Any] = {
            "operationId": f"{verb}{of}",
            "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": _gvk(shows),
            "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in options],
        }
        if verb in ("create", "update"):
            operation["requestBody"] = {"content": {"*/*": {"schema": schema}}}
        if verb == "patch":
            operation["requestBody"] = {"content": {media: {"schema": {"type": "object"}} for media in PATCHES}}
        found[method] = operation
    return found


def swagger_of(documents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """OpenAPI v3 documents as one of version 2, which knows no request bodies and no alternatives."""
    together: dict[str, Any] = {"swagger": "2.0", "info": INFO, "paths": {}, "definitions": {}}
    for document in documents:
        together["definitions"] |= {k: _in_v2(v) for k, v in document["components"]["schemas"].items()}
        for path, item in document["paths"].items():
            together["paths"][path] = {
                method: _parameters(what) if method == "parameters" else _operation(what)
                for method, what in item.items()
            }
    return together


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    rest = {k: v for k, v in operation.items() if k not in ("requestBody", "responses", "parameters")}
    parameters = _parameters(operation["parameters"])
    if body := operation.get("requestBody"):
        rest["consumes"] = [*body["content"]]
        schema = next(iter(body["content"].values()))["schema"]
        parameters.append({"name": "body", "in": "body", "required": True, "schema": _in_v2(schema)})
    responses = {
        code: {"description": what["description"], "schema": _in_v2(what["content"]["application/json"]["schema"])}
        for code, what in operation["responses"].items()
    }
    return rest | {"parameters": parameters, "responses": responses}


def _parameters(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in p.items() if k != "schema"} | p["schema"] for p in parameters]


def _in_v2(schema: Any) -> Any:
    match schema:
        case {"allOf": [{"$ref": str()} as reference], **rest}:
            return _in_v2(reference | {k: v for k, v in rest.items() if str(k).startswith("x-")})
        case {"oneOf": list(), **rest}:
            return {"type": "string"} | rest
        case {"$ref": str() as reference, **rest}:
            return {"$ref": reference.replace("#/components/schemas/", "#/definitions/"), **rest}
        case dict():
            return {k: _in_v2(v) for k, v in schema.items()}
        case list():
            return [_in_v2(v) for v in schema]
    return schema


def define(model: type[Model], schemas: dict[str, Any]) -> None:
    """Add a type and all that it is made of to the definitions."""
    name = name_of(model)
    if name in schemas:
        return
    schema = schema_of(model)
    found: dict[str, Any] = {"type": "object"}
    schemas[name] = found
    if model.__doc__:
        found["description"] = inspect.cleandoc(model.__doc__).replace("\n", " ")
    found["properties"] = {field: described(child, schemas) for field, child in schema.fields.items()}
    if model.needs:
        found["required"] = [*model.needs]
    if schema.atomic:
        found["x-kubernetes-map-type"] = "atomic"


def described(schema: Schema, schemas: dict[str, Any]) -> dict[str, Any]:
    """The description of one field, with what it says of itself."""
    found = _described(schema, schemas)
    return found | {"description": schema.doc} if schema.doc else found


def _described(schema: Schema, schemas: dict[str, Any]) -> dict[str, Any]:
    """The shape of one field, with the extensions that clients merge by."""
    found: dict[str, Any]
    if schema.model is not None:
        define(schema.model, schemas)
        found = {"allOf": [{"$ref": f"#/components/schemas/{name_of(schema.model)}"}], "default": {}}
    elif schema.kind == "map":
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
