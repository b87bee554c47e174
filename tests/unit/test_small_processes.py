"""What a burst took goes back to the kernel, though what is in use lies between; what is not used is not loaded."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from naru import memory

MIB = 1 << 20


def resident() -> int:
    """Bytes of this process that are in memory (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Knot:
    """Refers to itself: only the collector ends it."""

    def __init__(self) -> None:
        self.itself, self.weight = self, bytearray(4000)


async def test_it_goes_back_while_the_process_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "EVERY", 0.01)
    gc.disable()  # as good as the rare looks of a process: all of them are young
    knots = [Knot() for _ in range(16_000)]
    kept, full = knots[::50], resident()
    knots.clear()
    gc.enable()
    giving_back = asyncio.create_task(memory.give_back())
    async with asyncio.timeout(20):
        while resident() > full - 40 * MIB:
            await asyncio.wait([giving_back], timeout=0.01)
    assert not giving_back.done() and all(knot.itself is knot for knot in kept)
    giving_back.cancel()


def test_a_command_loads_nothing_that_it_does_not_use_and_says_nothing_of_it() -> None:
    told = "import sys, naru.cli\ntry: naru.cli.main(['agent', '--help'])\nexcept SystemExit: pass\nimport docker\n"
    told += "print(*(name for name in naru.memory.UNUSED if sys.modules.get(name)), 'docker' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "True" and not done.stderr
