"""Plain values as Go's converter takes them into a type: what strategic merge patches are decoded by, and its words.

Source: apimachinery's pkg/runtime/converter.go.
"""

from __future__ import annotations

from typing import Any

from kubeapi.schema import Schema

INTEGERS = ("int32", "int64")
BY_THEMSELVES = ("resource.Quantity", "intstr.IntOrString", "v1.Time", "[]uint8")  # they decode JSON on their own


def misfit(value: Any, schema: Schema | None) -> str:
    """Why the first value that does not fit its type does not; empty when all do. Unknown fields are not looked at."""
    if value is None or schema is None:
        return ""
    if schema.kind == "struct":
        if not isinstance(value, dict):
            return f"cannot restore struct from: {_kind(value)}"
        return _first(misfit(item, schema.fields.get(key)) for key, item in value.items())
    if schema.kind == "map":
        if not isinstance(value, dict):
            return f"cannot restore map from {_kind(value)}"
        return _first(misfit(item, schema.element) for item in value.values())
    if schema.kind == "list":
        if not isinstance(value, list):
            return f"cannot restore slice from {_kind(value)}"
        return _first(misfit(item, schema.element) for item in value)
    return "" if schema.go_name in BY_THEMSELVES else _scalar(value, schema.go_name)


def _first(found: Any) -> str:
    return next(filter(None, found), "")


def _scalar(value: Any, wanted: str) -> str:
    have = _kind(value)
    plain = wanted if wanted in (*INTEGERS, "bool", "float64") else "string"
    if have == plain or (have == "int64" and plain in (*INTEGERS, "float64")):
        return ""
    if (have, plain) in (("int64", "string"), ("float64", "int32"), ("float64", "int64")):
        return f"cannot convert {have} to {wanted}"
    return f"unrecognized type: {plain}"


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int64"
        case float():
            return "float64"
        case str():
            return "string"
        case list():
            return "slice"
    return "map"


def go_map(value: Any) -> str:
    """A value as Go's %+v prints it: `map[a:1 b:[x y]]`."""
    match value:
        case dict():
            return "map[" + " ".join(f"{k}:{go_map(v)}" for k, v in sorted(value.items())) + "]"
        case list():
            return "[" + " ".join(map(go_map, value)) + "]"
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
    return str(value)
