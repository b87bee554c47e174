"""Why a container ended: from its status, and from the Events that were said in its lifetime and right after its end.

An Event belongs to a death by its container and its time: what led to the end was said between start and end (Killing), what
was found out about it between the end and the next start (Killed, EngineLost, SandboxChanged). Times are whole seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from kubeapi.core_v1.types import Container, ContainerStateTerminated, Event, Pod
from naru.why.exits import meaning
from naru.why.finding import Finding, LogRef
from naru.why.world import World, name_of, quotes, when

SLACK = timedelta(seconds=2)
FAILED_PROBE = " probe, will be restarted"
KNOWN_SENDERS = ("through the engine", "Naru was asked")  # of other signals an Event tells less than OOMKilled does
START_LOGS = "its logs, and what it needs from outside (files, variables, other services), tell why"


class Death(NamedTuple):
    """One end: of which container, how, when the next life began (None: not yet), and whether it was the life before."""

    template: Container
    ended: ContainerStateTerminated
    next_start: datetime | None
    previous: bool


def explain(world: World, pod: Pod, death: Death) -> Finding:
    """The sentence for one death, with its evidence."""
    template, ended = death.template, death.ended
    about, name = name_of(pod), template.name
    where = f"status.containerStatuses[{name}].{'lastState' if death.previous else 'state'}.terminated"
    fields = (f"{where}: reason = {ended.reason or '(none)'}, exitCode = {ended.exit_code}",)
    message = (f"termination message: {ended.message.strip()}",) if ended.message.strip() else ()
    log = LogRef(pod.metadata.namespace, pod.metadata.name, name, death.previous)
    before, after = _events(world, pod, death)

    def found(says: str, events: list[Event], remedy: str, *, quote: bool = False) -> Finding:
        return Finding(about, says, (*fields, *message, *quotes(events)), remedy, log=log if quote else None)

    killed = _of(after, "Killed", "EngineLost")
    if killed and (ended.reason != "OOMKilled" or any(sure in killed[0].message for sure in KNOWN_SENDERS)):
        return found(f"{killed[0].message}.", killed, _remedy_of(killed[0]))
    if probe := [e for e in _of(before, "Killing") if e.message.endswith(FAILED_PROBE)]:
        kind = probe[0].message.removesuffix(FAILED_PROBE).rpartition(" ")[2]
        failures = [e for e in _of(before, "Unhealthy") if e.message.lower().startswith(f"{kind} probe")]
        says = f"Container {name} failed its {kind} probe and was ended for that ({meaning(ended.exit_code)})."
        remedy = f"mend what the probe asks for, or give it more time: {kind}Probe.timeoutSeconds, failureThreshold"
        return found(says, [*probe[:1], *failures[:1]], remedy, quote=True)
    if ended.reason == "OOMKilled":
        limit = template.resources.limits.get("memory")
        had = f"its limit of {limit}" if limit else "the node had"
        says = f"Container {name} needed more memory than {had}: the kernel killed it."
        return found(says, [], f"raise resources.limits.memory of container {name}, or have it need less", quote=True)
    if changed := _of(after, "SandboxChanged"):
        return found(f"The pod's sandbox was lost, and container {name} with it.", changed, "")
    if ended.reason in ("StartError", "ContainerCannotRun"):
        remedy = f"mend command and args of container {name}, or the image: what is told above could not be started"
        return found(f"The process of container {name} could not be made.", _of(before + after, "Failed"), remedy)
    if ended.reason == "ContainerStatusUnknown":
        says = f"Container {name} is nowhere any more, and nobody saw how it ended."
        return found(says, [], "nothing, if it runs again; otherwise see who removes containers from the node's engine")
    if killing := _of(before, "Killing"):
        says = f"Container {name} was asked to end by Naru ({meaning(ended.exit_code)})."
        return found(says, killing[:1], "")
    if ended.exit_code == 0:
        says = f"Container {name} ended by itself, with success (exit code 0)."
        remedy = (
            "a container that is to stay must not end; for work that ends there is restartPolicy OnFailure or Never"
        )
        return found(says, [], remedy, quote=True)
    return found(f"Container {name} ended with {meaning(ended.exit_code)}.", [], START_LOGS, quote=True)


def _remedy_of(killed: Event) -> str:
    if killed.reason == "EngineLost":
        return "nothing, if it runs again; the engine's own log tells why it went"
    if "Naru was asked" in killed.message:
        return "nothing: it was killed on purpose, by the page's button or by who asked the node for it"
    if "through the engine" in killed.message:
        return (
            "ask who uses the node's Docker Engine: docker kill, docker stop, or an end of the engine itself does this"
        )
    if "removed from the engine" in killed.message:
        return "ask who removes containers on the node (docker rm, docker container prune)"
    return "its logs tell what it did last; a SIGSEGV or SIGABRT is the program's own fault, a SIGKILL somebody else's"


def _of(events: list[Event], *reasons: str) -> list[Event]:
    return [e for e in events if e.reason in reasons]


def _events(world: World, pod: Pod, death: Death) -> tuple[list[Event], list[Event]]:
    """Events of the container's lifetime, and those between its end and the next start; newest first."""
    start, end = death.ended.started_at, death.ended.finished_at
    if end is None:
        return [], []
    path = f"{{{death.template.name}}}"
    ours = [e for e in world.events(pod) if not e.involved_object.field_path or path in e.involved_object.field_path]
    before = [e for e in ours if (start or end) - SLACK <= when(e) <= end + SLACK]
    until = death.next_start
    after = [e for e in ours if when(e) >= end - SLACK and (until is None or when(e) <= until + SLACK)]
    return before, after
