"""`naru down`: ends a cluster's processes and removes what they made on this machine. Data stays unless asked otherwise."""

from __future__ import annotations

import argparse
import asyncio
import shutil

from naru.cli import CommandError
from naru.config import ClusterConfig
from naru.processes import Process

SUMMARY = "end the cluster on this machine; its data stays"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--delete-data", action="store_true", help="also delete the objects and the volumes' data")


def run(options: argparse.Namespace) -> int:
    """Say what goes, as it goes."""
    from agent.network.protocol import NetworkError
    from agent.runtime.protocol import EngineError
    from naru import node

    config = ClusterConfig.read(options.data_dir)
    if config is None:
        raise CommandError(f"no cluster in {options.data_dir}")
    for name in ("agent", "server"):
        if Process(options.data_dir, name).stop():
            print(f"{name}: ended", flush=True)
    try:
        print(f"containers: {asyncio.run(node.remove_pods(config, options.data_dir))} removed", flush=True)
        asyncio.run(node.remove_node_network(config))
        print("network: devices, routes and rules removed", flush=True)
        if options.delete_data:
            names = asyncio.run(node.remove_volumes(config))
            print(f"volumes: {len(names)} deleted", flush=True)
    except (EngineError, NetworkError) as error:
        raise CommandError(f"not all is removed: {error}; run naru down again once that is mended") from error
    if options.delete_data:
        shutil.rmtree(options.data_dir)
        print(f"{options.data_dir}: deleted", flush=True)
    else:
        print("objects and volumes stay: naru up brings them back, naru down --delete-data deletes them", flush=True)
    return 0
