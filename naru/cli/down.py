"""`naru down`: ends a cluster's processes and removes what they made on this machine. Data stays unless asked otherwise.

First it lists what it found by the cluster's labels and names, then it removes just that. Each step may find that one before
it was interrupted: running it again removes what is left, and the settings that tell whose that is go last.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pathlib
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from naru import boot
from naru.cli import CommandError
from naru.config import SETTINGS, ClusterConfig
from naru.processes import Process

if TYPE_CHECKING:
    from naru.node import Belongings

SUMMARY = "end the cluster on this machine; its data stays"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--delete-data", action="store_true", help="also delete the objects and the volumes' data")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be ended and removed")


def run(options: argparse.Namespace) -> int:
    """List, then remove, saying what goes as it goes."""
    from agent.network.protocol import NetworkError
    from agent.runtime.protocol import EngineError
    from naru import node

    data_dir: pathlib.Path = options.data_dir
    config = ClusterConfig.read(data_dir)
    if config is None:
        raise CommandError(f"no cluster in {data_dir}")
    units = boot.units_of(data_dir)
    try:
        _end_processes(data_dir, units, options.dry_run)
        ours = asyncio.run(node.observe_belongings(config))
        print(*listed(ours, config.id, data_dir, units, options.delete_data), sep="\n", flush=True)
        if options.dry_run:
            return 0
        for unit in units:
            unit.remove()
            print(f"{unit.name}: removed, nothing starts the cluster at boot", flush=True)
        asyncio.run(node.remove_pods(config, data_dir, ours))
        print(f"containers: {len(ours.containers)} removed", flush=True)
        asyncio.run(node.remove_node_network(config))
        print("network: devices, routes and rules removed", flush=True)
        if options.delete_data:
            asyncio.run(node.remove_volumes(config, ours.volumes))
            print(f"volumes: {len(ours.volumes)} deleted", flush=True)
    except (EngineError, NetworkError, boot.BootError) as error:
        raise CommandError(f"not all is removed: {error}; run naru down again once that is mended") from error
    if options.delete_data:
        delete(data_dir)
        print(f"{data_dir}: deleted", flush=True)
    else:
        print("objects and volumes stay: naru up brings them back, naru down --delete-data deletes them", flush=True)
    return 0


def _end_processes(data_dir: pathlib.Path, units: Sequence[boot.Unit], dry_run: bool) -> None:
    """End what runs, first of all who would start it again; or only say it."""
    if not dry_run:
        for unit in units:
            unit.stop()
            print(f"{unit.name}: stopped", flush=True)
    for process in (Process(data_dir, name) for name in ("simulated", "agent", "server")):
        if dry_run and (found := process.identity()):
            print(f"{process.name}: runs, pid {found.pid}")
        elif not dry_run and process.stop():
            print(f"{process.name}: ended", flush=True)


def listed(
    ours: Belongings, cluster: str, data_dir: pathlib.Path, units: Sequence[boot.Unit], with_data: bool
) -> list[str]:
    """What is removed and what stays, a line for each sort."""
    kept = "to be deleted, with their data" if with_data else "that stay"
    lines = [
        _line("containers", "to be removed", sorted(ours.containers.values())),
        _line("network", "to be removed", [*ours.devices, f"routes and rules named naru_{cluster}"]),
        _line("volumes", kept, ours.volumes),
    ]
    if units:
        lines.insert(0, _line("start at boot", "to be removed", [str(unit.path) for unit in units]))
    if with_data:
        lines.append(_line("files", "to be deleted", [str(data_dir)]))
    return lines


def _line(sort: str, fate: str, names: Iterable[str]) -> str:
    text = ", ".join(names) or "none"
    return textwrap.fill(f"{sort} {fate}: {text}", 125, subsequent_indent="  ", break_on_hyphens=False)


def delete(data_dir: pathlib.Path) -> None:
    """Delete the directory, its settings last. CommandError while it is in use, or holds a mount: somebody's data, maybe."""
    from agent.volumes.kernel import mounted_below
    from controlplane.store import StoreError
    from controlplane.store.file import take_lock

    if mounts := [str(point) for point in mounted_below(data_dir) if point != data_dir.resolve()]:
        raise CommandError(f"{data_dir} is not deleted: {', '.join(mounts)} is mounted in it; unmount that first")
    try:
        lock = take_lock(data_dir / "store.db")
    except StoreError as error:
        raise CommandError(f"{data_dir} is not deleted: {error}; end that first") from error
    try:
        for entry in data_dir.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != SETTINGS:
                entry.unlink()
        (data_dir / SETTINGS).unlink()
    finally:
        os.close(lock)
    if not data_dir.is_mount() and not data_dir.is_symlink():
        data_dir.rmdir()
