"""How a long-running process keeps its memory small: what it never uses is not loaded, the collector rarely looks, and the
allocator gives back.

What start-up makes (modules, types) stays for good, so the garbage collector passes over it. What a burst of work took, such
as fifty pods made at once, malloc keeps, scattered between what is still in use: malloc_trim(3) finds it there.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import sys
import warnings

EVERY = 60.0
M_ARENA_MAX = -8  # malloc.h
UNUSED = ("rich", "greenlet", "charset_normalizer", "chardet")


def forgo_unused() -> None:
    """Load none of what libraries take along if it happens to be installed and no command uses: structlog's coloured
    tracebacks and greenlets, requests' guesses at encodings (the engine answers in UTF-8). 5 or 6 MB a process.

    Before they are imported; None in sys.modules makes an import raise ModuleNotFoundError, for which they are prepared.
    """
    for name in UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    warnings.filterwarnings("ignore", message="Unable to find acceptable character detection")


def spare_collector() -> None:
    """Let the garbage collector pass over what start-up has made, and look more rarely at the rest.

    Objects here come and go by their reference counts; as Python sets it, the collector took a third of the time in which a
    control plane makes a thousand pods (benchmarks/scale.py).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def share_arena() -> None:
    """Have all threads allocate in one place, before there are any: under Python's lock they take turns anyway."""
    with contextlib.suppress(AttributeError):  # another libc than glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


async def give_back() -> None:
    """For as long as the process runs, once a minute: end what only refers to itself and is young, and return to the kernel
    what malloc holds and nobody uses. It takes some milliseconds, however many pods there are.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim:
        await asyncio.sleep(EVERY)
        gc.collect(1)
        trim(0)
