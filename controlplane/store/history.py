"""How much of the past the log keeps: not more than the present takes, so that a store that churns does not grow.

A row is superseded by the next of its key; from then on only lists and watches of older revisions need it. Once the
revision of that next one is compacted nobody can ask for the row any more, and it is deleted with the commits that come.
Compaction is asked for by time (`compact`, as etcd's clients do), and by size here: when the past takes more room than the
present, or has too many rows, its older half is given up.

    add ─▶ readable ─ compact ─▶ doomed ─ drop ─▶ gone
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import NamedTuple

FLOOR = 256 * 1024  # bytes of the past that even the smallest store keeps
MOST = 10_000  # rows of the past that even the largest keeps
ROW = 60  # bytes that a row takes beside its value and twice its key, about


class Superseded(NamedTuple):
    """The row `revision` of `size` bytes, needed for what is older than `at` only. A deletion supersedes itself."""

    at: int
    revision: int
    size: int


def size_of(key: str, value: bytes | None) -> int:
    """About the bytes that a row takes in the file."""
    return len(value or b"") + 2 * len(key) + ROW


class History:
    """The superseded rows of a log, in the order in which they were superseded."""

    def __init__(self) -> None:
        self.present = 0  # bytes of the rows that are not superseded
        self._past = 0  # bytes of the readable ones that are
        self._readable: deque[Superseded] = deque()
        self._doomed: deque[Superseded] = deque()

    def add(self, revision: int, key: str, value: bytes | None, previous: int, was: bytes | None) -> None:
        """A row has come to the log; `was` is what stands at `previous`, None where nothing does."""
        if was is not None:
            size = size_of(key, was)
            self.present -= size
            self._supersede(Superseded(revision, previous, size))
        if value is None:
            self._supersede(Superseded(revision, revision, size_of(key, None)))
        else:
            self.present += size_of(key, value)

    def _supersede(self, row: Superseded) -> None:
        self._readable.append(row)
        self._past += row.size

    def excess(self) -> int | None:
        """The revision to compact to when there is too much of the past, so that half of what may be kept is left."""
        room = max(self.present, FLOOR)
        if self._past <= room and len(self._readable) <= MOST:
            return None
        past, rows, at = self._past, len(self._readable), None
        for row in self._readable:
            if past <= room // 2 and rows <= MOST // 2:
                break
            past, rows, at = past - row.size, rows - 1, row.at
        return at

    def compact(self, revision: int) -> None:
        """Nobody may ask for what is older than `revision` any more."""
        while self._readable and self._readable[0].at <= revision:
            row = self._readable.popleft()
            self._past -= row.size
            self._doomed.append(row)

    def doomed(self, most: int) -> list[int]:
        """The revisions of rows to delete next."""
        return [row.revision for row in islice(self._doomed, most)]

    def drop(self, count: int) -> None:
        """The first `count` of the doomed are deleted."""
        for _ in range(count):
            self._doomed.popleft()
