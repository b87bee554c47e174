"""Label and field selectors: parsed once, matched often.

Label selectors come as text (`app=web,tier in (a,b),!old`) in queries and as LabelSelector objects in specs; both become a
tuple of requirements. Field selectors know only = and !=. Source: the API reference, "Labels and Selectors".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from kubeapi.errors import bad_request
from kubeapi.go_numbers import int_in
from kubeapi.meta_v1.types import LabelSelector
from kubeapi.meta_v1.validation import label_value, qualified_name

TOKEN = re.compile(r"(==|!=|=|!|,|\(|\)|>|<)|([^\s=!,()<>]+)")  # what is neither is space, which findall passes over
BINARY = "in, notin, =, ==, !=, gt, lt"
ESCAPED = "\\,="
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
        (bound,) = (int_in(text) for text in self.values)
        number = int_in(value or "")
        if number is None or bound is None:
            return False
        return number > bound if self.operator == "gt" else number < bound


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
        raise bad_request(str(error)) from None


def parse_fields(text: str) -> Selector:
    """A field selector of a query: terms of = , == or != joined by commas, which a backslash makes part of a value."""
    found = []
    for term in sorted(re.split(r"(?<!\\),", text)):
        if not term:
            continue
        split = re.match(r"(.*?)(!=|==|=)(.*)", term, re.DOTALL)
        if split is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        name, sign, value = split.groups()
        found.append(Requirement(name, "notin" if sign == "!=" else "in", frozenset((_unescaped(value),))))
    return Selector(tuple(found))


def _unescaped(value: str) -> str:
    out, escaped = "", False
    for char in value:
        if escaped and char not in ESCAPED:
            raise bad_request(f"invalid field selector: invalid escape sequence: \\{char}")
        if not escaped and char in ",=":
            raise bad_request(f"invalid field selector: unescaped character in value: {ord(char)}")
        escaped = not escaped and char == "\\"
        out += "" if escaped else char
    if escaped:
        raise bad_request("invalid field selector: invalid escape sequence: \\")
    return out


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
    """Reads `key`, `!key`, `key=value`, `key in (a,b)`, `key notin (a)`, `key>1`; ValueErrors in Go's words."""

    def __init__(self, text: str) -> None:
        self._tokens = [sign or word for sign, word in TOKEN.findall(text)]

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self._tokens:
            if not (_is_word(self._next) or self._next == "!"):
                what = "identifier after ','" if found else "!, identifier, or 'end of string'"
                raise ValueError(f"found '{self._next}', expected: {what}")
            try:
                found.append(self._requirement())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            if (end := self._take()) not in ("", ","):
                raise ValueError(f"found '{end}', expected: ',' or 'end of string'")
            if end and not self._tokens:
                raise ValueError("found '', expected: identifier after ','")
        return found

    @property
    def _next(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self) -> str:
        return self._tokens.pop(0) if self._tokens else ""

    def _word(self, what: str) -> str:
        word = self._take()
        if not _is_word(word):
            raise ValueError(f"found '{word}', {what}")
        return word

    def _requirement(self) -> Requirement:
        absent = self._next == "!"
        if absent:
            self._take()
        key = self._word("expected: identifier")
        _refuse("<nil>", key, qualified_name(key))
        if absent:
            return Requirement(key, "!")
        if self._next in ("", ","):
            return Requirement(key, "exists")
        operator = self._take()
        match operator:
            case "=" | "==" | "!=":
                value = "" if self._next in ("", ",") else self._word("expected: identifier")
                return Requirement(key, "notin" if operator == "!=" else "in", _checked(key, [value]))
            case ">" | "<":
                bound = self._word("expected: identifier")
                if int_in(bound) is None:
                    why = "for 'Gt', 'Lt' operators, the value must be an integer"
                    raise ValueError(f'values[0]: Invalid value: "{bound}": {why}')
                return Requirement(key, "gt" if operator == ">" else "lt", frozenset((bound,)))
            case "in" | "notin":
                return Requirement(key, operator, _checked(key, self._values()))
        raise ValueError(f"found '{operator}', expected: {BINARY}")

    def _values(self) -> list[str]:
        if (start := self._take()) != "(":
            raise ValueError(f"found '{start}' expected: '('")
        if not (_is_word(self._next) or self._next in (",", ")")):
            raise ValueError(f"found '{self._next}', expected: ',', ')' or identifier")
        found: list[str] = []
        while True:
            found.append("" if self._next in (",", ")") else self._word("expected: ',', or identifier"))
            end = self._take()
            if end == ")":
                return found
            if end != ",":
                raise ValueError(f"found '{end}', expected: ',' or ')'")


def _is_word(token: str) -> bool:
    return bool(token) and token not in ("==", "!=", "=", "!", ",", "(", ")", "<", ">")


def _checked(key: str, values: list[str]) -> frozenset[str]:
    for i, value in enumerate(sorted(set(values))):
        _refuse(f"values[{i}][{key}]", value, label_value(value))
    return frozenset(values)


def _refuse(path: str, value: str, messages: list[str]) -> None:
    if messages:
        raise ValueError(f'{path}: Invalid value: "{value}": {"; ".join(messages)}')


def text_of(selector: LabelSelector) -> str:
    """A LabelSelector as a query writes it, sorted; empty for one that asks for nothing."""
    said = [f"{key}={value}" for key, value in selector.match_labels.items()]
    for e in selector.match_expressions:
        match e.operator:
            case "In" | "NotIn":
                said.append(f"{e.key} {e.operator.lower()} ({','.join(sorted(e.values))})")
            case "Exists":
                said.append(e.key)
            case _:
                said.append(f"!{e.key}")
    return ",".join(sorted(said))
