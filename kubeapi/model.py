"""The base of every API type: how a Kubernetes object travels between JSON bytes and Python.

A field is snake_case in Python and camelCase on the wire. What Go's `omitempty` leaves out is left out here as well,
and in Rust: a field whose zero value is not written has that zero as its static default (`exclude_defaults`), a pointer
has None, and a field that is always written uses `always(...)` or `null()`, whose default is never compared. Decoding
is strict: no text for a number, no unknown field; `kubeapi.codec` turns pydantic's complaints into Kubernetes' own
words.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    WrapSerializer,
)
from pydantic.alias_generators import to_camel

from kubeapi import quantity


class Model(BaseModel):
    """One struct of the Kubernetes API. Mutable; compare with ==; copy with model_copy(deep=True)."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,
        extra="forbid",
        strict=True,
        protected_namespaces=(),
    )

    needs: ClassVar[tuple[str, ...]] = ()  # the wire fields that OpenAPI calls required

    def to_json(self) -> bytes:
        """The object as compact JSON bytes, without what Go's omitempty leaves out."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True).encode()

    def to_dict(self) -> dict[str, Any]:
        """The object as plain JSON values (camelCase keys, times as text)."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """The object in JSON bytes that are known to be good (the store's, the server's answer).

        Raises pydantic.ValidationError otherwise; bodies of users go through `kubeapi.codec`.
        """
        return cls.model_validate_json(data)

    def clone(self) -> Self:
        """A deep copy: what informers hand out is shared and must not be changed in place."""
        copy: Self = _copied(self)
        return copy


class _Unrecorded(set[str]):
    """Which fields of an object were given, where nobody will ask: pydantic makes a set for every part of it."""

    def add(self, name: str) -> None:
        """Not recorded."""

    def update(self, *names: Iterable[str]) -> None:
        """Not recorded."""


_UNRECORDED = _Unrecorded()


_SHARED = frozenset({str, int, bool, float, bytes, datetime, type(None)})  # never changed in place


def forget_given(model: BaseModel) -> None:
    """Drop pydantic's record of which fields of an object and its parts were given: a quarter of what a Pod takes."""
    object.__setattr__(model, "__pydantic_fields_set__", _UNRECORDED)
    for value in model.__dict__.values():
        cls = type(value)
        if cls not in _SHARED and cls is not dict:
            for part in value if cls is list else (value,):
                if hasattr(part, "__pydantic_fields_set__"):
                    forget_given(part)


def _copied(value: Any) -> Any:
    """A deep copy of what models are made of, a fifth of what `copy.deepcopy` takes: it needs no memory of cycles, most
    lists and maps of an object are empty, and models of ours have neither extra nor private attributes."""
    cls = type(value)
    if cls is list:
        return [v if type(v) in _SHARED else _copied(v) for v in value] if value else []
    if cls is dict:
        return {k: v if type(v) in _SHARED else _copied(v) for k, v in value.items()} if value else {}
    if not isinstance(value, BaseModel):
        return value
    copy = object.__new__(cls)
    fields = {k: v if type(v) in _SHARED else _copied(v) for k, v in value.__dict__.items()}
    object.__setattr__(copy, "__dict__", fields)
    object.__setattr__(copy, "__pydantic_fields_set__", {*value.__pydantic_fields_set__})
    object.__setattr__(copy, "__pydantic_extra__", None)
    object.__setattr__(copy, "__pydantic_private__", None)
    return copy


def always(make: Callable[[], Any], alias: str | None = None) -> Any:
    """A field that is written even when it is zero, and may be missing when read (Go: no omitempty)."""
    return Field(default_factory=lambda _data: make(), alias=alias)


def null() -> Any:
    """A field that is written as null while it has no value (Go: a time that is no pointer, a pointer without omitempty)."""
    return always(lambda: None)


def empty(make: Callable[[], Any], alias: str | None = None) -> Any:
    """A list or map that is left out while it is empty (Go: omitempty). A literal default would be deep-copied in Python
    for every object that is decoded, which took longer than all the rest of decoding."""
    return Field(default_factory=make, alias=alias)


class ListMap(NamedTuple):
    """A list whose elements are known by keys (x-kubernetes-list-type: map)."""

    keys: tuple[str, ...]


class ListSet(NamedTuple):
    """A list of unique scalars (x-kubernetes-list-type: set)."""


class AtomicMap(NamedTuple):
    """A map or struct that one manager owns as a whole (x-kubernetes-map-type: atomic)."""


class StrategicMerge(NamedTuple):
    """How a strategic merge patch treats the field: strategies (merge, retainKeys) and the elements' merge key."""

    strategy: tuple[str, ...] = ()
    merge_key: str = ""


class GoType(NamedTuple):
    """The name of the Go type where it shows in error messages and differs from the Python one (`v1.Protocol`)."""

    name: str


class Doc(NamedTuple):
    """What a field means, for `kubectl explain`."""

    text: str


def _micro(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _seconds(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds")[:-6] + "Z"


def _from_base64(value: Any) -> Any:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _from_nil(value: Any) -> Any:
    return [] if value is None else value


def _to_nil(value: list[Any], write: SerializerFunctionWrapHandler) -> Any:
    return write(value) if value else None


def _canonical(value: Any) -> Any:
    number = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return quantity.canonical(value) if number else value


Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), GoType("int32")]
Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1), GoType("int64")]
Time = Annotated[datetime, PlainSerializer(_seconds, return_type=str, when_used="json"), GoType("v1.Time")]
MicroTime = Annotated[datetime, PlainSerializer(_micro, return_type=str, when_used="json"), GoType("v1.Time")]
Bytes = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    PlainSerializer(_to_base64, return_type=str, when_used="json"),
    GoType("[]uint8"),
]
Quantity = Annotated[str, BeforeValidator(_canonical), GoType("resource.Quantity")]
T = TypeVar("T")
NilList = Annotated[list[T], BeforeValidator(_from_nil), WrapSerializer(_to_nil)]  # Go writes an empty one as null
IntOrString = Annotated[int | str, GoType("intstr.IntOrString")]
