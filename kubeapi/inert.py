"""Fields that are accepted but that nothing acts on yet: named in a Warning when they are set, listed in docs/support.md.

A table of `Inert` is part of a kind's registry row. Looking an object over walks the table's paths and the object together,
so it costs what the object has of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

_NOTHING: dict[str, Any] = {}
STEP = re.compile(r"\[([^]]+)\]|([^.\[]+)")


class Inert(NamedTuple):
    """A field by its wire path (lists are crossed; a key of a map stands in brackets) and what happens instead.

    `only` are the values that nothing acts on, where others are acted on; `unless` those that ask for what happens anyhow;
    `beside` is a field next to it, and the values of that with which nothing acts on this one.
    """

    path: str
    instead: str
    only: tuple[Any, ...] = ()
    unless: tuple[Any, ...] = ()
    beside: tuple[str, tuple[Any, ...]] = ("", (None,))

    def under(self, prefix: str) -> Inert:
        """The same field inside of another object."""
        return self._replace(path=f"{prefix}.{self.path}")

    def asked_by(self, value: Any, owner: dict[str, Any]) -> bool:
        """Whether a value, which stands in `owner`, asks for something that does not happen."""
        name, values = self.beside
        if owner.get(name) not in values:
            return False
        if self.only:
            return value in self.only
        return value not in (None, "", [], {}, False, 0) and value not in self.unless


class _Node:
    """A step of the paths: how it is written, what lies below it, and the field that ends here."""

    __slots__ = ("below", "field", "step")

    def __init__(self, step: str = "") -> None:
        self.step = step
        self.below: dict[str, _Node] = {}
        self.field: Inert | None = None


@lru_cache(64)
def _tree(table: tuple[Inert, ...]) -> _Node:
    root = _Node()
    for field in table:
        node = root
        for key, name in STEP.findall(field.path):
            node = node.below.setdefault(key or name, _Node(f"[{key}]" if key else f".{name}"))
        node.field = field
    return root


def warnings_of(table: tuple[Inert, ...], new: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    """A warning for each field of `new` that nothing acts on; of a changed object those that are new in it."""
    if not table:
        return []
    known = {*_warnings(_tree(table), old)} if old is not None else set()
    return [told for told in _warnings(_tree(table), new) if told not in known]


def _warnings(node: _Node, value: Any, path: str = "", owner: dict[str, Any] = _NOTHING) -> Iterator[str]:
    if isinstance(value, list) and node.below:
        for i, item in enumerate(value):
            yield from _warnings(node, item, f"{path}[{i}]", owner)
        return
    if node.field is not None and node.field.asked_by(value, owner):
        yield f"{path}: nothing acts on this yet: {node.field.instead}"
    if isinstance(value, dict):
        for name, below in node.below.items():
            if name in value:
                yield from _warnings(below, value[name], f"{path}{below.step}".removeprefix("."), value)


def fields_of(tables: Iterable[tuple[Inert, ...]]) -> list[Inert]:
    """All fields of some tables, each once, in the order of their paths."""
    return sorted({field for table in tables for field in table})
