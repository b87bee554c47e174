"""A cluster's settings: chosen once, at its first start, and kept in DATA_DIR/cluster.json.

Everything that tells one cluster of this machine from another follows from here: the id that stands in Docker labels and
names of kernel devices, the pod and service ranges, the paths. Nothing else is stored about a cluster outside its store.
"""

from __future__ import annotations

import ipaddress
import json
import os
import pathlib
import secrets
import socket
from dataclasses import asdict, dataclass
from typing import Self

DEFAULT_DATA_DIR = pathlib.Path("/var/lib/naru")
DEFAULT_PORT = 6443
SETTINGS = "cluster.json"


def busy_ranges(route_table: str) -> list[ipaddress.IPv4Network]:
    """The networks in a /proc/net/route table, without the default route."""
    found = []
    for line in route_table.splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
        if mask:
            found.append(ipaddress.IPv4Network((address, mask.bit_count())))
    return found


def free_ranges(busy: list[ipaddress.IPv4Network], first: int = 0) -> tuple[str, str]:
    """A pod range and a service range (both /16) that overlap none of `busy`.

    The search begins at the candidate `first`; the ones of 0 are Kubernetes' own, 10.244 and 10.96.
    """

    def first_free(candidates: range) -> str:
        for i in range(len(candidates)):
            second = candidates[(first + i) % len(candidates)]
            network = ipaddress.IPv4Network(f"10.{second}.0.0/16")
            if not any(network.overlaps(b) for b in busy):
                return str(network)
        raise RuntimeError("no free /16 in 10.0.0.0/8 for a cluster: give pod_range and service_range in cluster.json")

    return first_free(range(244, 180, -1)), first_free(range(96, 160))


@dataclass(frozen=True)
class ClusterConfig:
    """id: four hexadecimal digits; port: the API server's; ranges: CIDR text; node: this machine's node name."""

    id: str
    port: int
    pod_range: str
    service_range: str
    node: str

    @classmethod
    def ensure(cls, data_dir: pathlib.Path, port: int | None = None) -> Self:
        """The settings kept in `data_dir`, made now (directory 0700) if there are none; `port` replaces the kept one."""
        path = data_dir / SETTINGS
        if path.exists():
            config = cls(**json.loads(path.read_text()))
            if port is None or port == config.port:
                return config
            config = cls(**{**asdict(config), "port": port})
        else:
            data_dir.mkdir(parents=True, exist_ok=True)
            data_dir.chmod(0o700)
            cluster = secrets.token_hex(2)
            # The kernel does not tell the ranges of a cluster that is down, or only starting: others begin elsewhere.
            first = 0 if data_dir == DEFAULT_DATA_DIR else int(cluster, 16)
            pods, services = free_ranges(busy_ranges(pathlib.Path("/proc/net/route").read_text()), first)
            config = cls(cluster, port or DEFAULT_PORT, pods, services, socket.gethostname().lower())
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(config), indent=2) + "\n")
        os.replace(new, path)
        return config

    @classmethod
    def read(cls, data_dir: pathlib.Path) -> Self | None:
        """The settings kept in `data_dir`, or None where no cluster was ever started."""
        path = data_dir / SETTINGS
        return cls(**json.loads(path.read_text())) if path.exists() else None
