"""`naru simulate`: stories of a simulated cluster under faults, and which went wrong. Exit status 1 when one did."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naru.simulation.story import Outcome

SUMMARY = "run a simulated cluster under faults from a seed, and check that all held"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The stories' seeds and size."""
    parser.add_argument("--seed", type=int, default=0, help="the first story's seed (%(default)s)")
    parser.add_argument("--stories", type=int, default=1, help="so many stories, each with the next seed (%(default)s)")
    parser.add_argument("--nodes", type=int, default=3, help="nodes of the cluster (%(default)s)")
    parser.add_argument("--hours", type=float, default=1 / 60, help="virtual hours in which things happen (a minute)")
    parser.add_argument("--jobs", type=int, default=0, help="so many processes (one per core)")
    parser.add_argument("--journal", type=Path, help="a file of what was told, and need not be told again")
    parser.add_argument("--no-shrink", action="store_true", help="leave a failing story as long as it is")
    parser.add_argument("--quiet", action="store_true", help="tell of failing stories only, and how many there were")


def run(options: argparse.Namespace) -> int:
    """Tell the stories, one line each; a failing one is made shorter and printed, deed by deed."""
    from naru.simulation.many import Journal, Size, shrunk, storytellers, tell_all

    size, begun = Size(options.nodes, options.hours * 3600), time.monotonic()
    seeds = range(options.seed, options.seed + options.stories)
    journal = Journal(options.journal, size) if options.journal else None
    told = {seed: outcome for seed, outcome in (journal.told if journal else {}).items() if seed in seeds}
    with storytellers(min(options.jobs, options.stories)) as pool:
        for outcome in tell_all(pool, (seed for seed in seeds if seed not in told), size):
            told[outcome.seed] = outcome
            if journal:
                journal.add(outcome)
            if outcome.wrong or not options.quiet:
                print(_line(outcome), *(f"  {why}" for why in outcome.wrong), sep="\n", flush=True)
            if outcome.wrong and not options.no_shrink:
                deeds = pool.submit(shrunk, outcome.seed, size, outcome.deeds).result()
                print(f"  {len(deeds)} deeds suffice:", *(f"    {deed}" for deed in deeds), sep="\n", flush=True)
    print(_summary(told.values(), time.monotonic() - begun))
    return 1 if any(outcome.wrong for outcome in told.values()) else 0


def _line(told: Outcome) -> str:
    held = "held" if not told.wrong else "FAILED"
    return f"seed {told.seed}: {held}: {len(told.deeds)} deeds, {told.revisions} commits, {told.seconds:.0f} s"


def _summary(told: Iterable[Outcome], seconds: float) -> str:
    outcomes = list(told)
    failed = sorted(outcome.seed for outcome in outcomes if outcome.wrong)
    which = f"; these failed: {', '.join(map(str, failed))}" if failed else "; all held"
    commits, hours = sum(o.revisions for o in outcomes), sum(o.seconds for o in outcomes) / 3600
    return f"{len(outcomes)} stories, {commits} commits in {hours:.1f} virtual hours, {seconds:.0f} s{which}"
