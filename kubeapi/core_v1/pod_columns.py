"""The columns of a pod: what its many states come to in one word. Source: printPod of pkg/printers/internalversion."""

from __future__ import annotations

from datetime import datetime

from kubeapi.core_v1.types import Container, ContainerState, ContainerStatus, Pod
from kubeapi.meta_v1.columns import AGE, NAME, NONE, column, since
from kubeapi.registry import Column


def _is_sidecar(container: Container) -> bool:
    return container.restart_policy == "Always"


def _ended(state: ContainerState) -> str:
    """The word for a container that ended: its reason, else its signal or exit code."""
    ended = state.terminated
    assert ended is not None
    return ended.reason or (f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}")


def _init_reason(pod: Pod) -> str:
    """Where initialisation stands, or nothing when it is over."""
    sidecars = {c.name for c in pod.spec.init_containers if _is_sidecar(c)}
    for i, status in enumerate(pod.status.init_container_statuses):
        state = status.state
        if state.terminated and state.terminated.exit_code == 0:
            continue
        if status.name in sidecars and status.started:
            continue
        if state.terminated:
            return f"Init:{_ended(state)}"
        if state.waiting and state.waiting.reason and state.waiting.reason != "PodInitializing":
            return f"Init:{state.waiting.reason}"
        return f"Init:{i}/{len(pod.spec.init_containers)}"
    return ""


def _container_reason(status: ContainerStatus) -> str:
    state = status.state
    if state.waiting and state.waiting.reason:
        return state.waiting.reason
    return _ended(state) if state.terminated else ""


def pod_reason(pod: Pod) -> str:
    """The STATUS of `kubectl get pods`."""
    reason = pod.status.reason or pod.status.phase
    gated = any(c.type == "PodScheduled" and c.reason == "SchedulingGated" for c in pod.status.conditions)
    if gated:
        reason = "SchedulingGated"
    initialized = any(c.type == "Initialized" and c.status == "True" for c in pod.status.conditions)
    initializing = _init_reason(pod)
    if initializing:
        reason = initializing
    if not initializing or initialized:
        words = [word for status in pod.status.container_statuses if (word := _container_reason(status))]
        reason = words[0] if words else reason
        running = any(s.ready and s.state.running for s in pod.status.container_statuses)
        if reason == "Completed" and running:
            ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)
            reason = "Running" if ready else "NotReady"
    if pod.metadata.deletion_timestamp and pod.status.reason == "NodeLost":
        return "Unknown"
    if pod.metadata.deletion_timestamp and pod.status.phase not in ("Failed", "Succeeded"):
        return "Terminating"
    return reason


def _counted(pod: Pod) -> list[ContainerStatus]:
    """The statuses of containers that live as long as the pod: sidecars and containers."""
    sidecars = {c.name for c in pod.spec.init_containers if _is_sidecar(c)}
    return [s for s in pod.status.init_container_statuses if s.name in sidecars] + pod.status.container_statuses


def _ready(pod: Pod) -> str:
    total = len(pod.spec.containers) + sum(map(_is_sidecar, pod.spec.init_containers))
    ready = sum(bool(s.ready and s.state.running) for s in _counted(pod))
    return f"{ready}/{total}"


def _restarts(pod: Pod, now: datetime) -> str:
    statuses = pod.status.init_container_statuses if _init_reason(pod) else _counted(pod)
    count = sum(status.restart_count for status in statuses)
    ends = [s.last_state.terminated.finished_at for s in statuses if s.last_state.terminated]
    last = max((end for end in ends if end), default=None)
    return f"{count} ({since(last, now)} ago)" if count and last else str(count)


def _gates(pod: Pod) -> str:
    gates = pod.spec.readiness_gates
    true = {c.type for c in pod.status.conditions if c.status == "True"}
    return f"{sum(g.condition_type in true for g in gates)}/{len(gates)}" if gates else NONE


POD = (
    NAME,
    column("Ready", _ready),
    column("Status", pod_reason),
    Column("Restarts", _restarts, description="How often containers were started again, and when last."),
    AGE,
    column("IP", lambda o: o.status.pod_ip or (o.status.pod_ips[0].ip if o.status.pod_ips else NONE), wide=True),
    column("Node", lambda o: o.spec.node_name or NONE, wide=True),
    column("Nominated Node", lambda o: o.status.nominated_node_name or NONE, wide=True),
    column("Readiness Gates", _gates, wide=True),
)
