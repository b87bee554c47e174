"""The whole example: three tiers answer, each heals when its containers are killed, and its rows outlive the cluster.

One cluster for all of it: the demo makes it, `naru down` ends it, `naru up` brings it back.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from naru.config import ClusterConfig, busy_ranges
from tests.e2e.conftest import Cluster, free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
ROOT = pathlib.Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests" / "shop"
KILLED = ("web: container nginx", "was: container server", "db: container postgres", "was: the sandbox")


class Shop(NamedTuple):
    """The cluster on which the demo ran, where its web tier answers, and what the demo said."""

    cluster: Cluster
    node_port: int
    said: str

    def manifests(self) -> str:
        """The example, at this shop's NodePort."""
        text = "".join(path.read_text() for path in sorted(MANIFESTS.glob("*.yaml")))
        return text.replace("nodePort: 30080", f"nodePort: {self.node_port}")

    def visit(self) -> dict[str, str | int]:
        """One request through all tiers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.node_port, timeout=5)
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        told: dict[str, str | int] = json.loads(body)
        return told


def free_node_port() -> int:
    """A port of the range for NodePorts that no other cluster's rules mention."""
    rules = output("nft", "list", "ruleset")
    return next(port for port in range(31000, 32000) if str(port) not in rules)


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    cluster, node_port = Cluster(tmp_path_factory.mktemp("shop"), free_port()), free_node_port()
    command = [sys.executable, str(ROOT / "scripts" / "demo.py"), "--data-dir", str(cluster.data_dir)]
    command += ["--port", str(cluster.port), "--node-port", str(node_port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    try:
        assert done.returncode == 0, done.stdout + done.stderr + cluster.logs()
        yield Shop(cluster, node_port, done.stdout)
    finally:
        if cluster.data_dir.exists():
            cluster.naru("down", "--delete-data")


def left_behind(cluster: str, ranges: tuple[str, ...]) -> list[str]:
    """What of a cluster is still in the engine or the kernel: containers, devices, tables, routes (within its ranges)."""
    containers = output("docker", "ps", "-aq", "--filter", f"label=naru.dev/cluster={cluster}").split()
    devices = [name for name in os.listdir("/sys/class/net") if cluster in name]
    tables = [line for line in output("nft", "list", "tables").splitlines() if cluster in line]
    own = [ipaddress.IPv4Network(r) for r in ranges]
    kernel = busy_ranges(pathlib.Path("/proc/net/route").read_text())
    routes = [str(route) for route in kernel if any(route.overlaps(n) for n in own)]
    return [*containers, *devices, *tables, *routes]


def test_every_tier_healed_and_no_row_was_lost(shop: Shop) -> None:
    assert "answered by 2 web pods, 3 was pods, 1 db pods" in shop.said
    for what in KILLED:
        assert re.search(rf"{what} +\d+ ms +\d+ ms +\d+ of \d+ answered", shop.said), shop.said
    assert re.search(r"rows: 0 before, (\d+) more acknowledged, \d+ in the database: none lost", shop.said)


def restarts(shop: Shop) -> dict[str, int]:
    """The restarts that `kubectl get pods` shows, summed per tier."""
    told = {"web": 0, "was": 0, "db": 0}
    for pod in json.loads(shop.cluster.kubectl("get", "pods", "-n", "shop", "-o", "json").stdout)["items"]:
        told[pod["metadata"]["labels"]["app"]] += sum(s["restartCount"] for s in pod["status"]["containerStatuses"])
    return told


def test_users_see_the_restarts(shop: Shop) -> None:
    assert restarts(shop) == {"web": 1, "was": 2, "db": 1}


def test_rows_outlive_down_and_up_and_nothing_else_of_the_cluster_stays(shop: Shop) -> None:
    config = ClusterConfig.read(shop.cluster.data_dir)
    assert config is not None
    before = int(shop.visit()["count"])
    ranges = (config.pod_range, config.service_range)
    assert left_behind(config.id, ranges)  # it sees what is there, so that what it does not see is gone
    said = shop.cluster.naru("down")
    assert "objects and volumes stay" in said
    assert left_behind(config.id, ranges) == []
    shop.cluster.naru("up", "--detach")
    path = shop.cluster.data_dir / "shop.yaml"
    path.write_text(shop.manifests())
    said = shop.cluster.naru("apply", "-f", str(path), "--timeout", "90")
    assert said.splitlines()[-1].startswith("10 unchanged; all ready after ")
    after = shop.visit()
    assert after["count"] == before + 1
    assert restarts(shop) == {"web": 1 + 2, "was": 2 + 3, "db": 1 + 1}  # the same pods, each container once more
    assert str(after["pod"]).startswith("was-") and str(after["db"]).startswith("db-")


def test_delete_data_takes_volumes_and_directory_too(shop: Shop) -> None:
    config = ClusterConfig.read(shop.cluster.data_dir)
    assert config is not None
    volumes = ("docker", "volume", "ls", "-q", "--filter", f"label=naru.dev/cluster={config.id}")
    assert output(*volumes)
    shop.cluster.naru("down", "--delete-data")
    assert output(*volumes) == ""
    assert not shop.cluster.data_dir.exists()
