"""Why a pod is not ready, from what comes first in its life: its end, its node, the scheduler, volumes and sandbox, init
containers, containers, readiness gates. The first that stands in the way is the answer; what comes after it waits for it.
"""

from __future__ import annotations

from datetime import timedelta

from agent.plan import is_sidecar
from kubeapi.core_v1.types import Container, ContainerStatus, Event, Node, PersistentVolumeClaim, Pod
from kubeapi.names import DELETED_BY
from naru.why.containers import why_container
from naru.why.deaths import Death, explain
from naru.why.finding import Finding, times
from naru.why.nodes import closed, unready, why_node
from naru.why.storage import claims_of, why_claim
from naru.why.world import World, ago, condition, name_of, quotes, told

SHORT = "The kernel killed a process in a container of it for want of memory; the container lived on."
MORE_MEMORY = "raise resources.limits.memory, or have its processes need less; what was killed may be missing now"


def why_pod(world: World, pod: Pod) -> list[Finding]:
    """What keeps the pod from being ready; nothing for one that is, or that has done its work."""
    if pod.metadata.deletion_timestamp:
        return [_ending(world, pod)]
    if pod.status.phase == "Succeeded":
        return []
    if pod.status.phase == "Failed":
        return [_failed(world, pod)]
    if not pod.spec.node_name:
        return [_unscheduled(world, pod)]
    node = world.get(Node, pod.spec.node_name)
    if node is None or unready(world, node):
        because = tuple(unready(world, node)) if node else ()
        says = f"Its node {pod.spec.node_name} is {'not ready' if node else 'gone'}, so what is told of it may be old."
        return [Finding(name_of(pod), says, (f"spec.nodeName = {pod.spec.node_name}",), because=because)]
    ready = condition(pod, "Ready")
    if ready and ready.status == "True":
        return []
    return _not_ready(world, pod)


def well(world: World, pod: Pod) -> str:
    """How a pod is with which nothing is wrong."""
    if pod.status.phase == "Succeeded":
        return f"{name_of(pod)} has done its work: all its containers ended with success."
    ready = condition(pod, "Ready")
    return (
        f"{name_of(pod)} is ready on node {pod.spec.node_name}; it became so {ago(world, ready.last_transition_time)}."
    )


def past_of(world: World, pod: Pod) -> list[Finding]:
    """What happened to a pod that is well again: the last end of each container, and what Events tell of the last hour."""
    found = []
    for template, status, _ in _containers(pod):
        last, running = status.last_state.terminated, status.state.running
        if running and status.restart_count:
            since = ago(world, running.started_at)
            says = f"Container {template.name} was started again {times(status.restart_count)}, last {since}."
            because, said = tuple[Finding, ...](), list[Event]()
            if last:
                because = (explain(world, pod, Death(template, last, running.started_at, previous=True)),)
            else:  # the one before was removed, and its state with it
                told_of = f"{{{template.name}}}"
                events = world.events(pod, "Killed", "EngineLost")
                said = [e for e in events if e.involved_object.field_path.endswith(told_of)]
            found.append(Finding(name_of(pod), says, quotes(said, 1), because=because))
    short = world.events(pod, "OOMKilling")
    return found + ([Finding(name_of(pod), SHORT, quotes(short), MORE_MEMORY)] if short else [])


def _ending(world: World, pod: Pod) -> Finding:
    meta = pod.metadata
    assert meta.deletion_timestamp is not None  # who calls has looked
    asked = meta.deletion_timestamp - timedelta(seconds=meta.deletion_grace_period_seconds or 0)
    by = meta.annotations.get(DELETED_BY, "")
    grace = meta.deletion_grace_period_seconds
    evidence = [
        f"metadata.deletionTimestamp = {meta.deletion_timestamp:%Y-%m-%dT%H:%M:%SZ}, deletionGracePeriodSeconds = {grace}"
    ]
    evidence += [f"annotation {DELETED_BY} = {by}"] if by else []
    whom = f" by {by}" if by else ""
    says = f"Its deletion was asked{whom} {ago(world, asked)}; it has {grace} s to end."
    evidence += quotes(world.events(pod, "TaintManagerEviction", "Killing", "FailedKillPod", "FailedPreStopHook"))
    remedy, because = "", list[Finding]()
    node = world.get(Node, pod.spec.node_name)
    if meta.finalizers:
        says = f"Its deletion was asked{whom} {ago(world, asked)}, and finalizers hold it."
        evidence.append(f"metadata.finalizers = {', '.join(meta.finalizers)}")
        remedy = "whoever set a finalizer has to take it away when its work is done; see that this program runs"
    elif meta.deletion_timestamp < world.now and node:
        because = unready(world, node)
        says = f"Its deletion was asked{whom} {ago(world, asked)}; its time is over, and its node has not told its end."
        force = f"kubectl delete pod {meta.name} -n {meta.namespace} --grace-period=0 --force"
        remedy = f"mend the node; only if its machine is surely off: {force}"
    return Finding(name_of(pod), says, tuple(evidence), remedy, tuple(because))


def _failed(world: World, pod: Pod) -> Finding:
    status = pod.status
    evidence = [f"status.phase = Failed{f', reason = {status.reason}' if status.reason else ''}"]
    evidence += [f"status.message = {status.message}"] if status.message else []
    if status.reason == "DeadlineExceeded":
        says = (
            f"It ran longer than its activeDeadlineSeconds of {pod.spec.active_deadline_seconds} allow, and was ended."
        )
        remedy = "raise spec.activeDeadlineSeconds, or see what takes so long"
        return Finding(name_of(pod), says, tuple(evidence), remedy)
    deaths = []
    for template, seen, init in _containers(pod):
        ended = seen.state.terminated
        if ended and ended.exit_code != 0 and not (init and is_sidecar(template)):
            deaths.append(explain(world, pod, Death(template, ended, None, previous=False)))
    says = f"It has failed and will not be started again: restartPolicy is {pod.spec.restart_policy}."
    if status.reason:
        says = f"It has failed: {status.reason}{f', {status.message}' if status.message else ''}."
    return Finding(name_of(pod), says, tuple(evidence), because=tuple(deaths))


def _unscheduled(world: World, pod: Pod) -> Finding:
    scheduled, about = condition(pod, "PodScheduled"), name_of(pod)
    if scheduled is None or scheduled.status == "True":
        says = "No scheduler has looked at it yet."
        name = pod.spec.scheduler_name
        if name and name != "default-scheduler":
            return Finding(about, says, (f"spec.schedulerName = {name}",), f"see that a scheduler called {name} runs")
        return Finding(
            about, says, ("status.conditions has no PodScheduled",), "see that the control plane runs: naru status"
        )
    words = scheduled.message
    claims = [c for name in claims_of(pod) if (c := world.get(PersistentVolumeClaim, name))]
    nodes = [f for node in world.all(Node) for f in (*why_node(world, node), *closed(world, node))]
    because = [f for claim in claims for f in why_claim(world, claim)] if "olume" in words else []
    if "untolerated taint" in words or "no nodes available" in words or "unschedulable" in words:
        because += nodes
    says = f"No node can take it: {words.partition('. ')[0]}."
    return Finding(about, says, (told(scheduled),), "" if because else _room(pod, words), tuple(because))


def _room(pod: Pod, words: str) -> str:
    """What makes room for a pod, by the scheduler's words."""
    rules = (
        ("Insufficient", "ask for less (resources.requests), end other pods, or add a node"),
        ("free ports", "another hostPort, or one pod less that has it"),
        (
            "node affinity/selector",
            "mend spec.nodeSelector or affinity, or label a node so: kubectl get nodes --show-labels",
        ),
        ("anti-affinity", "more nodes, or a weaker anti-affinity (preferred...)"),
        ("topology spread", "more nodes in other domains, or whenUnsatisfiable: ScheduleAnyway"),
        ("requested node name", "mend spec.nodeName"),
        ("untolerated taint", "tolerate the taint, or take it away: kubectl taint nodes NODE KEY-"),
        ("unschedulable", "kubectl uncordon NODE"),
        ("no nodes available", "start a node's agent: naru up"),
        ("persistentvolumeclaim", f"make the claim in namespace {pod.metadata.namespace}, or mend spec.volumes"),
    )
    return "; ".join(remedy for sign, remedy in rules if sign in words)


def _not_ready(world: World, pod: Pod) -> list[Finding]:
    boxed = condition(pod, "PodReadyToStartContainers")
    if not (boxed and boxed.status == "True") and (found := _not_boxed(world, pod)):
        return [found]
    for template, status, init in _containers(pod):
        if init and (found := why_container(world, pod, template, status, init=True)):
            return [found]
    found_all = [
        f for template, status, init in _containers(pod)
        if not init and (f := why_container(world, pod, template, status, init=False))
    ]  # fmt: skip
    if found_all:
        return found_all
    ready = condition(pod, "Ready")
    if ready and ready.reason == "ReadinessGatesNotReady":
        says = "All its containers are ready, but a readiness gate of it is not: something outside has to say so."
        return [Finding(name_of(pod), says, (told(ready),), "see whoever sets this condition")]
    return [Finding(name_of(pod), "It is on its way.", (told(ready) if ready else "it has no condition Ready yet",))]


def _not_boxed(world: World, pod: Pod) -> Finding | None:
    """Volumes and sandbox come before any container."""
    mounts = world.events(pod, "FailedMount")
    boxes = world.events(pod, "FailedCreatePodSandBox")
    if mounts and not world.events(pod, "Started"):
        claims = [c for name in claims_of(pod) if (c := world.get(PersistentVolumeClaim, name))]
        because = tuple(f for claim in claims for f in why_claim(world, claim))
        remedy = "" if because else "make or mend what the Event names: a volume's ConfigMap, Secret, claim or path"
        return Finding(name_of(pod), "A volume of it can't be mounted.", quotes(mounts), remedy, because)
    if boxes:
        return Finding(
            name_of(pod), "Its sandbox can't be made.", quotes(boxes), "mend what the engine or the network names above"
        )
    return None


def _containers(pod: Pod) -> list[tuple[Container, ContainerStatus, bool]]:
    """Each container that has a status, with it, and whether it is an init container."""
    found = []
    for templates, statuses, init in (
        (pod.spec.init_containers, pod.status.init_container_statuses, True),
        (pod.spec.containers, pod.status.container_statuses, False),
    ):
        by_name = {s.name: s for s in statuses}
        found += [(t, by_name[t.name], init) for t in templates if t.name in by_name]
    return found
