"""Gives running containers the CPU shares that they were made for, once the engine has nothing to start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from agent.runtime.protocol import EngineError

QUIET, LONGEST_WAIT = 1.0, 10.0


class Weights:
    """With the 2 shares of a pod without requests the engine's own work of starting it would starve on a busy machine, for
    seconds; and each change takes the engine 20 ms of CPU. So they come later, by `give(container id, shares)`, which may
    raise EngineError.
    """

    def __init__(self, give: Callable[[str, int], Awaitable[None]]) -> None:
        self._give = give
        self._due: dict[str, int] = {}
        self._started_at = 0.0
        self._giving: asyncio.Task[None] | None = None

    def starting(self) -> None:
        """A container is being started."""
        self._started_at = asyncio.get_running_loop().time()

    def due(self, container_id: str, shares: int) -> None:
        """A running container was seen with other shares."""
        self._due[container_id] = shares
        if self._giving is None or self._giving.done():
            self._giving = asyncio.create_task(self._give_all())

    async def _give_all(self) -> None:
        loop = asyncio.get_running_loop()
        latest = loop.time() + LONGEST_WAIT
        while (left := min(self._started_at + QUIET, latest) - loop.time()) > 0:  # noqa: ASYNC110 - time has to pass
            await asyncio.sleep(left)
        while self._due:
            container_id, shares = self._due.popitem()
            with contextlib.suppress(EngineError):  # it has ended already, or the engine has: nothing to weigh
                await self._give(container_id, shares)

    def close(self) -> None:
        """What is due then is seen again by who comes next."""
        if self._giving:
            self._giving.cancel()
