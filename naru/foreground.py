"""What each of the long-running processes does once it is set up: be ready, and go on until it is told to end."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AbstractAsyncContextManager

from naru.processes import spare_collector, tell_ready


async def run_until_stopped(part: AbstractAsyncContextManager[object], ready_fd: int | None) -> None:
    """Be that part of a cluster until SIGTERM or SIGINT; ready_fd hears when it is there."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with part:
        tell_ready(ready_fd)
        spare_collector()
        await stopped.wait()
