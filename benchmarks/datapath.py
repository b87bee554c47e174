"""The way to a container: `python -m benchmarks.datapath [--seconds S] [--services N]`, asked from the node by wrk.

One nginx that answers two bytes, in a pod and in a plain container: straight to its address, through ClusterIP and NodePort,
and through Docker's published port, by its NAT and by its proxy. Rounds are taken in turns; the ratio is to the pod's
own address. Then the same through ClusterIP among a thousand Services more.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import statistics
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks import wrk
from benchmarks.cluster import NAMESPACE, Cluster
from benchmarks.engine import Engine
from kubeapi.core_v1.types import Pod, Service

IMAGE, PORT, PUBLISHED = "naru/web:1", 8080, 18080
SETTINGS = "events {} http { access_log off; keepalive_requests 1000000; server { listen 8080; return 200 ok; } }"
COMMAND = ["sh", "-c", f"echo '{SETTINGS}' > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf -g 'daemon off;'"]
LABELS = {"app": "datapath"}
ROUNDS, CONNECTIONS = 5, 16


def service(name: str, kind: str) -> Service:
    """A Service before the pod."""
    spec = {"type": kind, "selector": LABELS, "ports": [{"port": 80, "targetPort": PORT}]}
    return Service.model_validate({"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec})


def pod() -> Pod:
    """The server, ready when it answers."""
    probe = {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}
    container = {"name": "nginx", "image": IMAGE, "command": COMMAND, "readinessProbe": probe}
    spec = {"containers": [{**container, "imagePullPolicy": "IfNotPresent"}], "terminationGracePeriodSeconds": 0}
    return Pod.model_validate({"metadata": {"name": "one", "namespace": NAMESPACE, "labels": LABELS}, "spec": spec})


async def rounds(ways: Mapping[str, str], seconds: int) -> dict[str, list[wrk.Load]]:
    """Every way in turn, some times over."""
    loads: dict[str, list[wrk.Load]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, url in ways.items():
            loads[way].append(await asyncio.to_thread(wrk.run, url, CONNECTIONS, seconds))
    return loads


def lines(loads: Mapping[str, list[wrk.Load]], straight: str) -> list[str]:
    """A line per way: the median of its rounds, beside the straight one's of the same run."""
    rate = {way: statistics.median(load.rate for load in taken) for way, taken in loads.items()}
    return [
        f"{way:52} {rate[way]:10,.0f} {rate[way] / rate[straight]:6.2f} "
        f"{statistics.median(load.p99 for load in taken):8.2f} {sum(load.failed for load in taken):6}"
        for way, taken in loads.items()
    ]


async def bench(options: argparse.Namespace) -> None:
    """Everything, printed as it comes."""
    engine = Engine()
    try:
        async with Cluster.running(engine) as cluster:
            client = cluster.client
            await client.create(pod())
            inside = await client.create(service("inside", "ClusterIP"))
            outside = await client.create(service("outside", "NodePort"))
            (running,) = await cluster.ready(LABELS)
            straight = f"pod, its own address, port {PORT}"
            ways = {straight: f"http://{running.status.pod_ip}:{PORT}/"}
            ways["ClusterIP"] = f"http://{inside.spec.cluster_ip}/"
            ways["NodePort, from the node's loopback"] = f"http://127.0.0.1:{outside.spec.ports[0].node_port}/"
            plain, gateway = await asyncio.to_thread(engine.publish, IMAGE, COMMAND, PORT, PUBLISHED)
            ways["container on Docker's bridge, its own address"] = f"http://{plain}:{PORT}/"
            ways["Docker's published port, by NAT"] = f"http://{gateway}:{PUBLISHED}/"
            ways["Docker's published port, by its proxy"] = f"http://127.0.0.1:{PUBLISHED}/"
            print(f"{'':52} {'requests/s':>10} {'ratio':>6} {'p99 ms':>8} {'failed':>6}")
            print(*lines(await rounds(ways, options.seconds), straight), sep="\n", flush=True)
            for number in range(options.services):
                await client.create(service(f"other-{number}", "ClusterIP"))
            last: dict[str, Any] = {straight: ways[straight]}
            made = await client.get(Service, f"other-{options.services - 1}", NAMESPACE)
            await asyncio.to_thread(engine.wait_for_answer, f"http://{made.spec.cluster_ip}/")
            last[f"ClusterIP, the last of {options.services:,} more Services"] = f"http://{made.spec.cluster_ip}/"
            last[f"ClusterIP, the first, among {options.services:,} more"] = ways["ClusterIP"]
            print(*lines(await rounds(last, options.seconds), straight), sep="\n", flush=True)
    finally:
        await asyncio.to_thread(engine.close)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.datapath", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=2, help="for each way and round (%(default)s)")
    parser.add_argument("--services", type=int, default=1000, help="Services made beside (%(default)s)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("benchmarks.datapath needs root: a cluster of Naru does", file=sys.stderr)
        return 1
    wrk.require()
    logging.disable(logging.WARNING)
    asyncio.run(bench(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
