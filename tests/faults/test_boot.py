"""A cluster that is to start at boot does, on a machine that systemd boots, and comes back if it ends by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.booted import UNITS, Booted, booted
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.faults, pytest.mark.timeout(240)]
WHERE = '/var/lib/a 100% "naru" \\ $HOME'  # a name that a unit has to quote
DATA = ("--data-dir", WHERE)
POD = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "app", "image": "naru/pause:1", "imagePullPolicy": "IfNotPresent"}],
        },
    }
)
MINE = f"{UNITS}/naru-mine.service"


@pytest.fixture
def machine() -> Iterator[Booted]:
    with booted() as made:
        yield made


def test_a_cluster_comes_back_with_its_machine_and_with_its_processes_until_naru_down(machine: Booted) -> None:
    def kubectl(*arguments: str) -> str:
        return machine.naru("kubectl", *DATA, *arguments)

    def restarts() -> str:
        return kubectl("get", "pod", "one", "-o", "jsonpath={.status.containerStatuses[0].restartCount}")

    def containers() -> str:
        return machine.run("docker", "ps", "--quiet", "--no-trunc").stdout

    def server() -> str:
        record = machine.run("cat", f"{WHERE}/run/server.json", check=False).stdout
        return str(json.loads(record)["pid"]) if record else ""

    machine.run("sh", "-c", f"echo '# somebody else wrote it' >{MINE}")
    said = machine.naru("up", "--at-boot", "--port", "7443", *DATA)
    unit = said.partition(": written")[0]
    name = unit.rpartition("/")[2]
    assert said.startswith(f"{UNITS}/naru-") and f"{name}: ready after " in said
    assert machine.run("stat", "--format=%a %U", unit).stdout == "644 root\n"
    assert f"at boot: {name}\n" in machine.naru("status", *DATA)
    machine.run("sh", "-c", f"echo '{POD}' >/tmp/pod.json")
    kubectl("apply", "-f", "/tmp/pod.json")
    kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")

    machine.reboot()
    machine.run("systemctl", "start", name)  # which waits for the start that the boot began
    assert "https://127.0.0.1:7443" in machine.naru("status", *DATA)
    until(lambda: restarts() == "1")
    kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")

    ran, killed = containers(), server()
    machine.run("kill", "-9", killed)
    until(lambda: server() not in ("", killed))
    machine.run("systemctl", "start", name)
    assert f"{name}: ready after " in machine.naru("up", *DATA)  # it is systemd's to run, and does
    machine.run("systemctl", "stop", name)
    assert machine.run("systemctl", "show", "--property=Result", "--value", name).stdout == "success\n"
    assert machine.run("pgrep", "--full", "m naru", check=False).stdout == ""
    machine.run("systemctl", "start", name)
    kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")
    assert (containers(), restarts()) == (ran, "1")

    planned = machine.naru("down", "--dry-run", *DATA)
    assert f"start at boot to be removed: {unit}\n" in planned
    assert f"at boot: {name}\n" in machine.naru("status", *DATA)
    said = machine.naru("down", *DATA)
    assert said.index(f"{name}: stopped") < said.index(unit) < said.index(f"{name}: removed")
    assert machine.run("sh", "-c", f"ls {UNITS}/naru-* {UNITS}/*/naru-*", check=False).stdout == f"{MINE}\n"
    assert containers() == ""
    assert "at boot: nothing starts it" in machine.naru("status", *DATA, check=False)
