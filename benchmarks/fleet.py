"""A cluster of simulated nodes: `python -m benchmarks.fleet [--pods P] [--nodes N]`; the processes as people start them.

A Deployment's pods from their creation until each is created, bound and Running, on agents that are real but for their
engines: those take 10 ms to create a container and about 90 to start it. Server and agents share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks import processes
from benchmarks.cluster import free_port
from benchmarks.scale import bound, created, deployment, follow
from kubeapi import registry
from kubeapi.apps_v1.types import Deployment
from kubeapi.client.client import Client
from kubeapi.client.http import HttpTransport
from kubeapi.core_v1.types import Pod, Toleration
from naru.processes import Process
from naru.simulated import LABEL

PATIENCE = 600.0


def running(pod: Pod) -> bool:
    """Whether its containers run."""
    return pod.status.phase == "Running"


STAGES = (created, bound, running)


@contextlib.asynccontextmanager
async def fleet(nodes: int) -> AsyncIterator[tuple[Client, dict[str, int]]]:
    """A control plane and so many simulated nodes, and who of them is which process; ended and removed after."""
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="naru-bench-")))
        pids = {}
        for name, arguments in (("server", ["--port", str(free_port())]), ("simulated", ["--count", str(nodes)])):
            process = Process(directory, name)
            stack.callback(process.stop)
            pids[name] = (await asyncio.to_thread(process.start, arguments)).pid
        transport = HttpTransport(socket=directory / "naru.sock")
        stack.push_async_callback(transport.close)
        yield Client(transport, registry.load(), "naru-bench"), pids


def on_fleet(pods: int, name: str) -> Deployment:
    """A Deployment for simulated nodes only."""
    wanted = deployment(pods, name)
    wanted.spec.template.spec.node_selector = {LABEL: "true"}
    wanted.spec.template.spec.tolerations = [Toleration(key=LABEL, operator="Exists")]
    return wanted


async def measure(pods: int, nodes: int) -> str:
    """One line of figures."""
    async with fleet(nodes) as (client, pids):
        await follow(client, on_fleet(1, "first"), STAGES)  # what the first of a kind needs, the others need no more
        before = {name: processes.cpu_seconds(pid) for name, pid in pids.items()}
        async with asyncio.timeout(PATIENCE):
            at, events = await follow(client, on_fleet(pods, "many"), STAGES)
        cpu = {name: processes.cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    times = ", ".join(f"{stage.__name__} {seconds:.2f} s" for stage, seconds in zip(STAGES, at, strict=True))
    each = ", ".join(f"{name} {1000 * used / pods:.1f} ms" for name, used in cpu.items())
    return f"{pods} pods on {nodes} simulated nodes: {times}; CPU a pod: {each}; {events / pods:.1f} changes a pod"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.fleet", description=__doc__)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=10)
    options = parser.parse_args()
    print(asyncio.run(measure(options.pods, options.nodes)))


if __name__ == "__main__":
    main()
