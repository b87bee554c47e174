"""APScheduler's jobs by what passes: setting the clock back does not keep them from coming, nor does setting it forward.

A scheduler keeps the times of day at which jobs are due, while its timer waits by a clock that nobody sets. So whenever the
timer comes, times of day are moved by as much as the one clock was set against the other since.
"""

from __future__ import annotations

from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from kubeapi.clock import Clock, Steps


class Clockwork(AsyncIOScheduler):  # type: ignore[misc]
    """A scheduler of jobs that come again and again; `clock` tells the time of day."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(timezone="UTC")
        self._steps = Steps(clock)

    def _process_jobs(self) -> Any:
        if step := self._steps.taken():
            for job in self.get_jobs():
                self.modify_job(job.id, next_run_time=job.next_run_time + step)
        return super()._process_jobs()
