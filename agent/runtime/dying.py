"""Whether a process is at its end: gone, a zombie, or with a SIGKILL that it can't escape.

The engine says `oom` when the kernel kills a process of a container, whichever. A container whose own process it was tells
its end itself, some milliseconds later; the kernel knows at once.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

PENDING = re.compile(r"^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)", re.M)
STATE = re.compile(r"^State:\s*(\w)", re.M)
KILL = 1 << signal.SIGKILL - 1


def is_dying(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether this process will run no more instruction of its own."""
    try:
        status = (proc / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    state = STATE.search(status)
    return bool(state and state[1] in "ZX") or any(int(mask, 16) & KILL for mask in PENDING.findall(status))
