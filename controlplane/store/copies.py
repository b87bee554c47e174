"""Copies of a store: taken while it is written to, checked, and put in the place of another.

Revisions of the life that a restored store did not see must never be given out again with other content, for clients that
saw them would not notice: so it goes on far above the highest that was ever answered, with all before it compacted, and
every watch and informer of before must list anew (as with etcd's `snapshot restore --bump-revision --mark-compacted`).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from controlplane.store.file import BUSY_MILLISECONDS, LogFile, take_lock, told
from controlplane.store.mark import Mark
from controlplane.store.protocol import StoreError

BUMP = 1_000_000_000  # a thousand revisions a second for eleven days, should the highest that was answered not be known


class Copy(NamedTuple):
    """What a store holds, or held: its last revision, and how many objects."""

    revision: int
    objects: int


def inspect(store: Path) -> Copy:
    """What a store that nobody else uses holds, all of it checked. StoreError where it can't be relied on."""
    file = LogFile(store)
    try:
        rows = file.load()
        present = {row.key: row.value is not None for row in rows}
        return Copy(max(rows[-1].revision if rows else 0, file.compacted), sum(present.values()))
    finally:
        file.close()


def take(store: Path, target: Path) -> tuple[Copy, int]:
    """Copy a store as it stands at one moment, in use or not; what it holds, and the highest revision answered before."""
    if not store.exists():
        raise StoreError(f"there is no store in {store.parent}")
    answered = _answered(store)
    try:
        with _opened(store, "?mode=ro") as source, _opened(target) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        raise told(store, error) from error
    target.chmod(0o600)
    return inspect(target), answered


def replace(store: Path, copy: Path, aside: Path) -> int:
    """Put a copy in a store's place; the files of before go to the folder `aside`. The revision at which it goes on.

    Whatever interrupts this, the store is the old one, or the new one, or refuses to open: the mark is ahead of what is
    there. The copy is on the same file system, and is used up.
    """
    lock = take_lock(store)
    try:
        revision = max(_answered(store), inspect(copy).revision) + BUMP
        with _opened(copy) as connection:
            connection.execute("UPDATE compacted SET revision = ?", (revision,))
            connection.execute(
                "PRAGMA journal_mode = DELETE"
            )  # all of it in one file; opening it brings the journal back
        Mark.beside(copy).unlink()
        if store.exists():
            aside.mkdir(mode=0o700)
            (aside / store.name).hardlink_to(store)
            _set_answered(store, revision)
            for journal in (store.with_name(store.name + end) for end in ("-wal", "-shm")):
                if journal.exists():
                    journal.rename(aside / journal.name)
        _synced(copy)
        copy.replace(store)
        _set_answered(store, revision)
        _synced(store.parent)
        return revision
    finally:
        os.close(lock)


def _answered(store: Path) -> int:
    """The highest revision that a store is known to have answered."""
    if not Mark.beside(store).exists():
        return 0
    mark = Mark(Mark.beside(store))
    try:
        return mark.revision
    finally:
        mark.close()


def _set_answered(store: Path, revision: int) -> None:
    mark = Mark(Mark.beside(store))
    mark.revision = revision
    mark.close()
    _synced(Mark.beside(store))


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(file: Path, query: str = "") -> Iterator[sqlite3.Connection]:
    uri = file.resolve().as_uri() + query
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_MILLISECONDS / 1000, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
