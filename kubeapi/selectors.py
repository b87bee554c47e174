"""Label and field selectors: parsed once, matched often.

Label selectors come as text (`app=web,tier in (a,b),!old`) in queries and as LabelSelector objects in specs; both become a
tuple of requirements. Field selectors know only = and !=. Source: the API reference, "Labels and Selectors".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from kubeapi.errors import ApiError, bad_request
from kubeapi.meta_v1.types import LabelSelector

TOKEN = re.compile(r"\s*(?:(==|!=|=|!|,|\(|\)|>|<)|([^\s=!,()<>]+))")
OBJECT_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


class Requirement(NamedTuple):
    """One condition: the label `key` is `in`, `notin`, `exists`, `!` (absent), `gt` or `lt` the values."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet the condition; an absent label is `notin` anything."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        (bound,) = self.values
        if value is None or not value.lstrip("-").isdigit():
            return False
        return int(value) > int(bound) if self.operator == "gt" else int(value) < int(bound)


class Selector(NamedTuple):
    """Conditions that must all hold; none selects everything."""

    requirements: tuple[Requirement, ...] = ()

    @property
    def names(self) -> set[str]:
        """The labels or fields that it asks about."""
        return {r.key for r in self.requirements}

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether all conditions hold."""
        for requirement in self.requirements:  # noqa: SIM110 - a plain loop: asked of every object, again and again
            if not requirement.matches(labels):
                return False
        return True


def parse_labels(text: str) -> Selector:
    """A label selector of a query. 400 with what was found where it can't be understood."""
    try:
        return Selector(tuple(_Parser(text).requirements()))
    except ValueError as error:
        raise bad_request(f"unable to parse requirement: {error}") from None


def parse_fields(text: str) -> Selector:
    """A field selector of a query: terms of = , == or != joined by commas."""
    found = []
    for term in filter(None, text.split(",")):
        for sign, operator in (("!=", "notin"), ("==", "in"), ("=", "in")):
            name, present, value = term.partition(sign)
            if present:
                found.append(Requirement(name.strip(), operator, frozenset((value.strip(),))))
                break
        else:
            raise ApiError(400, "BadRequest", f"invalid selector: \"{text}\"; can't understand '{term}'")
    return Selector(tuple(found))


def selector_of(obj: LabelSelector | None) -> Selector | None:
    """The selector of a LabelSelector object; None (which selects nothing) for none."""
    if obj is None:
        return None
    found = [Requirement(k, "in", frozenset((v,))) for k, v in obj.match_labels.items()]
    for expression in obj.match_expressions:
        operator = OBJECT_OPERATORS.get(expression.operator)
        if operator is None:
            raise ValueError(f'"{expression.operator}" is not a valid label selector operator')
        found.append(Requirement(expression.key, operator, frozenset(expression.values)))
    return Selector(tuple(found))


def matches(obj: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector object selects the labels: an empty one everything, an absent one nothing."""
    selector = selector_of(obj)
    return selector is not None and selector.matches(labels)


class _Parser:
    """Reads `key`, `!key`, `key=value`, `key in (a,b)`, `key notin (a,b)`, `key>1` joined by commas."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        position, text = 0, text.rstrip()
        while position < len(text):
            found = TOKEN.match(text, position)
            if found is None:
                raise ValueError(f"found '{text[position:]}'")
            self._tokens.append(found.group(1) or found.group(2))
            position = found.end()

    def requirements(self) -> list[Requirement]:
        found = []
        while self._tokens:
            found.append(self._requirement())
            if self._tokens and self._take() != ",":
                raise ValueError(f"found '{self._text}', expected: ',' or 'end of string'")
        return found

    def _take(self) -> str:
        return self._tokens.pop(0) if self._tokens else ""

    def _word(self, what: str) -> str:
        word = self._take()
        if not word or word in "=!,()<>" or word in ("==", "!="):
            raise ValueError(f"found '{word}', expected: {what}")
        return word

    def _requirement(self) -> Requirement:
        if self._tokens[0] == "!":
            self._take()
            return Requirement(self._word("identifier"), "!")
        key = self._word("identifier")
        if not self._tokens or self._tokens[0] == ",":
            return Requirement(key, "exists")
        operator = self._take()
        match operator:
            case "=" | "==" | "!=":
                value = "" if not self._tokens or self._tokens[0] == "," else self._word("identifier")
                return Requirement(key, "notin" if operator == "!=" else "in", frozenset((value,)))
            case ">" | "<":
                bound = self._word("an integer")
                int(bound)
                return Requirement(key, "gt" if operator == ">" else "lt", frozenset((bound,)))
            case "in" | "notin":
                return Requirement(key, operator, frozenset(self._values()))
        raise ValueError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")

    def _values(self) -> list[str]:
        if self._take() != "(":
            raise ValueError("expected: '('")
        found: list[str] = []
        while True:
            found.append("" if self._tokens and self._tokens[0] in (",", ")") else self._word("identifier"))
            match self._take():
                case ")":
                    return found
                case ",":
                    continue
                case other:
                    raise ValueError(f"found '{other}', expected: ',' or ')'")
