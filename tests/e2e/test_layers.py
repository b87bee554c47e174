"""The example as `naru layers` shows it: what runs is in the tree, by the names of the kernel and the engine."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from kubeapi.hardware_v1.layers import Layers
from naru.layers.tower import Tower
from tests.e2e.conftest import Cluster
from tests.uplink import kind_of, way_out

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

RESTARTS = "{.status.containerStatuses[0].restartCount}"


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def running(cluster: Cluster) -> list[dict[str, str]]:
    """The cluster's running containers as the engine tells them: id, pid, and the pod's and the container's name."""
    ids = output("docker", "ps", "-q", "--filter", f"label=naru.dev/cluster={cluster.id}").split()
    return [
        {
            "id": told["Id"][:12],
            "pid": str(told["State"]["Pid"]),
            "pod": f"{labels['naru.dev/pod.namespace']}/{labels['naru.dev/pod.name']}",
            "container": labels.get("naru.dev/container", ""),
        }
        for told in json.loads(output("docker", "inspect", *ids))
        for labels in [told["Config"]["Labels"]]
    ]


def veth_of(pid: str) -> str:
    """The host's end of a container's eth0, as the kernel tells it: the device of the number that eth0 is linked to."""
    inside = json.loads(output("nsenter", "-t", pid, "-n", "ip", "-j", "link", "show", "dev", "eth0"))
    devices = json.loads(output("ip", "-j", "link"))
    return next(str(device["ifname"]) for device in devices if device["ifindex"] == inside[0]["link_index"])


def test_every_pod_and_container_that_runs_is_told_with_its_real_veth(shop_node: Cluster) -> None:
    containers = running(shop_node)
    assert len({told["pod"] for told in containers}) == 6
    printed = shop_node.naru("layers")
    layers = Layers.from_json(shop_node.naru("layers", "-o", "json"))
    for told in containers:
        line = next(line for line in printed.splitlines() if f"pod {told['pod']}" in line)
        assert f"eth0 ⇄ {veth_of(told['pid'])} ▸ naru-{shop_node.id}" in line
        found = layers.part(f"container/{told['id']}")
        assert found and found.on == f"pod/{told['pod']}" and str(found.value("pid")) == told["pid"]
        assert not told["container"] or f"pid {told['pid']}" in printed


def test_one_screen_shows_the_example(shop_node: Cluster) -> None:
    others = output("ip", "-o", "link", "show", "type", "bridge").count("\n")  # of whatever else this machine runs
    assert len(shop_node.naru("layers").splitlines()) < 50 + others


def test_a_pods_way_is_its_own_and_ends_where_packets_leave_the_machine(shop_node: Cluster) -> None:
    pods = sorted({told["pod"] for told in running(shop_node) if told["pod"].startswith("shop/web")})
    chosen = Layers.from_json(shop_node.naru("layers", "-o", "json", "--select", pods[0]))
    tower = Tower(chosen)
    assert [pod.id for pod in tower.pods()] == [f"pod/{pods[0]}"]
    assert {"service", "bridge", "nat", "engine", "containerd", "shim", "kernel"} <= {p.kind for p in chosen.parts}
    end = way_out()
    (found,) = (part for id in tower.ways_out if (part := tower.parts[id]).name == end["ifname"])
    assert (found.kind, found.value("mac")) == (kind_of(end), end["address"])


def test_a_killed_container_is_the_difference(shop_node: Cluster, tmp_path: pathlib.Path) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(shop_node.naru("layers", "-o", "json"))
    victim = next(told for told in running(shop_node) if told["container"] == "nginx")
    count = int(shop_node.kubectl("get", "pod", "-n", "shop", pod(victim), "-o", f"jsonpath={RESTARTS}").stdout)
    output("docker", "kill", victim["id"])
    shop_node.kubectl(
        "wait", f"--for=jsonpath={RESTARTS}={count + 1}", "-n", "shop", "pod", pod(victim), "--timeout=60s"
    )
    shop_node.kubectl("wait", "--for=condition=Ready", "-n", "shop", "pod", pod(victim), "--timeout=60s")
    after.write_text(shop_node.naru("layers", "-o", "json"))
    successor = next(t for t in running(shop_node) if t["pod"] == victim["pod"] and t["container"] == "nginx")
    command = [sys.executable, "-m", "naru", "layers", "--diff", str(before), str(after), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    ids = {"part": f"container/{successor['id']}", "what": "id", "before": f"container/{victim['id']}"}
    assert ids | {"after": ids["part"]} in found["changed"]
    gone = {part["id"] for part in found["vanished"]}
    assert gone.isdisjoint({f"container/{victim['id']}", f"pod/{victim['pod']}"})


def pod(told: dict[str, str]) -> str:
    """A container's pod, without the namespace."""
    return told["pod"].split("/")[1]
