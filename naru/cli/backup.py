"""`naru backup FILE`: the cluster's objects, settings and keys in one file, taken while it runs or while it does not."""

from __future__ import annotations

import argparse
import pathlib
import sys

from naru import backups
from naru.cli import CommandError

SUMMARY = "write the cluster's objects and keys to a file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("file", type=pathlib.Path, metavar="FILE", help="a new file, for its owner alone")


def run(options: argparse.Namespace) -> int:
    """Write it, and say what is in it and what is not; 3 where the store had lost changes before."""
    try:
        made = backups.make(options.data_dir, options.file)
    except PermissionError:
        raise CommandError(f"{options.data_dir} is its owner's alone: use sudo") from None
    except (backups.BackupError, OSError) as error:
        raise CommandError(str(error)) from error
    size = options.file.stat().st_size
    print(
        f"{options.file}: {made.objects} objects of cluster {made.cluster} at revision {made.revision}, {size:,} bytes"
    )
    print("in it too: the cluster's settings, its authority's key and all tokens; keep it as you keep those")
    print("not in it: volumes' data, images, logs")
    if made.lost:
        print(f"naru: {made.lost} later changes were answered, and are not in the store any more", file=sys.stderr)
        return 3
    return 0
