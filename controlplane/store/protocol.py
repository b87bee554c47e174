"""What a store is: keys with bytes, changed by compare-and-swap, each commit one increasing revision.

An answered commit is on disk. Readers and watchers see a commit only once it is. A watch from revision R gives every change
after R, in order, without gap or repeat, or says `Compacted`. How much of the past is kept is the store's own affair.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Literal, NamedTuple, Protocol


class Entry(NamedTuple):
    """A key's value, the revision of its last commit, and that of its first since it came to be."""

    key: str
    value: bytes
    revision: int
    created: int


class Page(NamedTuple):
    """Entries in the order of their keys, and the revision at which they all stood so."""

    entries: list[Entry]
    revision: int


class Change(NamedTuple):
    """One commit: for a deletion `value` is the last value, as deleted; `previous` is None for a new key."""

    key: str
    revision: int
    value: bytes
    previous: bytes | None
    type: Literal["ADDED", "MODIFIED", "DELETED"]


class StoreError(Exception):
    """The store can't do its work (disk full, file unreadable); the text says what to do."""


class Conflict(Exception):  # noqa: N818 - the field's word, and what callers read best
    """The key is not at the revision that the commit expects. `current` is the entry now, None if there is none."""

    def __init__(self, current: Entry | None) -> None:
        super().__init__(f"the key is at revision {current.revision if current else 0}")
        self.current = current


class Compacted(Exception):  # noqa: N818 - as above
    """The revision asked for is older than what is kept: `oldest` is the oldest that can be read or watched from."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"{asked} ({oldest})")
        self.asked, self.oldest = asked, oldest


class Store(Protocol):
    """The seam between the API server and what keeps its objects."""

    @property
    def fault(self) -> str:
        """Why the store can't be relied on any more, with what to do; empty while it can."""
        ...

    @property
    def revision(self) -> int:
        """The last durable revision."""
        ...

    def get(self, key: str) -> Entry | None:
        """The entry of a key as of the last durable revision."""
        ...

    def list(self, prefix: str, revision: int | None = None) -> Page:
        """The entries under a prefix, now or as they stood at an older revision (raises Compacted)."""
        ...

    async def commit(self, key: str, expected: int, value: bytes | Callable[[int], bytes] | None) -> Entry:
        """Set a key's value, or delete it (None), if its revision is `expected` (0: it must not exist).

        A callable gets the new revision and gives the bytes. Returns the entry when it is on disk (for a deletion: the
        last value under the deletion's revision). Raises Conflict (when what came between can be read), StoreError.
        """
        ...

    def watch(self, prefix: str, revision: int) -> AsyncGenerator[Change, None]:
        """Changes under a prefix after `revision`, without end. Raises Compacted before the first."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget what was superseded at or before `revision`: lists older than it raise Compacted, and so may watches."""
        ...

    async def close(self) -> None:
        """Write what waits, and let go of the file."""
        ...
