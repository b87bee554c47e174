"""`why` a pod: for each cause the sentence, what it rests on and what to do; from plain objects, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from kubeapi.core_v1.types import Event, Pod
from naru.why.text import lines
from naru.why.why import why
from tests.why_world import asked, at, chain, ended, event, looping, pod, root, seen, waits, world

KILLED = "Container app was ended by signal 9 (SIGKILL) through the engine, not by Naru"


@pytest.mark.parametrize(
    ("status", "events", "says", "evidence"),
    [
        (looping(3), [], "Container app ended with exit code 3, which the program itself chose.", "exitCode = 3"),
        (looping(127), [], "Container app ended with exit code 127, by which shells mean: there is no such command.", "127"),
        (looping(139), [], "Container app ended with exit code 139, that of signal 11 (SIGSEGV).", "139"),
        (looping(0, "Completed"), [], "Container app ended by itself, with success (exit code 0).", "Completed"),
        (looping(137, "OOMKilled"), [],
         "Container app needed more memory than the node had: the kernel killed it.", "OOMKilled"),
        (looping(137, "OOMKilled"), [event("Killed", KILLED)], f"{KILLED}.", "Event Killed"),
        (looping(137, "OOMKilled"), [event("Killed", "Container app ended with exit code 137; who sent it is not known")],
         "Container app needed more memory than the node had: the kernel killed it.", "OOMKilled"),
        (looping(137), [event("Killed", KILLED, before=300)],  # that was another death
         "Container app ended with exit code 137, that of signal 9 (SIGKILL).", "137"),
        (looping(255), [event("EngineLost", "Container app ended while the engine was away, with exit code 255")],
         "Container app ended while the engine was away, with exit code 255.", "Event EngineLost"),
        (looping(143), [event("Killing", "Container app failed liveness probe, will be restarted", before=62),
                        event("Unhealthy", "Liveness probe failed: ill", before=63)],
         "Container app failed its liveness probe and was ended for that (exit code 143, that of signal 15 (SIGTERM)).",
         "Event Unhealthy: Liveness probe failed: ill"),
        (looping(137), [event("Killing", "Stopping container app", before=61),
                        event("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.", path="")],
         "The pod's sandbox was lost, and container app with it.", "Event SandboxChanged"),
        (looping(128, "StartError", message='exec: "nonesuch": not found'), [],
         "The process of container app could not be made.", 'termination message: exec: "nonesuch": not found'),
        (looping(137, "ContainerStatusUnknown"), [],
         "Container app is nowhere any more, and nobody saw how it ended.", "ContainerStatusUnknown"),
    ],
)  # fmt: skip
def test_a_death_is_told_by_its_cause(status: dict[str, Any], events: list[Event], says: str, evidence: str) -> None:
    report = asked(pod(status), *events)
    assert chain(report)[0].says.startswith("Container app was started again 3 times")
    found = chain(report)[-1]
    assert found.says == says
    assert any(evidence in line for line in found.evidence)
    assert found.remedy or "sandbox" in says


def test_a_memory_limit_is_named() -> None:
    limited = pod(looping(137, "OOMKilled"), container={"resources": {"limits": {"memory": "64Mi"}}})
    found = root(limited)
    assert found.says == "Container app needed more memory than its limit of 64Mi: the kernel killed it."
    assert found.remedy.startswith("raise resources.limits.memory of container app")


def test_the_last_lines_of_who_died_are_asked_for_and_shown() -> None:
    report = asked(pod(looping(3)))
    (ref,) = report.logs()
    assert (ref.pod, ref.container, ref.previous) == ("x", "app", True)
    shown = [*lines(report.with_logs({ref: ("no such file", "\x1b[31mred")}))]
    assert "      │ no such file" in shown
    assert "      │ �[31mred" in shown  # it does not steer the terminal


@pytest.mark.parametrize(
    ("status", "says", "remedy"),
    [
        (waits("ImagePullBackOff", "Back-off"), "The image i of container app can't be pulled.", "docker pull i"),
        (waits("ErrImageNeverPull"),
         "The image i is not on the node's engine, and imagePullPolicy Never forbids to pull it.", "docker build -t i"),
        (waits("InvalidImageName"), "'i' is no name of an image.", "spec.containers[app].image"),
        (waits("CreateContainerConfigError", 'configmap "c" not found'),
         "Container app needs the ConfigMap c, which is not in namespace ns.", "kubectl create configmap c -n ns"),
        (waits("CreateContainerConfigError", 'secret "s" not found'),
         "Container app needs the Secret s, which is not in namespace ns.", "kubectl create secret generic s -n ns"),
        (waits("CreateContainerConfigError", "couldn't find key k in ConfigMap ns/c"),
         "Container app needs the key k of ConfigMap c, which has no such key.", "kubectl edit configmap c"),
        (waits("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
         "Container app must not run as root (runAsNonRoot), and would.", "runAsUser"),
        (waits("CreateContainerError", "Error response from daemon: x"),
         "The engine refuses to make container app.", "engine"),
        (waits("PostStartHookError"),
         "The postStart hook of container app failed, so the container was ended.", "postStart"),
    ],
)  # fmt: skip
def test_a_container_that_can_not_start_says_why(status: dict[str, Any], says: str, remedy: str) -> None:
    found = root(pod(status))
    assert found.says == says
    assert remedy in found.remedy
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] in found.evidence[0]


def test_a_pull_that_is_under_way_is_no_failure_yet() -> None:
    found = root(pod(waits("ContainerCreating")), event("Pulling", 'Pulling image "i"'))
    assert found.says == "The image i is being pulled."


PROBED = {"readinessProbe": {"exec": {"command": ["true"]}}, "startupProbe": {"exec": {"command": ["true"]}}}


@pytest.mark.parametrize(
    ("started", "told", "says"),
    [
        (True, "Readiness probe failed: no database\n", "Container app runs, but its readiness probe fails: no database"),
        (False, "Startup probe failed: ", "Container app runs, but its startup probe fails: it says nothing"),
        (True, "Liveness probe failed: x",
         "Container app runs, and its readiness probe has not succeeded yet; no failure of it was told."),
    ],
)  # fmt: skip
def test_a_container_that_is_not_ready_says_by_which_probe(started: bool, told: str, says: str) -> None:
    status = seen({"running": {"startedAt": at(90)}}, started=started, ready=False)
    assert root(pod(status, container=PROBED), event("Unhealthy", told)).says == says


def test_init_containers_come_first_and_the_others_wait_for_them() -> None:
    init = {"name": "setup", "image": "i"}
    status = {"initContainerStatuses": [{"name": "setup", "image": "i", "imageID": "", "state": ended(4)}]}
    found = root(pod({**status, **waits("PodInitializing")}, spec={"initContainers": [init]}))
    assert found.says == "Container setup ended with exit code 4, which the program itself chose."
    status["initContainerStatuses"][0]["state"] = {"running": {"startedAt": at(5)}}
    found = root(pod({**status, **waits("PodInitializing")}, spec={"initContainers": [init]}))
    assert found.says == "The init container setup is at work: the others begin when it has ended."


def unscheduled(message: str, **spec: Any) -> Any:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod({"conditions": [condition], "phase": "Pending"}, spec={"nodeName": "", **spec})


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("0/1 nodes are available: 1 Insufficient cpu. no new claims", "ask for less"),
        ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. x", "spec.nodeSelector"),
        ("0/1 nodes are available: 1 node(s) had untolerated taint(s). x", "tolerate the taint"),
        (
            '0/1 nodes are available: persistentvolumeclaim "data" not found. not found',
            "make the claim in namespace ns",
        ),
    ],
)
def test_a_pod_without_a_node_says_why_no_node_takes_it(message: str, remedy: str) -> None:
    found = root(unscheduled(message))
    assert found.says == f"No node can take it: {message.partition('. ')[0]}."
    assert remedy in found.remedy and message in found.evidence[0]


def test_a_pod_that_no_scheduler_has_seen_says_so() -> None:
    assert root(pod({"conditions": []}, spec={"nodeName": ""})).says == "No scheduler has looked at it yet."
    found = root(pod({"conditions": []}, spec={"nodeName": "", "schedulerName": "mine"}))
    assert found.remedy == "see that a scheduler called mine runs"


def test_a_pod_whose_node_is_silent_is_explained_by_the_node() -> None:
    silent = {
        "type": "Ready",
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting.",
    }
    node = {"metadata": {"name": "n"}, "status": {"conditions": [{**silent, "lastHeartbeatTime": at(300)}]}}
    first, last = chain(asked(pod(looping(3)), node=node))
    assert first.says == "Its node n is not ready, so what is told of it may be old."
    assert last.about == "node/n" and "has not been heard of (the last was 5 min ago)" in last.says
    assert root(pod(looping(3)), node=None).says == "Its node n is gone, so what is told of it may be old."


@pytest.mark.parametrize(
    ("reason", "says"),
    [("FailedMount", "A volume of it can't be mounted."), ("FailedCreatePodSandBox", "Its sandbox can't be made.")],
)
def test_volumes_and_sandbox_come_before_containers(reason: str, says: str) -> None:
    status = {**waits("ContainerCreating"), "conditions": []}
    found = root(pod(status), event(reason, 'configmap "c" not found', path=""))
    assert found.says == says and 'configmap "c" not found' in found.evidence[0]


def test_a_failed_pod_says_how_its_containers_ended_or_what_ended_it() -> None:
    failed = {"phase": "Failed", **seen(ended(2))}
    top, death = chain(asked(pod(failed, spec={"restartPolicy": "Never"})))
    assert top.says == "It has failed and will not be started again: restartPolicy is Never."
    assert death.says == "Container app ended with exit code 2, which the program itself chose."
    late = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active"}
    found = root(pod(late, spec={"activeDeadlineSeconds": 5}))
    assert found.says == "It ran longer than its activeDeadlineSeconds of 5 allow, and was ended."
    evicted = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory"}
    assert root(pod(evicted)).says == "It has failed: Evicted, The node was low on resource: memory."


def test_a_pod_that_is_deleted_says_by_whom_and_what_holds_it() -> None:
    ending = {"deletionTimestamp": at(-20), "deletionGracePeriodSeconds": 30}
    asked_by = {"annotations": {"naru.dev/deleted-by": "mia with kubectl"}}
    found = root(pod(metadata={**ending, **asked_by}))
    assert found.says == "Its deletion was asked by mia with kubectl 10 s ago; it has 30 s to end."
    found = root(pod(metadata={**ending, "finalizers": ["example.com/backup"]}))
    assert found.says == "Its deletion was asked 10 s ago, and finalizers hold it."
    assert "metadata.finalizers = example.com/backup" in found.evidence
    found = root(pod(metadata={**ending, "deletionTimestamp": at(100)}))
    assert found.says.endswith("its time is over, and its node has not told its end.")


def test_a_pod_that_is_well_tells_what_befell_it() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(50)}]}
    running = seen({"running": {"startedAt": at(59)}}, lastState=ended(137, "Error"), restartCount=1, ready=True)
    report = asked(
        pod({**ready, **running}), event("Killed", KILLED), event("OOMKilling", "A process was killed", before=9)
    )
    assert report.wrong == ()
    assert report.well == "pod/x is ready on node n; it became so 50 s ago."
    again, short = report.past
    assert again.says == "Container app was started again once, last 59 s ago."
    assert again.because[0].says == f"{KILLED}."
    assert "the container lived on" in short.says
    assert next(lines(report)) == "nothing is wrong: pod/x is ready on node n; it became so 50 s ago."


def test_a_container_that_was_removed_has_left_no_state_and_is_told_by_its_event() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(50)}]}
    running = seen({"running": {"startedAt": at(59)}}, restartCount=1, ready=True)
    (again,) = asked(pod({**ready, **running}), event("Killed", KILLED)).past
    assert again.evidence == (f"Event Killed: {KILLED}",)


def test_a_pod_that_is_gone_is_told_of_by_its_events() -> None:
    other = pod(metadata={"name": "other"})
    deleted = event("Deleting", "Deletion asked by mia with kubectl, with 30 s to end", before=30, path="")
    report = asked_of_gone(other, deleted)
    assert report.says == "There is no Pod x in namespace ns any more: what is known of it was told last 30 s ago."
    assert report.evidence == ("Event Deleting: Deletion asked by mia with kubectl, with 30 s to end",)
    assert "no Event tells of one" in asked_of_gone(other).says


def asked_of_gone(*there: Any) -> Any:
    return why(world(*there), Pod, "ns", "x").wrong[0]
