"""Many pods: `python -m benchmarks.scale [PODS] [--profile FILE]`, control plane alone, on simulated nodes.

The process is the real one (SQLite store with its fsync, API server, every controller, scheduler); a node is an object with
room for pods. Counted from the Deployment's creation until each of its pods is there, and is bound.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import logging
import pathlib
import random
import resource
import tempfile
import time

import structlog

from controlplane.admission.chain import Admission
from controlplane.apiserver.authentication import ADMIN
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.server import ApiServer
from controlplane.controllers.manager import Manager
from controlplane.store.sqlite import SqliteStore
from kubeapi.apps_v1.types import Deployment
from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.clock import SystemClock
from kubeapi.core_v1.types import Node, Pod
from kubeapi.registry import load
from naru.memory import spare_collector

PER_NODE = 110


def deployment(pods: int) -> Deployment:
    """A Deployment whose template is as small as templates are."""
    labels = {"app": "many"}
    container = {"name": "web", "image": "naru/web:1", "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": pods, "selector": {"matchLabels": labels}, "template": template}
    return Deployment.model_validate({"metadata": {"name": "many", "namespace": "default"}, "spec": spec})


async def _nodes(client: Client, pods: int) -> None:
    size = {"cpu": "64", "memory": "64Gi", "pods": str(PER_NODE)}
    for number in range(-(-pods // PER_NODE) + 1):
        name = f"node-{number}"
        await client.create(Node.model_validate({"metadata": {"name": name}}))
        ready = {"type": "Ready", "status": "True"}
        status = {"status": {"capacity": size, "allocatable": size, "conditions": [ready]}}
        await client.patch(Node, name, status, type="strategic", subresource="status")


async def measure(pods: int, directory: pathlib.Path, profile: cProfile.Profile | None) -> dict[str, float]:
    """Seconds until all are created, until all are bound, and the CPU seconds of it."""
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
    created, bound, told = 0, 0, asyncio.Event()
    informer = Informer(client, Pod)

    def changed(old: Pod | None, new: Pod | None) -> None:
        nonlocal created, bound
        created += old is None
        bound += bool(new and new.spec.node_name and not (old and old.spec.node_name))
        told.set()

    informer.on_change(changed)
    await informer.start()
    await informer.synced()
    spare_collector()
    begun, cpu, made = time.perf_counter(), time.process_time(), 0.0
    if profile:
        profile.enable()
    await client.create(deployment(pods))
    while bound < pods:
        told.clear()
        await told.wait()
        if created == pods and not made:
            made = time.perf_counter() - begun
    took = {"created": made, "bound": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
    if profile:
        profile.disable()
    await informer.stop()
    await manager.stop()
    await store.close()
    return took


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description=__doc__)
    parser.add_argument("pods", nargs="?", type=int, default=1000)
    parser.add_argument("--profile", type=pathlib.Path)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    profile = cProfile.Profile() if options.profile else None
    with tempfile.TemporaryDirectory() as directory:
        took = asyncio.run(measure(options.pods, pathlib.Path(directory), profile))
    if profile:
        profile.dump_stats(options.profile)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{options.pods} pods: created {took['created']:.2f} s, bound {took['bound']:.2f} s, "
        f"{1000 * took['cpu'] / options.pods:.2f} ms of CPU a pod; resident {peak:.0f} MB at most"
    )


if __name__ == "__main__":
    main()
