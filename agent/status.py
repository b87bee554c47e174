"""What a pod's status says: status_of(pod, observed, known, facts, now) → PodStatus. Pure.

Reasons and messages are the kubelet's own, because people and programs branch on them. Times come from the engine, so two
looks at the same containers give the same status; a condition keeps its transition time until it turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agent.plan import Known, Observed, crash_delay, finished, is_sidecar, past_deadline, restart_at, restarts
from agent.runtime.protocol import Container
from kubeapi.core_v1.types import Container as ContainerTemplate
from kubeapi.core_v1.types import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
)

DEADLINE = "Pod was active on the node longer than the specified deadline"
OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands around the pod: the node's address, and termination messages by container id."""

    host_ip: str = ""
    messages: Mapping[str, str] = field(default_factory=dict)
    runtime: str = "docker"


def crash_message(pod: Pod, name: str, dead: Container) -> str:
    """The words of CrashLoopBackOff; the delay as Go prints a duration."""
    seconds = round(crash_delay(dead))
    minutes, rest = divmod(seconds, 60)
    told = f"{minutes}m{rest}s" if minutes else f"{rest}s"
    return f"back-off {told} restarting failed container={name} pod={full_name(pod)}"


def full_name(pod: Pod) -> str:
    """`name_namespace(uid)`, as the kubelet names a pod."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"


def status_of(pod: Pod, observed: Observed, known: Known, facts: Facts, now: datetime) -> PodStatus:
    """The pod's whole status as the node sees it; conditions of others are kept."""
    old = pod.status
    end = finished(pod, observed)
    late = past_deadline(pod, now) and not end
    view = _View(pod, observed, known, facts, now, resting=bool(end or late or pod.metadata.deletion_timestamp))
    inits = [view.status(t, init=True) for t in pod.spec.init_containers]
    apps = [view.status(t, init=False) for t in pod.spec.containers]
    alive = any(c.phase == "running" for c in observed.containers)
    status = PodStatus(
        qos_class=old.qos_class,
        nominated_node_name=old.nominated_node_name,
        observed_generation=old.observed_generation,
        start_time=old.start_time,
        init_container_statuses=inits,
        container_statuses=apps,
    )
    if late or old.reason == "DeadlineExceeded":
        status.phase, status.reason, status.message = "Failed", "DeadlineExceeded", DEADLINE
    else:
        status.phase = end or _phase(pod, inits, apps)
    if status.phase in ("Succeeded", "Failed") and alive and old.phase not in ("Succeeded", "Failed"):
        status.phase = old.phase or "Pending"  # terminal only once nothing runs: others may take its place
    sandbox = observed.sandbox()
    if facts.host_ip:
        status.host_ip, status.host_ips = facts.host_ip, [HostIP(ip=facts.host_ip)]
    ip = facts.host_ip if pod.spec.host_network and sandbox else known.pod_ip or old.pod_ip
    if ip:
        status.pod_ip, status.pod_ips = ip, [PodIP(ip=ip)]
    networked = bool(sandbox and sandbox.running and (known.pod_ip or pod.spec.host_network))
    status.conditions = _conditions(pod, status, networked, now)
    return status


def _phase(pod: Pod, inits: list[ContainerStatus], apps: list[ContainerStatus]) -> str:
    for template, seen in zip(pod.spec.init_containers, inits, strict=True):
        done = seen.started if is_sidecar(template) else seen.state.terminated and seen.state.terminated.exit_code == 0
        if not done and not (is_sidecar(template) and seen.last_state.terminated):
            return "Pending"
    begun = [s for s in apps if s.state.running or s.state.terminated or s.last_state.terminated]
    return "Running" if len(begun) == len(apps) else "Pending"


@dataclass(frozen=True, slots=True)
class _View:
    pod: Pod
    observed: Observed
    known: Known
    facts: Facts
    now: datetime
    resting: bool

    def status(self, template: ContainerTemplate, *, init: bool) -> ContainerStatus:
        seen = self.observed.latest(template.name)
        previous = self.observed.previous(template.name)
        status = ContainerStatus(name=template.name, image=template.image, started=False)
        held = self.known.waiting.get(template.name)
        if seen is None:
            self._go_on(status)
            status.state = self._never_seen(template, held.reason if held else "", held.message if held else "")
            return status
        status.restart_count, status.image = seen.attempt, seen.image or template.image
        status.image_id, status.container_id = seen.image_id, f"{self.facts.runtime}://{seen.id}"
        if previous is not None:
            status.last_state = ContainerState(terminated=self.terminated(previous))
        if seen.phase == "running":
            status.state = ContainerState(running=ContainerStateRunning(started_at=seen.started_at))
            status.started = self.known.started.get(seen.id, template.startup_probe is None)
            ready = self.known.ready.get(seen.id, template.readiness_probe is None)
            status.ready = status.started and ready and (not init or is_sidecar(template))
            return status
        if seen.phase == "created":
            status.state = ContainerState(waiting=ContainerStateWaiting(reason="ContainerCreating"))
            return status
        ended = ContainerState(terminated=self.terminated(seen))
        again = not self.resting and restarts(self.pod, template, seen, init=init)
        if (
            again and restart_at(seen, self.now) > self.now
        ):  # whatever failed then, now it is time that stands in the way
            message = crash_message(self.pod, template.name, seen)
            status.state = ContainerState(waiting=ContainerStateWaiting(reason="CrashLoopBackOff", message=message))
            status.last_state = ended
        elif again and held:
            status.state = ContainerState(waiting=ContainerStateWaiting(reason=held.reason, message=held.message))
            status.last_state = ended
        else:
            status.state = ended
            status.ready = init and not is_sidecar(template) and seen.exit_code == 0
        return status

    def _told(self, name: str) -> ContainerStatus | None:
        all_statuses = self.pod.status.container_statuses + self.pod.status.init_container_statuses
        return next((s for s in all_statuses if s.name == name), None)

    def _go_on(self, status: ContainerStatus) -> None:
        """What was told of a container outlives it: one that ran and is nowhere now will be there once more."""
        told = self._told(status.name)
        if told is None:
            return
        status.restart_count, status.last_state = told.restart_count, told.last_state
        if told.state.running and not self.resting:
            lost = "The container could not be located when the pod was deleted.  The container used to be Running"
            ended = ContainerStateTerminated(exit_code=137, reason="ContainerStatusUnknown", message=lost)
            status.restart_count, status.last_state = told.restart_count + 1, ContainerState(terminated=ended)

    def _never_seen(self, template: ContainerTemplate, reason: str, message: str) -> ContainerState:
        told = self._told(template.name)
        if told and told.state.terminated:
            return told.state
        if told and told.state.running and self.resting:
            lost = "The container could not be located when the pod was terminated"
            ended = ContainerStateTerminated(exit_code=137, reason="ContainerStatusUnknown", message=lost)
            return ContainerState(terminated=ended)
        default = "PodInitializing" if self.pod.spec.init_containers else "ContainerCreating"
        return ContainerState(waiting=ContainerStateWaiting(reason=reason or default, message=message))

    def terminated(self, dead: Container) -> ContainerStateTerminated:
        if dead.error:
            reason = "StartError"
        elif dead.oom_killed:
            reason = "OOMKilled"
        else:
            reason = "Completed" if dead.exit_code == 0 else "Error"
        return ContainerStateTerminated(
            container_id=f"{self.facts.runtime}://{dead.id}",
            exit_code=dead.exit_code,
            reason=reason,
            message=dead.error or self.facts.messages.get(dead.id, ""),
            started_at=dead.started_at,
            finished_at=dead.finished_at,
        )


def _conditions(pod: Pod, status: PodStatus, networked: bool, now: datetime) -> list[PodCondition]:
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(status.phase, "")
    told: dict[str, tuple[bool, str, str]] = {}
    told["PodReadyToStartContainers"] = (networked and not over, "", "")
    pending = [
        s.name
        for t, s in zip(pod.spec.init_containers, status.init_container_statuses, strict=True)
        if not (s.ready or s.started or (over == "PodCompleted") or (is_sidecar(t) and s.last_state.terminated))
    ]
    if over == "PodCompleted":
        told["Initialized"] = (True, over, "")
    elif pending and not any(s.state.running or s.last_state.terminated for s in status.container_statuses):
        message = f"containers with incomplete status: [{' '.join(pending)}]"
        told["Initialized"] = (False, "ContainersNotInitialized", message)
    else:
        told["Initialized"] = (True, "", "")
    sidecars = [
        s for t, s in zip(pod.spec.init_containers, status.init_container_statuses, strict=True) if is_sidecar(t)
    ]
    unready = [s.name for s in [*sidecars, *status.container_statuses] if not s.ready]
    if over:
        told["ContainersReady"] = (False, over, "")
    elif unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        told["ContainersReady"] = (False, "ContainersNotReady", message)
    else:
        told["ContainersReady"] = (True, "", "")
    told["Ready"] = told["ContainersReady"]
    others = {c.type: c for c in pod.status.conditions if c.type not in OWNED}
    shut = [g.condition_type for g in pod.spec.readiness_gates if not _holds(others.get(g.condition_type))]
    if told["Ready"][0] and shut:
        missing = ", ".join(f'the status of pod readiness gate "{g}" is not "True"' for g in shut)
        told["Ready"] = (False, "ReadinessGatesNotReady", missing)
    before = {c.type: c for c in pod.status.conditions}
    made = []
    for type_, (holds, reason, message) in told.items():
        was, word = before.get(type_), "True" if holds else "False"
        since = was.last_transition_time if was and was.status == word else now
        made.append(PodCondition(type=type_, status=word, reason=reason, message=message, last_transition_time=since))
    return [*made, *others.values()]


def as_told(pod: Pod, told: PodStatus) -> Pod:
    """The pod with the status told last, and with others' conditions: what the API shows may be older than that, and to
    go on from it would take back what was told, again and again.
    """
    if not told.phase:
        return pod
    others = [c for c in pod.status.conditions if c.type not in OWNED]
    status = told.model_copy(update={"conditions": [*(c for c in told.conditions if c.type in OWNED), *others]})
    return pod.model_copy(update={"status": status})


def _holds(condition: PodCondition | None) -> bool:
    return condition is not None and condition.status == "True"
