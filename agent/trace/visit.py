"""Work inside another network namespace, done by a thread that goes there and ends there.

Sockets stay in the namespace they were opened in, and a child process starts in that of the thread that started it: so a
visit is enough to open a socket, to read netlink, or to run nft. (A file below /proc/self/net or /sys would still be the
old namespace's: only /proc/thread-self/net follows.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from pyroute2 import netns

Result = TypeVar("Result")


def inside(path: str, work: Callable[[], Result]) -> Result:
    """What `work` returns or raises in the namespace at `path` (/proc/PID/ns/net). OSError where there is none."""
    done: list[Result] = []
    failed: list[BaseException] = []

    def go() -> None:
        try:
            with open(path) as there:
                netns.setns(there.fileno())
            done.append(work())
        except BaseException as error:  # carried over to the caller's thread
            failed.append(error)

    visitor = threading.Thread(target=go, name="netns-visitor")
    visitor.start()
    visitor.join()
    if failed:
        raise failed[0]
    return done[0]
