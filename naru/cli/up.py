"""`naru up`: a whole cluster on this machine, control plane and node agent, each in a process of its own.

With `--at-boot` systemd does that, now and at every boot (`naru.boot`); from then on a plain `naru up` leaves it to systemd.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import pathlib
import time

from agent.runtime.docker import DockerRuntime
from agent.runtime.protocol import EngineDownError
from naru import boot
from naru.cli import CommandError
from naru.config import ClusterConfig
from naru.node import reserve_node_ranges
from naru.processes import Process, StartError, wait_for_end

SUMMARY = "start a cluster on this machine"
ANSWERS_WITHIN, STARTED_WITHIN = 10, 30.0
LOCK = pathlib.Path("/run/naru.lock")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--port", type=int, help="where the API is served on 127.0.0.1 (6443 at a cluster's first start)"
    )
    parser.add_argument(
        "--simulated-nodes",
        type=int,
        metavar="N",
        help="beside the real node N that only pretend; 0 ends and removes those",
    )
    parser.add_argument("--detach", "-d", action="store_true", help="return when the node is ready")
    parser.add_argument(
        "--at-boot",
        action=argparse.BooleanOptionalAction,
        help="let systemd run it, now, at every boot and after an end by itself; or not any more",
    )
    parser.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)  # by that unit of systemd's


def run(options: argparse.Namespace) -> int:
    """Start what does not run yet; then stay until interrupted, or return if detached."""
    if os.geteuid() != 0:
        raise CommandError("naru up needs root: the agent makes network devices and drives Docker (try sudo)")
    try:
        return _up(options)
    except (boot.BootError, StartError) as error:
        raise CommandError(str(error)) from error


def _up(options: argparse.Namespace) -> int:
    if options.at_boot:
        boot.need_systemd(options.data_dir)
    _need_engine()
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two clusters that begin at one moment must not choose the same ranges
        known = ClusterConfig.read(options.data_dir)
        config = ClusterConfig.ensure(options.data_dir, options.port)
        if known is None:
            asyncio.run(reserve_node_ranges(config))
    if not options.supervised and _left_to_systemd(options, config):
        return 0
    server, agent = Process(options.data_dir, "server"), Process(options.data_dir, "agent")
    simulated, count = Process(options.data_dir, "simulated"), options.simulated_nodes
    wanted: list[tuple[Process, str, list[str]]] = [
        (server, f"control plane on https://127.0.0.1:{config.port}", []),
        (agent, f"node {config.node}", []),
    ]
    if count is not None:
        simulated.stop()  # so many, and no others
        wanted.append((simulated, f"{count} simulated nodes", ["--count", str(count)]))
    begun = time.monotonic()
    for process, what, arguments in wanted:
        if process.identity():
            print(f"{what}: runs already", flush=True)
            continue
        process.start(arguments, deadline=STARTED_WITHIN + (count or 0))
        print(f"{what}: ready after {time.monotonic() - begun:.2f} s", flush=True)
    _tell_kubectl(options.data_dir)
    if options.detach:
        return 0
    boot.tell_ready()
    print("Ctrl-C ends the processes; pods go on running until naru down", flush=True)
    try:
        ended = wait_for_end(*(process for process, _, _ in wanted))
    except KeyboardInterrupt:
        return 0
    finally:
        for process in (simulated, agent, server):
            process.stop()
    raise CommandError(f"the {ended.name} ended by itself: see {ended.log}")


def _left_to_systemd(options: argparse.Namespace, config: ClusterConfig) -> bool:
    """Install the unit, or remove it, as asked for; start the one that is there, and return whether one is."""
    units, begun = boot.units_of(options.data_dir), time.monotonic()
    if options.at_boot is False:
        for unit in units:
            unit.remove()
            print(f"{unit.path}: stopped and removed", flush=True)
        return False
    if options.at_boot or (units and options.simulated_nodes is not None):
        units = [boot.install(options.data_dir, config.id, options.simulated_nodes)]
        print(f"{units[0].path}: written; systemd starts the cluster at every boot", flush=True)
    for unit in units:
        unit.start()
        print(f"{unit.name}: ready after {time.monotonic() - begun:.2f} s", flush=True)
        _tell_kubectl(options.data_dir)
    return bool(units)


def _tell_kubectl(data_dir: pathlib.Path) -> None:
    print(f"kubectl: naru kubectl get pods -A   (or KUBECONFIG={data_dir / 'kubeconfig'})", flush=True)


def _need_engine() -> None:
    """CommandError unless a Docker Engine answers."""

    async def ask() -> None:
        runtime = DockerRuntime("none", timeout=ANSWERS_WITHIN)
        try:
            await runtime.info()
        finally:
            await runtime.close()

    try:
        asyncio.run(ask())
    except EngineDownError as error:
        raise CommandError("no Docker Engine answers: start it, or let `make engine` install it") from error
