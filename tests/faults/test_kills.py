"""kill -9 of control plane, agent or both, twenty times, at random moments of rolling updates and of scaling 1 → 10 → 2.

The moments and the victims come from a seed, which is printed: `NARU_SEED=N make test-faults` tries the same again. Somebody
writes all the while; what was answered must be there in the end. After each death the cluster must come to what was asked
for, without restarting what was well, and with as many containers and devices as there are pods.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Cluster
from tests.e2e.test_crash import APP, named

pytestmark = [pytest.mark.docker, pytest.mark.faults, pytest.mark.timeout(1500)]
DEATHS = 20
VICTIMS = (("server",), ("agent",), ("server", "agent"))
SCALES = (1, 10, 2)


class Writer:
    """Somebody who creates an object after the other, and remembers what was answered."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._stop = cluster, threading.Event()
        self.answered: list[str] = []
        self._thread = threading.Thread(target=self._write, name="writer")

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            done = self._cluster.kubectl("create", "-f", "-", stdin=named(f"c{number}"), check=False)
            if done.returncode == 0:
                self.answered.append(f"c{number}")
            else:  # its server is away
                self._stop.wait(0.2)


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get("NARU_SEED") or random.randrange(10**6))
    print(f"NARU_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def writer(node: Cluster) -> Iterator[Writer]:
    with Writer(node) as writing:
        yield writing


def pods(cluster: Cluster) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(cluster.kubectl("get", "pods", "-o", "json").stdout)["items"]
    return items


def come_to(cluster: Cluster, replicas: int) -> None:
    """Until it is what was asked for: so many pods of the newest template, all ready, and no other."""
    cluster.kubectl("rollout", "status", "deployment/app", "--timeout=100s")
    cluster.kubectl("wait", f"--for=jsonpath={{.status.replicas}}={replicas}", "deployment/app", "--timeout=60s")
    for pod in pods(cluster):
        if pod["metadata"].get("deletionTimestamp"):
            cluster.kubectl("wait", "--for=delete", f"pod/{pod['metadata']['name']}", "--timeout=60s")


def check(cluster: Cluster, replicas: int) -> None:
    """Nothing was restarted, nothing is twice, nothing is left over."""
    found = pods(cluster)
    assert len(found) == replicas
    assert [pod["status"]["containerStatuses"][0]["restartCount"] for pod in found] == [0] * replicas
    command = ["docker", "ps", "--all", f"--filter=label=naru.dev/cluster={cluster.id}"]
    command.append('--format={{.Label "naru.dev/pod.uid"}} {{.Label "naru.dev/kind"}} {{.State}}')
    uids = [pod["metadata"]["uid"] for pod in found]
    expected = sorted(f"{uid} {kind} running" for uid in uids for kind in ("sandbox", "container"))
    assert sorted(cluster.run(*command).stdout.splitlines()) == expected
    assert len(cluster.devices()) == replicas


def test_twenty_deaths_lose_nothing_repeat_nothing_and_leave_nothing(
    node: Cluster, rng: random.Random, writer: Writer
) -> None:
    node.kubectl("apply", "-f", "-", stdin=APP)
    replicas = 3
    come_to(node, replicas)
    for death in range(DEATHS):
        names, moment = rng.choice(VICTIMS), rng.uniform(0, 3)
        if death % 2:
            what = f"rolling update {death}"
            node.kubectl("set", "env", "deployment/app", f"VERSION={death}")
        else:
            replicas = SCALES[death // 2 % len(SCALES)]
            what = f"scaling to {replicas}"
            node.kubectl("scale", "deployment/app", f"--replicas={replicas}")
        print(f"{what}: after {moment:.2f} s {' and '.join(names)} die")
        time.sleep(moment)  # the moment is what is being tried
        node.kill(*names)
        node.naru("up", "--detach")
        begun = time.monotonic()
        come_to(node, replicas)
        print(f"    as asked for {time.monotonic() - begun:.1f} s later")
        check(node, replicas)

    answered = [*writer.answered]
    told = node.kubectl("get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}").stdout.split()
    print(f"{len(answered)} writes answered")
    assert answered and {*answered} <= {*told}
    node.kubectl("delete", "deployment/app", "--cascade=foreground", "--timeout=60s")
    node.kubectl("wait", "--for=delete", "pods", "--all", "--timeout=60s")
    check(node, 0)
