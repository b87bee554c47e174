"""The log of revisions as an SQLite file: read whole and checked at the start, then written in transactions by one thread.

What SQLite itself can't notice is noticed here: each row has a checksum, after the compacted revision no row may be missing,
and none that was answered (`mark.py`). A file that fails this is not used: `StoreError` says what to do. WAL and
synchronous=FULL make a transaction durable before it is answered; all checkpoints are the writer's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from controlplane.store.mark import Mark
from controlplane.store.protocol import Entry, StoreError

APPLICATION, FORMAT = 0x6E617275, 1  # "naru"
BUSY_MILLISECONDS = 5000
JOURNAL = 4 << 20  # bytes that the journal keeps after a burst: about what it has before it goes to the file
VACUUMED = 100  # pages given back to the file system at a time
# A row without a value is a deletion. `previous` is the revision of the key's row before, 0 for none.
SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY, key TEXT NOT NULL, created INTEGER NOT NULL, previous INTEGER NOT NULL, value BLOB,
    sum INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS log_by_key ON log (key, revision);
CREATE TABLE IF NOT EXISTS compacted (revision INTEGER NOT NULL);
INSERT INTO compacted SELECT 0 WHERE NOT EXISTS (SELECT * FROM compacted);
"""
AS_OF = """
SELECT key, value, revision, created FROM log AS l WHERE key >= ? AND key < ? AND value IS NOT NULL
AND revision = (SELECT max(revision) FROM log WHERE key = l.key AND revision <= ?) ORDER BY key
"""
SINCE = """
SELECT l.revision, l.key, l.value, p.value FROM log AS l LEFT JOIN log AS p ON p.revision = l.previous
WHERE l.revision > ? AND l.revision <= ? AND l.key >= ? AND l.key < ? ORDER BY l.revision LIMIT ?
"""
REMEDY = "restore a backup with `naru restore FILE`, which keeps this file aside"
WHAT_IS_LEFT = "what is left of it can be kept with `naru backup LEFT`, then `naru restore LEFT`"
FAULTS = {
    sqlite3.SQLITE_FULL: "no room is left on its file system: free some",
    sqlite3.SQLITE_CORRUPT: f"the file is damaged: {REMEDY}",
    sqlite3.SQLITE_NOTADB: f"this is no store, or a damaged one: {REMEDY}",
}


class DamagedError(StoreError):
    """The file is not what was written: nothing more may be written to it."""


class Row(NamedTuple):
    """A row of the log; `was` is the value before, for watchers."""

    revision: int
    key: str
    created: int
    previous: int
    value: bytes | None
    was: bytes | None

    def entry(self) -> Entry | None:
        """The key's entry after this row, None when it deletes."""
        return None if self.value is None else Entry(self.key, self.value, self.revision, self.created)

    @property
    def sum(self) -> int:
        """The checksum of what is stored."""
        head = f"{self.revision} {self.key} {self.created} {self.previous} {self.value is None}"
        return zlib.crc32(self.value or b"", zlib.crc32(head.encode()))


def told(path: Path, error: sqlite3.Error | UnicodeError) -> StoreError:
    """An error of SQLite's in words that say what to do; or of its text, which is none where the file is damaged."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    forbidden = code == sqlite3.SQLITE_READONLY and os.access(path, os.W_OK)  # by the file itself, in its header
    no_text = isinstance(error, UnicodeError) or (isinstance(error, sqlite3.OperationalError) and not code)
    if forbidden or no_text or code == sqlite3.SQLITE_ERROR:  # what it is asked is right, so the file is not
        code = sqlite3.SQLITE_CORRUPT
    kind = DamagedError if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) else StoreError
    return kind(f"{path}: {FAULTS[code]} ({error})" if code in FAULTS else f"{path}: {error}")


class LogFile:
    """The file, open. `query` may be another thread's than all that write."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. StoreError where it can't be used."""
        self.path, self._mark = path, Mark(Mark.beside(path))
        self._connections: list[sqlite3.Connection] = []
        self.compacted = 0
        try:
            with self._telling():
                self._writing = self._connect()
                self._identify()
                self._writing.execute("PRAGMA journal_mode = WAL")
                self._writing.execute("PRAGMA synchronous = FULL")
                self._writing.execute(f"PRAGMA journal_size_limit = {JOURNAL}")
                self._writing.executescript(SCHEMA)
                self._reading = self._connect()
        except BaseException:
            self.close()
            raise

    def load(self) -> list[Row]:
        """All rows in their order, checked. DamagedError where something is not as written."""
        with self._telling():
            for (problem,) in self._writing.execute("PRAGMA integrity_check(1)"):
                if problem != "ok":
                    raise self._damaged(" ".join(problem.split()))
            (self.compacted,) = self._writing.execute("SELECT revision FROM compacted").fetchone()
            rows = [*self._rows()]
        newest = max(rows[-1].revision if rows else 0, self.compacted)
        if sum(row.revision > self.compacted for row in rows) != newest - self.compacted:
            raise self._damaged(f"rows are missing between the revisions {self.compacted} and {newest}")
        if newest < (answered := self._mark.revision):
            lost = f"its last revision is {newest}, and {answered} was answered already"
            raise DamagedError(f"{self.path} has lost changes ({lost}): {REMEDY}; {WHAT_IS_LEFT}")
        return rows

    def write(self, rows: Sequence[Row], doomed: Iterable[int], compacted: int) -> None:
        """Add rows, delete others and note what is compacted, in one transaction."""
        with self._telling():
            with transaction(self._writing) as writing:
                writing.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", ((*row[:5], row.sum) for row in rows))
                writing.executemany("DELETE FROM log WHERE revision = ?", ((revision,) for revision in doomed))
                if compacted != self.compacted:
                    writing.execute("UPDATE compacted SET revision = ?", (compacted,))
            self.compacted = compacted
        if rows:
            self._mark.revision = rows[-1].revision

    def free_steps(self) -> int:
        """How many times `shrink` has to be called for the pages that are free now."""
        with self._telling():
            (free,) = self._writing.execute("PRAGMA freelist_count").fetchone()
        return -(-int(free) // VACUUMED)

    def shrink(self) -> None:
        """Give some free pages back to the file system."""
        with self._telling():
            self._writing.executescript(f"PRAGMA incremental_vacuum({VACUUMED})")  # execute ends after a single page

    def empty_journal(self) -> None:
        """Bring the journal's content to the file and give its room back; a reader puts that off until the next time."""
        with self._telling():
            self._writing.execute("PRAGMA busy_timeout = 0")
            self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._writing.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")

    def query(self, statement: str, *arguments: object) -> Sequence[Any]:
        """All rows of a SELECT."""
        with self._telling():
            return self._reading.execute(statement, arguments).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        for connection in self._connections:
            connection.close()
        self._mark.close()

    def _connect(self) -> sqlite3.Connection:
        """A connection whose transactions are written out by hand, to be used from one thread at a time.

        The file is its owner's alone, for it holds Secrets; SQLite gives its journals the same mode.
        """
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        self.path.chmod(0o600)  # one that was made by another hand
        connection = sqlite3.connect(
            self.path, timeout=BUSY_MILLISECONDS / 1000, isolation_level=None, check_same_thread=False
        )
        self._connections.append(connection)
        return connection

    def _identify(self) -> None:
        """Mark a new file as ours; refuse one that is another's, or of a format to come."""
        (tables,) = self._writing.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if not tables:
            self._writing.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._writing.execute(f"PRAGMA application_id = {APPLICATION}")
            self._writing.execute(f"PRAGMA user_version = {FORMAT}")
        (application,) = self._writing.execute("PRAGMA application_id").fetchone()
        (version,) = self._writing.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION:
            raise StoreError(f"{self.path}: this is an SQLite file, and no store of Naru's: {REMEDY}")
        if version != FORMAT:
            raise StoreError(
                f"{self.path} has format {version}, this Naru knows {FORMAT}: use the version that wrote it"
            )

    def _rows(self) -> Iterator[Row]:
        values: dict[int, bytes] = {}
        stored = self._writing.execute("SELECT revision, key, created, previous, value, sum FROM log ORDER BY revision")
        for revision, key, created, previous, value, total in stored:
            row = Row(revision, key, created, previous, value, values.get(previous))
            if not isinstance(value, bytes | None) or row.sum != total:
                raise self._damaged(f"revision {row.revision} does not match its checksum")
            if row.value is not None:
                values[row.revision] = row.value
            yield row

    def _damaged(self, how: str) -> DamagedError:
        return DamagedError(f"{self.path} is damaged ({how}): {REMEDY}")

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeError) as error:
            raise told(self.path, error) from error


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Begin, and commit or roll back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # a failed COMMIT may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def take_lock(store: Path) -> int:
    """Hold a store for this process: a descriptor to keep open. StoreError when another process has it."""
    store.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(store.with_name(store.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(f"another process holds {store}: one control plane at a time") from None
    return descriptor
