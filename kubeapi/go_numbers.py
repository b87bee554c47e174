"""Whole numbers in texts, read as Go's strconv does: ASCII digits, 64 bits, and its words for what is neither."""

from __future__ import annotations

import re

INT64, UINT64 = range(-(2**63), 2**63), range(2**64)
MOST_DIGITS = 20


def parse_int(text: str) -> int:
    """strconv.ParseInt(text, 10, 64). ValueError with its message."""
    return _parse("ParseInt", "[+-]?", INT64, text)


def parse_uint(text: str) -> int:
    """strconv.ParseUint(text, 10, 64). ValueError with its message."""
    return _parse("ParseUint", "", UINT64, text)


def int_in(text: str) -> int | None:
    """The same as `parse_int`, None where it refuses."""
    try:
        return parse_int(text)
    except ValueError:
        return None


def _parse(function: str, sign: str, bounds: range, text: str) -> int:
    why = "invalid syntax"
    if found := re.fullmatch(rf"({sign})(?=[0-9])0*([0-9]*)", text):
        if len(found[2]) <= MOST_DIGITS and (number := int(found[1] + (found[2] or "0"))) in bounds:
            return number
        why = "value out of range"
    raise ValueError(f'strconv.{function}: parsing "{text}": {why}')
