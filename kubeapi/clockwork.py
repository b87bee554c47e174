"""APScheduler's jobs by what passes: setting the clock back does not keep them from coming, nor does setting it forward.

A scheduler keeps the times of day at which jobs are due, while its timer waits by a clock that nobody sets. So whenever the
timer comes, times of day are moved by as much as the one clock was set against the other since.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from kubeapi.clock import Clock

NOTICED = timedelta(seconds=1)  # less is a clock that is being slowed down or sped up


class Clockwork(AsyncIOScheduler):  # type: ignore[misc]
    """A scheduler of jobs that come again and again; `clock` tells the time of day."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(timezone="UTC")
        self._clock = clock
        self._offset: datetime | None = None  # the time of day at which the event loop's time began

    def _process_jobs(self) -> Any:
        offset = self._clock.now() - timedelta(seconds=asyncio.get_running_loop().time())
        before, self._offset = self._offset, offset
        if before is not None and abs(offset - before) > NOTICED:
            for job in self.get_jobs():
                self.modify_job(job.id, next_run_time=job.next_run_time + (offset - before))
        return super()._process_jobs()
