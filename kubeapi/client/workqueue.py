"""The work of a controller: keys that wait for their reconcile.

A key that is added while it waits is not added twice; one that is added while it is being worked on comes again after. A
failed reconcile comes back after a pause that doubles from 5 ms to 16 min (as controller-runtime's), with up to a tenth of
jitter; a good one forgets it. After its reconcile a key rests nine times as long as that took, 50 ms at most: what changes
in a storm of events is merged, and one busy key leaves time to the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import structlog

from kubeapi.errors import ApiError

K = TypeVar("K", bound=Hashable)
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 1000.0
REST, LONGEST_REST = 9, 0.05
log = structlog.get_logger()


class Queue(Generic[K]):
    """Runs `reconcile(key)` for added keys in `workers` tasks, never twice at once for one key. `name` is for the log."""

    def __init__(
        self,
        reconcile: Callable[[K], Awaitable[None]],
        workers: int = 4,
        rng: random.Random | None = None,
        name: str = "",
    ) -> None:
        self._reconcile, self._workers, self._rng, self._name = reconcile, workers, rng or random.Random(), name
        self._waiting: asyncio.Queue[K] = asyncio.Queue()
        self._dirty: set[K] = set()
        self._working: set[K] = set()  # those that rest as well
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, key: K) -> None:
        """Reconcile this key as soon as a worker is free."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._working:
            self._waiting.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Reconcile this key in so many seconds; of several such wishes the earliest counts."""
        loop = asyncio.get_running_loop()
        pending = self._timers.get(key)
        if pending is not None:
            if pending.when() <= loop.time() + seconds:
                return
            pending.cancel()
        self._timers[key] = loop.call_later(max(seconds, 0), self._due, key)

    async def start(self) -> None:
        """Start the workers."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._work()) for _ in range(self._workers)]

    async def stop(self) -> None:
        """Stop the workers where they are and drop what waits."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            key = await self._waiting.get()
            self._dirty.discard(key)
            self._working.add(key)
            began = loop.time()
            try:
                await self._reconcile(key)
                self._failures.pop(key, None)
            except Exception as error:  # whatever went wrong, the key must be tried again and the others must go on
                self._retry(key, error)
            finally:
                loop.call_later(min(REST * (loop.time() - began), LONGEST_REST), self._rested, key)

    def _rested(self, key: K) -> None:
        self._working.discard(key)
        if key in self._dirty:
            self._waiting.put_nowait(key)

    def _retry(self, key: K, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 30), LONGEST_PAUSE)
        # Gone or changed since it was read: the next reconcile reads anew. Anything else somebody should know.
        routine = isinstance(error, ApiError) and error.code in (404, 409)
        tell, said = log.debug if routine else log.warning, f"{type(error).__name__}: {error}"
        tell("reconcile.failed", queue=self._name, key=str(key), failures=failures, error=said)
        self.add_after(key, pause * (1 + self._rng.random() / 10))
