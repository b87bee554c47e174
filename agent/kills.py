"""Ends containers of one pod, beside the rounds of its worker: that may take as long as the pod's grace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import structlog

from agent import hooks
from agent.parts import Parts
from agent.runtime.protocol import EngineDownError, EngineError
from agent.starter import field_path
from agent.status import full_name

log = structlog.get_logger()
PAUSE, SHORTEST_GRACE = 1.0, 2.0


class _Kill(NamedTuple):
    """An end under way, and the grace that it gives."""

    task: asyncio.Task[None]
    grace: float


class Kills:
    """The ends under way of one pod's containers; `ended` hears of each that is over."""

    def __init__(self, parts: Parts, ended: Callable[[], None]) -> None:
        self._parts, self._ended = parts, ended
        self._kills: dict[str, _Kill] = {}

    def kill(self, scene: hooks.Scene, grace: float, why: str) -> bool:
        """End a container; a shorter grace than that of an end under way cuts it short. Whether there was need to."""
        under_way = self._kills.get(scene.id)
        if under_way is None:
            self._say(scene, "Normal", "Killing", why)
        elif under_way.grace <= grace:
            return False
        else:
            under_way.task.cancel()
        task = asyncio.create_task(self._end(scene, grace))
        self._kills[scene.id] = _Kill(task, grace)
        task.add_done_callback(lambda _: self._killed(scene.id, task))
        return True

    def cancel(self) -> None:
        """Wait for none of them."""
        for kill in self._kills.values():
            kill.task.cancel()

    def _say(self, scene: hooks.Scene, type_: str, reason: str, message: str) -> None:
        self._parts.say(scene.pod, field_path(scene.pod, scene.container.name), type_, reason, message)

    async def _end(self, scene: hooks.Scene, grace: float) -> None:
        """No new traffic, the preStop hook, the stop signal; and after the grace the end."""
        pod, lifecycle = scene.pod, scene.container.lifecycle
        begun = asyncio.get_running_loop().time()
        if pod.metadata.deletion_timestamp:
            await self._parts.network.drain(pod.metadata.uid)
        if grace > 0 and lifecycle and lifecycle.pre_stop:
            try:
                await hooks.run(lifecycle.pre_stop, self._parts.runtime, scene, grace)
            except hooks.HookError as e:
                log.warning("preStop hook failed", pod=full_name(pod), why=str(e))
                self._say(scene, "Warning", "FailedPreStopHook", hooks.PRE_STOP_FAILED)
            spent = asyncio.get_running_loop().time() - begun
            grace = max(grace - spent, SHORTEST_GRACE)
        try:
            await self._parts.runtime.stop(scene.id, grace)
        except EngineError as e:
            if not isinstance(e, EngineDownError):
                self._say(scene, "Warning", "FailedKillPod", f"error killing pod: {e}")
            log.warning("kill failed", pod=full_name(pod), container=scene.id, why=str(e))
            await asyncio.sleep(PAUSE)  # the next round tries again

    def _killed(self, container_id: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.warning("kill failed", container=container_id, error=str(error))
        if (kill := self._kills.get(container_id)) and kill.task is task:
            del self._kills[container_id]
        self._ended()
