"""A steady stream of requests to one address on loopback, each on a connection of its own, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass
class Tally:
    """answers: how often each body came; failures: what went wrong, in words."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return self.answers.total() + len(self.failures)


@contextlib.contextmanager
def steady(url: str, per_second: int) -> Iterator[Tally]:
    """Send so many requests a second while the block runs; at its end all are answered or failed."""
    tally, stop = Tally(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_send(url, per_second, tally, stop)), name="load")
    thread.start()
    try:
        yield tally
    finally:
        stop.set()
        thread.join()


async def _send(url: str, per_second: int, tally: Tally, stop: threading.Event) -> None:
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session, asyncio.TaskGroup() as requests:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not stop.is_set():
            requests.create_task(_one(session, url, tally))
            due += 1 / per_second
            await asyncio.sleep(max(due - loop.time(), 0))  # the pace is what this is for


async def _one(session: aiohttp.ClientSession, url: str, tally: Tally) -> None:
    try:
        async with session.get(url) as response:
            body = (await response.text()).strip()
            if response.status == 200:
                tally.answers[body] += 1
            else:
                tally.failures.append(f"{response.status} {body[:80]}")
    except (aiohttp.ClientError, TimeoutError) as error:
        tally.failures.append(repr(error))
