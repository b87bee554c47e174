"""`naru simulated`: simulated nodes of a cluster that runs, in the foreground."""

from __future__ import annotations

import argparse

import uvloop

from naru.cli import CommandError
from naru.config import ClusterConfig
from naru.simulated import MOST, run_simulated_nodes

SUMMARY = "run simulated nodes in the foreground"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--count", type=int, default=1, help=f"so many, {MOST} at most (%(default)s)")
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Run pods in memory until SIGTERM or SIGINT; they are gone after it."""
    config = ClusterConfig.read(options.data_dir)
    if config is None:
        raise CommandError(f"no cluster in {options.data_dir}: start one with naru up")
    if not 0 <= options.count <= MOST:
        raise CommandError(f"--count {options.count}: at most {MOST} simulated nodes have a network of their own")
    uvloop.run(run_simulated_nodes(options.data_dir, config, options.count, options.ready_fd))
    return 0
