"""Starts and stops the controllers and the scheduler on one set of informers, and keeps the slow clockwork.

Which ones run is said as kube-controller-manager's --controllers says it: `*` all, `name` that one, `-name` not that
one; an empty list means none, and then no scheduler either.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from controlplane.controllers.controller import Context, Controller
from controlplane.controllers.deployment import DeploymentController
from controlplane.controllers.endpoints import EndpointsController
from controlplane.controllers.garbage import GarbageCollector
from controlplane.controllers.machines import MachineController, NodeTopologyController
from controlplane.controllers.namespace import NamespaceController
from controlplane.controllers.nodes import NodeController, NodeIpamController
from controlplane.controllers.replicaset import ReplicaSetController
from controlplane.controllers.serviceaccount import RootCAController, ServiceAccountController
from controlplane.controllers.volumes import VolumeController
from controlplane.scheduler.scheduler import Scheduler
from kubeapi.client.client import Client
from kubeapi.clock import Clock, Steps
from kubeapi.clockwork import Clockwork
from kubeapi.core_v1.types import Event
from kubeapi.errors import ApiError
from kubeapi.registry import Registry

log = structlog.get_logger()
ALL: tuple[type[Controller] | type[Scheduler], ...] = (
    NamespaceController,
    ServiceAccountController,
    RootCAController,
    GarbageCollector,
    DeploymentController,
    ReplicaSetController,
    EndpointsController,
    NodeController,
    NodeIpamController,
    VolumeController,
    MachineController,
    NodeTopologyController,
    Scheduler,
)
EVENT_LIFETIME = timedelta(hours=1)
EXPIRY_MINUTES, COMPACTION_MINUTES, RESYNC_MINUTES = 5, 5, 10


def chosen(controllers: str, names: list[str]) -> list[str]:
    """The names that a --controllers list selects, in the given order. ValueError for a name that nobody has."""
    asked = [part.strip() for part in controllers.split(",") if part.strip()]
    unknown = {a.removeprefix("-") for a in asked} - {*names, "*"}
    if unknown:
        raise ValueError(f"no controller named {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    return [n for n in names if f"-{n}" not in asked and (n in asked or "*" in asked)]


def expired(event: Event, now: datetime) -> bool:
    """Whether an Event was last seen longer ago than Events are kept."""
    series = event.series.last_observed_time if event.series else None
    last = series or event.last_timestamp or event.event_time or event.metadata.creation_timestamp
    return last is not None and abs(now - last) > EVENT_LIFETIME  # ahead of us it is where the clock was set back


class Manager:
    """All that works on the cluster's objects beside the API server."""

    def __init__(
        self,
        client: Client,
        registry: Registry,
        clock: Clock,
        rng: random.Random,
        controllers: str = "*",
        *,
        root_ca: str = "",
        pod_network: str = "10.244.0.0/16",
        compact: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._context, self._compact = Context(client, registry, clock, rng, root_ca, pod_network), compact
        wanted = chosen(controllers, [c.name for c in ALL])
        self.running: list[Controller | Scheduler] = [c(self._context) for c in ALL if c.name in wanted]
        self._slow = Clockwork(clock)
        self._steps, self._all_kept_until = Steps(clock), 0.0  # Events, by the event loop's time

    async def start(self) -> None:
        """List everything once, then work."""
        if not self.running:
            return
        await self._context.start()
        for part in self.running:
            await part.start()
        self._slow.add_job(self._expire_events, "interval", minutes=EXPIRY_MINUTES)
        self._slow.add_job(self._resync, "interval", minutes=RESYNC_MINUTES)
        if self._compact is not None:
            self._slow.add_job(self._compact, "interval", minutes=COMPACTION_MINUTES)
        self._slow.start()

    async def stop(self) -> None:
        """Stop working; nothing is left half done that a later start would not finish."""
        if not self.running:
            return
        self._slow.shutdown(wait=False)
        for part in self.running:
            await part.stop()
        await self._context.stop()

    async def _resync(self) -> None:
        for part in self.running:
            part.resync()

    async def _expire_events(self) -> None:
        client, now, passed = self._context.client, self._context.clock.now(), asyncio.get_running_loop().time()
        if self._steps.taken():  # nobody knows any more how old they are
            self._all_kept_until = passed + EVENT_LIFETIME.total_seconds()
        if passed < self._all_kept_until:
            return
        for event in (await client.list(Event)).items:
            if expired(event, now):
                try:
                    await client.delete(Event, event.metadata.name, event.metadata.namespace)
                except ApiError as error:
                    if error.code != 404:
                        log.warning("event not expired", name=event.metadata.name, error=error.message)
