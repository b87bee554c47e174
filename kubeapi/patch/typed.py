"""Plain JSON values seen through a schema: checked, compared, merged, and turned into sets of fields.

The schema says which lists are sets or keyed maps and which values are owned as a whole. A list may hold an element's key
twice (old objects do); such elements are compared and kept as one block. Source: sigs.k8s.io/structured-merge-diff, typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from kubeapi.patch import fieldset
from kubeapi.patch.fieldset import FieldSet, child_schema, is_member

if TYPE_CHECKING:
    from kubeapi.schema import Schema

# Go types that are checked by their own decoders, not by the schema.
UNTYPED = ("resource.Quantity", "intstr.IntOrString")
NUMBERS = ("int32", "int64", "float64")


class Comparison(NamedTuple):
    """What differs between two values: fields that came or changed value, and fields that went."""

    changed: FieldSet
    removed: FieldSet


def is_leaf(value: Any, schema: Schema | None) -> bool:
    """Whether a value is owned as a whole: scalars, atomic maps and lists, anything without a schema."""
    if isinstance(value, dict):
        return schema is None or schema.atomic or schema.kind not in ("struct", "map")
    if isinstance(value, list):
        return schema is None or schema.kind != "list" or schema.atomic or schema.list_type not in ("set", "map")
    return True


def element_key(value: Any, schema: Schema) -> str:
    """The path element of one element of a set or keyed list; missing keys take their declared defaults."""
    if schema.list_type == "map" and isinstance(value, dict):
        keys = {k: value.get(k, schema.defaults.get(k)) for k in schema.keys}
        named = {k: v for k, v in keys.items() if v is not None}
        return "k:" + orjson.dumps(named, option=orjson.OPT_SORT_KEYS).decode()
    return "v:" + orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def elements(values: list[Any], schema: Schema) -> dict[str, list[Any]]:
    """The elements of a set or keyed list under their path elements, in order; several under one are duplicates."""
    out: dict[str, list[Any]] = {}
    for value in values:
        out.setdefault(element_key(value, schema), []).append(value)
    return out


def check(value: Any, schema: Schema | None, path: str = "") -> Iterator[str]:
    """What in `value` does not fit the schema, each with its path. Null fits everywhere."""
    if value is None or schema is None:
        return
    if schema.kind in ("struct", "map"):
        if not isinstance(value, dict):
            yield f"{path}: expected map, got {_go(value)}"
            return
        for key, item in value.items():
            if schema.kind == "struct" and key not in schema.fields:
                yield f"{path}.{key}: field not declared in schema"
            else:
                yield from check(item, child_schema(schema, key), f"{path}.{key}")
    elif schema.kind == "list":
        yield from _check_list(value, schema, path)
    elif schema.go_name in NUMBERS:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield f"{path}: expected numeric (int or float), got {_go(value)}"
    elif schema.go_name == "bool":
        if not isinstance(value, bool):
            yield f"{path}: expected boolean, got {_go(value)}"
    elif schema.go_name not in UNTYPED and not isinstance(value, str):
        yield f"{path}: expected string, got {_go(value)}"


def _check_list(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: expected list, got {_go(value)}"
        return
    if is_leaf(value, schema):
        for index, item in enumerate(value):
            yield from check(item, schema.element, f"{path}[{index}]")
        return
    seen = set[str]()
    for index, item in enumerate(value):
        if isinstance(item, dict):
            missing = [k for k in schema.keys if k not in item and k not in schema.defaults]
            if missing:
                why = f"associative list with keys has an element that omits key field {_go(missing[0])}"
                yield f"{path}: element {index}: {why} (and doesn't have default value)"
                continue
        key = element_key(item, schema)
        if key in seen:
            yield f"{path}: duplicate entries for key {fieldset.shown(key)}"
        seen.add(key)
        yield from check(item, schema.element, path + fieldset.shown(key))


def _go(value: Any) -> str:
    """A value as Go's %#v prints structured-merge-diff's wrapper of it (text that stands by itself: quoted)."""
    return f"&value.valueUnstructured{{Value:{_go_literal(value)}}}" if not isinstance(value, str) else _quoted(value)


def _go_literal(value: Any) -> str:
    match value:
        case list():
            return "[]interface {}{" + ", ".join(map(_go_literal, value)) + "}"
        case dict():
            pairs = (f"{_quoted(k)}:{_go_literal(v)}" for k, v in sorted(value.items()))
            return "map[string]interface {}{" + ", ".join(pairs) + "}"
    return orjson.dumps(value).decode()


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def fields_of(value: Any, schema: Schema | None) -> FieldSet:
    """The fields that a manager owns by applying `value`: leaves, list elements, keys of maps and empty maps."""
    out: FieldSet = {}
    if isinstance(value, dict):
        own = schema is not None and schema.kind == "map"
        for key, item in value.items():
            below = child_schema(schema, key)
            whole = is_leaf(item, below) or item == {}
            node = {} if whole else fields_of(item, below)
            if node or whole:
                out[f"f:{key}"] = {".": {}, **node} if own and node else node
    elif isinstance(value, list) and schema is not None:
        for element, (first, *_) in elements(value, schema).items():
            node = {} if is_leaf(first, schema.element) else fields_of(first, schema.element)
            out[element] = {".": {}, **node} if node else {}
    return out


def compare(old: Any, new: Any, schema: Schema | None) -> Comparison:
    """What an update from `old` to `new` (both maps, or both lists) changed. Equal parts cost one comparison."""
    changed: FieldSet = {}
    removed: FieldSet = {}
    for key, before, after, below in _pairs(old, new, schema):
        if len(before) == len(after) == 1:
            was, now = before[0], after[0]
            if was == now and type(was) is type(now):
                continue
            if type(was) is not type(now) or is_leaf(now, below):
                changed[key] = {}
                continue
            deeper = compare(was, now, below)
            if deeper.changed:
                changed[key] = deeper.changed
            if deeper.removed:
                removed[key] = deeper.removed
        elif len(before) > 1 and len(after) > 1:
            if before != after:
                changed[key] = {}
        else:
            if after:
                changed[key] = _whole(after[0], below) if len(after) == 1 else {}
            if before:
                removed[key] = _whole(before[0], below) if len(before) == 1 else {}
    return Comparison(changed, removed)


def _pairs(old: Any, new: Any, schema: Schema | None) -> Iterator[tuple[str, list[Any], list[Any], Schema | None]]:
    """The members of two maps, or of two lists, side by side under their path elements."""
    if isinstance(new, list):
        assert schema is not None
        was, now = elements(old, schema), elements(new, schema)
        for key in {**now, **was}:
            yield key, was.get(key, []), now.get(key, []), schema.element
        return
    for name in {**new, **old}:
        if old.get(name) == new.get(name) and name in old and type(old[name]) is type(new.get(name)):
            continue  # what is the same on both sides is most of it
        before, after = [old[name]] if name in old else [], [new[name]] if name in new else []
        yield f"f:{name}", before, after, child_schema(schema, name)


def _whole(value: Any, schema: Schema | None) -> FieldSet:
    """A value that came or went with everything in it: every node on the way is a member."""
    if is_leaf(value, schema):
        return {}
    if isinstance(value, dict):
        node = {f"f:{k}": _whole(v, child_schema(schema, k)) for k, v in value.items()}
    else:
        assert schema is not None
        found = elements(value, schema)
        node = {k: _whole(v[0], schema.element) if len(v) == 1 else {} for k, v in found.items()}
    return {".": {}, **node} if node else {}


def merge(live: Any, applied: Any, schema: Schema | None) -> Any:
    """`applied` laid over `live`: maps and elements of keyed lists by key, everything else as a whole."""
    if type(live) is not type(applied) or is_leaf(applied, schema):
        return applied
    if isinstance(applied, dict):
        out = dict(live)
        for key, value in applied.items():
            out[key] = merge(out.get(key), value, child_schema(schema, key))
        return out
    assert schema is not None
    return _merge_lists(live, applied, schema)


def _merge_lists(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    """Both lists in one: shared elements in the applied order, the live ones' own where they stood between them.

    Live duplicates of an element that is applied give way to it; others stay.
    """
    mine = {key: found[0] for key, found in elements(applied, schema).items()}
    theirs = elements(live, schema)
    shared = [key for key in mine if key in theirs]
    waiting, todo = iter(shared), list(mine)
    wanted = next(waiting, None)
    out: list[Any] = []

    def take(key: str) -> None:
        found = theirs.get(key, ())
        out.append(merge(found[0] if len(found) == 1 else None, mine[key], schema.element))

    for value in live:
        key = element_key(value, schema)
        if key not in mine:
            out.append(value)
        elif key == wanted:
            while todo[0] != key:
                take(todo.pop(0))
            take(todo.pop(0))
            wanted = next(waiting, None)
    for key in todo:
        take(key)
    return out


def remove(value: Any, fields: FieldSet, schema: Schema | None) -> Any:
    """`value` without the set's members and all that is below them."""
    if not fields or is_leaf(value, schema):
        return value
    if isinstance(value, dict):
        out = {}
        for key, item in value.items():
            node = fields.get(f"f:{key}")
            if node is None:
                out[key] = item
            elif not is_member(node):
                out[key] = remove(item, node, child_schema(schema, key))
        return out
    assert schema is not None
    kept = []
    for item in value:
        node = fields.get(element_key(item, schema))
        if node is None:
            kept.append(item)
        elif not is_member(node):
            kept.append(remove(item, node, schema.element))
    return kept
