"""What happens to a whole machine: it sleeps, it reboots, others remove what is Naru's; and what on it is not Naru's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.conftest import Cluster
from tests.e2e.test_crash import APP
from tests.engines import Engine
from tests.faults.test_engine import available, nodes_turn, restarts
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.faults, pytest.mark.timeout(500)]
SLEPT = 120
STRANGERS = 300
KEEPER = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: diary}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: keeper}
spec:
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: naru/base
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "echo started >> /diary/starts; sleep infinity"]
        volumeMounts: [{name: diary, mountPath: /diary}]
      volumes: [{name: diary, persistentVolumeClaim: {claimName: diary}}]
"""


@pytest.fixture
def app(apart: Cluster) -> Cluster:
    """Three replicas that run."""
    apart.kubectl("apply", "-f", "-", stdin=APP)
    available(apart, 3)
    return apart


def events(cluster: Cluster, reason: str) -> list[str]:
    items = json.loads(cluster.kubectl("get", "events", "-A", "-o", "json").stdout)["items"]
    return [event["message"] for event in items if event["reason"] == reason]


def test_a_machine_that_slept_for_two_minutes_loses_nothing(app: Cluster, engine: Engine) -> None:
    before = app.containers()
    asleep = [app.pid("server"), app.pid("agent"), *engine.processes()]
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(SLEPT)  # which is what is being tried
    finally:
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)
    app.kubectl("scale", "deployment/app", "--replicas=4")
    available(app, 4)
    assert before < app.containers()
    assert restarts(app) == [0] * 4
    assert events(app, "NodeNotReady") == []
    nodes = json.loads(app.kubectl("get", "nodes", "-o", "json").stdout)["items"]
    assert [node["spec"].get("taints") for node in nodes] == [None]


def test_after_a_reboot_naru_up_brings_everything_back(app: Cluster, engine: Engine) -> None:
    app.kubectl("apply", "-f", "-", stdin=KEEPER)
    app.kubectl("wait", "--for=condition=Available", "deployment/keeper", "--timeout=60s")
    pods = app.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}").stdout

    app.kill("server", "agent")
    engine.reboot(app.data_dir)
    assert app.containers() == set() and app.devices() == []
    app.naru("up", "--detach")

    app.kubectl(
        "wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pods", "--all", "--timeout=100s"
    )
    nodes_turn(app, "True")
    available(app, 3)
    app.kubectl("wait", "--for=condition=Available", "deployment/keeper", "--timeout=60s")
    assert app.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}").stdout == pods
    assert restarts(app) == [1] * 4
    assert len(app.containers()) == 2 * len(app.devices()) == 8
    diary = app.kubectl("exec", "deployment/keeper", "--", "cat", "/diary/starts").stdout
    assert diary.split() == ["started", "started"]


def test_what_other_programs_remove_is_made_again_and_told(app: Cluster) -> None:
    before, bridge = app.containers(), f"naru-{app.id}"

    app.run("ip", "link", "delete", bridge)
    until(lambda: any(f"device {bridge}" in told for told in events(app, "NetworkMended")))
    app.run("nft", "flush", "ruleset")
    until(lambda: any(f"rules of table naru_{app.id}" in told for told in events(app, "NetworkMended")))
    taken = app.devices()[0]
    app.run("ip", "link", "delete", taken)
    until(lambda: taken in app.devices())
    links = json.loads(app.run("ip", "-json", "link").stdout)
    assert [link["master"] for link in links if link["ifname"] in app.devices()] == [bridge] * 3
    assert (app.containers(), restarts(app)) == (before, [0, 0, 0])

    app.run("docker", "rm", "--force", *before)
    app.kubectl(
        "wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pods", "--all", "--timeout=100s"
    )
    available(app, 3)
    assert len(app.containers()) == 6 and not before & app.containers()


@pytest.fixture
def strangers(engine: Engine) -> Iterator[list[str]]:
    """Containers that are not ours: most are only made, some run, and one says that it is another cluster's."""

    def make(number: int) -> str:
        label = ["--label=naru.dev/cluster=beef"] if number == 0 else []
        how = ["run", "--detach"] if number < 5 else ["create"]
        return engine.docker(*how, "--network=none", *label, "naru/base", "sleep", "infinity").stdout.decode().strip()

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(make, range(STRANGERS)))
    yield made
    engine.docker("rm", "--force", *made)


def as_they_are(engine: Engine, ids: list[str]) -> Any:
    return [
        (seen["Id"], seen["State"], seen["Name"], seen["HostConfig"])
        for seen in json.loads(engine.docker("inspect", *ids).stdout)
    ]


def test_hundreds_of_containers_that_are_not_ours_are_left_alone(
    strangers: list[str], app: Cluster, engine: Engine
) -> None:
    before = as_they_are(engine, strangers)
    app.run("docker", "kill", sorted(app.containers("label=naru.dev/container=app"))[0])
    until(lambda: restarts(app) == [0, 0, 1])
    app.kubectl("scale", "deployment/app", "--replicas=1")
    app.kubectl("wait", "--for=jsonpath={.status.replicas}=1", "deployment/app", "--timeout=60s")
    ticks = subprocess.run(["ps", "-o", "cputimes=", str(app.pid("agent"))], capture_output=True, text=True).stdout
    print(f"agent beside {STRANGERS} strangers: {ticks.strip()} s of CPU since its start")
    app.naru("down")
    assert as_they_are(engine, strangers) == before
