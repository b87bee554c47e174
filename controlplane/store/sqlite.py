"""The embedded store: the log of revisions is one SQLite table, the present is kept in memory.

A commit is checked and numbered at once, on the event loop, against the newest state, on disk or on its way there; then it
waits with whatever else waits, and one thread writes them all in a transaction (group commit). Only when that is on disk do
readers and watchers see it and is it answered. If the write fails, all that waited fail and their numbers are given out
again: nobody has seen them.

    commit ─ check, number ─▶ pending ─▶ thread: one transaction ─▶ present, recent changes ─▶ answer, wake watchers

Watchers have no queues. Each collection keeps its recent changes once for all of them; a watcher is a position, and one that
falls behind the recent changes reads the log. Compaction deletes what was superseded, in small steps, between commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from controlplane.store.protocol import Change, Compacted, Conflict, Entry, Page, StoreError

T = TypeVar("T")
RECENT = 1000  # changes kept in memory per collection
STEP = 500  # rows deleted, or read for a watcher, at a time
SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY, key TEXT NOT NULL, created INTEGER NOT NULL, previous INTEGER NOT NULL, value BLOB
);
CREATE INDEX IF NOT EXISTS log_by_key ON log (key, revision);
CREATE TABLE IF NOT EXISTS compacted (revision INTEGER NOT NULL);
"""
# A row without a value is a deletion. `previous` is the revision of the key's row before, 0 for none.
PRESENT = """
SELECT key, value, revision, created FROM log AS l WHERE value IS NOT NULL
AND revision = (SELECT max(revision) FROM log WHERE key = l.key)
"""
AS_OF = """
SELECT key, value, revision, created FROM log AS l WHERE key >= ? AND key < ? AND value IS NOT NULL
AND revision = (SELECT max(revision) FROM log WHERE key = l.key AND revision <= ?) ORDER BY key
"""
SINCE = """
SELECT l.revision, l.key, l.value, p.value FROM log AS l LEFT JOIN log AS p ON p.revision = l.previous
WHERE l.revision > ? AND l.revision <= ? AND l.key >= ? AND l.key < ? ORDER BY l.revision LIMIT ?
"""
SUPERSEDED = """
SELECT revision FROM log AS l WHERE revision <= ?
AND EXISTS (SELECT 1 FROM log WHERE key = l.key AND revision > l.revision AND revision <= ?)
"""
DELETIONS = "SELECT revision FROM log WHERE revision <= ? AND value IS NULL"


class Row(NamedTuple):
    """A row of the log on its way to disk; `was` is the value before, for watchers."""

    revision: int
    key: str
    created: int
    previous: int
    value: bytes | None
    was: bytes | None

    def entry(self) -> Entry | None:
        """The key's entry after this row, None when it deletes."""
        return None if self.value is None else Entry(self.key, self.value, self.revision, self.created)


class Commit(NamedTuple):
    """A row and the future that is done when it is on disk, or refused."""

    row: Row
    done: asyncio.Future[None]


@dataclass
class Collection:
    """The objects of one kind: present entries, recent changes by revision, and who watches."""

    entries: dict[str, Entry] = field(default_factory=dict)
    revisions: list[int] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    forgotten: int = 0  # changes up to this revision are in the log only
    watchers: set[asyncio.Event] = field(default_factory=set)

    def publish(self, row: Row) -> None:
        """Make a durable row part of the present and wake the watchers."""
        entry = row.entry()
        if entry is None:
            self.entries.pop(row.key, None)
        else:
            self.entries[row.key] = entry
        self.revisions.append(row.revision)
        self.changes.append(change_of(row.revision, row.key, row.value, row.was))
        if len(self.changes) > 2 * RECENT:
            self.forgotten = self.revisions[RECENT - 1]
            del self.revisions[:RECENT], self.changes[:RECENT]
        for event in self.watchers:
            event.set()

    def after(self, revision: int) -> list[Change]:
        """The recent changes after a revision that is not before `forgotten`."""
        return self.changes[bisect_right(self.revisions, revision) :]


def change_of(revision: int, key: str, value: bytes | None, was: bytes | None) -> Change:
    """A row as watchers see it."""
    if value is None:
        return Change(key, revision, was or b"", was, "DELETED")
    return Change(key, revision, value, was, "ADDED" if was is None else "MODIFIED")


def collection_of(key: str) -> str:
    """`/GROUP/PLURAL/` of a key or prefix."""
    _, group, plural, _ = key.split("/", 3)
    return f"/{group}/{plural}/"


class SqliteStore:
    """A Store in one SQLite file. Make it with `await SqliteStore.open(path)`; one process at a time holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = take_lock(path.with_name(path.name + ".lock"))
        self._writer = ThreadPoolExecutor(1, "store-write")
        self._reader = ThreadPoolExecutor(1, "store-read")
        self._collections: dict[str, Collection] = {}
        self._revision = self._numbered = self._compacted = 0
        self._opened_at = 0  # what was committed before is in the log only
        self._head: dict[str, Commit] = {}  # newest row of each key that is not on disk yet
        self._pending: list[Commit] = []
        self._writing: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the store, or make it. Raises StoreError when another process holds it or the file is unreadable."""
        store = cls(path)
        try:
            await store._in(store._writer, store._load)
        except sqlite3.DatabaseError as error:
            await store.close()
            raise StoreError(f"{path} can't be read as a store ({error}): restore a backup, or move it away") from error
        return store

    @property
    def revision(self) -> int:
        """The last durable revision."""
        return self._revision

    def get(self, key: str) -> Entry | None:
        """The entry of a key as of the last durable revision."""
        return self._collection(key).entries.get(key)

    def list(self, prefix: str, revision: int | None = None) -> Page:
        """The entries under a prefix (`/GROUP/PLURAL/` and more), now or as they stood at an older revision."""
        if revision is None or revision >= self._revision:
            entries = self._collection(prefix).entries
            return Page([entries[key] for key in sorted(entries) if key.startswith(prefix)], self._revision)
        if revision < self._compacted:
            raise Compacted(revision, self._compacted)
        rows = self._query(AS_OF, prefix, prefix + "\U0010ffff", revision)
        return Page([Entry(*row) for row in rows], revision)

    async def commit(self, key: str, expected: int, value: bytes | Callable[[int], bytes] | None) -> Entry:
        """Set or delete a key if it is at revision `expected`; see Store."""
        waiting = self._head.get(key)
        present = waiting.row.entry() if waiting else self._collection(key).entries.get(key)
        if (present.revision if present else 0) != expected or (present is None and value is None):
            if waiting is not None:  # who tries again must be able to read what came between
                await asyncio.wait([waiting.done])
            raise Conflict(self.get(key))
        self._numbered += 1
        revision = self._numbered
        encoded = value(revision) if callable(value) else value
        created, was = (present.created, present.value) if present else (revision, None)
        row = Row(revision, key, created, expected, encoded, was)
        self._head[key] = commit = Commit(row, asyncio.get_running_loop().create_future())
        self._pending.append(commit)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await asyncio.shield(commit.done)  # others may wait for it too
        return row.entry() or Entry(key, was or b"", revision, created)

    async def watch(self, prefix: str, revision: int) -> AsyncGenerator[Change, None]:
        """Changes under a prefix after `revision`, without end."""
        collection, wake = self._collection(prefix), asyncio.Event()
        collection.watchers.add(wake)
        try:
            while True:
                if revision < self._compacted:
                    raise Compacted(revision, self._compacted)
                wake.clear()
                if revision >= collection.forgotten:
                    changes, seen = collection.after(revision), self._revision
                else:
                    until = self._revision
                    bounds = (prefix, prefix + "\U0010ffff", STEP)
                    rows = await self._in(self._reader, self._query, SINCE, revision, until, *bounds)
                    if revision < self._compacted:  # what was read may have had holes
                        raise Compacted(revision, self._compacted)
                    changes = [change_of(*row) for row in rows]
                    seen = changes[-1].revision if len(changes) == STEP else until
                for change in changes:
                    if change.key.startswith(prefix):
                        yield change
                revision = max(revision, seen)
                if revision >= self._revision or revision >= collection.forgotten:
                    await self._pause(wake, collection, revision)
        finally:
            collection.watchers.discard(wake)

    async def compact(self, revision: int) -> None:
        """Forget what was superseded at or before `revision`, in steps that leave room for commits."""
        revision = min(revision, self._revision)
        if revision <= self._compacted:
            return
        self._compacted = revision
        await self._in(self._writer, self._execute, "UPDATE compacted SET revision = ?", (revision,))
        # Deletions go last: without its deletion an older row of the key would come back to life.
        for query, arguments in ((SUPERSEDED, (revision, revision)), (DELETIONS, (revision,))):
            doomed = await self._in(self._reader, self._query, query, *arguments)
            for start in range(0, len(doomed), STEP):
                await self._in(self._writer, self._delete, doomed[start : start + STEP])
        while await self._in(self._writer, self._shrink):
            pass

    async def close(self) -> None:
        """Write what waits, and let go of the file."""
        while self._writing is not None:
            await self._writing
        for executor, name in ((self._reader, "_reading"), (self._writer, "_connection")):
            connection: sqlite3.Connection | None = getattr(self, name, None)
            if connection is not None:
                await self._in(executor, connection.close)
            executor.shutdown()
        os.close(self._lock)

    # On the event loop

    def _collection(self, key: str) -> Collection:
        name = collection_of(key)
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = Collection(forgotten=self._opened_at)
        return found

    async def _pause(self, wake: asyncio.Event, collection: Collection, revision: int) -> None:
        if not collection.after(max(revision, collection.forgotten)):
            await wake.wait()

    async def _write(self) -> None:
        """Write what waits until nothing does. Runs only while there is work."""
        try:
            while self._pending:
                batch, self._pending = self._pending, []
                try:
                    await self._in(self._writer, self._insert, [row for row, _ in batch])
                except sqlite3.Error as error:
                    self._fail(batch, StoreError(f"{self._path}: {error}: the change was not made"))
                    continue
                for row, _ in batch:
                    self._revision = row.revision
                    self._collection(row.key).publish(row)
                    if self._head[row.key].row is row:
                        del self._head[row.key]
                for _, done in batch:
                    done.set_result(None)
        finally:
            self._writing = None

    def _fail(self, batch: Iterable[Commit], error: StoreError) -> None:
        """Refuse the batch and all that was built on it, and take their numbers back."""
        failed, self._pending = [*batch, *self._pending], []
        self._head.clear()
        self._numbered = self._revision
        for _, done in failed:
            done.set_exception(error)

    async def _in(self, executor: ThreadPoolExecutor, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)

    # In the writer's and the reader's thread

    def _load(self) -> None:
        self._connection = connect(self._path)
        self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(SCHEMA)
        if self._connection.execute("SELECT revision FROM compacted").fetchone() is None:
            self._execute("INSERT INTO compacted VALUES (0)", ())
        self._reading = connect(self._path)
        (self._compacted,) = self._connection.execute("SELECT revision FROM compacted").fetchone()
        (newest,) = self._connection.execute("SELECT max(revision) FROM log").fetchone()
        self._opened_at = self._revision = self._numbered = max(newest or 0, self._compacted)
        for row in self._connection.execute(PRESENT):
            entry = Entry(*row)
            self._collection(entry.key).entries[entry.key] = entry

    def _insert(self, rows: Iterable[Row]) -> None:
        with transaction(self._connection):
            self._connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?)", (row[:5] for row in rows))

    def _delete(self, rows: Iterable[tuple[int]]) -> None:
        with transaction(self._connection):
            self._connection.executemany("DELETE FROM log WHERE revision = ?", rows)

    def _shrink(self) -> int:
        """Give some free pages back to the file system; how many are left."""
        self._connection.execute(f"PRAGMA incremental_vacuum({STEP})").fetchall()
        (left,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        return int(left)

    def _execute(self, statement: str, arguments: tuple[object, ...]) -> None:
        with transaction(self._connection):
            self._connection.execute(statement, arguments)

    def _query(self, statement: str, *arguments: object) -> Sequence[Any]:
        return self._reading.execute(statement, arguments).fetchall()


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Begin, and commit or roll back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # a failed COMMIT may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose transactions are written out by hand, to be used from one thread at a time.

    The file is its owner's alone, for it holds Secrets; SQLite gives its journals the same mode.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)  # one that was made by another hand
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def take_lock(path: Path) -> int:
    """Hold the store for this process: a descriptor to keep open. StoreError when another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(f"another process holds {path.with_suffix('')}: one control plane at a time") from None
    return descriptor
