"""200 requests a second through the three tiers, each written to the database: none fails, whatever is done beneath it.

Only a web container that is killed takes with it the connections that it had, or that its kernel had taken for it: nobody
between it and its client could ask again. Those are counted, and are all that may fail. It takes a machine that can do 200
requests a second: on one that is busy otherwise the tiers themselves fall behind.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.e2e.conftest import Cluster, free_port
from tests.e2e.load import Tally, steady
from tests.e2e.test_shop import MANIFESTS, free_node_port

pytestmark = [pytest.mark.docker, pytest.mark.faults, pytest.mark.timeout(600)]
PER_SECOND = 200


class Shop(NamedTuple):
    """The three tiers on a cluster, and where they answer."""

    cluster: Cluster
    url: str

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", "shop", *arguments).stdout

    def rolled_out(self, *tiers: str) -> None:
        for tier in tiers:
            self.kubectl("rollout", "status", f"deployment/{tier}", "--timeout=100s")

    def settled(self, tier: str, replicas: int) -> None:
        self.rolled_out(tier)
        self.kubectl("wait", f"--for=jsonpath={{.status.replicas}}={replicas}", f"deployment/{tier}", "--timeout=60s")

    def heal(self, tier: str) -> None:
        """Kill the container of each pod, one after the other has come back."""
        for pod in json.loads(self.kubectl("get", "pods", "-l", f"app={tier}", "-o", "json"))["items"]:
            (container,) = pod["status"]["containerStatuses"]
            self.cluster.run("docker", "kill", container["containerID"].removeprefix("docker://"))
            restarts = "jsonpath={.status.containerStatuses[0].restartCount}"
            for what in (f"{restarts}={container['restartCount'] + 1}", "condition=Ready"):
                self.kubectl("wait", f"pod/{pod['metadata']['name']}", f"--for={what}", "--timeout=60s")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    cluster, port = Cluster(tmp_path_factory.mktemp("shop"), free_port()), free_node_port()
    try:
        cluster.naru("up", "--detach", "--port", str(cluster.port))
        applied = cluster.data_dir / "shop.yaml"
        manifests = "".join(path.read_text() for path in sorted(MANIFESTS.glob("*.yaml")))
        applied.write_text(manifests.replace("nodePort: 30080", f"nodePort: {port}"))
        cluster.naru("apply", "-f", str(applied), "--timeout", "100")
        yield Shop(cluster, f"http://127.0.0.1:{port}/")
    finally:
        if cluster.data_dir.joinpath("cluster.json").exists():
            cluster.naru("down", "--delete-data")


def unharmed(what: str, tally: Tally) -> None:
    print(f"{what}: {len(tally.failures)} of {tally.sent} failed {Counter(f[:40] for f in tally.failures)}")
    assert tally.sent > PER_SECOND
    assert tally.failures == []


def test_rolling_updates_of_both_tiers_fail_no_request(shop: Shop) -> None:
    with steady(shop.url, PER_SECOND) as tally:
        for tier in ("was", "web"):
            shop.kubectl("set", "env", f"deployment/{tier}", f"VERSION={random.random()}")
            shop.rolled_out(tier)
    unharmed("rolling updates", tally)


def test_scaling_fails_no_request(shop: Shop) -> None:
    with steady(shop.url, PER_SECOND) as tally:
        for tier, replicas in (("web", 1), ("web", 10), ("web", 2), ("was", 5), ("was", 2), ("was", 3)):
            shop.kubectl("scale", f"deployment/{tier}", f"--replicas={replicas}")
            shop.settled(tier, replicas)
    unharmed("scaling web 2 → 1 → 10 → 2, was 3 → 5 → 2 → 3", tally)


def test_restarts_of_control_plane_and_agent_fail_no_request(shop: Shop) -> None:
    with steady(shop.url, PER_SECOND) as tally:
        for names in (("server",), ("agent",), ("server", "agent")):
            shop.cluster.kill(*names)
            shop.cluster.naru("up", "--detach")
            shop.kubectl("get", "pods")
    unharmed("kill -9 of server, agent and both", tally)


def test_heals_of_one_was_of_three_fail_no_request(shop: Shop) -> None:
    with steady(shop.url, PER_SECOND) as tally:
        shop.heal("was")
    unharmed("heals of was", tally)


def test_heals_of_one_web_of_two_fail_only_what_it_was_answering(shop: Shop) -> None:
    with steady(shop.url, PER_SECOND) as tally:
        shop.heal("web")
    print(f"heals of web: {len(tally.failures)} of {tally.sent} failed {Counter(f[:40] for f in tally.failures)}")
    refused = [failure for failure in tally.failures if "ConnectionRefusedError" in failure]
    assert refused == [], f"{len(refused)} of {tally.sent} met the dead address"
