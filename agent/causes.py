"""What a container's end was owed to, where neither its status nor an Event of the kubelet's kind tells.

A program's own exit stands in the status, and so do an end for want of memory (OOMKilled) and what Naru ended itself
(Killing). What is left would be a bare exit code: somebody's `docker kill`, a signal from elsewhere, an engine that took its
containers down with it, a process that the kernel killed in a container that lives on. Each of these becomes an Event.

`Causes` hears what the engine says between two looks at a pod; each look asks it what there is to tell. No I/O.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from agent.plan import Observed
from agent.runtime.protocol import Container, RuntimeEvent
from kubeapi.core_v1.types import Pod

ASKING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}  # who gets one of these is to end, in its own way
FIRST_SIGNAL = 128
SURVIVAL = timedelta(seconds=5)  # the kernel tells before it kills, and who is starved of CPU takes its time to die
HEARING = timedelta(seconds=1)  # a busy engine tells of a want of memory after the end that it led to
ELSEWHERE = "neither Naru nor, by all that was heard, the engine sent it"
ASKED = "Naru was asked to kill it"
UNHEARD = "who sent it is not known, because the node's agent was not there"


class Telling(NamedTuple):
    """An Event to be: of which container (empty: the sandbox), its reason and message. All are warnings."""

    container: str
    reason: str
    message: str


def signal_name(number: int) -> str:
    """`signal 9 (SIGKILL)`; the number alone where it has no name."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


SIGKILL = signal_name(signal.SIGKILL)


def signal_of(exit_code: int) -> int:
    """The signal that an exit code stands for, as engines and shells count; 0 for a program's own code."""
    number = exit_code - FIRST_SIGNAL
    return number if 0 < number <= signal.SIGRTMAX else 0


def cause_of(dead: Container, sent: int, heard: bool, engine_lost: bool) -> tuple[str, str] | None:
    """Reason and message for a container that ended without Naru's doing; None where its status says all.

    sent: the last signal that came through the engine. heard: whether all that the engine said since it ran was heard.
    """
    code, name = dead.exit_code, dead.name
    if sent and signal_of(code) == sent:
        return "Killed", f"Container {name} was ended by {signal_name(sent)} through the engine, not by Naru"
    if sent in ASKING or sent == signal.SIGKILL:
        told = f"{signal_name(sent)} was sent to it through the engine, not by Naru"
        return "Killed", f"Container {name} ended with exit code {code} after {told}"
    if engine_lost:
        return "EngineLost", f"Container {name} ended while the engine was away, with exit code {code}"
    if dead.oom_killed or not signal_of(code):
        return None
    by = ELSEWHERE if heard else UNHEARD
    return "Killed", f"Container {name} ended with exit code {code}, that of {signal_name(signal_of(code))}; {by}"


class Causes:
    """What is known of the ends of one pod's containers. pod: as the API had it at first, so that nothing is told twice."""

    def __init__(self, pod: Pod) -> None:
        self._told, self._running = _known(pod)
        self._ours: set[str] = set()
        self._asked: set[str] = set()
        self._sent: dict[str, int] = {}
        self._short_of_memory: dict[str, datetime] = {}  # and since when
        self._unexplained: dict[str, datetime] = {}  # ends that nobody spoke of, and until when somebody may
        self._heard, self._engine_lost = False, False

    def ours(self, container_id: str) -> None:
        """Naru is about to end this one."""
        self._ours.add(container_id)

    def asked(self, container_id: str) -> None:
        """Somebody asked the agent to kill this one: `/kill` of its server."""
        self._asked.add(container_id)

    def hear(self, event: RuntimeEvent, now: datetime) -> None:
        """The engine spoke of a container."""
        if event.action == "kill" and event.id not in self._ours:
            self._sent[event.id] = event.signal
        elif event.action == "oom":
            self._short_of_memory.setdefault(event.id, now)

    def lose_engine(self) -> None:
        """The engine went away: what happens from now on is not heard."""
        self._heard, self._engine_lost = False, True

    @property
    def due(self) -> datetime | None:
        """When a look has more to tell although nothing happens."""
        survived = [since + SURVIVAL for since in self._short_of_memory.values()]
        return min([*survived, *self._unexplained.values()], default=None)

    def look(self, pod: Pod, observed: Observed, now: datetime) -> list[Telling]:
        """What there is to tell of what happened since the last look."""
        tellings = [*self._survivors(pod, observed, now), *self._ends(observed, now), *self._sandboxes(observed)]
        if not self._heard and pod.metadata.deletion_timestamp:
            tellings = []  # most likely an agent before this one ended them
        here = {c.id for c in observed.containers} | {s.id for s in observed.sandboxes}
        self._told = {c.id for c in observed.containers if c.phase == "exited"} - self._unexplained.keys()
        self._told |= {s.id for s in observed.sandboxes if not s.running}
        self._running = {c.id: c.name for c in observed.containers if c.phase == "running"}
        self._running |= {s.id: "" for s in observed.sandboxes if s.running}
        self._ours &= here
        self._asked &= here
        self._sent = {
            id_: number for id_, number in self._sent.items() if id_ in self._running.keys() | self._unexplained
        }
        self._heard, self._engine_lost = True, False
        return tellings

    def _survivors(self, pod: Pod, observed: Observed, now: datetime) -> Iterator[Telling]:
        running = {c.id: c for c in observed.containers if c.phase == "running"}
        for id_, since in [*self._short_of_memory.items()]:
            one = running.get(id_)
            if one is None or now >= since + SURVIVAL:
                del self._short_of_memory[id_]
            if one and now >= since + SURVIVAL:
                limit = _memory_limit(pod, one.name)
                message = f"The kernel killed a process of container {one.name} for want of memory (limit {limit}); "
                yield Telling(one.name, "OOMKilling", f"{message}the container lives on")

    def _ends(self, observed: Observed, now: datetime) -> Iterator[Telling]:
        waiting, self._unexplained = self._unexplained, {}
        for dead in observed.containers:
            if dead.phase != "exited" or dead.error or dead.id in self._told | self._ours:
                continue
            lost = self._engine_lost and dead.id in self._running
            if self._is_silent(dead, lost) and now < (until := waiting.get(dead.id, now + HEARING)):
                self._unexplained[dead.id] = until
            elif dead.id in self._asked and signal_of(dead.exit_code) == signal.SIGKILL:
                yield Telling(dead.name, "Killed", f"Container {dead.name} was ended by {SIGKILL}: {ASKED}")
            elif cause := cause_of(dead, self._sent.get(dead.id, 0), self._heard, lost):
                yield Telling(dead.name, *cause)
        gone = self._running.keys() - {c.id for c in observed.containers} - {s.id for s in observed.sandboxes}
        for id_ in sorted(gone - self._ours):
            name, sent = self._running[id_], self._sent.get(id_, 0)
            what = f"Container {name}" if name else "The sandbox"
            how = f"ended by {signal_name(sent)} through the engine" if sent else "removed from the engine"
            yield Telling(name, "Killed", f"{what} was {how}, not by Naru")

    def _is_silent(self, dead: Container, lost: bool) -> bool:
        """Whether a SIGKILL ended it of which nobody has spoken, where somebody would."""
        spoken = lost or dead.oom_killed or dead.id in self._sent or dead.id in self._asked
        return self._heard and not spoken and signal_of(dead.exit_code) == signal.SIGKILL

    def _sandboxes(self, observed: Observed) -> Iterator[Telling]:
        for one in observed.sandboxes:
            sent = self._sent.get(one.id, 0)
            if not one.running and sent and one.id not in self._told | self._ours:
                message = f"The sandbox was ended by {signal_name(sent)} through the engine, not by Naru"
                yield Telling("", "Killed", message)


def _known(pod: Pod) -> tuple[set[str], dict[str, str]]:
    """Ids of containers that the pod's status tells to have ended; and of those that run, with their names."""
    ended, running = set(), {}
    for status in [*pod.status.init_container_statuses, *pod.status.container_statuses]:
        for state in (status.state, status.last_state):
            if state.terminated:
                ended.add(state.terminated.container_id.partition("://")[2])
        if status.state.running:
            running[status.container_id.partition("://")[2]] = status.name
    return ended, running


def _memory_limit(pod: Pod, name: str) -> str:
    for template in [*pod.spec.init_containers, *pod.spec.containers]:
        if template.name == name and "memory" in template.resources.limits:
            return str(template.resources.limits["memory"])
    return "none: the node has no more"
