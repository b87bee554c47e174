"""What is done to a cluster in a story: one list of deeds with their times, made from a seed before anything runs.

A user applies, scales, rolls and deletes Deployments; an adversary breaks what the cluster stands on, and mends it after a
while. A deed names no random choice of its own, so a story without some of its deeds is still a story: that is how a failing
one is made shorter.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

NAMES = ("web", "was", "db")
USER = ("apply", "scale", "roll", "delete")


class Deed(NamedTuple):
    """Seconds after the story's begin, what is done, and to whom or how: plain values, so that a list of them is JSON."""

    at: float
    name: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        told = " ".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.at:8.2f}  {self.name} {told}"


def plan_deeds(rng: random.Random, nodes: int, seconds: float) -> list[Deed]:
    """A story's deeds: a user's about every 20 seconds, an adversary's about every 12."""
    deeds, at = [_apply(rng, 0.0, NAMES[0])], 0.0
    while (at := at + rng.expovariate(1 / 20)) < seconds:
        deeds.append(_of_user(rng, at))
    at = 0.0
    while (at := at + rng.expovariate(1 / 12)) < seconds:
        deeds.append(_of_adversary(rng, at, nodes))
    return sorted(deeds, key=lambda deed: deed.at)


def _of_user(rng: random.Random, at: float) -> Deed:
    name = rng.choice(NAMES)
    match rng.choices(USER, (4, 4, 4, 1))[0]:
        case "apply":
            return _apply(rng, at, name)
        case "scale":
            return Deed(at, "scale", {"deployment": name, "replicas": rng.randint(0, 6)})
        case "roll":
            return Deed(at, "roll", {"deployment": name, "image": f"app:{rng.randint(1, 9)}"})
    return Deed(at, "delete", {"deployment": name})


def _apply(rng: random.Random, at: float, name: str) -> Deed:
    surge = rng.randint(0, 2)
    return Deed(
        at,
        "apply",
        {
            "deployment": name,
            "replicas": rng.randint(1, 5),
            "image": f"app:{rng.randint(1, 9)}",
            "surge": surge,
            "unavailable": rng.randint(0 if surge else 1, 2),
            "recreate": rng.random() < 0.15,
        },
    )


def _of_adversary(rng: random.Random, at: float, nodes: int) -> Deed:
    node, seconds = rng.randrange(nodes), round(rng.expovariate(1 / 15), 2)
    kinds: tuple[tuple[int, str, dict[str, Any]], ...] = (
        (3, "crash-server", {"seconds": min(seconds, 60)}),
        (3, "crash-agent", {"node": node, "seconds": min(seconds, 60)}),
        (2, "engine-down", {"node": node, "seconds": min(seconds, 60)}),
        (3, "kill", {"node": node, "which": rng.random(), "code": rng.choice((0, 1, 137)), "oom": rng.random() < 0.3}),
        (2, "kill-sandbox", {"node": node, "which": rng.random()}),
        (1, "remove", {"node": node, "which": rng.random()}),
        (2, "partition", {"node": node, "seconds": min(seconds, 90)}),
        (
            2,
            "weather",
            {"node": node, "lost": 0.2, "unanswered": 0.2, "broken": 0.05, "delay": 1.0, "seconds": seconds},
        ),
        (3, "mischief", {"node": node, "lost": 0.3, "twice": 0.3, "late": 0.3, "seconds": seconds}),
        (2, "engine-errors", {"node": node, "fails": 0.3, "hangs": 0.1, "seconds": seconds}),
        (1, "disk-full", {"seconds": min(seconds, 20)}),
        (1, "clock", {"node": rng.randrange(-1, nodes), "skew": round(rng.uniform(-60, 60), 1), "seconds": seconds}),
        (1, "compact", {}),
    )
    _, name, arguments = rng.choices(kinds, [kind[0] for kind in kinds])[0]
    return Deed(at, name, arguments)
