"""What a body of /apply asks for: its objects, each with its kind and place, in the order in which others need them.

All of the body is understood before anything is done, so a stream that is bad anywhere changes nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from controlplane.apiserver.apply_outcome import Key
from kubeapi import codec
from kubeapi.errors import ApiError, Cause, bad_request
from kubeapi.registry import Kind, Registry

FIRST = (
    "Namespace", "StorageClass", "ServiceAccount", "Secret", "ConfigMap",
    "PersistentVolume", "PersistentVolumeClaim", "Service",
)  # fmt: skip

MOUNTING = ("Pod", "Deployment", "ReplicaSet")


class Item(NamedTuple):
    """One object of the set: its row, its place (namespace "" for a cluster's object), and the value as it was given."""

    kind: Kind
    namespace: str
    name: str
    value: dict[str, Any]

    @property
    def key(self) -> Key:
        """What tells it from every other object."""
        return Key(self.kind.api_version, self.kind.kind, self.namespace, self.name)

    @property
    def path(self) -> str:
        """Where the API has it."""
        return self.kind.path(self.namespace, self.name)


def items_of(registry: Registry, body: bytes, namespace: str, validation: codec.Validation) -> list[Item]:
    """The objects of a YAML stream or a JSON list, Lists taken apart; `namespace` is for those that name none.

    Raises ApiError: what can't be read, an unknown kind or field, a wrong type, an object that stands twice.
    """
    items: dict[Key, Item] = {}
    errors: list[tuple[str, ApiError]] = []
    for value in objects_of(body):
        try:
            item = _item(registry, value, namespace, validation)
            if item.key in items:
                raise bad_request(f"{item.key.text} stands twice in what was sent")
            items[item.key] = item
        except ApiError as error:
            errors.append((_label(value), error))
    if errors:
        raise refusal_of(errors)
    if not items:
        raise bad_request("no objects passed to apply")
    return in_order_of_need(items.values())


def objects_of(body: bytes) -> list[Any]:
    """The documents in a body, lists and Lists taken apart."""
    try:
        return [obj for document in _documents(body) for obj in _apart(document)]
    except RecursionError:
        raise bad_request("exceeded max depth") from None


def _documents(body: bytes) -> list[Any]:
    if body.lstrip()[:1] in (b"[", b"{") and not codec.repeated_fields(body):
        try:
            return [orjson.loads(body)]
        except orjson.JSONDecodeError:
            pass  # YAML's flow style begins alike; and if it is neither, YAML's parser tells the line
    return codec.parse_stream(body)


def _apart(document: Any) -> Iterator[Any]:
    if isinstance(document, list):
        for one in document:
            yield from _apart(one)
    elif isinstance(document, dict) and str(document.get("kind", "")).endswith("List"):
        of_one_kind = {"apiVersion": document.get("apiVersion"), "kind": document["kind"][:-4]}
        items = document.get("items") or []
        if not isinstance(items, list):
            raise bad_request(f"items of a {document['kind']} are a list")
        for one in items:  # what a server lists does not repeat the kind in each item
            yield from _apart(of_one_kind | one if isinstance(one, dict) and of_one_kind["kind"] else one)
    elif document is not None:
        yield document


def _item(registry: Registry, value: Any, namespace: str, validation: codec.Validation) -> Item:
    try:
        body = orjson.dumps(value)
    except TypeError as error:  # too deep, a number beyond 64 bits, one of YAML's types that JSON lacks
        raise bad_request(f"error converting YAML to JSON: {error}") from None
    shown = body.decode()[:200]
    if not isinstance(value, dict):
        raise bad_request(f"an object is a map of fields, not {shown}")
    for name in ("kind", "apiVersion"):
        if not isinstance(value.get(name), str) or not value[name]:
            raise bad_request(f"Object '{name[0].upper()}{name[1:]}' is missing in '{shown}'")
    kind = registry.kind(value["apiVersion"], value["kind"])
    if kind is None:
        raise bad_request(f'no matches for kind "{value["kind"]}" in version "{value["apiVersion"]}"')
    obj, _ = codec.decode(kind, body, validation)
    if not obj.metadata.name:
        raise bad_request(f"{kind.kind}: metadata.name: Required value: an object is applied by its name")
    where = (obj.metadata.namespace or namespace) if kind.namespaced else ""
    return Item(kind, where, obj.metadata.name, value)


def _label(value: Any) -> str:
    """How a person knows an object that could not be read."""
    if not isinstance(value, dict):
        return "?"
    meta = value.get("metadata")
    return f"{value.get('kind', '?')} {meta.get('name', '?') if isinstance(meta, dict) else '?'}"


def refusal_of(errors: Sequence[tuple[str, ApiError]]) -> ApiError:
    """One refusal of (label, error) pairs: a single error as it is; of several the first code, a cause for each."""
    first = errors[0][1]
    if len(errors) == 1:
        return first
    causes = [Cause(e.reason, e.message, label)._asdict() for label, e in errors]
    message = "[" + ", ".join(e.message for _, e in errors) + "]"
    return ApiError(first.code, first.reason, message, details={"causes": causes})


def in_order_of_need(items: Iterable[Item]) -> list[Item]:
    """Namespaces and configuration before what uses them; otherwise as given."""
    rank = {kind: i for i, kind in enumerate(FIRST)}
    return sorted(items, key=lambda item: rank.get(item.kind.kind, len(FIRST)))


def claims_used(items: Iterable[Item]) -> set[tuple[str, str]]:
    """The (namespace, name) of each PersistentVolumeClaim that a pod, or a pod's template, of the set mounts."""
    used = set()
    for item in items:
        if item.kind.kind not in MOUNTING:
            continue
        spec = item.value.get("spec") or {}
        template = (spec.get("template") or {}).get("spec") or {}
        for volume in [*(spec.get("volumes") or ()), *(template.get("volumes") or ())]:
            if isinstance(volume, dict) and (claim := volume.get("persistentVolumeClaim")):
                used.add((item.namespace, str(claim.get("claimName"))))
    return used
