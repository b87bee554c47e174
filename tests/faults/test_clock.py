"""The clock is set forward and back, by hours, under a cluster that runs: nothing comes of it but other times of day.

libfaketime tells control plane and agent another time of day; what they wait by, the monotonic clock, goes on as it does
when a clock is set. The engine's can't be turned: to those two its times are as if of before the clock was set.
"""

from __future__ import annotations

import json
import platform
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import Cluster, free_port
from tests.faults.test_engine import available, condition, restarts
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.faults, pytest.mark.timeout(600)]
LIBRARY = Path(f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketimeMT.so.1")
SILENCE = 45  # seconds: a node that was not heard for so long would have been written off
SOON = 30
APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 3
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: naru/base
        imagePullPolicy: IfNotPresent
        command: [sleep, infinity]
        readinessProbe: {exec: {command: ["true"]}, initialDelaySeconds: 1, periodSeconds: 1}
"""
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


class Turned(Cluster):
    """A whole cluster whose clock may be set."""

    @property
    def clock(self) -> Path:
        """What libfaketime reads."""
        return self.data_dir.with_name("clock")

    def turn(self, offset: str) -> None:
        """Set its clock so far from the true time: `+2h`."""
        new = self.clock.with_suffix(".new")
        new.write_text(offset)
        new.replace(self.clock)

    def up(self) -> None:
        """`naru up` by that clock."""
        preloaded = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "NO_FAKE_STAT": "1",
                     "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            for name, value in preloaded.items():
                patch.setenv(name, value)
            self.naru("up", "--detach", "--port", str(self.port))


@pytest.fixture
def turned(tmp_path: Path) -> Iterator[Turned]:
    assert LIBRARY.exists(), "scripts/test_packages.sh installs it"
    cluster = Turned(tmp_path / "data", free_port())
    cluster.turn("+0")
    try:
        cluster.up()
        cluster.kubectl("apply", "-f", "-", stdin=APP)
        available(cluster, 3)
        yield cluster
    finally:
        cluster.turn("+0")
        if cluster.data_dir.joinpath("cluster.json").exists():
            cluster.naru("down", "--delete-data")


@pytest.fixture
def told(turned: Turned) -> Iterator[list[str]]:
    """The names of ConfigMaps, as one watch tells them from now on."""
    names: list[str] = []
    command = turned.command("get", "configmaps", "--watch-only", "-o", "name")
    with subprocess.Popen(command, env=turned.environment(), stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        lines = watching.stdout

        def read() -> None:
            names.extend(line.strip() for line in lines)

        reading = threading.Thread(target=read)
        reading.start()
        yield names
        watching.kill()
        reading.join()


def one_pod(name: str) -> str:
    """A pod like those of the deployment."""
    spec = yaml.safe_load(APP)["spec"]["template"]["spec"]
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def token_is_good(cluster: Turned) -> bool:
    """Whether the API knows who shows the token in a pod's file."""
    token = cluster.kubectl("exec", "deployment/app", "--", "cat", TOKEN).stdout
    who = ["--kubeconfig=/dev/null", f"--server={cluster.url}", f"--certificate-authority={cluster.data_dir}/ca.crt"]
    asked = cluster.kubectl(*who, f"--token={token}", "auth", "whoami", "-o", "name", check=False)
    return asked.returncode == 0


def reasons(cluster: Cluster) -> set[str]:
    items = json.loads(cluster.kubectl("get", "events", "-A", "-o", "json").stdout)["items"]
    return {event["reason"] for event in items}


def test_a_clock_that_is_set_by_hours_under_a_cluster_changes_times_of_day_and_nothing_else(
    turned: Turned, told: list[str]
) -> None:
    before, said = turned.containers(), reasons(turned)
    assert token_is_good(turned)
    for number, offset in enumerate(("+2h", "+0", "-2h", "+0")):
        turned.turn(offset)
        turned.kubectl("create", "configmap", f"at-{number}")
        until(lambda wanted=f"configmap/at-{number}": wanted in told, SOON)
        turned.kubectl("apply", "-f", "-", stdin=one_pod(f"one-{number}"))
        turned.kubectl("wait", "--for=condition=Ready", f"pod/one-{number}", f"--timeout={SOON}s")
        (mine,) = turned.containers(f"label=naru.dev/pod.name=one-{number}", "label=naru.dev/container=app")
        turned.run("docker", "kill", mine)
        turned.kubectl(
            "wait",
            "--for=jsonpath={.status.containerStatuses[0].restartCount}=1",
            f"pod/one-{number}",
            f"--timeout={SOON}s",
        )
        turned.kubectl("wait", "--for=condition=Ready", f"pod/one-{number}", f"--timeout={SOON}s")
        turned.kubectl("delete", "pod", f"one-{number}", f"--timeout={SOON}s")
        time.sleep(SILENCE)  # the silence that must not be heard is what is being tried
        assert condition(turned)["status"] == "True"
        until(lambda: token_is_good(turned), 90)
        assert turned.containers() == before and restarts(turned) == [0, 0, 0]
        assert said <= reasons(turned) and not {"NodeNotReady", "TaintManagerEviction"} & reasons(turned)
        print(f"{offset}: as before")


def test_an_agent_that_starts_after_the_clock_was_set_back_takes_over_what_runs(turned: Turned) -> None:
    before = turned.containers()
    turned.kill("agent")
    turned.turn("-2h")
    turned.up()
    turned.kubectl("rollout", "status", "deployment/app", f"--timeout={SOON}s")
    turned.kubectl("wait", "--for=condition=Ready", "pods", "--all", f"--timeout={SOON}s")
    assert turned.containers() == before and restarts(turned) == [0, 0, 0]
