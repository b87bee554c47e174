"""Containers of one pod that are created before their turn: while their sandbox starts, or while the engine is asked about
the death of those whose place they take. Creating is a fifth of a container's start; that it was in vain does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import NamedTuple

from agent.plan import Action, StartContainer

Create = Callable[[str, StartContainer], Coroutine[None, None, str]]
Remove = Callable[[str], Awaitable[None]]


class _Created(NamedTuple):
    sandbox_id: str
    action: StartContainer
    task: asyncio.Task[str]


class Ahead:
    """What is being created, or is there, for actions that the plan has not asked for yet; `remove(id)` undoes it."""

    def __init__(self, remove: Remove) -> None:
        self._remove = remove
        self._created: dict[str, _Created] = {}
        self.undone = 0  # how many were not started: some are removed, others are there for the plan to find

    @property
    def names(self) -> frozenset[str]:
        """The containers' names."""
        return frozenset(self._created)

    def create(self, sandbox_id: str, actions: Iterable[Action], create: Create) -> None:
        """Begin what a plan would start in a sandbox; `create(sandbox_id, action)` gives the new container's id."""
        for action in actions:
            if isinstance(action, StartContainer) and action.name not in self._created:
                task = asyncio.create_task(create(sandbox_id, action))
                task.add_done_callback(lambda made: made.cancelled() or made.exception())  # if nobody starts it
                self._created[action.name] = _Created(sandbox_id, action, task)

    async def take(self, sandbox_id: str, action: StartContainer, create: Create) -> str:
        """The id of what an action is to start: created already or, if not for the very same action, now."""
        found = self._created.pop(action.name, None)
        if found and found[:2] == (sandbox_id, action):
            return await found.task
        if found:
            self.undone += 1
            await self._undo(found.task)
        return await create(sandbox_id, action)

    def cancel(self) -> None:
        """The pod ends: what is on its way is undone, what is there goes with the rest."""
        self.undone += len(self._created)
        for created in self._created.values():
            created.task.cancel()
        self._created.clear()

    async def clear(self) -> int:
        """As `cancel`; returns when what was on its way is gone. How many there were: what is there the plan finds, and
        replaces."""
        tasks = [created.task for created in self._created.values()]
        self.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)

    async def _undo(self, task: asyncio.Task[str]) -> None:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and not task.exception():
            await self._remove(task.result())
