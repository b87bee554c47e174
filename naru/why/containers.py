"""Why a container does not run, or runs and is not ready: what its status says, and the Events that explain it."""

from __future__ import annotations

import re

from kubeapi.core_v1.types import Container, ContainerStateWaiting, ContainerStatus, Pod
from naru.why.deaths import Death, explain
from naru.why.finding import Finding, LogRef, times
from naru.why.world import World, name_of, quotes, when

MISSING = re.compile(r'(configmap|secret) "([^"]+)" not found')
LACKS_KEY = re.compile(r"couldn't find key (\S+) in (ConfigMap|Secret) \S*?/(\S+)")
PULLS = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable")
WAITS = ("", "ContainerCreating", "PodInitializing")


def why_container(
    world: World, pod: Pod, template: Container, status: ContainerStatus, *, init: bool
) -> Finding | None:
    """What is wrong with one container; None for one that is as it should be, or has not had its turn."""
    waiting, ended = status.state.waiting, status.state.terminated
    if waiting and waiting.reason == "CrashLoopBackOff":
        return _crashes(world, pod, template, status)
    if waiting:
        return _waits(world, pod, template, waiting, init=init)
    if ended:
        if ended.exit_code == 0 and (init or pod.spec.restart_policy != "Always"):
            return None
        return explain(world, pod, Death(template, ended, None, previous=False))
    if status.state.running and not status.ready:
        return _unready(world, pod, template, status, init=init)
    return None


def _crashes(world: World, pod: Pod, template: Container, status: ContainerStatus) -> Finding:
    count, waiting = status.restart_count, status.state.waiting
    assert waiting is not None  # who calls has looked
    says = (
        f"Container {template.name} was started again {times(count)}, ends each time, and waits longer before the next."
    )
    where = f"status.containerStatuses[{template.name}]"
    evidence = (f"{where}.state.waiting: {waiting.reason}: {waiting.message}", f"{where}.restartCount = {count}")
    last = status.last_state.terminated
    because = (explain(world, pod, Death(template, last, None, previous=True)),) if last else ()
    return Finding(name_of(pod), says, evidence, because=because)


def _waits(
    world: World, pod: Pod, template: Container, waiting: ContainerStateWaiting, *, init: bool
) -> Finding | None:
    name, about, reason, message = template.name, name_of(pod), waiting.reason, waiting.message
    evidence = (f"status.containerStatuses[{name}].state.waiting: {': '.join(filter(None, (reason, message)))}",)

    def found(says: str, remedy: str, *reasons: str) -> Finding:
        return Finding(about, says, (*evidence, *quotes(world.events(pod, *reasons)) * bool(reasons)), remedy)

    if reason in WAITS:
        pulling = [e for e in world.events(pod, "Pulling", "Pulled", "Failed") if f'"{template.image}"' in e.message]
        if pulling and pulling[0].reason == "Pulling":
            return Finding(about, f"The image {template.image} is being pulled.", (*evidence, *quotes(pulling[:1])))
        return None if init else Finding(about, f"Container {name} is being made.", evidence)
    if reason in PULLS:
        by_hand = f"docker pull {template.image} (or docker build -t {template.image} ...)"
        remedy = f"see that the image's name is right; on the node, {by_hand} tells more"
        tries = [e for e in world.events(pod, "Failed") if e.message.startswith("Failed to pull")]
        says = f"The image {template.image} of container {name} can't be pulled."
        return Finding(about, says, (*evidence, *quotes(tries, 1)), remedy)
    if reason == "ErrImageNeverPull":
        says = f"The image {template.image} is not on the node's engine, and imagePullPolicy Never forbids to pull it."
        return found(
            says,
            f"docker build -t {template.image} or docker pull {template.image} on the node, or another imagePullPolicy",
        )
    if reason == "InvalidImageName":
        return found(f"{template.image!r} is no name of an image.", f"mend spec.containers[{name}].image")
    if reason == "PostStartHookError":
        says = f"The postStart hook of container {name} failed, so the container was ended."
        return found(says, "mend lifecycle.postStart, or what it needs", "FailedPostStartHook")
    if reason == "CreateContainerConfigError":
        return found(*_misconfigured(pod, name, message))
    if reason == "CreateContainerError":
        return found(f"The engine refuses to make container {name}.", "mend what the engine names above", "Failed")
    return found(
        f"Container {name} waits: {reason}.", f"kubectl describe pod {pod.metadata.name} -n {pod.metadata.namespace}"
    )


def _misconfigured(pod: Pod, name: str, message: str) -> tuple[str, str]:
    """Sentence and remedy for a container whose configuration can't be put together."""
    namespace = pod.metadata.namespace
    if match := MISSING.search(message):
        kind, wanted = match.groups()
        word = {"configmap": "ConfigMap", "secret": "Secret"}[kind]
        create = {"configmap": "configmap", "secret": "secret generic"}[kind]
        says = f"Container {name} needs the {word} {wanted}, which is not in namespace {namespace}."
        return says, f"make it (kubectl create {create} {wanted} -n {namespace} ...), or mark the reference optional"
    if match := LACKS_KEY.search(message):
        key, word, wanted = match.groups()
        says = f"Container {name} needs the key {key} of {word} {wanted}, which has no such key."
        return says, f"kubectl edit {word.lower()} {wanted} -n {namespace}: add {key}, or mend the reference"
    if "non-root" in message or "runAsNonRoot" in message:
        says = f"Container {name} must not run as root (runAsNonRoot), and would."
        return (
            says,
            "set securityContext.runAsUser to a number other than 0, or use an image whose USER is such a number",
        )
    return f"Container {name} can't be put together as it is configured.", "mend what is named above"


def _unready(world: World, pod: Pod, template: Container, status: ContainerStatus, *, init: bool) -> Finding | None:
    name = template.name
    kind = "readiness" if status.started else "startup"
    probe = template.readiness_probe if status.started else template.startup_probe
    if init and template.restart_policy != "Always":
        return Finding(name_of(pod), f"The init container {name} is at work: the others begin when it has ended.", (
            f"status.initContainerStatuses[{name}].state.running",
        ))  # fmt: skip
    if probe is None:
        return None
    said = f"{kind.capitalize()} probe "
    began = status.state.running.started_at if status.state.running else None
    unhealthy = [e for e in world.events(pod, "Unhealthy") if e.involved_object.field_path.endswith(f"{{{name}}}")]
    failures = [e for e in unhealthy if e.message.startswith(said) and (began is None or when(e) >= began)]
    fields = f"status.containerStatuses[{name}]: started = {_word(status.started)}, ready = {_word(status.ready)}"
    log = LogRef(pod.metadata.namespace, pod.metadata.name, name, previous=False)
    if not failures:
        says = f"Container {name} runs, and its {kind} probe has not succeeded yet; no failure of it was told."
        return Finding(name_of(pod), says, (fields,), log=log)
    words = failures[0].message.removeprefix(f"{said}failed: ").strip()
    says = f"Container {name} runs, but its {kind} probe fails: {words or 'it says nothing'}"
    remedy = f"see why container {name} does not answer as spec.containers[{name}].{kind}Probe asks; its logs may tell"
    return Finding(name_of(pod), says, (fields, *quotes(failures[:1])), remedy, log=log)


def _word(value: bool | None) -> str:
    return {True: "true", False: "false", None: "unknown"}[value]
