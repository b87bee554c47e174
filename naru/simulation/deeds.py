"""What is done to a cluster in a story: one list of deeds with their times, made from a seed before anything runs.

A user applies, scales, rolls and deletes Deployments with their Services, and runs a pod of its own; an adversary breaks
what the cluster stands on, and mends it after a while. A deed names no random choice of its own, so a story without some of
its deeds is still a story: that is how a failing one is made shorter.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from naru.simulation.node import CPUS

NAMES = ("web", "was", "db")
USER = ("apply", "scale", "roll", "delete", "run", "hold")
EVERYBODY = -1  # for a deed's node: the control plane, or the user
OFTEN, EACH = 2.5, 2.5  # seconds between two deeds of the adversary, and of the user
FEW = 6  # kinds of fault in one story: where all come, each hides what another would show (swarm testing, Groce 2012)
SOON, LATER = 8.0, 60.0  # after how many seconds a fault is mended, on the average and at most


class Deed(NamedTuple):
    """Seconds after the story's begin, what is done, and to whom or how: plain values, so that a list of them is JSON."""

    at: float
    name: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        told = " ".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.at:8.2f}  {self.name} {told}"


def plan_deeds(rng: random.Random, nodes: int, seconds: float) -> list[Deed]:
    """A story's deeds, the user's and the adversary's."""
    deeds, at, there = [_apply(rng, 0.0, NAMES[0], nodes)], 0.0, [NAMES[0]]
    while (at := at + rng.expovariate(1 / EACH)) < seconds:
        deeds.append(_of_user(rng, at, nodes, there))
    at, faults = 0.0, rng.sample([name for _, name, _ in _faults(rng, nodes)], FEW)
    while (at := at + rng.expovariate(1 / OFTEN)) < seconds:
        kinds = [kind for kind in _faults(rng, nodes) if kind[1] in faults]
        _, name, arguments = rng.choices(kinds, [kind[0] for kind in kinds])[0]
        deeds.append(Deed(at, name, arguments))
    return sorted(deeds, key=lambda deed: deed.at)


def most_replicas(nodes: int) -> int:
    """So many of each Deployment that all fit, each with a CPU, beside one pod more."""
    return min((CPUS * nodes - 1) // len(NAMES), 6)


def _of_user(rng: random.Random, at: float, nodes: int, there: list[str]) -> Deed:
    """A user's next deed; `there` has the names of the Deployments that were applied before it, and not deleted."""
    name, deed = rng.choice(there or NAMES), rng.choices(USER, (4, 3, 8, 1, 2, 1))[0]
    if name not in there:
        deed = "apply"
    match deed:
        case "apply":
            name = rng.choice(NAMES)
            there[:] = sorted({*there, name})
            return _apply(rng, at, name, nodes)
        case "scale":
            return Deed(at, "scale", {"deployment": name, "replicas": rng.randint(0, most_replicas(nodes))})
        case "roll":
            return Deed(at, "roll", {"deployment": name, "image": f"app:{rng.randint(1, 9)}"})
        case "run":
            return Deed(at, "run", {"pod": "solo", "force": rng.random() < 0.3})
        case "hold":
            return Deed(at, "hold", {"name": "kept", "seconds": round(rng.uniform(1, 10), 2)})
    there.remove(name)
    return Deed(at, "delete", {"deployment": name, "foreground": rng.random() < 0.5})


def _apply(rng: random.Random, at: float, name: str, nodes: int) -> Deed:
    surge = rng.randint(0, 2)
    return Deed(
        at,
        "apply",
        {
            "deployment": name,
            "replicas": rng.randint(1, min(5, most_replicas(nodes))),
            "image": f"app:{rng.randint(1, 9)}",
            "surge": surge,
            "unavailable": rng.randint(0 if surge else 1, 2),
            "recreate": rng.random() < 0.25,
            "probe": rng.random() < 0.5,
            "liveness": rng.random() < 0.3,
            "stubborn": rng.random() < 0.2,
        },
    )


def _faults(rng: random.Random, nodes: int) -> tuple[tuple[int, str, dict[str, Any]], ...]:
    """All that an adversary may do next: how likely, what, and how."""
    node, seconds, turns = rng.randrange(nodes), min(round(rng.expovariate(1 / SOON), 2), LATER), rng.randrange(200)
    anybody, skew = rng.randrange(-1, nodes), round(rng.choice((1, -1)) * 10 ** rng.uniform(0, 4), 1)
    late = round(rng.uniform(0.05, 0.5), 2)
    bad = {"lost": 0.2, "unanswered": 0.2, "broken": 0.05, "delay": 1.0}
    return (
        (3, "crash-server", {"turns": turns, "seconds": seconds}),
        (3, "crash-agent", {"node": node, "turns": turns, "seconds": seconds}),
        (1, "reboot", {"node": node, "seconds": seconds}),
        (2, "engine-down", {"node": node, "seconds": seconds}),
        (2, "engine-hangs", {"node": node, "seconds": seconds}),
        (2, "engine-errors", {"node": node, "fails": 0.3, "hangs": 0.1, "seconds": seconds}),
        (1, "engine-full", {"node": node, "full": True, "seconds": seconds}),
        (2, "crash-loop", {"which": rng.random(), "doomed": True, "seconds": round(seconds * 3, 2)}),
        (3, "kill", {"which": rng.random(), "code": rng.choice((0, 1, 137)), "oom": rng.random() < 0.3}),
        (2, "kill-sandbox", {"which": rng.random()}),
        (1, "remove", {"which": rng.random()}),
        (4, "unwell", {"which": rng.random(), "all": rng.random() < 0.5, "seconds": round(12 + seconds * 2, 2)}),
        (4, "overwrite", {"which": rng.random(), "ready": rng.random() < 0.2, "address": "192.0.2.9"}),
        (2, "partition", {"node": node, "seconds": round(seconds * 3, 2)}),
        (2, "weather", {"node": anybody, **bad, "seconds": seconds}),
        (3, "events", {"node": node, "lost": 0.3, "twice": 0.3, "late": 0.3, "seconds": seconds}),
        (2, "slow-watcher", {"delay": round(rng.uniform(0.1, 3), 2), "seconds": seconds}),
        (5, "slow-controllers", {"delay": rng.choice((0.01, 0.5)), "late": late, "lost": 0.1, "seconds": seconds}),
        (3, "disk-full", {"seconds": seconds}),
        (2, "clock", {"node": anybody, "skew": skew, "seconds": seconds}),
        (2, "compact", {}),
    )
