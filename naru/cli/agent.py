"""`naru agent`: this machine's node agent in the foreground."""

from __future__ import annotations

import argparse
import os

import uvloop

from naru.cli import CommandError
from naru.config import ClusterConfig
from naru.node import run_agent

SUMMARY = "run the node agent in the foreground"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--port", type=int, help="where the cluster's API server listens on 127.0.0.1")
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Run this machine's pods until SIGTERM or SIGINT; they go on running after it."""
    if os.geteuid() != 0:
        raise CommandError("the agent needs root: it makes network devices and drives Docker")
    config = ClusterConfig.ensure(options.data_dir, options.port)
    uvloop.run(run_agent(options.data_dir, config, options.ready_fd))
    return 0
