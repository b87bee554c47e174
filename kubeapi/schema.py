"""The shape of a type, for who walks plain JSON: patches, server-side apply, error messages, OpenAPI.

`schema_of(Model)` reads a model's annotations once and gives a tree over wire names, built as far as it is walked: some
types contain themselves.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

from pydantic.alias_generators import to_camel

from kubeapi.model import AtomicMap, Doc, GoType, ListMap, ListSet, Model, StrategicMerge

# Keys of associative lists that may be left out: the value that an element without them is known by.
KEY_DEFAULTS = {"protocol": "TCP"}
GO_NAMES = {str: "string", bool: "bool", float: "float64"}


class Schema:
    """A node of the tree: struct, map, list or scalar.

    `list_type` and `keys` rule server-side apply; `strategy` and `merge_key` the strategic merge patch; `atomic` says that
    one manager owns the value as a whole. `go_name` is the Go type in error messages (`v1.ServicePort`); `doc` says what
    the field means, where its model does.
    """

    def __init__(self, annotation: Any, marks: Iterable[Any] = ()) -> None:
        annotation, own = _bare(annotation)
        marks = [*own, *marks]
        self._annotation = annotation
        self.model: type[Model] | None = None
        self.kind: Literal["struct", "map", "list", "scalar"] = "scalar"
        if isinstance(annotation, type) and issubclass(annotation, Model):
            self.kind, self.model = "struct", annotation
        elif get_origin(annotation) is dict or annotation is dict:
            self.kind = "map"
        elif get_origin(annotation) is list:
            self.kind = "list"
        by_type = {type(mark): mark for mark in marks}
        self.keys: tuple[str, ...] = by_type[ListMap].keys if ListMap in by_type else ()
        self.list_type: Literal["atomic", "set", "map"] = (
            "map" if ListMap in by_type else "set" if ListSet in by_type else "atomic"
        )
        merge: StrategicMerge = by_type.get(StrategicMerge, StrategicMerge())
        self.strategy, self.merge_key = merge.strategy, merge.merge_key
        self.atomic = AtomicMap in by_type or bool(getattr(self.model, "atomic", False))
        self.doc = by_type[Doc].text if Doc in by_type else ""
        self._go_type: GoType | None = by_type.get(GoType)

    @cached_property
    def fields(self) -> dict[str, Schema]:
        """A struct's fields by wire name; empty for anything else."""
        if self.model is None:
            return {}
        hints = typing.get_type_hints(self.model, include_extras=True)
        found = {}
        for name, info in self.model.model_fields.items():
            found[info.alias or to_camel(name)] = Schema(hints[name])  # a deferred model has no aliases yet
        return found

    @cached_property
    def empty(self) -> dict[str, Any]:
        """A struct as Go writes a new one, made once: not to be changed."""
        return self.model().to_dict() if self.model is not None else {}

    @cached_property
    def element(self) -> Schema | None:
        """What a list or map holds; None for anything else and for free-form values."""
        arguments = get_args(self._annotation)
        if self.kind == "list":
            return Schema(arguments[0])
        if self.kind == "map" and arguments and arguments[1] is not Any:
            return Schema(arguments[1])
        return None

    @property
    def defaults(self) -> dict[str, str]:
        """The values of an associative list's keys where an element leaves them out."""
        return {key: KEY_DEFAULTS[key] for key in self.keys if key in KEY_DEFAULTS}

    @cached_property
    def go_name(self) -> str:
        """The type as Go's JSON decoder names it."""
        if self._go_type is not None:
            return self._go_type.name
        if self.model is not None:
            package = self.model.__module__.split(".")[1].rsplit("_", 1)[1]
            return f"{package}.{self.model.__name__}"
        if self.kind == "list":
            return f"[]{self.element.go_name if self.element else 'interface {}'}"
        if self.kind == "map":
            held = self.element.go_name if self.element else "interface {}"
            return "v1.ResourceList" if held == "resource.Quantity" else f"map[string]{held}"
        return GO_NAMES.get(self._annotation, "string")


def _bare(annotation: Any) -> tuple[Any, list[Any]]:
    """An annotation without Annotated and `| None`, and the marks it carried."""
    marks: list[Any] = []
    while True:
        origin = get_origin(annotation)
        if origin is typing.Annotated:
            annotation, *more = get_args(annotation)
            marks += more
        elif origin in (types.UnionType, typing.Union):
            others = [a for a in get_args(annotation) if a is not type(None)]
            if len(others) != 1:
                return annotation, marks
            annotation = others[0]
        else:
            return annotation, marks


_known: dict[type[Model], Schema] = {}


def schema_of(model: type[Model]) -> Schema:
    """The shape of a model, made once."""
    if model not in _known:
        _known[model] = Schema(model)
    return _known[model]
