"""What processes use, by the kernel's account."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


class Memory(NamedTuple):
    """Megabytes. rss counts pages shared with other processes whole, pss the process's share of them."""

    rss: float
    pss: float


def memory(pid: int) -> Memory:
    """What a process keeps resident."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    rss, pss = (int(rows[key].split()[0]) / 1024 for key in ("Rss", "Pss"))
    return Memory(rss, pss)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far, with the commands that it ran and has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


async def idle(pids: Mapping[str, int], seconds: float) -> dict[str, float]:
    """How much of one core each process uses, in percent, while nobody asks anything of it."""
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    await asyncio.sleep(seconds)
    return {name: 100 * (cpu_seconds(pid) - before[name]) / seconds for name, pid in pids.items()}


def engine() -> dict[str, int]:
    """The engine's own processes on this machine: dockerd, where it says so, and the containerd that it started."""
    said = Path("/var/run/docker.pid")
    if not said.exists():
        return {}
    dockerd = int(said.read_text())
    threads = Path(f"/proc/{dockerd}/task").iterdir()
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    return {"dockerd": dockerd} | {Path(f"/proc/{child}/comm").read_text().strip(): int(child) for child in children}
