"""Machines by unmodified kubectl: explained, applied, listed, described, refused; and on a real node found to be true."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import secrets
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from pyroute2 import IPRoute

from tests.e2e.conftest import Cluster
from tests.uplink import cards

EXAMPLES = pathlib.Path(__file__).parents[2] / "manifests" / "hardware"
CLASSROOM, RACK = (str(EXAMPLES / name) for name in ("classroom.yaml", "rack.yaml"))
WAIT = "--timeout=30s"


@pytest.fixture(scope="module")
def declared(cluster: Cluster) -> Cluster:
    """Both examples, each applied the other way."""
    cluster.kubectl("apply", "-f", CLASSROOM)
    cluster.kubectl("apply", "--server-side", "-f", RACK)
    return cluster


def test_machines_are_served_and_explained(cluster: Cluster) -> None:
    resources = cluster.kubectl("api-resources", "--api-group=hardware.naru.dev").stdout.splitlines()
    assert resources[1].split() == ["machines", "mach", "hardware.naru.dev/v1", "false", "Machine"]
    told = " ".join(cluster.kubectl("explain", "machine.spec.hypervisor.switches").stdout.split())
    assert "mode <string> -required-" in told
    assert "hostOnly: no way out of the host" in told
    assert "runsOn <string> The Machine that this one is a virtual machine of" in " ".join(
        cluster.kubectl("explain", "machine.spec", "--recursive=false").stdout.split()
    )


def test_the_examples_are_applied_again_without_a_change(declared: Cluster) -> None:
    again = declared.kubectl("apply", "-f", CLASSROOM).stdout.splitlines()
    assert len(again) == 3
    assert all(line.endswith(" unchanged") for line in again)
    before = declared.kubectl("get", "machine", "vm1", "-o", "jsonpath={.metadata.generation}").stdout
    declared.kubectl("apply", "--server-side", "-f", RACK)
    assert declared.kubectl("get", "machine", "vm1", "-o", "jsonpath={.metadata.generation}").stdout == before


def test_server_side_apply_merges_nics_by_name(declared: Cluster) -> None:
    nic = {"name": "eth1", "switch": "vmbr0", "model": "virtio"}
    more = {
        "apiVersion": "hardware.naru.dev/v1",
        "kind": "Machine",
        "metadata": {"name": "vm1"},
        "spec": {"nics": [nic]},
    }
    declared.kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=json.dumps(more))
    names = declared.kubectl("get", "mach", "vm1", "-o", "jsonpath={.spec.nics[*].name}").stdout
    assert names == "eth0 eth1"


def test_get_shows_the_chain_and_wide_the_rest(declared: Cluster) -> None:
    declared.kubectl("wait", "machines", "--all", "--for=jsonpath={.status.host}", WAIT)
    head, *rows = declared.kubectl("get", "machines").stdout.splitlines()
    assert head.split() == ["NAME", "RUNS-ON", "HOST", "CPU", "MEMORY", "BENEATH", "AGREES", "AGE"]
    shown = {row.split()[0]: row.split()[1:5] for row in rows}
    assert shown["classroom-vm1"] == ["classroom-pc", "classroom-pc", "2", "4Gi"]
    assert shown["rack-b"] == ["<none>", "rack-b", "64", "256Gi"]
    wide = declared.kubectl("get", "machine", "classroom-pc", "-o", "wide").stdout
    assert "VMware Workstation 17" in wide
    assert "vmnet0,vmnet1,vmnet8" in wide
    guests = declared.kubectl("get", "mach", "--field-selector=spec.runsOn=rack-a", "-o", "name").stdout.split()
    assert guests == ["machine.hardware.naru.dev/vm1", "machine.hardware.naru.dev/vm2"]


def test_describe_tells_what_agrees(declared: Cluster) -> None:
    declared.kubectl("wait", "machine/classroom-vm1", "--for=condition=HostFound", WAIT)
    told = " ".join(declared.kubectl("describe", "machine", "classroom-vm1").stdout.split())
    assert "Switch: vmnet8" in told
    assert "Message: Machine classroom-pc is declared." in told
    assert "Reason: NotDiscovered" in told


@pytest.mark.parametrize(
    ("machine", "patch", "why"),
    [
        ("classroom-vm1", {"runsOn": "classroom-vm1"}, "a machine can't run on itself"),
        ("classroom-pc", {"runsOn": "classroom-vm1"}, "classroom-pc -> classroom-vm1 -> classroom-pc"),
        ("classroom-vm1", {"memory": "64Gi"}, "its host classroom-pc has 32Gi"),
        ("classroom-vm1", {"cpu": {"threads": 17}}, "its host classroom-pc has 16"),
        ("classroom-pc", {"memory": "2Gi"}, "Machine classroom-vm1 runs on it"),
        ("classroom-vm1", {"nics": [{"name": "eth0", "switch": "vmnet9"}]}, "its switches: vmnet0, vmnet1, vmnet8"),
        ("classroom-vm1", {"nics": [{"name": "eth0"}]}, "plugged into a switch of its host"),
        ("classroom-vm1", {"nics": [{"name": "eth0", "switch": "vmnet8", "mac": "x"}]}, "must be a hardware address"),
        ("classroom-vm1", {"memory": "much"}, "quantities must match the regular expression"),
        ("classroom-pc", {"hypervisor": {"switches": [{"name": "s", "mode": "bridged"}]}}, "uplink: Required value"),
    ],
)
def test_what_can_not_be_is_refused(declared: Cluster, machine: str, patch: dict[str, object], why: str) -> None:
    body = json.dumps({"spec": patch})
    refused = declared.kubectl("patch", "machine", machine, "--type=merge", "-p", body, check=False)
    assert refused.returncode == 1
    assert why in refused.stderr


@pytest.mark.docker
def test_a_nodes_machine_appears_with_what_is_true(node: Cluster) -> None:
    (name,) = node.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").stdout.split()
    node.kubectl("wait", f"machine/{name}", "--for=condition=Discovered", WAIT)
    machine = json.loads(node.kubectl("get", "machine", name, "-o", "json").stdout)
    status = machine["status"]
    assert machine["spec"] == {}
    assert status["kernel"] == platform.release()
    assert status["architecture"] == platform.machine()
    assert status["cpu"]["threads"] == os.cpu_count()
    total = next(
        line.split()[1] for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line
    )
    assert status["memory"] == f"{total}Ki"
    assert {nic["name"]: nic["mac"] for nic in status.get("nics", [])} == cards()
    assert status["beneath"]["kind"]
    assert status["horizon"]
    # nobody declared what it stands on: it is no host, and its node carries no name of one
    assert "host" not in status
    assert node.kubectl("get", "node", name, "-o", r"jsonpath={.metadata.labels.topology\.naru\.dev/host}").stdout == ""


@pytest.mark.docker
def test_a_disagreement_is_told_and_a_host_named_on_the_node(node: Cluster) -> None:
    (name,) = node.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").stdout.split()
    node.kubectl("wait", f"machine/{name}", "--for=condition=Discovered", WAIT)
    spec = {"runsOn": "box", "cpu": {"threads": 999}}
    node.kubectl("patch", "machine", name, "--type=merge", "-p", json.dumps({"spec": spec}))
    try:
        node.kubectl("wait", f"machine/{name}", "--for=condition=Agrees=false", WAIT)
        told = node.kubectl("describe", "machine", name).stdout
        assert f"cpu: threads 999 declared, {os.cpu_count()} found." in told
        label = r"--for=jsonpath={.metadata.labels.topology\.naru\.dev/host}=box"
        node.kubectl("wait", f"node/{name}", label, WAIT)
    finally:
        node.kubectl(
            "patch", "machine", name, "--type=merge", "-p", json.dumps({"spec": {"runsOn": None, "cpu": None}})
        )
    node.kubectl("wait", f"machine/{name}", "--for=condition=Agrees", WAIT)


@pytest.fixture
def switch() -> Iterator[tuple[str, str]]:
    """A bridge, and a tap that is a port of it."""
    mark = secrets.token_hex(3)
    bridge, tap = f"narub{mark}", f"narut{mark}"
    with IPRoute() as route:
        try:
            route.link("add", ifname=bridge, kind="bridge")
            route.link("add", ifname=tap, kind="tuntap", mode="tap")
            master = route.link_lookup(ifname=bridge)[0]
            route.link("set", index=route.link_lookup(ifname=tap)[0], master=master, state="up")
            yield bridge, tap
        finally:
            for name in (tap, bridge):
                for index in route.link_lookup(ifname=name):
                    route.link("del", index=index)


@pytest.mark.docker
@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")
def test_a_virtual_machine_on_the_node_is_a_machine_with_its_nic_on_that_switch(
    node: Cluster, switch: tuple[str, str]
) -> None:
    bridge, tap = switch
    (name,) = node.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").stdout.split()
    card = ["-netdev", f"tap,id=n,ifname={tap},script=no,downscript=no", "-device", "virtio-net-pci,netdev=n"]
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "32", "-display", "none", "-nodefaults", "-S", *card]
    guest = subprocess.Popen(command)  # its processor is stopped: what plugs it in is the process
    try:
        machine = f"machine/{name}.vm-qemu-system-x86-{guest.pid}"
        node.kubectl("wait", "--for=create", machine, WAIT)
        node.kubectl("wait", machine, f"--for=jsonpath={{.status.nics[0].switch}}={bridge}", WAIT)
        told = json.loads(node.kubectl("get", machine, "-o", "json").stdout)
        assert told["spec"] == {"runsOn": name}
        assert told["status"]["nics"][0]["name"] == tap
        assert told["status"]["nics"][0]["kind"] == "software"
    finally:
        guest.kill()
        guest.wait()
    node.kubectl("wait", "--for=delete", machine, WAIT)
