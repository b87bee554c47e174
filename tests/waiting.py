"""Waiting for what can only be looked at: files, processes, what a command prints."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Return once it holds; a failure after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():  # most looks are commands, which take their time
        assert time.monotonic() < deadline
        time.sleep(0.1)
