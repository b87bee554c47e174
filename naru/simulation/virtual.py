"""Virtual time: an event loop that is at once where its next timer is, and a clock that tells that loop's time.

What would run in a thread runs on the spot, so that nothing depends on which thread comes first; and what is drawn by chance
is drawn again the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self, TypeVar, TypeVarTuple, Unpack

from apscheduler.executors import base as apscheduler_executors
from apscheduler.schedulers import base as apscheduler_base
from apscheduler.triggers import interval as apscheduler_interval

START = datetime(2026, 1, 1, tzinfo=UTC)
RESTLESS = 100_000  # turns of the loop at one and the same time: somebody asks without a pause
R = TypeVar("R")
A = TypeVarTuple("A")


class StuckError(Exception):
    """Everything waits for something that will not come."""


class Leap(selectors.DefaultSelector):
    """Nothing to wait for but time: be there at once. It counts the loop's turns, and those in which no time passed."""

    def __init__(self) -> None:
        super().__init__()
        self.passed, self.turns, self._busy = 0.0, 0, 0
        self.due: dict[asyncio.Future[None], int] = {}  # who waits for which turn

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; if nothing is, `timeout` seconds have passed. What comes from outside, if anything does, is
        looked for while all wait: to ask the kernel in each turn took a twentieth of a story."""
        self.turns += 1
        for come in [come for come, turn in self.due.items() if turn <= self.turns] if self.due else ():
            del self.due[come]
            if not come.done():  # who waited may have been cancelled in the last turn
                come.set_result(None)
        if timeout != 0 and (ready := super().select(0)):
            return ready
        if timeout is None:
            raise StuckError("everything waits for something that will not come")
        self._busy = 0 if timeout > 0 else self._busy + 1
        if self._busy > RESTLESS:
            raise StuckError(f"{RESTLESS} turns of the event loop, and no time has passed")
        self.passed += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while all wait."""

    def __init__(self) -> None:
        self._leap = Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        """Seconds of virtual time since the loop was made."""
        return self._leap.passed

    async def turn(self, turns: int) -> None:
        """Return in the event loop's so-and-so-many-th turn from now, whatever time passes until then."""
        come: asyncio.Future[None] = self.create_future()
        self._leap.due[come] = self._leap.turns + turns
        try:
            await come
        finally:
            self._leap.due.pop(come, None)

    def run_in_executor(self, executor: Any, func: Callable[[Unpack[A]], R], *args: *A) -> asyncio.Future[R]:
        """Call on the spot."""
        future: asyncio.Future[R] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """There is none."""


class VirtualClock:
    """The time of day in the running loop; `skew` seconds off what passes."""

    def __init__(self, skew: float = 0.0) -> None:
        self.skew = skew

    def now(self) -> datetime:
        """START and what has passed since."""
        return START + timedelta(seconds=asyncio.get_running_loop().time() + self.skew)


TRUE = VirtualClock()
MACHINE: ContextVar[VirtualClock] = ContextVar("clock of the machine whose task this is")


class _VirtualDatetime(datetime):
    """What APScheduler takes for `datetime`: it knows no other clock than this class's."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """The virtual time of day on the machine."""
        now = MACHINE.get(TRUE).now().astimezone(tz)
        return cls.combine(now.date(), now.timetz())


@contextlib.contextmanager
def _virtual_clockwork() -> Iterator[None]:
    """APScheduler's jobs come in virtual time until the block ends."""
    kept = [(module, module.datetime) for module in (apscheduler_base, apscheduler_executors, apscheduler_interval)]
    for module, _ in kept:
        module.datetime = _VirtualDatetime
    try:
        yield
    finally:
        for module, real in kept:
            module.datetime = real


@contextlib.contextmanager
def _known_chance() -> Iterator[None]:
    """What is drawn from the source of chance that all modules share is the same each time until the block ends."""
    kept = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(kept)


def virtually(story: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Run a story in virtual time."""
    with _virtual_clockwork(), _known_chance(), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story())
