"""A store that churns: `python -m benchmarks.churn [--updates N] [--objects N] [--bytes N] [--clients N]`.

Some clients update a fixed set of objects, each waiting for its answer. Told are the bytes on disk over time, the
file's and its journal's, beside those of the objects, and how long commits took: a pause is one that waited for other work.
In turns with them a plain file is written to and synced, as much at a time: what it waits for is the disk's, and not ours.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pathlib
import tempfile
import time
from array import array
from collections.abc import Sequence

import uvloop

from controlplane.store.sqlite import SqliteStore

REPORTS = 10
ROUND, FLOOR_SECONDS = 100, 2.0
TIMES_LIVE, LONGEST_PAUSE = 3.0, 50.0  # the budgets: size by live data, milliseconds


def sizes(path: pathlib.Path, live: int) -> str:
    """The store's file and its journal, and both beside the live data."""
    file, journal = (path.with_name(path.name + end) for end in ("", "-wal"))
    kept, waits = file.stat().st_size, journal.stat().st_size if journal.exists() else 0
    return f"{kept / 1e6:.2f} + {waits / 1e6:.2f} MB, {kept / live:.2f} + {waits / live:.2f} x live"


def told(latencies: Sequence[float]) -> str:
    """Milliseconds as p50, p99, p99.9 and the longest."""
    ordered = sorted(latencies)
    points = [ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99, 0.999, 1)]
    return "p50 {:.2f}  p99 {:.2f}  p99.9 {:.2f}  max {:.1f} ms".format(*(p * 1000 for p in points))


def synced_writes(path: pathlib.Path, size: int, seconds: float) -> array[float]:
    """Seconds that each of many plain writes of `size` bytes took, with its sync."""
    latencies, data = array("d"), os.urandom(size)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    ends = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < ends:
        os.pwrite(file, data, len(latencies) % ROUND * size)
        os.fdatasync(file)
        latencies.append(time.perf_counter() - begun)
    os.close(file)
    return latencies


class Churn:
    """The clients and what they have seen."""

    def __init__(self, store: SqliteStore, objects: int, size: int) -> None:
        self._store, self._size = store, size
        self._keys = [f"//configmaps/default/object-{number}" for number in range(objects)]
        self.latencies = array("d")

    async def run(self, updates: int, clients: int) -> None:
        """So many updates by so many clients, each with objects of its own."""
        shares = [self._keys[first::clients] for first in range(clients)]
        await asyncio.gather(*(self._client(keys, updates // clients) for keys in shares))

    async def _client(self, keys: Sequence[str], updates: int) -> None:
        for number in range(updates):
            key, value = keys[number % len(keys)], os.urandom(self._size)
            present = self._store.get(key)
            begun = time.perf_counter()
            await self._store.commit(key, present.revision if present else 0, value)
            self.latencies.append(time.perf_counter() - begun)


async def bench(path: pathlib.Path, updates: int, objects: int, size: int, clients: int) -> None:
    """Churn in parts, and tell of each."""
    store = await SqliteStore.open(path)
    try:
        churn, live = Churn(store, objects, size), objects * size
        print(f"{objects} objects of {size} bytes ({live / 1e6:.2f} MB), {updates} updates by {clients} clients")
        seen, floor, spent = array("d"), array("d"), 0.0
        for part in range(1, REPORTS + 1):
            churn.latencies, begun = array("d"), time.monotonic()
            await churn.run(updates // REPORTS, clients)
            spent += time.monotonic() - begun
            seen.extend(churn.latencies)
            print(f"{updates * part // REPORTS:>9}  {sizes(path, live):42}  {told(churn.latencies)}", flush=True)
            floor.extend(synced_writes(path.with_name("plain"), clients * size, FLOOR_SECONDS))
        print(f"all: {len(seen) / spent:.0f} commits/s, {told(seen)}\nplain synced writes:  {told(floor)}")
        for what, latencies in (("commits", seen), ("plain writes", floor)):
            pauses = sum(latency * 1000 > LONGEST_PAUSE for latency in latencies)
            print(f"{what} longer than {LONGEST_PAUSE:.0f} ms: {pauses} of {len(latencies)}")
        await store.compact(store.revision)  # what the control plane asks for five minutes later
        print(f"end: {sizes(path, live)} (budget {TIMES_LIVE:.0f} x)")
    finally:
        await store.close()


def main() -> None:
    """Read the options and churn in a directory that is gone afterwards."""
    parser = argparse.ArgumentParser(prog="benchmarks.churn", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--updates", type=int, default=1_000_000)
    parser.add_argument("--objects", type=int, default=100)
    parser.add_argument("--bytes", type=int, default=4000, help="of each object")
    parser.add_argument("--clients", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "store.db"
        uvloop.run(bench(path, options.updates, options.objects, options.bytes, options.clients))


if __name__ == "__main__":
    main()
