"""What each of the long-running processes does once it is set up: be ready, and go on until it is told to end."""

from __future__ import annotations

import asyncio
import resource
import signal
from contextlib import AbstractAsyncContextManager

from naru.memory import give_back, share_arena, spare_collector
from naru.processes import tell_ready


async def run_until_stopped(part: AbstractAsyncContextManager[object], ready_fd: int | None) -> None:
    """Be that part of a cluster until SIGTERM or SIGINT; ready_fd hears when it is there."""
    share_arena()
    open_many()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with part:
        tell_ready(ready_fd)
        spare_collector()
        giving_back = asyncio.create_task(give_back())
        await stopped.wait()
        giving_back.cancel()


def open_many() -> None:
    """Let this process have as many files open as it may: most are started with 1,024, and twice that may connect."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
