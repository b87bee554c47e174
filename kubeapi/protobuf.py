"""Kubernetes objects in protobuf, as Go's typed clients send them (`kubectl create deployment`), read into plain JSON.

    "k8s\\0" · Unknown{ typeMeta{apiVersion, kind}, raw: the object }

Only reading is needed: whoever sends protobuf also accepts JSON. The wire has numbers where JSON has names; what a number
means is told by `protobuf_numbers`, and how its value reads by the model's schema. Go writes every field that is no pointer,
so zeros come that JSON would leave out; to a model they are the same.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from kubeapi.errors import bad_request
from kubeapi.model import Model
from kubeapi.protobuf_numbers import NUMBERS
from kubeapi.schema import Schema, schema_of

MEDIA = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Value = int | bytes
ModelOf = Callable[[str, str], type[Model] | None]
"""The model of an apiVersion and a kind."""


class _WireError(Exception):
    """Bytes that are no protobuf, or a field that nobody here knows."""


def to_json(body: bytes, model_of: ModelOf) -> bytes:
    """The object in a protobuf body as JSON bytes; 400 for what is none, of no known kind, or has a field without a name."""
    if not body.startswith(MAGIC):
        raise bad_request(
            "provided data does not appear to be a protobuf message, expected prefix " + repr(MAGIC)[2:-1]
        )
    try:
        envelope = dict(_fields(body[len(MAGIC) :]))
        told = dict(_fields(_bytes(envelope.get(1, b""))))
        api_version, kind = (_bytes(told.get(n, b"")).decode() for n in (1, 2))
        model = model_of(api_version, kind)
        if model is None:
            raise bad_request(f'no kind "{kind}" is registered for version "{api_version}"')
        obj = _struct(schema_of(model), _message(model), _bytes(envelope.get(2, b"")))
    except (_WireError, UnicodeDecodeError, orjson.JSONDecodeError, RecursionError) as error:
        raise bad_request(f"couldn't read the protobuf body: {error}") from None
    return orjson.dumps({"kind": kind, "apiVersion": api_version} | obj)


@cache
def _messages() -> dict[tuple[str, str], tuple[str, ...]]:
    """The words of each message, by package and name."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    package, last = "", ("", "")
    for line in NUMBERS.strip().splitlines():
        words = tuple(line.split())
        if line.startswith("["):
            package = line.strip("[]")
        elif line.startswith(" "):
            found[last] += words
        else:
            last = (package, words[0])
            found[last] = words[1:]
    return found


def _message(model: type[Model]) -> tuple[str, str]:
    return model.__module__.split(".")[1], model.__name__


def _struct(schema: Schema, message: tuple[str, str], data: bytes) -> dict[str, Any]:
    """The fields of a message by their JSON names."""
    package, name = message
    words, obj = _messages().get(message, ()), dict[str, Any]()
    for number, value in _fields(data):
        word = words[number - 1] if 0 < number <= len(words) else "-"
        if word.startswith("*"):
            obj |= _struct(schema, (package, word[1:]), _bytes(value))
            continue
        if word not in schema.fields:
            raise _WireError(f"field {number} of {name} is not known: send the object as JSON")
        field = schema.fields[word]
        if field.kind == "list" and field.element:
            obj.setdefault(word, []).append(_value(field.element, value))
        elif field.kind == "map" and field.element:
            entry = dict(_fields(_bytes(value)))
            key = _bytes(entry.get(1, b"")).decode()
            obj.setdefault(word, {})[key] = _value(field.element, entry.get(2, b""))
        elif (read := _value(field, value)) is not None:
            obj[word] = read
    return obj


def _value(schema: Schema, value: Value) -> Any:
    """One value as JSON has it; None for a time that is not set."""
    if schema.model is not None:
        return _struct(schema, _message(schema.model), _bytes(value))
    if schema.kind == "map":  # free-form: JSON within
        return orjson.loads(_bytes(dict(_fields(_bytes(value))).get(1, b"{}")))
    match schema.go_name:
        case "bool":
            return bool(_int(value))
        case "int32" | "int64":
            return _signed(_int(value))
        case "[]uint8":
            return base64.b64encode(_bytes(value)).decode()
        case "resource.Quantity":
            return _bytes(dict(_fields(_bytes(value))).get(1, b"")).decode()
        case "intstr.IntOrString":
            parts = dict(_fields(_bytes(value)))
            return _bytes(parts.get(3, b"")).decode() if parts.get(1, 0) else _signed(_int(parts.get(2, 0)))
        case "v1.Time":
            parts = dict(_fields(_bytes(value)))
            return _moment(_signed(_int(parts.get(1, 0))), _int(parts.get(2, 0))) if parts else None
    return _bytes(value).decode()


def _moment(seconds: int, nanoseconds: int) -> str:
    try:
        return (EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)).isoformat()
    except OverflowError:
        raise _WireError(f"a time of {seconds} seconds") from None


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """(number, value) of a message, in order; values are numbers or bytes."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        match key & 7:
            case 0:
                value, position = _varint(data, position)
                yield key >> 3, value
                continue
            case 1:
                length = 8
            case 2:
                length, position = _varint(data, position)
            case 5:
                length = 4
            case other:
                raise _WireError(f"wire type {other}")
        if position + length > len(data):
            raise _WireError("unexpected end")
        yield key >> 3, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _WireError("a number without end")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise _WireError("a number where there should be bytes")
    return value


def _int(value: Value) -> int:
    if isinstance(value, bytes):
        raise _WireError("bytes where there should be a number")
    return value
