"""Sets of field paths: who owns what, as metadata.managedFields writes it (FieldsV1).

A path is a tuple of elements: `f:replicas` a field, `k:{"name":"web"}` an element of an associative list, `v:"x"` one of a
set. A set is a frozenset of paths; each is owned itself, whatever it holds. Source: KEP-555, structured-merge-diff.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from kubeapi.schema import Schema

Path = tuple[str, ...]
Fields = frozenset[Path]


def from_fields_v1(tree: Mapping[str, Any], prefix: Path = ()) -> Iterator[Path]:
    """The paths of a FieldsV1 tree: leaves, and what has a `.`."""
    for element, below in tree.items():
        if element == ".":
            yield prefix
        elif not below:
            yield (*prefix, element)
        else:
            yield from from_fields_v1(below, (*prefix, element))


def to_fields_v1(fields: Fields) -> dict[str, Any]:
    """The FieldsV1 tree of a set."""
    tree: dict[str, Any] = {}
    for path in sorted(fields):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _without_lone_dots(tree)


def _without_lone_dots(tree: dict[str, Any]) -> dict[str, Any]:
    return {k: {} if below.keys() == {"."} else _without_lone_dots(below) for k, below in tree.items()}


def children(value: Any, schema: Schema | None) -> Iterator[tuple[str, Any, Schema | None]]:
    """The elements below a value that can be owned apart, with their values; none below scalars and atomic values."""
    if schema is not None and schema.atomic:
        return
    if isinstance(value, dict):
        for name, below in value.items():
            child = None
            if schema is not None:
                child = schema.fields.get(name) if schema.kind == "struct" else schema.element
            yield f"f:{name}", below, child
    elif isinstance(value, list) and schema is not None and schema.list_type != "atomic":
        for item in value:
            yield element_of(item, schema), item, schema.element


def element_of(item: Any, schema: Schema) -> str:
    """The path element by which an item of an associative list or set is known."""
    if schema.list_type == "set":
        return "v:" + orjson.dumps(item).decode()
    key = {k: item[k] if k in item else schema.defaults[k] for k in schema.keys if k in item or k in schema.defaults}
    return "k:" + orjson.dumps(key, option=orjson.OPT_SORT_KEYS).decode()


def owned(value: Any, schema: Schema | None, path: Path = ()) -> Iterator[Path]:
    """What somebody who applies `value` owns: leaves, and the items of associative lists themselves."""
    below = [*children(value, schema)]
    if path and (not below or path[-1][:2] in ("k:", "v:")):
        yield path
    for element, item, child in below:
        yield from owned(item, child, (*path, element))


def everything(value: Any, schema: Schema | None, path: Path = ()) -> Iterator[Path]:
    """Each path in a value that came to be: itself and all below."""
    yield path
    for element, item, child in children(value, schema):
        yield from everything(item, child, (*path, element))


def compare(old: Any, new: Any, schema: Schema | None, path: Path = ()) -> Iterator[tuple[str, Path]]:
    """How `new` differs from `old`: ("changed", path) for what is new or other, ("removed", path) for what is gone."""
    if type(old) is not type(new) or not isinstance(new, (dict, list)):
        if old != new:
            yield "changed", path
        return
    if old == new:
        return
    before = {element: (item, child) for element, item, child in children(old, schema)}
    after = {element: (item, child) for element, item, child in children(new, schema)}
    if not before and not after:
        yield "changed", path
    for element, (item, child) in before.items():
        if element not in after:
            for gone in everything(item, child, (*path, element)):
                yield "removed", gone
    for element, (item, child) in after.items():
        if element in before:
            yield from compare(before[element][0], item, child, (*path, element))
        else:
            for added in everything(item, child, (*path, element)):
                yield "changed", added


def shown(path: Path) -> str:
    """A path as conflicts tell it: `.spec.template.spec.containers[name="web"].image`."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += "." + rest
        elif kind == "k":
            keys = sorted(orjson.loads(rest).items())
            text += "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in keys) + "]"
        else:
            text += f"[={rest}]"
    return text
