"""`make bench`: Naru beside the bare engine on this machine, in one run. Some minutes; nothing of it is left after.

What is compared is measured in turns, so that whatever else the machine does falls on both alike; Docker Swarm, with
--peers swarm, comes last. Exit status 0 also where a budget is not met: the table says so.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import logging
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks import processes
from benchmarks.cluster import Cluster, cold_start
from benchmarks.engine import Engine
from benchmarks.report import Row, table
from benchmarks.swarm import Swarm

MANY, BUSY, EXAMPLE = 16, 50, 6
COLD_ROUNDS, POD_ROUNDS, MANY_ROUNDS, LAYERS_ROUNDS = 5, 10, 3, 20
SWARM_ROUNDS = 5
POD_ROW = "one pod applied, until Running (floor: docker run by API)"
MANY_ROW = f"{MANY} pods applied, until Running (floor: docker run by API)"
HEAL_ROW = "killed, until the replacement runs (Docker: --restart=always)"
SETTLE = 5.0


class Options(NamedTuple):
    """How long to look at an idle cluster, in seconds, and who else is measured."""

    idle: float
    peers: list[str]


def say(text: str) -> None:
    """One line of progress."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


async def raw(measure: Callable[[], float]) -> float:
    """One of the engine's own, which blocks."""
    return await asyncio.to_thread(measure)


async def one_pod(cluster: Cluster, engine: Engine) -> list[Row]:
    """A single pod against `docker run`."""
    say(f"one pod, {POD_ROUNDS} times")
    ours, floor, command, by_hand = [], [], [], []
    for _ in range(POD_ROUNDS):
        ours.append(await cluster.pod())
        floor.append(await raw(engine.run))
        command.append(await raw(engine.run_command))
        by_hand.append(await raw(engine.pod))
        await asyncio.to_thread(engine.clear)
    return [
        Row(POD_ROW, "ms", ours, floor, command, times=1.0),
        Row("  beside its sandbox and container by hand", "ms", ours, by_hand),
    ]


async def many_pods(cluster: Cluster, engine: Engine) -> list[Row]:
    """A Deployment of many pods against as many containers, coming and going; the last are left running."""
    say(f"{MANY} pods, {MANY_ROUNDS} times")
    ours, floor, ended, cleared = [], [], [], []
    for turn in range(MANY_ROUNDS + 1):
        if turn:
            ended.append(await cluster.no_pods())
        took = await cluster.pods(MANY)
        await cluster.weighed()
        if turn < MANY_ROUNDS:
            ours.append(took)
            floor.append(await asyncio.to_thread(engine.run_many, MANY))
            cleared.append(await raw(engine.clear))
    return [
        Row(MANY_ROW, "ms", ours, floor, times=1.2),
        Row(f"{MANY} pods deleted without grace, until nothing is left", "ms", ended, cleared, times=1.2),
    ]


async def heals(cluster: Cluster, engine: Engine) -> list[Row]:
    """A container of each pod is killed once: the second death of one would wait for its back-off."""
    names = cluster.names()
    say(f"{len(names)} kills")
    running, told, floor, policy = [], [], [], []
    for name in names:
        started, ready = await cluster.heal(name)
        await cluster.weighed()
        running.append(started)
        told.append(ready)
        floor.append(await raw(engine.heal))
        policy.append(await raw(engine.heal_by_policy))
        await asyncio.to_thread(engine.clear)
    return [
        Row(HEAL_ROW, "ms", running, floor, policy, times=1.2),
        Row("  until a watch says Ready", "ms", told),
    ]


async def empty(cluster: Cluster, options: Options) -> Row:
    """What the processes use when there is no pod."""
    say(f"no pod, idle for {options.idle:.0f} s")
    await cluster.settled()
    await asyncio.sleep(SETTLE)
    used = await processes.idle({name: cluster.process(name) for name in ("server", "agent")}, options.idle)
    return Row("CPU of one core, no pod", "%", [sum(used.values())], limit=0.3)


async def resident(cluster: Cluster, options: Options) -> list[Row]:
    """What the processes keep and use with many pods that do nothing."""
    say(f"{BUSY} pods, idle for {options.idle:.0f} s")
    await cluster.scale(BUSY)
    await cluster.weighed()
    await asyncio.sleep(SETTLE)
    ours = {name: cluster.process(name) for name in ("server", "agent")}
    engine = processes.engine()
    used = await processes.idle(ours | engine, options.idle)
    rows = [Row(f"CPU of one core, {BUSY} pods idle", "%", [used["server"] + used["agent"]], limit=1.0)]
    rows += [Row(f"  {name}", "%", [used[name]]) for name in (*ours, *engine)]
    for name, limit in (("server", 100.0), ("agent", 70.0)):
        kept = processes.memory(ours[name])
        rows.append(Row(f"memory of the {name}, {BUSY} pods (RSS)", "MB", [kept.rss], limit=limit))
        rows.append(Row("  its share (PSS)", "MB", [kept.pss]))
    return rows


async def layers(cluster: Cluster) -> list[Row]:
    """What it takes to tell all that a node stands on. Last, because a node that nobody looks into is smaller."""
    say(f"layers of {EXAMPLE} pods, {LAYERS_ROUNDS} times")
    await cluster.scale(EXAMPLE)
    first = await cluster.layers()
    agent = cluster.process("agent")
    before = processes.cpu_seconds(agent)
    ours = [await cluster.layers() for _ in range(LAYERS_ROUNDS)]
    used = 1000 * (processes.cpu_seconds(agent) - before) / LAYERS_ROUNDS
    return [
        Row(f"all layers of a node with {EXAMPLE} pods, from kernel, engine and API", "ms", ours, limit=100.0),
        Row("  the agent's CPU for each, with nft's", "ms", [used]),
        Row("  the first after its start, which imports what only this needs", "ms", [first]),
    ]


def swarm() -> dict[str, list[float]]:
    """The same of Docker Swarm, by the rows' names."""
    say(f"Docker Swarm, {SWARM_ROUNDS} times")
    with Swarm.running() as peer:
        return {
            POD_ROW: [peer.pods(1) for _ in range(SWARM_ROUNDS)],
            MANY_ROW: [peer.pods(MANY) for _ in range(MANY_ROUNDS)],
            HEAL_ROW: [peer.heal() for _ in range(SWARM_ROUNDS)],
        }


async def bench(options: Options) -> list[Row]:
    """Everything."""
    say(f"control plane from nothing, {COLD_ROUNDS} times")
    starts = [await raw(cold_start) for _ in range(COLD_ROUNDS)]
    rows = [Row("control plane ready from cold", "ms", starts, limit=1000.0)]
    engine = Engine()
    try:
        async with Cluster.running(engine) as cluster:
            rows.append(await empty(cluster, options))
            rows += await one_pod(cluster, engine)
            rows += await many_pods(cluster, engine)
            rows += await heals(cluster, engine)
            rows += await resident(cluster, options)
            rows += await layers(cluster)
            say("down")
    finally:
        await asyncio.to_thread(engine.close)
    if "swarm" in options.peers:
        theirs = await asyncio.to_thread(swarm)
        rows = [dataclasses.replace(row, swarm=theirs.get(row.what, ())) for row in rows]
    return rows


def main() -> int:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--idle", type=float, default=60.0, help="seconds to look at an idle cluster")
    parser.add_argument("--peers", nargs="*", choices=["swarm"], default=[], help="who else is measured")
    options = Options(**vars(parser.parse_args()))
    if os.geteuid() != 0:
        print(
            "make bench needs root: a cluster of Naru does, and so does killing containers from outside",
            file=sys.stderr,
        )
        return 1
    logging.disable(logging.WARNING)
    load = os.getloadavg()[0]
    begun = time.monotonic()
    rows = asyncio.run(bench(options))
    version = Engine().api.version()["Version"]
    print(f"\nDocker {version}, {os.cpu_count()} cores, {platform.release()}, Python {platform.python_version()};")
    print(f"load {load:.1f} before it began, {time.monotonic() - begun:.0f} s. Medians of one run, taken in turns.\n")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
