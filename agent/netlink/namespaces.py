"""Threads that enter other network namespaces."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def setns(descriptor: int) -> None:
    """Take this thread into the network namespace of an open file. Python has os.setns from 3.12 on only."""
    if _libc.setns(descriptor, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@contextlib.contextmanager
def entered(path: str) -> Iterator[None]:
    """Be in the network namespace at `path` (/proc/PID/ns/net) for a moment: for a thread that may change its own. A socket
    opened there stays there."""
    with open("/proc/thread-self/ns/net") as home, open(path) as there:
        setns(there.fileno())
        try:
            yield
        finally:
            setns(home.fileno())
