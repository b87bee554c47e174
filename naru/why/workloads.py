"""Why a ReplicaSet has too few pods that are available, and why a Deployment's rollout does not end."""

from __future__ import annotations

from kubeapi.apps_v1.types import Deployment, ReplicaSet
from kubeapi.core_v1.types import Event, Pod
from naru.why.finding import Finding, some
from naru.why.pods import why_pod
from naru.why.world import World, ago, condition, name_of, quotes, told, when

NO_CONTROLLER = "if it stays so, see that the control plane runs: naru status"
REVISION = "deployment.kubernetes.io/revision"


def why_pods(world: World, pods: list[Pod]) -> tuple[Finding, ...]:
    """Why pods are not ready; those that tell the same are told once, with the others' names."""
    groups: dict[tuple[str, ...], list[tuple[Pod, list[Finding]]]] = {}
    for pod in sorted(pods, key=lambda p: p.metadata.name):
        if found := why_pod(world, pod):
            key = tuple(root.says for f in found for root in f.walk())
            groups.setdefault(key, []).append((pod, found))
    told_once = []
    for (first, found), *more in groups.values():
        others = [pod.metadata.name for pod, _ in more]
        says = "It is not ready" + (f"; the same holds for {some(others)}." if others else ".")
        told_once.append(Finding(name_of(first), says, because=tuple(found)))
    return tuple(told_once)


def why_set(world: World, rs: ReplicaSet) -> list[Finding]:
    """What a ReplicaSet lacks."""
    wanted = 1 if rs.spec.replicas is None else rs.spec.replicas
    status, pods = rs.status, world.owned(Pod, rs)
    if status.available_replicas >= wanted == status.replicas:
        return []
    living = [p for p in pods if not p.metadata.deletion_timestamp]
    counts = f"status.replicas = {status.replicas}, status.availableReplicas = {status.available_replicas}"
    evidence = [f"spec.replicas = {wanted}, {counts}"]
    because, remedy = why_pods(world, living), ""
    if (failure := condition(rs, "ReplicaFailure")) and failure.status == "True":
        evidence.append(told(failure))
        refused = quotes(world.events(rs, "FailedCreate", "FailedDelete"), 1)
        says = f"{len(living)} of {wanted} pods were made: the API server refuses the others: {failure.message}"
        return [
            Finding(
                name_of(rs),
                says,
                (*evidence, *refused),
                "mend what the refusal names: a quota, the pod template, or the namespace",
                because,
            )
        ]
    says = f"{status.available_replicas} of {wanted} replicas are available."
    fresh = [p.metadata.name for p in living if not why_pod(world, p)]
    if not because and len(fresh) > status.available_replicas and rs.spec.min_ready_seconds:
        evidence.append(f"spec.minReadySeconds = {rs.spec.min_ready_seconds}")
        says += f" {some(fresh)} must have been ready for {rs.spec.min_ready_seconds} s first."
    elif status.observed_generation < rs.metadata.generation or status.replicas != wanted:
        evidence.append(_generations(rs))
        if not because:
            says += " Its controller has not done its work yet."
            remedy = NO_CONTROLLER
    return [Finding(name_of(rs), says, tuple(evidence), remedy, because)]


def why_deployment(world: World, deployment: Deployment) -> list[Finding]:
    """What keeps a Deployment from being rolled out and available."""
    status, about = deployment.status, name_of(deployment)
    wanted = 1 if deployment.spec.replicas is None else deployment.spec.replicas
    if status.observed_generation < deployment.metadata.generation:
        says = "Its controller has not seen its newest spec yet."
        return [Finding(about, says, (_generations(deployment),), NO_CONTROLLER)]
    counts = (
        f"spec.replicas = {wanted}, status: replicas = {status.replicas}, updatedReplicas = {status.updated_replicas}, "
        f"availableReplicas = {status.available_replicas}"
    )
    sets = sorted(world.owned(ReplicaSet, deployment), key=_revision)
    newest, older = sets[-1:], sets[:-1]
    done = status.updated_replicas >= wanted and status.replicas <= status.updated_replicas
    if done and status.available_replicas >= wanted:
        return []
    evidence = [counts]
    progressing = condition(deployment, "Progressing")
    because = [f for rs in newest for f in why_set(world, rs)]
    if not done and deployment.spec.paused:
        says = f"Its rollout is paused: {status.updated_replicas} of {wanted} replicas are of the newest template."
        remedy = f"kubectl rollout resume deployment {deployment.metadata.name} -n {deployment.metadata.namespace}"
        return [Finding(about, says, (*evidence, "spec.paused = true"), remedy, tuple(because))]
    stuck = progressing is not None and progressing.reason == "ProgressDeadlineExceeded"
    if progressing is not None and (stuck or not done):
        evidence.append(told(progressing))
    if stuck:
        says = f"Its rollout is stuck: nothing moved for {deployment.spec.progress_deadline_seconds} s; "
    else:
        says = "" if done else "Its rollout is not over: "
    says += f"{status.updated_replicas} of {wanted} replicas are of the newest template, "
    says += f"{status.available_replicas} are available."
    leaving = [p for rs in older for p in world.owned(Pod, rs) if p.metadata.deletion_timestamp]
    if not because and leaving:
        because = [*why_pods(world, leaving)]
    if not because:
        because = [f for rs in older for f in why_set(world, rs)]
    undo = f"kubectl rollout undo deployment {deployment.metadata.name} -n {deployment.metadata.namespace}"
    remedy = f"mend what is told beneath; back to the template before: {undo}" if stuck and older else ""
    return [Finding(about, says, tuple(evidence), remedy, tuple(because))]


def well(world: World, obj: Deployment | ReplicaSet) -> str:
    """How one is with which nothing is wrong."""
    wanted = 1 if obj.spec.replicas is None else obj.spec.replicas
    if wanted == 0:
        return f"{name_of(obj)} is asked for no replicas, and has none."
    return f"{name_of(obj)} has all of its {wanted} replicas, and all are available."


def changed(world: World, deployment: Deployment) -> list[Finding]:
    """What was scaled last, and by whose program."""
    scaled: list[Event] = world.events(deployment, "ScalingReplicaSet")[:1]
    return [Finding(name_of(deployment), f"It was scaled last {ago(world, when(e))}.", quotes([e])) for e in scaled]


def _revision(rs: ReplicaSet) -> int:
    text = rs.metadata.annotations.get(REVISION, "")
    return int(text) if text.isdigit() else 0


def _generations(obj: Deployment | ReplicaSet) -> str:
    return (
        f"metadata.generation = {obj.metadata.generation}, status.observedGeneration = {obj.status.observed_generation}"
    )
