"""Where Go's base64 decoder stops at a text that is none. Source: encoding/base64, decodeQuantum."""

from __future__ import annotations

import string

ALPHABET = frozenset(string.ascii_letters + string.digits + "+/")


def first_error(text: str) -> int:
    """The byte that `illegal base64 data at input byte N` names; -1 when the text is fine."""
    at = 0
    while True:
        for place in range(4):
            at = _past_newlines(text, at)
            if at == len(text):
                return -1 if place == 0 else at - place
            char = text[at]
            at += 1
            if char == "=":
                return _after_padding(text, at, place)
            if char not in ALPHABET:
                return at - 1


def _after_padding(text: str, at: int, place: int) -> int:
    """What is wrong once a `=` stood in a group of four at `place`; `at` is the byte after it."""
    if place < 2:
        return at - 1
    if place == 2:
        at = _past_newlines(text, at)
        if at == len(text):
            return at
        if text[at] != "=":
            return at - 1
        at += 1
    at = _past_newlines(text, at)
    return at if at < len(text) else -1


def _past_newlines(text: str, at: int) -> int:
    while at < len(text) and text[at] in "\r\n":
        at += 1
    return at
