"""The highest revision that was ever answered, in a file beside the store: by it a store that lost commits is known.

SQLite takes a damaged write-ahead log for one that was being written when the machine stopped, and goes on without what
comes after the damage, silently. The mark is written after each commit and not synced: so it costs microseconds, outlives a
killed process, may be seconds old after the machine itself died, and never runs ahead of what was on disk.
"""

from __future__ import annotations

import os
from pathlib import Path

WIDTH = 20  # digits: one small write in place, that needs no room on a full disk


class Mark:
    """The file, its owner's alone."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    @staticmethod
    def beside(store: Path) -> Path:
        """Where the mark of a store is."""
        return store.with_name(store.name + ".answered")

    @property
    def revision(self) -> int:
        """What was answered last; 0 where nothing legible says so."""
        try:
            return int(os.pread(self._file, WIDTH, 0))
        except ValueError:
            return 0

    @revision.setter
    def revision(self, revision: int) -> None:
        os.pwrite(self._file, b"%0*d" % (WIDTH, revision), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
