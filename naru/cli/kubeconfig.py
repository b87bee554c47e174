"""`naru kubeconfig`: the cluster's kubeconfig for use elsewhere: on standard output, or merged into the user's own."""

from __future__ import annotations

import argparse
import pathlib
import sys

import yaml

from naru import kubeconfig
from naru.cli import CommandError

SUMMARY = "print the kubeconfig, or merge it into ~/.kube/config"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--merge", action="store_true", help="into ~/.kube/config; its other entries stay")
    parser.add_argument("--into", type=pathlib.Path, metavar="FILE", help="merge into this file instead")


def run(options: argparse.Namespace) -> int:
    """Print or merge."""
    source = options.data_dir / "kubeconfig"
    try:
        if not source.exists():
            raise CommandError(f"no cluster in {options.data_dir}: start one with naru up")
        content = kubeconfig.self_contained(kubeconfig.load(source))
        if not (options.merge or options.into):
            yaml.safe_dump(content, sys.stdout, sort_keys=False)
            return 0
        target = options.into or pathlib.Path.home() / ".kube" / "config"
        kubeconfig.write(target, kubeconfig.merged(kubeconfig.load(target), content))
    except (kubeconfig.KubeconfigError, OSError) as error:
        raise CommandError(str(error)) from error
    print(f"{target}: context {content['current-context']} is the current one; all other entries are as they were")
    return 0
