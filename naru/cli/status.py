"""`naru status`: what runs. Exit status 3 when no cluster does."""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from naru import boot
from naru.cli import CommandError
from naru.config import ClusterConfig
from naru.connection import Connection, NoClusterError, RefusedError
from naru.processes import Process

SUMMARY = "show processes, nodes, pods and what can be reached from outside"
NO_CLUSTER = 3
AS_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options of its own."""


def run(options: argparse.Namespace) -> int:
    """Print what runs; 0, or 3 when there is no cluster or no control plane."""
    try:
        config = ClusterConfig.read(options.data_dir)
        processes = {name: Process(options.data_dir, name).identity() for name in ("server", "agent", "simulated")}
    except PermissionError:
        raise CommandError(f"{options.data_dir} is its owner's alone: use sudo") from None
    if config is None:
        print(f"naru: no cluster in {options.data_dir}: start one with naru up", file=sys.stderr)
        return NO_CLUSTER
    print(f"cluster {config.id} in {options.data_dir}, https://127.0.0.1:{config.port}")
    print(boot_line(boot.units_of(options.data_dir)))
    asked_for = {name: found for name, found in processes.items() if found or name != "simulated"}
    print(*table(process_rows({name: found.pid if found else None for name, found in asked_for.items()})), sep="\n")
    try:
        api = Connection(options.data_dir)
        nodes, services = api.get("/api/v1/nodes")["items"], api.get("/api/v1/services")["items"]
        pods = api.get("/api/v1/pods", AS_TABLE)["rows"]
    except NoClusterError as error:
        print(f"naru: {error}", file=sys.stderr)
        return NO_CLUSTER
    except RefusedError as error:
        raise CommandError(str(error)) from error
    for title, rows in (("nodes", node_rows(nodes)), ("pods", pod_rows(pods)), ("services", service_rows(services))):
        print(f"\n{title}", *(table(rows) or ["  none"]), sep="\n")
    return 0


def boot_line(units: Sequence[boot.Unit]) -> str:
    """What starts the cluster when the machine boots."""
    names = [unit.name if unit.enabled else f"{unit.name}, which is disabled" for unit in units]
    return f"at boot: {', '.join(names) or 'nothing starts it (naru up --at-boot)'}"


def process_rows(pids: dict[str, int | None]) -> list[list[str]]:
    """Name, process number and resident memory of each process."""
    rows = []
    for name, pid in pids.items():
        memory = resident(pid) if pid else None
        rows.append([name, "not running"] if memory is None else [name, f"pid {pid}", f"{memory / 2**20:.0f} MiB"])
    return rows


def resident(pid: int) -> int | None:
    """Bytes of memory that a process holds, None for one that is gone."""
    try:
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def node_rows(nodes: Iterable[dict[str, Any]]) -> list[list[str]]:
    """Name, Ready or not and why, and the engine of each node."""
    rows = []
    for node in nodes:
        status = node.get("status", {})
        ready: dict[str, Any] = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
        good = ready.get("status") == "True"
        why = "" if good else f"{ready.get('reason', 'no agent has said anything yet')} {ready.get('message', '')}"
        engine = status.get("nodeInfo", {}).get("containerRuntimeVersion", "")
        rows.append([node["metadata"]["name"], "Ready" if good else "NotReady", engine, why.strip()])
    return rows


def pod_rows(rows: Iterable[dict[str, Any]]) -> list[list[str]]:
    """Namespace and the first columns of `kubectl get pods` (ready, status, restarts), by namespace."""
    return sorted([row["object"]["metadata"]["namespace"], *map(str, row["cells"][:4])] for row in rows)


def service_rows(services: Iterable[dict[str, Any]]) -> list[list[str]]:
    """Namespace, name, address and port of each Service, and where this machine reaches its NodePorts."""
    rows = []
    for service in services:
        meta, spec = service["metadata"], service["spec"]
        ports = [f"{p['port']}/{p.get('protocol', 'TCP')}" for p in spec.get("ports", [])]
        open_ports = [f"127.0.0.1:{p['nodePort']}" for p in spec.get("ports", []) if p.get("nodePort")]
        address = spec.get("clusterIP") or spec.get("externalName", "")
        rows.append([meta["namespace"], meta["name"], address, ",".join(ports), " ".join(open_ports)])
    return sorted(rows)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as indented lines with aligned columns."""
    widths = [
        max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(max(map(len, rows), default=0))
    ]
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=False)).rstrip() for row in rows]
