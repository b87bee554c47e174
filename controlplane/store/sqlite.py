"""The embedded store: the log of revisions is one SQLite table, the present is kept in memory.

A commit is checked and numbered at once, on the event loop, against the newest state, on disk or on its way there; then it
waits with whatever else waits, and one thread writes them all in a transaction (group commit). Only when that is on disk do
readers and watchers see it and is it answered. If the write fails, all that waited fail and their numbers are given out
again: nobody has seen them.

    commit ─ check, number ─▶ pending ─▶ thread: one transaction ─▶ present, recent changes ─▶ answer, wake watchers

Watchers have no queues. Each collection keeps its recent changes once for all of them; a watcher is a position, and one that
falls behind the recent changes reads the log. What is compacted is deleted with the next commits (`history.py`).
A file that turns out to be damaged is not written to any more: what is in memory can still be read, and `fault` says why.
"""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_left, bisect_right
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import structlog

from controlplane.store.file import AS_OF, SINCE, DamagedError, LogFile, Row, take_lock
from controlplane.store.history import History
from controlplane.store.protocol import Change, Compacted, Conflict, Entry, Page, StoreError

log = structlog.get_logger()
T = TypeVar("T")
RECENT = 1000  # changes kept in memory per collection
LAST = "\U0010ffff"  # comes after whatever a key goes on with
STEP = 500  # rows deleted, or read for a watcher, at a time


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
    order: list[str] | None = None  # the keys of `entries`, sorted, since that was asked for

    def under(self, prefix: str) -> list[Entry]:
        """The present entries under a prefix, in the order of their keys."""
        if self.order is None:
            self.order = sorted(self.entries)
        begin, end = bisect_left(self.order, prefix), bisect_left(self.order, prefix + LAST)
        return [self.entries[key] for key in self.order[begin:end]]

    def publish(self, row: Row) -> None:
        """Make a durable row part of the present and wake the watchers."""
        entry = row.entry()
        if entry is None or row.key not in self.entries:
            self.order = None
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
        self._lock = take_lock(path)
        self._writer = ThreadPoolExecutor(1, "store-write")
        self._reader = ThreadPoolExecutor(1, "store-read")
        self._file: LogFile | None = None
        self._collections: dict[str, Collection] = {}
        self._history = History()
        self._revision = self._numbered = self._compacted = 0
        self._opened_at = 0  # what was committed before is in the log only
        self._head: dict[str, Commit] = {}  # newest row of each key that is not on disk yet
        self._pending: list[Commit] = []
        self._task: asyncio.Task[StoreError | None] | None = None
        self.fault = ""

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the store, or make it. StoreError when another process holds it, or the file can't be relied on."""
        store = cls(path)
        try:
            await store._in(store._writer, store._load)
        except BaseException:
            await store.close()
            raise
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
            return Page(self._collection(prefix).under(prefix), self._revision)
        if revision < self._compacted:
            raise Compacted(revision, self._compacted)
        rows = self._query(AS_OF, prefix, prefix + LAST, revision)
        return Page([Entry(*row) for row in rows], revision)

    async def commit(self, key: str, expected: int, value: bytes | Callable[[int], bytes] | None) -> Entry:
        """Set or delete a key if it is at revision `expected`; see Store."""
        if self.fault:
            raise StoreError(self.fault)
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
        self._work()
        await asyncio.shield(commit.done)  # others may wait for it too
        return row.entry() or Entry(key, was or b"", revision, created)

    async def watch(self, prefix: str, revision: int) -> AsyncGenerator[Change, None]:
        """Changes under a prefix after `revision`, without end."""
        collection, wake = self._collection(prefix), asyncio.Event()
        collection.watchers.add(wake)
        try:
            while True:
                wake.clear()
                if revision >= collection.forgotten:
                    changes, seen = collection.after(revision), self._revision
                elif revision < self._compacted:
                    raise Compacted(revision, self._compacted)
                else:
                    until = self._revision
                    bounds = (prefix, prefix + LAST, STEP)
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
        self._give_up(min(revision, self._revision))
        while self._uncleared():
            if (error := await asyncio.shield(self._work())) is not None:
                raise error
        file = self._opened()
        for _ in range(await self._in(self._writer, file.free_steps)):
            await self._in(self._writer, file.shrink)
        await self._in(self._writer, file.empty_journal)

    async def close(self) -> None:
        """Write what waits, and let go of the file."""
        while self._task is not None:
            await self._task
        self._reader.shutdown()
        if self._file is not None:
            await self._in(self._writer, self._file.close)
        self._writer.shutdown()
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

    def _give_up(self, revision: int) -> None:
        """What was superseded at or before `revision` may be deleted."""
        self._compacted = max(self._compacted, revision)
        self._history.compact(self._compacted)

    def _uncleared(self) -> bool:
        return bool(self._history.doomed(1)) or self._compacted != self._opened().compacted

    def _work(self) -> asyncio.Task[StoreError | None]:
        """The task that writes, begun now if none does."""
        if self._task is None:
            self._task = asyncio.create_task(self._write())
        return self._task

    async def _write(self) -> StoreError | None:
        """Write what waits, and delete what is doomed, until nothing is left to do; the error when that failed."""
        try:
            while self._pending or self._uncleared():
                batch, self._pending = self._pending, []
                rows, doomed = [row for row, _ in batch], self._history.doomed(STEP)
                try:
                    await self._in(self._writer, self._opened().write, rows, doomed, self._compacted)
                except StoreError as error:
                    self._noticed(error)
                    self._fail(batch, error)
                    return error
                self._history.drop(len(doomed))
                self._publish(rows)
                for _, done in batch:
                    done.set_result(None)
            return None
        finally:
            self._task = None

    def _publish(self, rows: Iterable[Row]) -> None:
        """Make durable rows part of the present."""
        for row in rows:
            self._revision = row.revision
            self._collection(row.key).publish(row)
            self._history.add(row.revision, row.key, row.value, row.previous, row.was)
            if self._head[row.key].row is row:
                del self._head[row.key]
        if (revision := self._history.excess()) is not None:
            self._give_up(revision)

    def _noticed(self, error: StoreError) -> None:
        """Remember damage: what is written to a damaged file may not be there when it is read again."""
        if isinstance(error, DamagedError) and not self.fault:
            self.fault = str(error)
            log.error("store.damaged", why=self.fault)

    def _fail(self, batch: Iterable[Commit], error: StoreError) -> None:
        """Refuse the batch and all that was built on it, and take their numbers back."""
        failed, self._pending = [*batch, *self._pending], []
        self._head.clear()
        self._numbered = self._revision
        for _, done in failed:
            done.set_exception(error)

    async def _in(self, executor: ThreadPoolExecutor, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)

    def _opened(self) -> LogFile:
        if self._file is None:
            raise StoreError(f"{self._path} is not open")
        return self._file

    def _query(self, statement: str, *arguments: object) -> Sequence[Any]:
        try:
            return self._opened().query(statement, *arguments)
        except StoreError as error:
            self._noticed(error)
            raise

    def _load(self) -> None:
        self._file = LogFile(self._path)
        rows = self._file.load()
        self._compacted = self._file.compacted
        for row in rows:
            self._history.add(row.revision, row.key, row.value, row.previous, row.was)
            entries, entry = self._collection(row.key).entries, row.entry()
            if entry is None:
                entries.pop(row.key, None)
            else:
                entries[row.key] = entry
        self._history.compact(self._compacted)
        self._opened_at = self._revision = self._numbered = max(rows[-1].revision if rows else 0, self._compacted)
        for collection in self._collections.values():
            collection.forgotten = self._opened_at
