"""Notices that a process of a pod has ended, when it ends: by the kernel's word (pidfd_open(2)).

The engine speaks of a death after its shim and containerd have, 10 to 50 ms later; in that time connections are led to
nobody. What is to be done about the death itself is for the engine's event: only then is an exit code known.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection


class Lifelines:
    """Calls `ended(pod_uid)` once when the first of a pod's followed processes ends."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._held: dict[str, list[int]] = {}  # pod uid: pidfds

    def follow(self, pod_uid: str, pids: Collection[int]) -> bool:
        """Follow these and nothing else of the pod; False, and none is followed, where there is none or one has ended."""
        self.release(pod_uid)
        held = self._held[pod_uid] = []
        for pid in pids:
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                self.release(pod_uid)
                return False
            held.append(descriptor)
            asyncio.get_running_loop().add_reader(descriptor, self._fall, pod_uid)
        return bool(held)

    def release(self, pod_uid: str) -> None:
        """Follow nothing of the pod."""
        for descriptor in self._held.pop(pod_uid, ()):
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    def release_all(self) -> None:
        """Follow nobody."""
        for pod_uid in [*self._held]:
            self.release(pod_uid)

    def _fall(self, pod_uid: str) -> None:
        self.release(pod_uid)
        self._ended(pod_uid)
