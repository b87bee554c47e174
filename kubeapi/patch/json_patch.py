"""JSON patch (RFC 6902) with Kubernetes' limits and errors.

Operations run in order on a copy; any that can't be done refuses the whole patch with 422 and Kubernetes' generic words.
As in Go's library, negative array indices count from the end, `replace` also sets a key that is not there, and a value that
is left out, or copied from a key that is not there, is null.
"""

from __future__ import annotations

import copy
from typing import Any

import orjson

from kubeapi.errors import ApiError, bad_request
from kubeapi.go_numbers import int_in

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 * 1024 * 1024


class _RefusedErrorError(Exception):
    """An operation does not fit the document."""


def apply(current: Any, operations: Any) -> Any:
    """`current` after all operations; not changed itself. Raises ApiError 400 (not a patch), 413 (too long), 422."""
    if not isinstance(operations, list):
        go = {dict: "object", str: "string", bool: "bool"}.get(type(operations), "number")
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {go} into Go value of type []handlers.jsonPatchOp"
        )
    if len(operations) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise ApiError(413, "RequestEntityTooLarge", message, details={})
    document = {"": copy.deepcopy(current)}  # one level above the root, so that "" is a key like any other
    copied = 0
    try:
        for operation in operations:
            copied += _step(document, operation)
            if copied > MAX_COPIED_BYTES:
                raise _RefusedErrorError
        return _get(document, [""])
    except _RefusedErrorError:
        raise ApiError(
            422, "Invalid", "the server rejected our request due to an error in our request", details={}
        ) from None


def _step(document: dict[str, Any], operation: Any) -> int:
    """Do one operation; the bytes that a copy added."""
    if not isinstance(operation, dict):
        raise _RefusedErrorError
    path = _tokens(operation.get("path"))
    match operation.get("op"):
        case "add":
            _add(document, path, copy.deepcopy(operation.get("value")))
        case "remove":
            _remove(document, path)
        case "replace":
            _set(document, path, copy.deepcopy(operation.get("value")))
        case "move":
            source = _tokens(operation.get("from"))
            if path[: len(source)] == source and path != source:
                raise _RefusedErrorError
            _add(document, path, _remove(document, source))
        case "copy":
            value = copy.deepcopy(_get(document, _tokens(operation.get("from")), missing_ok=True))
            _add(document, path, value)
            return len(orjson.dumps(value))
        case "test":
            if not _same(_get(document, path, missing_ok=True), operation.get("value")):
                raise _RefusedErrorError
        case _:
            raise _RefusedErrorError
    return 0


def _tokens(pointer: Any) -> list[str]:
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise _RefusedErrorError
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]


def _index(parent: list[Any], token: str, limit: int) -> int:
    index = int_in(token)
    if index is None:
        raise _RefusedErrorError
    index += limit if index < 0 else 0
    if not 0 <= index < limit:
        raise _RefusedErrorError
    return index


def _get(document: Any, path: list[str], missing_ok: bool = False) -> Any:
    node = document
    for position, token in enumerate(path):
        if isinstance(node, list):
            node = node[_index(node, token, len(node))]
        elif isinstance(node, dict) and token in node:
            node = node[token]
        elif missing_ok and isinstance(node, dict) and position == len(path) - 1:
            return None
        else:
            raise _RefusedErrorError
    return node


def _add(document: Any, path: list[str], value: Any) -> None:
    parent, token = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if token == "-" else _index(parent, token, len(parent) + 1), value)
    elif isinstance(parent, dict):
        parent[token] = value
    else:
        raise _RefusedErrorError


def _set(document: Any, path: list[str], value: Any) -> None:
    parent, token = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent[_index(parent, token, len(parent))] = value
    elif isinstance(parent, dict):
        parent[token] = value
    else:
        raise _RefusedErrorError


def _remove(document: Any, path: list[str]) -> Any:
    _get(document, path)
    parent, token = _get(document, path[:-1]), path[-1]
    return parent.pop(_index(parent, token, len(parent)) if isinstance(parent, list) else token)


def _same(a: Any, b: Any) -> bool:
    """JSON equality: Python holds True == 1, JSON does not."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)
