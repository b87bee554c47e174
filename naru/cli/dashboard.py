"""`naru dashboard`: open the page in a browser, logged in as whoever asks.

The API server is asked, with this command's own credentials, for a code that is good once and for a minute; its URL is
printed, and opened where there is a browser that can show pages: on a desktop, or one that BROWSER names.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import webbrowser

import orjson

from naru.cli import CommandError
from naru.config import ClusterConfig
from naru.connection import Connection, NoClusterError, RefusedError
from naru.kubeconfig import KubeconfigError, credentials

SUMMARY = "open the page: what runs, how it heals, what it stands on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--no-open", action="store_true", help="only print the URL")
    parser.add_argument("--kubeconfig", type=pathlib.Path, metavar="FILE", help="ask by this, not DATA_DIR/naru.sock")


def run(options: argparse.Namespace) -> int:
    """Ask for a code, print its URL, open it."""
    try:
        with Connection(options.data_dir, options.kubeconfig).send("POST", "/dashboard/codes") as response:
            told = orjson.loads(response.read())
        url = f"{_server(options)}/dashboard/login?code={told['code']}"
    except (NoClusterError, RefusedError, KubeconfigError) as error:
        raise CommandError(str(error)) from error
    print(url, flush=True)
    print(
        f"good once, within {told['seconds']} s; the browser asks about the certificate, which the cluster signed itself",
        file=sys.stderr,
    )
    shown = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if not options.no_open and not (shown and webbrowser.open(url)):
        print("no browser here: open it in one of this machine, or forward the port", file=sys.stderr)
    return 0


def _server(options: argparse.Namespace) -> str:
    """Where the API is for a browser: HTTPS also when the socket was asked."""
    if options.kubeconfig:
        return credentials(options.kubeconfig).server.rstrip("/")
    config = ClusterConfig.read(options.data_dir)
    if config is None:
        raise NoClusterError(f"no cluster in {options.data_dir}: start one with naru up")
    return f"https://127.0.0.1:{config.port}"
