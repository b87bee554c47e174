"""Virtual time: an event loop that is at once where its next timer is, and a clock that tells that loop's time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 1, 1, tzinfo=UTC)


class Leap(selectors.DefaultSelector):
    """Nothing to wait for but time: be there at once. What threads do takes no time, but is waited for."""

    passed = 0.0
    threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout != 0 and self.threads:
            return super().select(None)
        if ready := super().select(0):
            return ready
        assert timeout is not None, "everything waits for something that will not come"
        self.passed += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while all wait."""

    def __init__(self) -> None:
        self._leap = Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.passed

    def run_in_executor(self, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        self._leap.threads += 1
        future: asyncio.Future[Any] = super().run_in_executor(*args)  # type: ignore[misc]
        future.add_done_callback(lambda _: self._done())
        return future

    def _done(self) -> None:
        self._leap.threads -= 1

    async def shutdown_default_executor(self, *args: Any) -> None:  # type: ignore[override]
        self._leap.threads += 1
        await super().shutdown_default_executor(*args)
        self._leap.threads -= 1


class VirtualClock:
    """The time of day in the running loop."""

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())


def virtually(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a story in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())
