"""The API under load: `python -m benchmarks.load [--seconds S]`; a control plane as people start it, asked over HTTPS.

A line per verb and number of clients: requests/s, latency by the client's clock, and the server's processor time a request.
Then how long a watcher waits for a change after its writer was answered, with as many watchers as clients. wrk shares the
machine's cores with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import processes, wrk
from benchmarks.cluster import free_port
from kubeapi import registry
from kubeapi.client.client import Client, Event
from kubeapi.client.http import HttpTransport
from kubeapi.core_v1.types import ConfigMap
from naru.config import ClusterConfig
from naru.processes import Process

CLIENTS, LISTED, CHANGES = (1, 10, 100), 1000, 50
PATIENCE = 30.0
FOLDER = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"


class Verb(NamedTuple):
    """A request that is made again and again."""

    name: str
    method: str
    path: str
    body: str | None = None
    media: str = "application/json"


VERBS = (
    Verb("get", "GET", f"{FOLDER}/kept-{{k}}"),
    Verb(f"list of {LISTED:,}", "GET", f"{FOLDER}?labelSelector=kept%3Dyes"),
    Verb("create", "POST", FOLDER, '{"metadata": {"generateName": "made-"}, "data": {"key": "value"}}'),
    Verb("patch", "PATCH", f"{FOLDER}/kept-{{k}}", '{"data": {"key": "{n}"}}', MERGE),
)


class Server:
    """A control plane by itself, in a directory of its own."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self.token = (data_dir / "token").read_text().strip()
        self.transport = HttpTransport(self.url, token=self.token, ca=data_dir / "ca.crt")
        self.client = Client(self.transport, registry.load(), "naru-bench")
        running = Process(data_dir, "server").identity()
        assert running is not None
        self.pid = running.pid

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[Server]:
        """`naru server` without controllers, ended and removed after."""
        with tempfile.TemporaryDirectory(prefix="naru-bench-") as directory:
            process = Process(Path(directory), "server")
            await asyncio.to_thread(process.start, ["--port", str(free_port()), "--controllers", ""])
            try:
                config = ClusterConfig.read(Path(directory))
                assert config is not None
                server = cls(Path(directory), config.port)
                yield server
                await server.transport.close()
            finally:
                await asyncio.to_thread(process.stop)

    async def fill(self) -> None:
        """The objects that are read."""
        for number in range(LISTED):
            metadata = {"name": f"kept-{number}", "namespace": "default", "labels": {"kept": "yes"}}
            await self.client.create(ConfigMap.model_validate({"metadata": metadata, "data": {"key": "value"}}))


async def ask(server: Server, verb: Verb, clients: int, seconds: int) -> str:
    """One line of the table."""
    before = processes.cpu_seconds(server.pid)
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": verb.media}
    load = await asyncio.to_thread(
        wrk.run, server.url, clients, seconds, method=verb.method, path=verb.path, body=verb.body, headers=headers
    )
    cpu = 1000 * (processes.cpu_seconds(server.pid) - before) / max(load.requests, 1)
    failed = f"  {load.failed} failed" if load.failed else ""
    return f"{verb.name:14} {clients:7} {load.rate:10,.0f} {load.p50:10.2f} {load.p99:10.2f} {cpu:10.3f}{failed}"


async def watch(server: Server, watchers: int) -> str:
    """How long watchers wait for a change after its writer was answered; who hears before the writer waits for nothing."""
    heard: list[float] = []
    told = asyncio.Condition()
    only = "metadata.name=kept-3"
    revision = (await server.client.list(ConfigMap, "default", fields=only)).revision

    async def follow() -> None:
        async for event in server.client.watch(ConfigMap, revision, "default", fields=only):
            if isinstance(event, Event) and event.type == "MODIFIED":
                async with told:
                    heard.append(time.perf_counter())
                    told.notify()

    tasks = [asyncio.create_task(follow()) for _ in range(watchers)]
    waited: list[float] = []
    for number in range(CHANGES + 1):
        heard.clear()
        await server.client.patch(ConfigMap, "kept-3", {"data": {"key": f"{watchers}-{number}"}}, "default")
        answered = time.perf_counter()
        async with asyncio.timeout(PATIENCE), told:
            await told.wait_for(lambda: len(heard) == watchers)
        if number:  # until the first, the watches were being opened
            waited += [max(0.0, 1000 * (moment - answered)) for moment in heard]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    p99 = statistics.quantiles(waited, n=100)[98]
    return f"{'watch':14} {watchers:7} {'':10} {statistics.median(waited):10.2f} {p99:10.2f}"


async def bench(seconds: int) -> None:
    """Everything, printed as it comes."""
    async with Server.running() as server:
        await server.fill()
        print(f"{'':14} {'clients':>7} {'requests/s':>10} {'p50 ms':>10} {'p99 ms':>10} {'CPU ms':>10}")
        for verb in VERBS:
            for clients in CLIENTS:
                print(await ask(server, verb, clients, seconds), flush=True)
        for clients in CLIENTS:
            print(await watch(server, clients), flush=True)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.load", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=5, help="for each line (%(default)s)")
    options = parser.parse_args()
    wrk.require()
    asyncio.run(bench(options.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
