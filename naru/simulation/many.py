"""Many stories at once, a process per core, with a journal: what was told is not told again after an interruption.

Each process has the same order of hashes, so that a story is the same in any of them, today and tomorrow.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import logging
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple, TextIO

import structlog

from naru.memory import spare_collector
from naru.processes import end_with_parent
from naru.simulation.deeds import Deed
from naru.simulation.shrink import shrink
from naru.simulation.story import Outcome, tell

ORDER = {"PYTHONHASHSEED": "0"}  # sets of text have an order of their own in each process, unless this says which
AHEAD = 2 * (os.cpu_count() or 1)  # stories that are asked for
LIFE = 200  # stories that a process tells before another takes its place
SOURCES = ("agent", "controlplane", "kubeapi", "naru")


class Size(NamedTuple):
    """How large stories are: nodes of the cluster, and virtual seconds in which things happen."""

    nodes: int = 3
    seconds: float = 60.0


@contextlib.contextmanager
def storytellers(jobs: int = 0) -> Iterator[ProcessPoolExecutor]:
    """So many processes that tell stories (0: one per core)."""
    before = os.environ.copy()
    os.environ.update(ORDER)
    pool = ProcessPoolExecutor(
        jobs or os.cpu_count(), multiprocessing.get_context("spawn"), prepare, max_tasks_per_child=LIFE
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        os.environ.clear()
        os.environ.update(before)


def prepare() -> None:
    """Make a process tell stories, for as long as there is who asked; and fast: what the parts complain of is what is being
    done to them, and goes unsaid."""
    end_with_parent()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    spare_collector()


def shrunk(seed: int, size: Size, deeds: list[Deed]) -> list[Deed]:
    """Those of a failing story's deeds that suffice to make it fail."""
    return shrink(deeds, lambda rest: bool(tell(seed, *size, deeds=rest).wrong))


def tell_all(pool: ProcessPoolExecutor, seeds: Iterable[int], size: Size) -> Iterator[Outcome]:
    """The stories of these seeds, each as soon as it has come to its end. Few are asked for ahead, so that what else the
    pool is asked does not have to wait for all of them."""
    left = iter(seeds)
    asked: set[Future[Outcome]] = set()
    while asked := asked | {pool.submit(tell, seed, *size) for seed in itertools.islice(left, AHEAD - len(asked))}:
        done, asked = wait(asked, return_when=FIRST_COMPLETED)
        yield from (outcome.result() for outcome in done)


class Journal:
    """What has been told already: a line of JSON each in a file, which another version of the code begins anew."""

    def __init__(self, path: Path, size: Size) -> None:
        self.told: dict[int, Outcome] = {}
        head = {"code": code_digest(), "size": [*size]}
        lines = path.read_text().splitlines() if path.exists() else []
        with contextlib.suppress(json.JSONDecodeError):  # the last line of one that was cut off
            if lines and json.loads(lines[0]) == head:
                for line in lines[1:]:
                    outcome = _read(line)
                    self.told[outcome.seed] = outcome
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w")
        self._write(head)
        for outcome in self.told.values():
            self._write(outcome)

    def add(self, outcome: Outcome) -> None:
        """Keep a story's end."""
        self.told[outcome.seed] = outcome
        self._write(outcome)

    def close(self) -> None:
        """Nothing comes any more."""
        self._file.close()

    def _write(self, what: object) -> None:
        self._file.write(json.dumps(what) + "\n")
        self._file.flush()


def _read(line: str) -> Outcome:
    seed, wrong, seconds, revisions, deeds = json.loads(line)
    return Outcome(seed, wrong, seconds, revisions, [Deed(*deed) for deed in deeds])


def code_digest() -> str:
    """Of all that a story is made of."""
    root, digest = Path(__file__).parents[2], hashlib.sha256()
    for path in sorted(path for package in SOURCES for path in (root / package).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
