"""What Go's JSON scanner says of a text that is no JSON: `invalid character '}' looking for beginning of value`.

Only asked once a text is known to be bad, so it is written to be read. Source: encoding/json, scanner.go.
"""

from __future__ import annotations

from collections.abc import Callable

TRUNCATED = "unexpected end of JSON input"
SPACE = " \t\r\n"
DIGITS = "0123456789"


class _FoundError(Exception):
    """The text stops being JSON; its own text is the complaint."""


def syntax_error(data: bytes) -> str:
    """Why the bytes are no JSON; empty when they are."""
    try:
        text = _Scanner(data.decode("latin-1"))  # Go looks at bytes
        text.value()
        if text.skip():
            text.wrong("after top-level value")
    except _FoundError as found:
        return str(found)
    return ""


class _Scanner:
    """A place in a text, which moves on as long as it is JSON."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def skip(self) -> str:
        """The next character that is no space; empty at the end."""
        while self.at < len(self.text) and self.text[self.at] in SPACE:
            self.at += 1
        return self.text[self.at : self.at + 1]

    def need(self) -> str:
        """The next character that is no space."""
        return self.skip() or self._end()

    def wrong(self, where: str) -> None:
        """The character here has no place."""
        char = self.text[self.at : self.at + 1] or self._end()
        raise _FoundError(f"invalid character {_quoted(char)} {where}")

    def _end(self) -> str:
        raise _FoundError(TRUNCATED)

    def value(self) -> None:
        """Any value."""
        char = self.need()
        words = {"t": "true", "f": "false", "n": "null"}
        if char == "{":
            self._members(
                "}", self._member, "after object key:value pair", "looking for beginning of object key string"
            )
        elif char == "[":
            self._members("]", self.value, "after array element", "looking for beginning of value")
        elif char == '"':
            self._string()
        elif char in words:
            self._word(words[char])
        elif char in DIGITS or char == "-":
            self._number()
        else:
            self.wrong("looking for beginning of value")

    def _members(self, end: str, member: Callable[[], None], after: str, first: str) -> None:
        self.at += 1
        if self.need() == end:
            self.at += 1
            return
        while True:
            if self.need() == end:  # a comma stands before it
                self.wrong(first)
            member()
            char = self.need()
            if char not in (",", end):
                self.wrong(after)
            self.at += 1
            if char == end:
                return

    def _member(self) -> None:
        if self.need() != '"':
            self.wrong("looking for beginning of object key string")
        self._string()
        if self.need() != ":":
            self.wrong("after object key")
        self.at += 1
        self.value()

    def _string(self) -> None:
        self.at += 1
        while (char := self._here()) != '"':
            if char == "\\":
                self.at += 1
                self._escape()
            elif char < " ":
                self.wrong("in string literal")
            self.at += 1
        self.at += 1

    def _escape(self) -> None:
        if self._here() == "u":
            for _ in range(4):
                self.at += 1
                if self._here() not in "0123456789abcdefABCDEF":
                    self.wrong("in \\u hexadecimal character escape")
        elif self._here() not in 'bfnrt\\/"':
            self.wrong("in string escape code")

    def _here(self) -> str:
        return self.text[self.at : self.at + 1] or self._end()

    def _word(self, word: str) -> None:
        self.at += 1
        for char in word[1:]:
            if self._here() != char:
                self.wrong(f"in literal {word} (expecting {_quoted(char)})")
            self.at += 1

    def _number(self) -> None:
        if self._here() == "-":
            self.at += 1
            if self._here() not in DIGITS:
                self.wrong("in numeric literal")
        if self._here() == "0":
            self.at += 1
        else:
            self._digits()
        if self.text[self.at : self.at + 1] == ".":
            self.at += 1
            if self._here() not in DIGITS:
                self.wrong("after decimal point in numeric literal")
            self._digits()
        if self.text[self.at : self.at + 1] in ("e", "E"):
            self.at += 1
            if self._here() in "+-":
                self.at += 1
            if self._here() not in DIGITS:
                self.wrong("in exponent of numeric literal")
            self._digits()

    def _digits(self) -> None:
        while self.text[self.at : self.at + 1] in tuple(DIGITS):
            self.at += 1


def _quoted(char: str) -> str:
    """A character as Go's quoteChar shows it."""
    escapes = {"'": "'\\''", '"': "'\"'", "\n": "'\\n'", "\r": "'\\r'", "\t": "'\\t'", "\\": "'\\\\'"}
    if char in escapes:
        return escapes[char]
    return f"'{char}'" if " " <= char <= "~" else f"'\\x{ord(char):02x}'"
