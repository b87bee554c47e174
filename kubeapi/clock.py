"""Wall-clock time, handed in. Waiting is asyncio's affair: a loop with virtual time needs only another Clock beside it.

A clock may be set while we run, by hours. What waits by the event loop does not notice; what is kept as a time of day, until
which something has to wait, is to be moved along (`Steps`), or it may come hours late.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol

NOTICED = timedelta(seconds=1)  # less is a clock that is being slowed down or sped up


class Clock(Protocol):
    """Tells the time of day."""

    def now(self) -> datetime:
        """The time now, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time now, aware, in UTC."""
        return datetime.now(UTC)


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time it was last moved to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds."""
        self._now += timedelta(seconds=seconds)


class Steps:
    """By how much a clock was set: its time of day is held against the time of the event loop, which nobody sets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset: datetime | None = None  # the time of day at which the event loop's time began

    def taken(self) -> timedelta:
        """Forward or back, since this was asked last; nothing the first time."""
        offset = self._clock.now() - timedelta(seconds=asyncio.get_running_loop().time())
        before, self._offset = self._offset or offset, offset
        step = offset - before
        return step if abs(step) > NOTICED else timedelta()
