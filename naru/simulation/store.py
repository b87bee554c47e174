"""A store in memory that keeps the seam's promises like a disk: what is answered is there after a crash, what is not may be.

The log outlives the processes that write to it. A commit takes its time before and after it becomes durable, so that a
crash finds it in either state; a full disk refuses it with `StoreError`.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
import random
from collections.abc import AsyncGenerator, Callable

from controlplane.store import Change, Compacted, Conflict, Entry, Page, StoreError

LATENCY = 0.004  # seconds at most, before and after


class MemoryStore:
    """A `Store`: a log and what it comes to. rng makes commits take time (none: a turn of the event loop)."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng
        self._entries: dict[str, Entry] = {}
        self._sorted: list[str] | None = []
        self._log: list[Change] = []
        self._forgotten = 0
        self._watchers: dict[asyncio.Queue[Change], str] = {}  # and the prefix of what each wants to hear of
        self.full = False
        self.fault = ""
        self.on_commit: list[Callable[[Change], None]] = []  # told of each commit in the moment when it becomes durable

    @property
    def revision(self) -> int:
        """As `Store` says."""
        return self._forgotten + len(self._log)

    def get(self, key: str) -> Entry | None:
        """As `Store` says."""
        return self._entries.get(key)

    def list(self, prefix: str, revision: int | None = None) -> Page:
        """As `Store` says; no older revision can be listed here."""
        if revision is not None and revision < self.revision:
            raise Compacted(revision, self.revision)
        if self._sorted is None:
            self._sorted = sorted(self._entries)
        begin = bisect.bisect_left(self._sorted, prefix)
        keys = itertools.takewhile(lambda key: key.startswith(prefix), self._sorted[begin:])
        return Page([self._entries[key] for key in keys], self.revision)

    async def commit(self, key: str, expected: int, value: bytes | Callable[[int], bytes] | None) -> Entry:
        """As `Store` says."""
        await self._take()
        if self.full:
            raise StoreError("no space left on device")
        entry = self._write(key, expected, value)
        if self._rng:
            await self._take()
        return entry

    async def _take(self) -> None:
        await asyncio.sleep(self._rng.uniform(0, LATENCY) if self._rng else 0)

    def _write(self, key: str, expected: int, value: bytes | Callable[[int], bytes] | None) -> Entry:
        present = self._entries.get(key)
        if (present.revision if present else 0) != expected or (present is None and value is None):
            raise Conflict(present)
        revision, was = self.revision + 1, present.value if present else None
        data = value(revision) if callable(value) else value
        entry = Entry(key, data or was or b"", revision, present.created if present else revision)
        if data is None:
            del self._entries[key]
        else:
            self._entries[key] = entry
        if data is None or was is None:
            self._sorted = None
        change = Change(key, revision, entry.value, was, "MODIFIED")
        if data is None or was is None:
            change = change._replace(type="DELETED" if data is None else "ADDED")
        self._log.append(change)
        for tell in self.on_commit:
            tell(change)
        for queue, prefix in self._watchers.items():
            if key.startswith(prefix):
                queue.put_nowait(change)
        return entry

    async def watch(self, prefix: str, revision: int) -> AsyncGenerator[Change, None]:
        """As `Store` says."""
        if revision < self._forgotten:
            raise Compacted(revision, self._forgotten)
        queue: asyncio.Queue[Change] = asyncio.Queue()
        for change in self._log[revision - self._forgotten :]:
            if change.key.startswith(prefix):
                queue.put_nowait(change)
        self._watchers[queue] = prefix
        try:
            while change := await queue.get():
                if change.revision > revision:
                    yield change
        finally:
            del self._watchers[queue]

    async def compact(self, revision: int) -> None:
        """As `Store` says."""
        keep = max(min(revision, self.revision), self._forgotten)
        del self._log[: keep - self._forgotten]
        self._forgotten = keep

    async def close(self) -> None:
        """Nothing is open."""
