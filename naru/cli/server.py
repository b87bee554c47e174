"""`naru server`: the control plane in the foreground."""

from __future__ import annotations

import argparse
import os

import uvloop

from controlplane.apiserver.http import ListenError
from controlplane.store import StoreError
from naru.cli import CommandError
from naru.cluster import run_control_plane
from naru.config import ClusterConfig

SUMMARY = "run the control plane in the foreground"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--port", type=int, help="where the API is served on 127.0.0.1 (6443 at a cluster's first start)"
    )
    parser.add_argument(
        "--controllers",
        default="*",
        help="which controllers run: '*' all, 'foo' that one, '-foo' not that one; '' none, and no scheduler",
    )
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    os.umask(0o077)  # whatever it writes is its owner's alone
    config = ClusterConfig.ensure(options.data_dir, options.port)
    try:
        uvloop.run(run_control_plane(options.data_dir, config, options.controllers, options.ready_fd))
    except (StoreError, ListenError, ValueError) as error:
        raise CommandError(str(error)) from error
    return 0
