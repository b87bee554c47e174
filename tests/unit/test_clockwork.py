"""Jobs come in their time, whatever is done to the clock."""

from __future__ import annotations

import asyncio

import pytest

from kubeapi.clockwork import Clockwork
from naru.simulation.virtual import MACHINE, VirtualClock, virtually


@pytest.mark.parametrize("jump", [-3600.0, -132.1, 0.0, 132.1, 3600.0])
def test_a_job_of_every_ten_seconds_comes_though_the_clock_is_set(jump: float) -> None:
    async def story() -> list[int]:
        clock, came, counts = VirtualClock(), 0, []
        MACHINE.set(clock)

        async def job() -> None:
            nonlocal came
            came += 1

        slow = Clockwork(clock)
        slow.add_job(job, "interval", seconds=10, coalesce=True, misfire_grace_time=None)
        slow.start()
        for skew in (0.0, jump, 0.0):
            clock.skew = skew
            await asyncio.sleep(60)
            counts.append(came)
        slow.shutdown(wait=False)
        return counts

    for count, wanted in zip(virtually(story), (6, 12, 18), strict=True):
        assert abs(count - wanted) <= 1
