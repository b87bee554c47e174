"""Jobs come in their time, whatever is done to the clock."""

from __future__ import annotations

import asyncio

import pytest

from kubeapi.clock import Steps
from kubeapi.clockwork import Clockwork
from naru.simulation.virtual import MACHINE, VirtualClock, virtually


def test_a_step_is_told_once_and_what_is_not_a_second_is_none() -> None:
    async def story() -> None:
        clock = VirtualClock()
        steps, told = Steps(clock), []
        for skew in (0.0, 0.5, 7200.5, 7200.5, 0.0):
            clock.skew = skew
            told.append(steps.taken().total_seconds())
            await asyncio.sleep(60)
        assert told == [0, 0, 7200, 0, -7200.5]

    virtually(story)


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
