"""Makes a failing story shorter: deeds are left out as long as it still fails (delta debugging, Zeller 1999)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

D = TypeVar("D")


def shrink(deeds: Sequence[D], fails: Callable[[list[D]], bool], tries: int = 200) -> list[D]:
    """A shorter list of which `fails` still says so, after `tries` attempts at most; none of its parts could be left out
    where they sufficed."""
    kept, pieces = list(deeds), 2
    while len(kept) > 1 and tries > 0:
        size = -(-len(kept) // pieces)
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            tries -= 1
            if rest and fails(rest):
                kept, pieces = rest, max(pieces - 1, 2)
                break
            if tries <= 0:
                break
        else:
            if size == 1:
                break
            pieces = min(pieces * 2, len(kept))
    return kept
