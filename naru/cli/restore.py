"""`naru restore FILE`: a cluster as it was when the backup was taken, in place of what it is now, or where there is none.

A control plane that runs is ended before and started after; agents and pods run on, and become what the restored objects
say. Keys, tokens and settings that are there stay; only what is missing of them comes from the backup.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

from controlplane.store import StoreError
from controlplane.store.copies import replace
from naru import backups
from naru.cli import CommandError
from naru.config import ClusterConfig
from naru.processes import Process, StartError, restarting

SUMMARY = "bring a cluster back from a file that naru backup wrote"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("file", type=pathlib.Path, metavar="FILE", help="what naru backup wrote")


def run(options: argparse.Namespace) -> int:
    """Check the whole file first, then say what is replaced, as it is."""
    data_dir: pathlib.Path = options.data_dir
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with restarting(data_dir), _scratch(data_dir / ".restore") as scratch:
            backup = backups.unpack(options.file, scratch)
            config = ClusterConfig.read(data_dir)
            if config and config.id != backup.cluster:
                raise CommandError(
                    f"{options.file} is of cluster {backup.cluster}, and {data_dir} is of {config.id}: "
                    "give another --data-dir, or end that cluster with naru down --delete-data"
                )
            print(f"{options.file}: {backup.objects} objects of cluster {backup.cluster}, as of {backup.taken}")
            _put(data_dir, scratch)
    except PermissionError:
        raise CommandError(f"{data_dir} is its owner's alone: use sudo") from None
    except (backups.BackupError, StoreError, StartError, OSError) as error:
        raise CommandError(str(error)) from error
    return 0


@contextlib.contextmanager
def _scratch(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """An empty folder; one that a killed restore has left goes first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _put(data_dir: pathlib.Path, scratch: pathlib.Path) -> None:
    server = Process(data_dir, "server")
    ran = server.stop()
    if ran:
        print("server: ended", flush=True)
    store, aside = data_dir / backups.STORE, data_dir / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    try:
        revision = replace(store, scratch / backups.STORE, aside)
        for name in backups.IDENTITY:
            if not (data_dir / name).exists():
                (scratch / name).rename(data_dir / name)
                print(f"{name}: was missing, from the backup", flush=True)
        if aside.exists():
            print(f"{store}: replaced; what it was is in {aside}", flush=True)
        print(f"it goes on at revision {revision}: every client lists anew", flush=True)
    finally:
        if ran:
            server.start([])
            print("server: ready", flush=True)
    if not ran:
        print("naru up starts it", flush=True)
