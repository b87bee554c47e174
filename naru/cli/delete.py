"""`naru delete -f ...`: removes what the manifests name, through DELETE /apply, and waits until it is gone."""

from __future__ import annotations

import argparse

from naru.cli.apply import add_shared, show

SUMMARY = "delete what manifests name and wait until it is gone"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_shared(parser, "until all is gone")


def run(options: argparse.Namespace) -> int:
    """Delete, show progress; 0 when all is gone (or was not there)."""
    return show(options, "DELETE", {"wait": "deleted"} if options.wait else {})
