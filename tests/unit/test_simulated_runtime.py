"""The container engine in memory, where it differs from what its users' own tests see of it."""

from __future__ import annotations

import asyncio
import random

import pytest

from agent.runtime.protocol import EngineError, PodRef, SandboxSpec
from agent.runtime.simulated import SimulatedRuntime
from naru.simulation.virtual import VirtualClock, virtually


def test_what_is_killed_while_it_starts_does_not_run_afterwards() -> None:
    async def story() -> bool:
        engine = SimulatedRuntime(VirtualClock(), random.Random(1))
        sandbox = await engine.create_sandbox(SandboxSpec(PodRef("default", "one", "uid")))
        starting = asyncio.create_task(engine.start_sandbox(sandbox))
        await asyncio.sleep(0.001)
        engine.kill(sandbox.id)
        with pytest.raises(EngineError):
            await starting
        (found,), _ = await engine.observe()
        return found.running

    assert not virtually(story)
