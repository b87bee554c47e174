"""Probes of one pod's containers. First slice: nothing is probed yet, every container counts as ready once it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.plan import Observed
from agent.runtime.protocol import Runtime
from kubeapi.core_v1.types import Pod

if TYPE_CHECKING:
    from kubeapi.clock import Clock


class Probes:
    """What the probes of one pod say, by container id."""

    def __init__(
        self, runtime: Runtime, clock: Clock, wake: Callable[[], None], say: Callable[[str, str, str], None]
    ) -> None:
        self.started: dict[str, bool] = {}
        self.ready: dict[str, bool] = {}
        self.failed: dict[str, str] = {}
        self.grace: dict[str, int] = {}

    def follow(self, pod: Pod, observed: Observed, pod_ip: str) -> None:
        """Take every running container for ready."""
        self.ready = self.started = {c.id: True for c in observed.containers if c.phase == "running"}

    async def stop(self) -> None:
        """Nothing runs."""
