"""The command `naru`: a module per command, imported when it is used, so that the command starts quickly.

A command's module has `SUMMARY` (one line), `add_arguments(parser)` and `run(options) -> int` (the exit status).
"""

from __future__ import annotations

import argparse
import importlib
import os
import pathlib
import sys

from naru.config import DEFAULT_DATA_DIR
from naru.memory import forgo_unused

COMMANDS = (
    "up",
    "down",
    "status",
    "apply",
    "delete",
    "layers",
    "trace",
    "why",
    "dashboard",
    "simulate",
    "kubeconfig",
    "kubectl",
    "backup",
    "restore",
    "server",
    "agent",
    "simulated",
)


class CommandError(Exception):
    """What a person must know and can act on: printed as one line, exit status 1."""


def parser_for(command: str) -> argparse.ArgumentParser:
    """The parser of one command, with the options that all take."""
    module = importlib.import_module(f"naru.cli.{command}")
    parser = argparse.ArgumentParser(prog=f"naru {command}", description=module.SUMMARY)
    default = pathlib.Path(os.environ.get("NARU_DATA_DIR", DEFAULT_DATA_DIR))
    parser.add_argument("--data-dir", type=pathlib.Path, default=default, help="where the cluster lives (%(default)s)")
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)
    return parser


def usage() -> str:
    """The list of commands with their summaries."""
    lines = ["usage: naru COMMAND [OPTION ...]", ""]
    lines += [f"  {c:10} {importlib.import_module(f'naru.cli.{c}').SUMMARY}" for c in COMMANDS]
    return "\n".join([*lines, "", "naru COMMAND --help tells a command's options."])


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if words[0] not in COMMANDS:
        print(f"{usage()}\n\nnaru: there is no command {words[0]!r}", file=sys.stderr)
        return 2
    forgo_unused()
    try:
        options = parser_for(words[0]).parse_args(words[1:])
        return int(options.run(options))
    except CommandError as error:
        print(f"naru: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who read our output has left (naru status | head): nothing more can be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
