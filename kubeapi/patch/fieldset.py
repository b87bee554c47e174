"""Sets of field paths, as managedFields writes them (FieldsV1), and how typed values become such sets.

A set *is* its FieldsV1 tree, so nothing is converted on the hot path: `f:NAME` is a field or map key, `k:{...}` an element
of a keyed list, `v:VALUE` an element of a set, `i:N` an index. A node without children is a member; one with children is a
member only if it holds `.`. `{}` at the root is the empty set. Source: sigs.k8s.io/structured-merge-diff, KEP-555.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from kubeapi.schema import Schema

FieldSet = dict[str, Any]


class Comparison(NamedTuple):
    """What differs between two values: fields that came or changed value, and fields that went."""

    changed: FieldSet
    removed: FieldSet


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


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """The members as Kubernetes prints them: .spec.ports[port=80,protocol="TCP"].name; sorted."""
    for key in sorted(fields):
        if key == ".":
            continue
        shown = prefix + _shown(key)
        if is_member(fields[key]):
            yield shown
        yield from paths(fields[key], shown)


def _shown(key: str) -> str:
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


def child_schema(schema: Schema | None, name: str) -> Schema | None:
    """The schema of a struct's field or of a map's values."""
    if schema is None:
        return None
    return schema.fields.get(name) if schema.kind == "struct" else schema.element


def is_leaf(value: Any, schema: Schema | None) -> bool:
    """Whether a value is owned as a whole: scalars, atomic maps and lists, anything without a schema."""
    if isinstance(value, dict):
        return schema is None or schema.atomic or schema.kind not in ("struct", "map")
    if isinstance(value, list):
        return schema is None or schema.kind != "list" or schema.atomic or schema.list_type not in ("set", "map")
    return True


def elements(values: list[Any], schema: Schema) -> dict[str, Any]:
    """The elements of a set or keyed list under their path elements (`v:...`, `k:{...}`), in order; the first wins."""
    out: dict[str, Any] = {}
    for value in values:
        out.setdefault(element_key(value, schema), value)
    return out


def element_key(value: Any, schema: Schema) -> str:
    """The path element of one element of a set or keyed list; missing keys take their declared defaults."""
    if schema.list_type == "map" and isinstance(value, dict):
        keys = {k: value.get(k, schema.defaults.get(k)) for k in schema.keys}
        named = {k: v for k, v in keys.items() if v is not None}
        return "k:" + orjson.dumps(named, option=orjson.OPT_SORT_KEYS).decode()
    return "v:" + orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def of(value: Any, schema: Schema | None) -> FieldSet:
    """The fields that a manager owns by applying `value`: leaves, list elements and empty maps, not their parents."""
    out: FieldSet = {}
    if isinstance(value, dict):
        for key, item in value.items():
            below = child_schema(schema, key)
            node = {} if is_leaf(item, below) or item == {} else of(item, below)
            if node or is_leaf(item, below) or item == {}:
                own = schema is not None and schema.kind == "map"
                out[f"f:{key}"] = {".": {}, **node} if own and node else node
    elif isinstance(value, list) and schema is not None:
        for key, item in elements(value, schema).items():
            node = {} if is_leaf(item, schema.element) else of(item, schema.element)
            out[key] = {".": {}, **node} if node else {}
    return out


def compare(old: Any, new: Any, schema: Schema | None) -> Comparison:
    """What an update from `old` to `new` (both maps, or both lists) changed. Equal parts cost one comparison."""
    changed: FieldSet = {}
    removed: FieldSet = {}
    if isinstance(old, list) and schema is not None:
        pairs_old, pairs_new = elements(old, schema), elements(new, schema)
        prefix = ""
    else:
        pairs_old, pairs_new, prefix = old, new, "f:"
    for key, value in pairs_new.items():
        below = child_schema(schema, key) if prefix else schema.element if schema else None
        if key not in pairs_old:
            changed[prefix + key] = _whole(value, below)
            continue
        before = pairs_old[key]
        if before == value and type(before) is type(value):
            continue
        if is_leaf(value, below) or type(before) is not type(value):
            changed[prefix + key] = {}
            continue
        deeper = compare(before, value, below)
        if deeper.changed:
            changed[prefix + key] = deeper.changed
        if deeper.removed:
            removed[prefix + key] = deeper.removed
    for key, value in pairs_old.items():
        if key not in pairs_new:
            below = child_schema(schema, key) if prefix else schema.element if schema else None
            removed[prefix + key] = _whole(value, below)
    return Comparison(changed, removed)


def _whole(value: Any, schema: Schema | None) -> FieldSet:
    """A value that came or went with everything in it: every node on the way is a member."""
    if is_leaf(value, schema):
        return {}
    if isinstance(value, dict):
        node = {f"f:{k}": _whole(v, child_schema(schema, k)) for k, v in value.items()}
    else:
        assert schema is not None
        node = {k: _whole(v, schema.element) for k, v in elements(value, schema).items()}
    return {".": {}, **node} if node else {}
