"""`naru layers`: what stands beneath the containers of a machine, from the NIC up.

The tower itself is printed here. Other questions are modes of the command (`--memory`, `--as-vms`, `--check`): a module of
naru/layers each, with `SUMMARY`, `add_arguments(parser)` for options of its own and `run(options) -> int`; the flag is the
module's name. They ask `naru.layers.source` for their document. A mode's module is imported for its options' sake whenever
the command is: heavy imports belong into its `run`.
"""

from __future__ import annotations

import argparse
import importlib

from kubeapi.hardware_v1.layers import Layers
from naru.cli import CommandError
from naru.layers import source

SUMMARY = "show what stands beneath the containers: NIC, switch, NAT, kernel, runtime"
MODES: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command and of its modes."""
    source.add_arguments(parser)
    parser.set_defaults(mode="")
    modes = parser.add_mutually_exclusive_group()
    for name in MODES:
        module = importlib.import_module(f"naru.layers.{name}")
        flag = f"--{name.replace('_', '-')}"
        modes.add_argument(flag, dest="mode", action="store_const", const=name, help=module.SUMMARY)
        module.add_arguments(parser.add_argument_group(f"with {flag}"))
    parser.add_argument("--output", "-o", choices=("json",), default="json", help="the form of the answer")


def run(options: argparse.Namespace) -> int:
    """Print the tower, or do what the mode does."""
    if options.mode:
        return int(importlib.import_module(f"naru.layers.{options.mode}").run(options))
    answer = source.ask(options, "layers")
    if answer is None:
        raise CommandError(f"no cluster runs in {options.data_dir}: start one with naru up")
    print(Layers.from_json(answer).model_dump_json(by_alias=True, exclude_defaults=True, indent=2))
    return 0
