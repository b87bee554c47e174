"""`naru simulate`: stories of a simulated cluster under faults, and which went wrong. Exit status 1 when one did."""

from __future__ import annotations

import argparse
import functools
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naru.simulation.deeds import Deed

SUMMARY = "run a simulated cluster under faults from a seed, and check that all held"
ORDER = "0"  # sets of text have an order of their own in each process, unless this says which


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The story's seed and size."""
    parser.add_argument("--seed", type=int, default=0, help="the first story's seed (%(default)s)")
    parser.add_argument("--stories", type=int, default=1, help="so many stories, each with the next seed (%(default)s)")
    parser.add_argument("--nodes", type=int, default=3, help="nodes of the cluster (%(default)s)")
    parser.add_argument("--hours", type=float, default=0.1, help="virtual hours in which things happen (%(default)s)")
    parser.add_argument("--no-shrink", action="store_true", help="leave a failing story as long as it is")


def run(options: argparse.Namespace) -> int:
    """Tell the stories, one line each; a failing one is made shorter and printed, deed by deed."""
    if os.environ.get("PYTHONHASHSEED") != ORDER:
        os.environ["PYTHONHASHSEED"] = ORDER
        os.execv(sys.executable, [sys.executable, "-m", "naru", *sys.argv[1:]])
    import structlog

    from naru.simulation.shrink import shrink
    from naru.simulation.story import tell

    logging.disable(logging.CRITICAL)  # what the parts complain of is what is being done to them
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    failed = 0
    for seed in range(options.seed, options.seed + options.stories):
        told = tell(seed, options.nodes, options.hours * 3600)
        held = "held" if not told.wrong else "FAILED"
        print(
            f"seed {seed}: {held}: {len(told.deeds)} deeds, {told.revisions} commits, {told.seconds:.0f} s", flush=True
        )
        if not told.wrong:
            continue
        failed += 1
        print(*(f"  {why}" for why in told.wrong), sep="\n", flush=True)
        if not options.no_shrink:
            deeds = shrink(told.deeds, functools.partial(_fails, seed, options.nodes))
            print(f"  {len(deeds)} deeds suffice:", *(f"    {deed}" for deed in deeds), sep="\n", flush=True)
    return 1 if failed else 0


def _fails(seed: int, nodes: int, deeds: Sequence[Deed]) -> bool:
    from naru.simulation.story import tell

    return bool(tell(seed, nodes, deeds=deeds).wrong)
