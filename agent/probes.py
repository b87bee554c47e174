"""The probes of one pod: a task for each probe of each running container, and what they found, by container id.

The pod's worker calls `follow` each round with what runs, reads `started`, `ready` and `failed` for its plan and status, and
is woken when one of them turns. A startup probe holds the others back; a liveness or startup probe that gave up ends, since
its container will; a pod that is deleted is asked for its readiness only. A container that an earlier agent already
reported on keeps what the pod's status says until a probe speaks, and is asked at a random moment of its period, so that a
restarted agent does not ask all at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import structlog

from agent import prober
from agent.plan import Observed, is_sidecar
from agent.prober import Finding, ProbeError, Target
from agent.runtime.protocol import Container, Runtime
from kubeapi.core_v1.types import Container as ContainerTemplate
from kubeapi.core_v1.types import ContainerStatus, Pod, Probe

if TYPE_CHECKING:
    from kubeapi.clock import Clock

log = structlog.get_logger()
Kind = Literal["startup", "liveness", "readiness"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ATTEMPTS = 3  # looks that could not be made are repeated at once so often


@dataclass(frozen=True, slots=True)
class Streak:
    """The same finding so many times in a row."""

    healthy: bool = False
    length: int = 0

    def then(self, healthy: bool) -> Streak:
        """With one more finding."""
        return Streak(healthy, self.length + 1 if healthy == self.healthy else 1)

    def verdict(self, probe: Probe) -> bool | None:
        """What the probe now says of its container; None while its threshold is not reached: then nothing changes."""
        needed = probe.success_threshold if self.healthy else probe.failure_threshold
        return self.healthy if self.length >= needed else None


def probe_of(template: ContainerTemplate, kind: Kind) -> Probe | None:
    """The container's probe of a kind."""
    return {
        "startup": template.startup_probe,
        "liveness": template.liveness_probe,
        "readiness": template.readiness_probe,
    }[kind]


def kinds_due(template: ContainerTemplate, *, started: bool, failed: bool, ending: bool) -> set[Kind]:
    """Which probes ask now."""
    has = {kind for kind in KINDS if probe_of(template, kind)}
    due: set[Kind] = {"startup"} if "startup" in has and not started else {"liveness", "readiness"}
    if failed or ending:
        due -= {"startup", "liveness"}
    return has & due


def first_pause(kind: Kind, probe: Probe, started_at: datetime | None, now: datetime, share: float) -> float:
    """Seconds until the first look: what is left of the initial delay, at least that share of a period.

    Liveness is asked after a period at the earliest: it is taken for granted until then, so that to ask at once would only
    hold a container's coming up against it. The others are asked at once, since somebody waits for their answer. Both lie
    within what the kubelet does, whose periods begin with the pod.
    """
    delay = max(probe.initial_delay_seconds, probe.period_seconds if kind == "liveness" else 0)
    begin = min(started_at or now, now) + timedelta(seconds=delay)  # in the future: the clock was set back since
    return max((begin - now).total_seconds(), share * probe.period_seconds)


class Probes:
    """What the probes of one pod say, by container id. wake is called when that changes.

    say records an Event: the container's name, type, reason, message.
    """

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        wake: Callable[[], None],
        say: Callable[[str, str, str, str], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.started: dict[str, bool] = {}
        self.ready: dict[str, bool] = {}
        self.failed: dict[str, str] = {}
        self.grace: dict[str, int] = {}
        """Of those that failed: how many seconds their probe gives them to end, if it says so."""
        self._clock, self._wake, self._say, self._chance = clock, wake, say, chance
        self._runtime, self._pod_ip = runtime, ""
        self._adopted: dict[str, bool] = {}
        self._tasks: dict[tuple[str, Kind], asyncio.Task[None]] = {}

    def follow(self, pod: Pod, observed: Observed, pod_ip: str) -> None:
        """Ask those that run, from now on; forget those that don't."""
        self._pod_ip = pod_ip
        ending = pod.metadata.deletion_timestamp is not None
        running, due = set(), set()
        for template in [*filter(is_sidecar, pod.spec.init_containers), *pod.spec.containers]:
            seen = observed.latest(template.name)
            if seen is None or seen.phase != "running" or not any(probe_of(template, kind) for kind in KINDS):
                continue
            if seen.id not in self._adopted:
                self._meet(template, seen.id, _told(pod, seen.id))
            running.add(seen.id)
            started, failed = self.started.get(seen.id, True), seen.id in self.failed
            for kind in kinds_due(template, started=started, failed=failed, ending=ending):
                due.add((seen.id, kind))
                if (seen.id, kind) not in self._tasks:
                    self._tasks[seen.id, kind] = asyncio.create_task(self._ask(kind, template, seen))
        for key in self._tasks.keys() - due:
            self._tasks.pop(key).cancel()
        for gone in self._adopted.keys() - running:
            for known in (self._adopted, self.started, self.ready, self.failed, self.grace):
                known.pop(gone, None)

    async def stop(self) -> None:
        """Ask nobody any more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()

    def _meet(self, template: ContainerTemplate, container_id: str, told: ContainerStatus | None) -> None:
        self._adopted[container_id] = told is not None
        if template.startup_probe:
            self.started[container_id] = bool(told and told.started)
        if template.readiness_probe:
            self.ready[container_id] = bool(told and told.ready)

    async def _ask(self, kind: Kind, template: ContainerTemplate, seen: Container) -> None:
        """Look once a period until there is nothing more to find out."""
        probe, loop, streak = probe_of(template, kind), asyncio.get_running_loop(), Streak()
        assert probe is not None  # only kinds that the container has are due
        share = self._chance() if self._adopted[seen.id] else 0.0
        due = loop.time() + first_pause(kind, probe, seen.started_at, self._clock.now(), share)
        concluded = False
        while not concluded:
            await asyncio.sleep(due - loop.time())
            finding = await self._look(kind, probe, Target(template, seen.id, self._pod_ip))
            due = max(due + probe.period_seconds, loop.time())
            if finding is not None:
                streak = streak.then(finding.healthy)
                verdict = streak.verdict(probe)
                concluded = verdict is not None and self._conclude(kind, probe, seen.id, verdict)

    async def _look(self, kind: Kind, probe: Probe, target: Target) -> Finding | None:
        """One finding, told where it is not plainly good; None when the look could not be made."""
        name, trouble = kind.capitalize(), ""
        say = partial(self._say, target.container.name, "Warning")
        for _ in range(ATTEMPTS):
            try:
                finding = await prober.look(self._runtime, probe, target)
            except ProbeError as error:
                trouble = str(error)
                continue
            except Exception as error:  # a fault of ours must neither end the probe nor be held against the container
                log.exception("probe broke", container=target.container.name, id=target.id, kind=kind)
                trouble = str(error)
                continue
            if not finding.healthy:
                say("Unhealthy", f"{name} probe failed: {finding.message}")
            elif finding.message:
                say("ProbeWarning", f"{name} probe warning: {finding.message}")
            return finding
        say("Unhealthy", f"{name} probe errored and resulted in unknown state: {trouble}")
        return None

    def _conclude(self, kind: Kind, probe: Probe, container_id: str, healthy: bool) -> bool:
        """Note what a probe has found out; whether it is done with this container."""
        if kind == "readiness":
            if self.ready[container_id] != healthy:
                self.ready[container_id] = healthy
                self._wake()
            return False
        if kind == "liveness" and healthy:
            return False
        if healthy:
            self.started[container_id] = True
        else:
            self.failed[container_id] = kind
            if probe.termination_grace_period_seconds is not None:
                self.grace[container_id] = probe.termination_grace_period_seconds
        self._wake()
        return True


def _told(pod: Pod, container_id: str) -> ContainerStatus | None:
    """What the pod's status says of that very container."""
    statuses = [*pod.status.container_statuses, *pod.status.init_container_statuses]
    return next((s for s in statuses if s.container_id.partition("://")[2] == container_id), None)
