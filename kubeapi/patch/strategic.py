"""Strategic merge patch: a merge patch that knows which lists merge, by what key, from the types' own declarations.

Lists with the strategy `merge` merge by merge key (maps) or as sets (scalars); every other list is replaced. Directives in
the patch steer it: `$patch: replace|delete` on a map or a list's element, `$deleteFromPrimitiveList/NAME`,
`$setElementOrder/NAME`, `$retainKeys`. Element order is as apimachinery's: the patch's own order wins, what only the
server has keeps its place before the first element that stood after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeapi.errors import ApiError, bad_request
from kubeapi.unstructured import go_map

if TYPE_CHECKING:
    from kubeapi.schema import Schema

DIRECTIVE, RETAIN = "$patch", "$retainKeys"
DELETE_FROM, ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


def apply(current: dict[str, Any], patch: dict[str, Any], schema: Schema | None) -> dict[str, Any]:
    """`current` with the strategic merge `patch` applied; neither is changed. Raises ApiError 400 or 500 as Kubernetes."""
    return _merge_map(current, patch, schema)


def _merge_map(current: dict[str, Any], patch: dict[str, Any], schema: Schema | None) -> dict[str, Any]:
    if DIRECTIVE in patch:
        match patch[DIRECTIVE]:
            case "replace":
                return {k: v for k, v in patch.items() if k != DIRECTIVE}
            case "delete":
                return {}
            case unknown:
                raise ApiError(500, "", f"unknown patch type: {unknown} in map: {go_map(patch)}")
    merged = _retained(current, patch)
    fields = {k: v for k, v in patch.items() if not k.startswith("$")}
    for key, value in patch.items():
        if key.startswith(DELETE_FROM):
            _delete_from(merged, key.removeprefix(DELETE_FROM), value)
    for key, value in fields.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value, _child(schema, key))
    for key, order in patch.items():
        if key.startswith(ORDER):
            name = key.removeprefix(ORDER)
            _reorder(merged, current.get(name), name, order, _child(schema, name))
    return merged


def _merge(current: Any, patch: Any, schema: Schema | None) -> Any:
    if isinstance(patch, dict):
        if isinstance(current, dict) and not (schema and "replace" in schema.strategy):
            return _merge_map(current, patch, schema)
        return _plain(patch)
    if isinstance(patch, list):
        if isinstance(current, list) and schema and "merge" in schema.strategy:
            return _merge_list(current, patch, schema)
        return _plain(patch)
    return patch


def _plain(value: Any) -> Any:
    """A patch where the object has nothing yet: maps without directives and nulls.

    An element of a list that is itself a directive is done with; any other is taken as it is, so that the decoder complains
    of what steers in it.
    """
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if v is not None and not k.startswith("$")}
    if isinstance(value, list):
        return [v for v in value if not (isinstance(v, dict) and DIRECTIVE in v)]
    return value


def _child(schema: Schema | None, key: str) -> Schema | None:
    if schema is None:
        return None
    return schema.fields.get(key) if schema.kind == "struct" else schema.element


def _retained(current: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    if RETAIN not in patch:
        return dict(current)
    keep = patch[RETAIN]
    if not isinstance(keep, list):
        raise bad_request("invalid patch format of retainKeys")
    if any(k not in keep for k, v in patch.items() if not k.startswith("$") and v is not None):
        raise bad_request("invalid patch format of retainKeys")
    return {k: v for k, v in current.items() if k in keep}


def _delete_from(merged: dict[str, Any], name: str, gone: Any) -> None:
    if not isinstance(gone, list):
        raise bad_request("invalid patch format of primitive list")
    if isinstance(merged.get(name), list):
        merged[name] = [v for v in merged[name] if v not in gone]


def _merge_list(current: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    key = schema.merge_key
    if not key or not any(isinstance(v, dict) for v in (*patch, *current)):
        merged: list[Any] = []
        for value in (*current, *patch):
            if value not in merged:
                merged.append(value)
        return _ordered(merged, patch, current, "")
    if any(not isinstance(v, dict) for v in (*patch, *current)):
        raise ApiError(500, "", "list element types are not identical")
    fresh: list[dict[str, Any]] = []
    base, replaced = current, False
    for element in patch:
        match element.get(DIRECTIVE):
            case None:
                fresh.append(element)
            case "delete":
                gone = _key_of(element, key)
                base = [v for v in base if v.get(key) != gone]
            case "replace":
                replaced = True
            case unknown:
                raise ApiError(500, "", f"unknown patch type: {unknown} in map: {go_map(element)}")
    if replaced:
        return _plain_all(fresh)
    merged = list(base)
    for element in fresh:
        name = _key_of(element, key)
        at = next((i for i, v in enumerate(merged) if v.get(key) == name), None)
        if at is None:
            merged.append(element)  # as it is: what steers in it stands there, too, for the decoder to complain of
        else:
            merged[at] = _merge_map(merged[at], element, schema.element)
    return _ordered(merged, fresh, base, key)


def _plain_all(elements: list[dict[str, Any]]) -> list[Any]:
    return [_plain(element) for element in elements]


def _key_of(element: dict[str, Any], key: str) -> Any:
    if key not in element:
        raise ApiError(500, "", f"map: {go_map(element)} does not contain declared merge key: {key}")
    return element[key]


def _reorder(merged: dict[str, Any], server: Any, name: str, order: Any, schema: Schema | None) -> None:
    if not isinstance(order, list):
        raise bad_request("invalid patch format of setElementOrder list")
    if isinstance(merged.get(name), list):
        key = schema.merge_key if schema and any(isinstance(v, dict) for v in order) else ""
        merged[name] = _ordered(merged[name], order, server if isinstance(server, list) else [], key)


def _ordered(merged: list[Any], wanted: list[Any], server: list[Any], key: str) -> list[Any]:
    """`merged` in the order of `wanted`; what is not wanted keeps its place among the server's."""

    def name(value: Any) -> Any:
        return value.get(key) if key and isinstance(value, dict) else value

    want, had = [name(v) for v in wanted], [name(v) for v in server]
    chosen = sorted((v for v in merged if name(v) in want), key=lambda v: want.index(name(v)))
    others = [v for v in merged if name(v) not in want]
    out: list[Any] = []
    while others and chosen:
        left, right = name(others[0]), name(chosen[0])
        stands_before = left in had and right in had and had.index(left) < had.index(right)
        out.append((others if stands_before else chosen).pop(0))
    return out + chosen + others
