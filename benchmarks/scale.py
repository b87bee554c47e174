"""Many pods: `python -m benchmarks.scale [PODS ...] [--profile FILE]`, control plane alone, on simulated nodes.

The process is the real one (SQLite store with its fsync, API server, every controller, scheduler); a node is an object with
room for pods. Counted from the Deployment's creation until each of its pods is there, and is bound. Each number of pods has
a process of its own; of several the exponents to which time, CPU and watch events grow are fitted (1: a straight line).
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import ctypes
import gc
import logging
import math
import multiprocessing
import os
import pathlib
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from benchmarks import processes
from controlplane.admission.chain import Admission
from controlplane.apiserver.authentication import ADMIN
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.server import ApiServer
from controlplane.controllers.manager import Manager
from controlplane.controllers.nodes import LEASES
from controlplane.store.sqlite import SqliteStore
from kubeapi.apps_v1.types import Deployment
from kubeapi.client.client import Client, Event
from kubeapi.clock import SystemClock
from kubeapi.coordination_v1.types import Lease
from kubeapi.core_v1.types import Node, Pod
from kubeapi.registry import load
from naru.memory import share_arena, spare_collector

PER_NODE, RENEW_EVERY = 110, 10.0
Stage = Callable[[Pod], bool]


def created(pod: Pod) -> bool:
    """Whoever is told of was."""
    return True


def bound(pod: Pod) -> bool:
    """Whether it has a node."""
    return bool(pod.spec.node_name)


def deployment(pods: int, name: str) -> Deployment:
    """A Deployment whose template is as small as templates are."""
    labels = {"app": name}
    container = {"name": "web", "image": "naru/web:1", "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": pods, "selector": {"matchLabels": labels}, "template": template}
    return Deployment.model_validate({"metadata": {"name": name, "namespace": "default"}, "spec": spec})


async def _nodes(client: Client, pods: int) -> None:
    size = {"cpu": "64", "memory": "64Gi", "pods": str(PER_NODE)}
    for number in range(-(-pods // PER_NODE) + 1):
        name = f"node-{number}"
        await client.create(Node.model_validate({"metadata": {"name": name}}))
        ready = {"type": "Ready", "status": "True"}
        status = {"status": {"capacity": size, "allocatable": size, "conditions": [ready]}}
        await client.patch(Node, name, status, type="strategic", subresource="status")
        await client.create(Lease.model_validate({"metadata": {"name": name, "namespace": LEASES}}))


async def _beat(client: Client) -> None:
    """The nodes' heartbeats, without which they were taken for dead after 40 s."""
    while True:
        for lease in (await client.list(Lease, LEASES)).items:
            lease.spec.renew_time = datetime.now(UTC)
            await client.update(lease)
        await asyncio.sleep(RENEW_EVERY)


class Measured(NamedTuple):
    """Seconds until all pods are created, until all are bound, and of CPU; changes of pods that one watch told of; MB at
    most, and KB for each pod that stay when it is over."""

    pods: int
    created: float
    bound: float
    cpu: float
    events: int
    peak: float
    kept: float

    def __str__(self) -> str:
        each = 1000 * self.cpu / self.pods
        return (
            f"{self.pods} pods: created {self.created:.2f} s, bound {self.bound:.2f} s, {each:.2f} ms of CPU a pod, "
            f"{1000 * self.cpu / self.events:.2f} ms an event; {self.kept:.1f} KB a pod, resident {self.peak:.0f} MB at most"
        )


def exponent(measured: list[Measured], name: str) -> float:
    """To which power of the number of pods a figure grows: the slope of a straight line through the logarithms."""
    points = [(math.log(m.pods), math.log(getattr(m, name))) for m in measured]
    return statistics.linear_regression(*zip(*points, strict=True)).slope


async def measure(pods: int, directory: pathlib.Path, profile: cProfile.Profile | None) -> Measured:
    """A cluster of its own, and a Deployment of so many pods."""
    registry, clock, rng = load(), SystemClock(), random.Random(1)
    store = await SqliteStore.open(directory / "store.db")
    admission = Admission(store, rng)
    server = ApiServer(store, registry, clock, rng, admission)
    await bootstrap(server, admission.ranges.addresses, "127.0.0.1", 6443)
    user, groups = ADMIN
    client = Client(server, registry, "bench", user=user, groups=groups)
    manager = Manager(client, registry, clock, rng, "*", root_ca="CA", pod_network="10.244.0.0/16")
    await manager.start()
    await _nodes(client, pods)
    beating = asyncio.create_task(_beat(client))
    # What the first of a kind needs, the others need no more.
    await follow(client, deployment(1, "first"), (created, bound))
    spare_collector()
    before = _resident()
    cpu = time.process_time()
    if profile:
        profile.enable()
    (made, took), events = await follow(client, deployment(pods, "many"), (created, bound))
    used = time.process_time() - cpu
    if profile:
        profile.disable()
    kept = (_resident() - before) / pods
    beating.cancel()
    await manager.stop()
    await store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(pods, made, took, used, events, peak, kept)


async def follow(client: Client, wanted: Deployment, stages: Sequence[Stage]) -> tuple[list[float], int]:
    """Create a Deployment and watch until its pods have come to the last stage: seconds until the last of them came to each,
    and how many changes were told."""
    revision = (await client.list(Pod)).revision
    begun, events, at = time.perf_counter(), 0, [0.0] * len(stages)
    there: list[set[str]] = [set() for _ in stages]
    await client.create(wanted)
    async for event in client.watch(Pod, revision, labels=f"app={wanted.metadata.name}"):
        if not isinstance(event, Event):  # a bookmark
            continue
        events += 1
        for number, reached in enumerate(stages):
            if reached(event.object):
                there[number].add(event.object.metadata.name)
                if len(there[number]) == wanted.spec.replicas and not at[number]:
                    at[number] = time.perf_counter() - begun
        if at[-1]:
            break
    return at, events


def _resident() -> float:
    """KB that this process keeps, once it has given back what it can."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return 1024 * processes.memory(os.getpid()).rss


def once(pods: int, profile: cProfile.Profile | None = None) -> Measured:
    """Measure in this process, of which `kept` and `peak` tell."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    share_arena()
    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(measure(pods, pathlib.Path(directory), profile))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description=__doc__)
    parser.add_argument("pods", nargs="*", type=int, default=[1000])
    parser.add_argument("--profile", type=pathlib.Path)
    options = parser.parse_args()
    if options.profile:
        profile = cProfile.Profile()
        print(once(options.pods[0], profile))
        profile.dump_stats(options.profile)
        return
    measured: list[Measured] = []
    fresh = multiprocessing.get_context("spawn")
    for pods in options.pods:
        with ProcessPoolExecutor(1, mp_context=fresh) as pool:
            measured.append(pool.submit(once, pods).result())
        print(measured[-1], flush=True)
    if len(measured) > 1:
        grown = ", ".join(f"{name} {exponent(measured, name):.2f}" for name in ("bound", "cpu", "events"))
        print(f"grow with the pods to the power of: {grown}")


if __name__ == "__main__":
    main()
