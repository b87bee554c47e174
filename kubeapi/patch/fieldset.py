"""Sets of field paths, as managedFields writes them (FieldsV1).

A set *is* its FieldsV1 tree, so nothing is converted on the hot path: `f:NAME` is a field or map key, `k:{...}` an element
of a keyed list, `v:VALUE` an element of a set, `i:N` an index. A node without children is a member; one with children is a
member only if it holds `.`. `{}` at the root is the empty set. Source: sigs.k8s.io/structured-merge-diff, KEP-555.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from kubeapi.schema import Schema

FieldSet = dict[str, Any]


def is_member(node: FieldSet) -> bool:
    """Whether the path that leads to this node is in the set (not only paths below it)."""
    return not node or "." in node


def _node(member: bool, children: FieldSet) -> FieldSet | None:
    if not children:
        return {} if member else None
    return {".": {}, **children} if member else children


def union(a: FieldSet, b: FieldSet) -> FieldSet:
    """Paths in either set."""
    if not a or a == b:
        return b
    out = dict(a)
    for key, theirs in b.items():
        ours = out.get(key)
        if ours is None or key == ".":
            out[key] = theirs
        else:
            member = is_member(ours) or is_member(theirs)
            out[key] = _node(member, _children(union(ours, theirs))) or {}
    return out


def difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """Paths in `a` and not in `b`."""
    return _combined(a, b, keep_common=False) if b else a


def intersection(a: FieldSet, b: FieldSet) -> FieldSet:
    """Paths in both sets."""
    return _combined(a, b, keep_common=True)


def _combined(a: FieldSet, b: FieldSet, keep_common: bool) -> FieldSet:
    out: FieldSet = {}
    for key, ours in a.items():
        if key == ".":
            continue
        theirs = b.get(key)
        if theirs is None:
            node = None if keep_common else ours
        else:
            member = is_member(ours) and is_member(theirs) is keep_common
            node = _node(member, _combined(ours, theirs, keep_common))
        if node is not None:
            out[key] = node
    return out


def _children(node: FieldSet) -> FieldSet:
    return {k: v for k, v in node.items() if k != "."}


def without(fields: FieldSet, paths: Iterable[tuple[str, ...]]) -> FieldSet:
    """The set without these paths of plain fields, and without all that is below them."""
    for path in paths:
        fields = _without(fields, path)
    return fields


def _without(fields: FieldSet, path: tuple[str, ...]) -> FieldSet:
    key = f"f:{path[0]}"
    if key not in fields:
        return fields
    rest = {k: v for k, v in fields.items() if k != key}
    if len(path) > 1:
        node = fields[key]
        below = _without(node, path[1:])
        if below or not node:
            rest[key] = below
    return rest


def with_parents(fields: FieldSet, schema: Schema | None) -> FieldSet:
    """The set in which every field of a struct that leads to a member is a member, too (EnsureNamedFieldsAreMembers)."""
    out: FieldSet = {}
    for key, node in fields.items():
        if key == ".":
            out[key] = node
            continue
        named = schema is not None and schema.kind == "struct" and key[2:] in schema.fields
        below = with_parents(_children(node), child_schema(schema, key[2:]) if key[0] == "f" else _element(schema))
        out[key] = _node(named or is_member(node), below) or {}
    return out


def child_schema(schema: Schema | None, name: str) -> Schema | None:
    """The schema of a struct's field or of a map's values."""
    if schema is None:
        return None
    return schema.fields.get(name) if schema.kind == "struct" else schema.element


def _element(schema: Schema | None) -> Schema | None:
    return schema.element if schema is not None else None


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """The members as Kubernetes prints them: .spec.ports[port=80,protocol="TCP"].name; those that end here come first."""
    keys = sorted(key for key in fields if key != ".")
    yield from (prefix + shown(key) for key in keys if is_member(fields[key]))
    for key in keys:
        yield from paths(fields[key], prefix + shown(key))


def shown(key: str) -> str:
    """One path element as Kubernetes prints it."""
    kind, text = key[0], key[2:]
    match kind:
        case "f":
            return f".{text}"
        case "k":
            return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in orjson.loads(text).items()) + "]"
        case "v":
            return f"[={text}]"
        case _:
            return f"[{text}]"
