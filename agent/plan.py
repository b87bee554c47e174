"""What a pod needs next: plan(pod, observed, known, now) → actions. Pure; the pod's worker carries them out.

The order of the kubelet: a sandbox first; then init containers one after the other (a sidecar, an init container with
restartPolicy Always, counts as done once started); then all app containers. A dead container is replaced by its restart
policy: the first time at once, then after 10 s doubling to 5 min, forgotten after it once ran 10 minutes. A dead sandbox
takes its containers with it. A pod that is deleted, over its deadline or done is brought to rest: containers end before
their sidecars, and everything is dead before anything is removed. Only of a pod that is deleted without grace, and whose end
nobody waits for in the API, all is removed at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agent.runtime.protocol import Container, Sandbox
from kubeapi.core_v1.types import Container as ContainerTemplate
from kubeapi.core_v1.types import ContainerStatus, Pod

BACKOFF_START, BACKOFF_LIMIT, LONG_RUN = 10.0, 300.0, 600.0
CHANGED = "Pod sandbox changed, it will be killed and re-created."


@dataclass(frozen=True, slots=True)
class Observed:
    """All of the pod's sandboxes and containers on the engine, of every attempt."""

    sandboxes: tuple[Sandbox, ...] = ()
    containers: tuple[Container, ...] = ()

    def same_as(self, other: Observed) -> bool:
        """Whether it is the same, in whatever order the engine told it."""
        return {*self.sandboxes, *self.containers} == {*other.sandboxes, *other.containers}

    def having(self, new: Sandbox | Container) -> Observed:
        """The same, with one as it is now."""
        if isinstance(new, Sandbox):
            return replace(self, sandboxes=(*(s for s in self.sandboxes if s.id != new.id), new))
        return replace(self, containers=(*(c for c in self.containers if c.id != new.id), new))

    def sandbox(self) -> Sandbox | None:
        """The newest sandbox."""
        return max(self.sandboxes, key=lambda s: s.attempt, default=None)

    def latest(self, name: str) -> Container | None:
        """The newest container of that name."""
        return max((c for c in self.containers if c.name == name), key=lambda c: c.attempt, default=None)

    def has_created(self, name: str) -> bool:
        """Whether the newest of that name was never started."""
        latest = self.latest(name)
        return latest is not None and latest.phase == "created"

    def previous(self, name: str) -> Container | None:
        """The newest but one."""
        named = sorted((c for c in self.containers if c.name == name), key=lambda c: c.attempt)
        return named[-2] if len(named) > 1 else None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container was not started: a reason and message for its status, and not before when to try again."""

    reason: str
    message: str = ""
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the worker learned that the engine can't tell: failed starts, probe results, network, deadline.

    started and ready: by container id, only where a probe has spoken. failed: ids that a liveness or startup probe gave up.
    """

    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    started: Mapping[str, bool] = field(default_factory=dict)
    ready: Mapping[str, bool] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    pod_ip: str = ""
    volumes_ready: bool = False
    sandbox_at: datetime | None = None  # not before then, because the last attempt failed
    gone: bool = False  # the object is no longer in the API
    ahead: frozenset[str] = frozenset()  # names of containers that are created before their turn


@dataclass(frozen=True, slots=True)
class CreateSandbox:
    """Make the pod's sandbox."""

    attempt: int


@dataclass(frozen=True, slots=True)
class StartContainer:
    """Create and start a container; crashes is the back-off's count it is born with."""

    name: str
    attempt: int
    crashes: int


@dataclass(frozen=True, slots=True)
class KillContainer:
    """End a container, with its preStop hook and the grace of the pod; why is the Killing Event's message."""

    id: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class StopSandbox:
    """End a sandbox (and give back its address)."""

    id: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove from the engine a container or a sandbox, dead or alive."""

    id: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Once all of the pod is removed: clean up and let the API forget it. The last action of its last plan."""


Action = CreateSandbox | StartContainer | KillContainer | StopSandbox | Remove | Finish


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions to take now, and when time alone will ask for the next plan."""

    actions: tuple[Action, ...] = ()
    wake_at: datetime | None = None


def stop_seconds(pod: Pod) -> int:
    """The pod's grace, where neither its deletion nor a probe says another."""
    wanted = pod.spec.termination_grace_period_seconds
    return 30 if wanted is None else wanted


def grace_of(pod: Pod) -> int:
    """The seconds that it has to end: its deletion's, or its own."""
    asked = pod.metadata.deletion_grace_period_seconds
    return stop_seconds(pod) if asked is None else asked


def is_sidecar(template: ContainerTemplate) -> bool:
    """An init container that stays (KEP-753)."""
    return template.restart_policy == "Always"


def crash_delay(dead: Container) -> float:
    """Seconds that a successor of this container waits."""
    if dead.crashes == 0 or _ran(dead) >= LONG_RUN:
        return 0.0
    return float(min(BACKOFF_START * 2 ** (min(dead.crashes, 10) - 1), BACKOFF_LIMIT))


def restart_at(dead: Container, now: datetime) -> datetime:
    """When a successor may start; at once if the clock was set back since."""
    delay = timedelta(seconds=crash_delay(dead))
    return (dead.finished_at if dead.finished_at and dead.finished_at <= now else now - delay) + delay


def next_crashes(dead: Container) -> int:
    """The count its successor is born with."""
    return 1 if _ran(dead) >= LONG_RUN else dead.crashes + 1


def _ran(dead: Container) -> float:
    if dead.started_at is None or dead.finished_at is None:
        return 0.0
    return (dead.finished_at - dead.started_at).total_seconds()


def restarts(pod: Pod, template: ContainerTemplate, dead: Container, *, init: bool) -> bool:
    """Whether a container that ended so is replaced."""
    if template.restart_policy_rules:
        for rule in template.restart_policy_rules:
            codes = rule.exit_codes
            if codes and (dead.exit_code in codes.values) == (codes.operator == "In"):
                return rule.action == "Restart"
    if is_sidecar(template):
        return True
    policy = template.restart_policy or pod.spec.restart_policy or "Always"
    if init or policy == "OnFailure":
        return policy != "Never" and dead.exit_code != 0
    return policy == "Always"


def past_deadline(pod: Pod, now: datetime) -> bool:
    """Whether activeDeadlineSeconds have passed since the pod was accepted."""
    limit, since = pod.spec.active_deadline_seconds, pod.status.start_time
    return limit is not None and since is not None and (now - since).total_seconds() >= limit


def finished(pod: Pod, observed: Observed) -> str:
    """`Succeeded` or `Failed` once no container will run again, else an empty text. The kubelet's getPhase."""
    if pod.status.phase in ("Succeeded", "Failed"):
        return pod.status.phase
    sandbox = observed.sandbox()
    for template in pod.spec.init_containers:
        seen = observed.latest(template.name)
        if is_sidecar(template):
            continue
        if seen and seen.phase == "exited" and seen.exit_code != 0 and not restarts(pod, template, seen, init=True):
            return "Failed"
    ends = []
    for template in pod.spec.containers:
        seen = observed.latest(template.name)
        if seen is None or seen.phase != "exited" or restarts(pod, template, seen, init=False):
            return ""
        ends.append(seen.exit_code)
    if not ends or (sandbox is None and not observed.containers):
        return ""
    return "Failed" if any(ends) else "Succeeded"


def plan(pod: Pod, observed: Observed, known: Known, now: datetime) -> Plan:
    """The next actions for the pod."""
    deleted = known.gone or pod.metadata.deletion_timestamp is not None
    if deleted and not grace_of(pod) and (known.gone or not pod.metadata.finalizers):
        return _removal(observed)
    if deleted or finished(pod, observed) or past_deadline(pod, now):
        return _rest(pod, observed, remove=deleted)
    if not known.volumes_ready:
        return Plan()
    sandbox = observed.sandbox()
    old = [s for s in observed.sandboxes if s is not sandbox]
    if sandbox is None or not sandbox.running:
        orphans = [c for c in observed.containers if c.phase == "running"]
        if orphans:  # their namespaces' holder is dead, so they go first
            return Plan(tuple(KillContainer(c.id, c.name, f"Stopping container {c.name}") for c in orphans))
        if known.sandbox_at and known.sandbox_at > now:
            return Plan((), known.sandbox_at)
        return Plan((*(Remove(s.id) for s in old), CreateSandbox(sandbox.attempt + 1 if sandbox else 0)))
    steps = _Steps(pod, observed, known, now, sandbox)
    steps.run()
    tidy = [Remove(s.id) for s in old] + _surplus(observed)
    wake = min(steps.wakes, default=None)
    if pod.spec.active_deadline_seconds is not None and pod.status.start_time is not None:
        limit = pod.status.start_time + timedelta(seconds=pod.spec.active_deadline_seconds)
        wake = min(wake, limit) if wake else limit
    return Plan((*steps.actions, *tidy), wake)


class _Steps:
    """One walk over init and app containers in a living sandbox, gathering actions and wake-up times."""

    def __init__(self, pod: Pod, observed: Observed, known: Known, now: datetime, sandbox: Sandbox) -> None:
        self.pod, self.observed, self.known, self.now, self.sandbox = pod, observed, known, now, sandbox
        self.actions: list[Action] = []
        self.wakes: list[datetime] = []

    def run(self) -> None:
        apps = self.pod.spec.containers
        begun = any((c := self.observed.latest(t.name)) and c.sandbox_id == self.sandbox.id for t in apps)
        for template in self.pod.spec.init_containers:
            if is_sidecar(template):
                running = self.keep(template, init=True)
                seen = self.observed.latest(template.name)
                up = running and seen is not None and self.known.started.get(seen.id, template.startup_probe is None)
                if not begun and not up:
                    return
            elif not begun and not self.initialised(template):
                return
        for template in apps:
            self.keep(template, init=False)

    def initialised(self, template: ContainerTemplate) -> bool:
        """Whether a plain init container has done its work in this sandbox; starts it if not."""
        seen = self.observed.latest(template.name)
        if seen and seen.phase == "exited" and seen.exit_code == 0 and seen.sandbox_id == self.sandbox.id:
            return True
        self.keep(template, init=True)
        return False

    def keep(self, template: ContainerTemplate, *, init: bool) -> bool:
        """See that the container runs if it should; whether it does."""
        seen, told = self.observed.latest(template.name), self.told(template)
        newest = (
            told.restart_count if told and told.container_id else -1
        )  # more than the engine's if someone removed that
        if seen is None:
            if newest >= 0:  # removed behind our back, which is as good as a crash
                self.start(template, newest + 1, 1)
            else:  # never started, or told already that it will be once more
                self.start(template, told.restart_count if told else 0, 0)
            return False
        if seen.phase == "running":
            if seen.id in self.known.failed:
                why = f"Container {template.name} failed {self.known.failed[seen.id]} probe, will be restarted"
                self.actions.append(KillContainer(seen.id, template.name, why))
                return False
            return True
        if seen.phase == "created":
            if seen.name not in self.known.ahead:  # an agent died between create and start: begin again
                self.actions.append(Remove(seen.id))
            self.start(template, seen.attempt, seen.crashes)
        elif seen.sandbox_id != self.sandbox.id and seen.started_at is None:  # its sandbox died before it could start
            self.actions.append(Remove(seen.id))
            self.start(template, seen.attempt, seen.crashes)
        elif seen.sandbox_id != self.sandbox.id and (init or self.pod.spec.restart_policy != "Never"):
            self.start(template, max(seen.attempt, newest) + 1, next_crashes(seen))
        elif restarts(self.pod, template, seen, init=init):
            due = restart_at(seen, self.now)
            if due > self.now:
                self.wakes.append(due)
            else:
                self.start(template, max(seen.attempt, newest) + 1, next_crashes(seen))
        return False

    def told(self, template: ContainerTemplate) -> ContainerStatus | None:
        """What the status says of the container."""
        statuses = [*self.pod.status.container_statuses, *self.pod.status.init_container_statuses]
        return next((s for s in statuses if s.name == template.name), None)

    def start(self, template: ContainerTemplate, attempt: int, crashes: int) -> None:
        held = self.known.waiting.get(template.name)
        if held and held.retry_at and held.retry_at > self.now:
            self.wakes.append(held.retry_at)
        else:
            self.actions.append(StartContainer(template.name, attempt, crashes))


def _surplus(observed: Observed) -> list[Action]:
    """Dead containers older than the last and the one before it (whose logs `--previous` shows)."""
    kept: dict[str, int] = {}
    removed: list[Action] = []
    for c in sorted(observed.containers, key=lambda c: -c.attempt):
        kept[c.name] = kept.get(c.name, 0) + 1
        if kept[c.name] > 2 and c.phase != "running":
            removed.append(Remove(c.id))
    return removed


def _rest(pod: Pod, observed: Observed, *, remove: bool) -> Plan:
    """Bring the pod to rest: apps first, then sidecars in reverse order, then sandboxes; then remove all of it if asked."""
    running = {c.name: c for c in observed.containers if c.phase == "running"}
    sidecars = [t.name for t in pod.spec.init_containers if is_sidecar(t)]
    apps = [c for name, c in running.items() if name not in sidecars]
    if apps:
        return Plan(tuple(KillContainer(c.id, c.name, f"Stopping container {c.name}") for c in apps))
    for name in reversed(sidecars):
        if name in running:
            return Plan((KillContainer(running[name].id, name, f"Stopping container {name}"),))
    if not remove:
        return Plan(tuple(StopSandbox(s.id) for s in observed.sandboxes if s.running))
    return _removal(observed)


def _removal(observed: Observed) -> Plan:
    """All of the pod is to go."""
    return Plan((*(Remove(c.id) for c in observed.containers), *(Remove(s.id) for s in observed.sandboxes), Finish()))
