"""Text for a terminal: how wide it is there, where it breaks, and its colours.

What is printed is made of spans, so that width is counted before colour is added. A Korean letter takes two columns.
"""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, NamedTuple

COLOURS = {
    "kind": "2",
    "name": "1",
    "quiet": "2",
    "conflict": "33",
    "horizon": "36",
    "appeared": "32",
    "vanished": "31",
    "changed": "33",
}
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Span(NamedTuple):
    """Words in one style, a key of COLOURS or nothing."""

    text: str
    style: str = ""


class Look(NamedTuple):
    """How text is shown: columns (0: lines are as long as they are) and whether in colour."""

    columns: int = 0
    colour: bool = False

    @classmethod
    def of(cls, stream: IO[str], environment: Mapping[str, str] = os.environ) -> Look:
        """A terminal has a width and, unless NO_COLOR says otherwise (no-color.org), colours; a pipe has neither."""
        if not stream.isatty():
            return cls()
        plain = bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
        return cls(shutil.get_terminal_size().columns, not plain)

    def text(self, spans: Iterable[Span]) -> str:
        """One line of output."""
        return "".join(self._painted(span) for span in spans).rstrip()

    def _painted(self, span: Span) -> str:
        text = plain(span.text)
        code = COLOURS.get(span.style) if self.colour and text.strip() else None
        return f"\x1b[{code}m{text}\x1b[0m" if code else text


def plain(text: str) -> str:
    """Text without what would be obeyed instead of shown: names come from the machine, and may hold anything."""
    return _UNSHOWN.sub("�", text)


def width(text: str) -> int:
    """The columns that a text takes."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def padded(text: str, columns: int, numbers: bool = True) -> str:
    """To the left of its column; `numbers`: one with its unit to the right."""
    space = " " * max(columns - width(text), 0)
    return space + text if numbers and re.match(r"[\d.]+ [A-Za-z/%]+$", text) else text + space


def wrapped(first: Sequence[Span], rest: str, cells: Sequence[Span], columns: int) -> list[list[Span]]:
    """Cells, two spaces apart, after what the line begins with; broken between cells where `columns` end (0: nowhere).
    Lines after the first begin with `rest`. A cell that is longer than a line is broken between its words."""
    lines = [list(first)]
    used = sum(width(span.text) for span in first)
    empty = not first or first[-1].text.endswith(" ")
    for cell in cells:
        need = width(cell.text.rstrip()) + (0 if empty else 2)
        if columns and used + need > columns:
            for piece in pieces(cell.text.rstrip(), max(columns - width(rest), 20)):
                if used:
                    lines.append([Span(rest, "quiet")])
                    used = width(rest)
                lines[-1].append(Span(piece, cell.style))
                used += width(piece)
        else:
            lines[-1] += [Span("" if empty else "  "), cell]
            used += width(cell.text) + (0 if empty else 2)
        empty = False
    return lines


def pieces(text: str, columns: int) -> list[str]:
    """A text broken between its words, so that each piece is no wider than that."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width(joined) > columns:
            lines.append(word)
        else:
            lines[-1] = joined
    return lines
