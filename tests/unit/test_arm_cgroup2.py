"""A server that this was never run on: arm64, cgroup v2 alone, systemd's slices, a container under a limit set above it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.hardware.discovery import Discovery
from agent.hardware.evidence import Tree
from agent.hardware.machine import status_of
from agent.hardware.memory import observe_memory
from agent.hardware.view import NodeView
from agent.hardware.witnesses import check
from kubeapi.clock import SystemClock
from kubeapi.hardware_v1.layers import Layers
from tests.machines import Files, arm, grow

ID = "c0ffee" + "0" * 58
SCOPE = f"/system.slice/docker-{ID}.scope"
SLICE = "/sys/fs/cgroup/system.slice"
NETNS, OTHER = 4026531840, 4026532300
MOUNTS = "22 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n"
MOUNTS += "31 22 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def process(pid: int, name: str, parent: int, cgroup: str, netns: int = NETNS) -> Files:
    place = f"/proc/{pid}"
    rollup = "Rss: 9000 kB\nPss: 6000 kB\nPrivate_Clean: 1000 kB\nPrivate_Dirty: 3000 kB\nSwapPss: 0 kB\n"
    return {
        f"{place}/stat": f"{pid} ({name}) S {parent} 1 1 0 -1 0\n",
        f"{place}/cgroup": f"0::{cgroup}\n",
        f"{place}/ns/net": Path(f"net:[{netns}]"),
        f"{place}/smaps_rollup": rollup,
        f"{place}/status": "VmSize: 20000 kB\nVmRSS: 9000 kB\n",
    }


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    files = arm() | {
        "/proc/sys/kernel/arch": "aarch64\n",
        "/proc/self/mountinfo": MOUNTS,
        "/proc/self/cgroup": "0::/system.slice/naru.service\n",
        "/proc/self/ns/net": Path(f"net:[{NETNS}]"),
        "/proc/self/smaps_rollup": "Pss: 6000 kB\n",
        f"{SLICE}/memory.max": "134217728\n",
        f"{SLICE}/naru.service/memory.stat": "anon 1\n",
        f"/sys/fs/cgroup{SCOPE}/memory.current": "20971520\n",
        f"/sys/fs/cgroup{SCOPE}/memory.max": "max\n",
        f"/sys/fs/cgroup{SCOPE}/memory.swap.current": "0\n",
        f"/sys/fs/cgroup{SCOPE}/memory.stat": "anon 8388608\nfile 12582912\ninactive_file 4194304\n",
        f"/sys/fs/cgroup{SCOPE}/memory.events": "oom 2\noom_kill 2\n",
    }
    files |= process(100, "dockerd", 1, "/system.slice/docker.service")
    files |= process(110, "containerd", 100, "/system.slice/docker.service")
    files |= process(120, "containerd-shim", 1, "/system.slice/docker.service")
    files |= process(130, "nginx", 120, SCOPE, OTHER) | process(131, "nginx", 130, SCOPE, OTHER)
    return grow(tmp_path, files)


def told(tree: Tree) -> Layers:
    async def read() -> Layers:
        discovery = Discovery(NodeView("arm", SystemClock(), root=tree.root))
        try:
            return await discovery.layers()
        finally:
            await discovery.close()

    return asyncio.run(read())


def test_the_tower_stands_from_an_arm_core_to_a_container_in_its_scope(tree: Tree) -> None:
    layers = told(tree)
    status = status_of(layers)
    assert (status.architecture, status.cpu and status.cpu.model) == ("aarch64", "ARM Neoverse-N1")
    assert status.beneath and status.beneath.kind == "unknown"  # no flag, no CPUID: nothing found proves nothing
    cpu = layers.part("cpu")
    assert cpu and cpu.fact("hypervisor flag") is None and cpu.fact("virtualization flag") is None
    (container,) = (part for part in layers.parts if part.kind == "container")
    assert container.value("cgroupMode") == "v2"
    assert container.value("cgroup") == f"/sys/fs/cgroup{SCOPE}"
    assert (container.value("memory"), container.value("limit")) == (20971520, 134217728)
    limit = container.fact("limit")
    assert limit and limit.note == "set above it" and limit.evidence[0].source == f"{SLICE}/memory.max"
    shim = layers.part(f"shim/{ID[:12]}")
    assert shim and shim.on == "containerd"
    assert {part.name for part in layers.parts if part.kind == "process"} == {"nginx"}


def test_memory_is_what_v2_charges_without_what_can_be_dropped(tree: Tree) -> None:
    container = observe_memory(tree, told(tree)).part(f"container/{ID[:12]}")
    assert container
    facts = {fact.name: fact.value for fact in container.facts}
    assert (facts["charged"], facts["workingSet"], facts["oomKills"]) == (20971520, 16777216, 2)
    assert (facts["cache"], facts["anonymous"], facts["proportional"]) == (12582912, 8388608, 2 * 6000 * 1024)


def test_what_such_a_kernel_offers_is_found_by_its_files(tree: Tree) -> None:
    found = {capability.name: capability for capability in check(tree)}
    assert found["cgroup memory"].state == "offered" and found["cgroup memory"].says.startswith(
        "v2: memory is counted in v2"
    )
    assert found["smaps_rollup"].state == "offered"
