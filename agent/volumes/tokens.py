"""Tokens of pods' ServiceAccounts, kept until four fifths of their time have gone (a day at most), then asked for anew.

A clock that is set makes them older or not good yet: then all are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agent.objects import Objects
from kubeapi.clock import Steps
from kubeapi.core_v1.types import Pod

RENEW_AFTER, LONGEST, HOUR = 0.8, 24 * 3600.0, 3600


class Key(NamedTuple):
    """Which token: of which pod, for whom, how long."""

    pod_uid: str
    audience: str
    seconds: int


class Tokens:
    """The tokens that this node's pods hold. now is a clock that only goes forward, in seconds; steps are the other's."""

    def __init__(self, objects: Objects, now: Callable[[], float], steps: Steps) -> None:
        self._objects, self._now, self._steps = objects, now, steps
        self._held: dict[Key, tuple[str, float]] = {}

    async def get(self, pod: Pod, audience: str, seconds: int | None) -> str:
        """The token, renewed if it is due."""
        if self._steps.taken():
            self._held.clear()
        key = Key(pod.metadata.uid, audience, seconds or HOUR)
        token, due = self._held.get(key, ("", 0.0))
        if not token or self._now() >= due:
            token = await self._objects.token(pod, audience, key.seconds)
            due = self._now() + min(key.seconds * RENEW_AFTER, LONGEST)
            self._held[key] = token, due
        return token

    def forget(self, pod_uid: str) -> None:
        """The pod is gone, and its tokens with it."""
        self._held = {key: held for key, held in self._held.items() if key.pod_uid != pod_uid}
