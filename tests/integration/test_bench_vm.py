"""A real virtual machine with a tap on a switch: it is found, it is a Machine with its NIC, it is measured.

The server is busybox's, on a disk of two files, so that a guest is up in seconds where it has to be emulated.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.hardware.discovery import Discovery
from agent.hardware.machine import guests_of
from agent.hardware.view import NodeView
from benchmarks.vm.guest import QEMU, Accelerator, Files, Guest, boot
from benchmarks.vm.initramfs import Server
from benchmarks.vm.kernel import KernelError, cache, ensure_kernel
from benchmarks.vm.measure import measure, prepared
from benchmarks.vm.report import MIB, table
from benchmarks.vm.switch import Switch, switch
from kubeapi.clock import SystemClock
from kubeapi.hardware_v1.layers import Layers
from kubeapi.hardware_v1.memory import Memory
from naru.layers.as_vms import BENCH, as_vms, bench

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which(QEMU) or not shutil.which("busybox") or not shutil.which("docker"),
        reason="needs root, QEMU, busybox and a Docker Engine",
    ),
]

IMAGE, RAM = "naru-test/httpd:bench-vm", 128 * MIB
EMULATED = Accelerator("tcg", "it works everywhere")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """An image of two files: busybox, and a page."""
    busybox = Path(shutil.which("busybox") or "").read_bytes()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in (("busybox", busybox), ("healthz", b"ok\n")):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    change = 'CMD ["/busybox", "httpd", "-f", "-p", "8080", "-h", "/"]'
    subprocess.run(
        ["docker", "import", "--change", change, "-", IMAGE], input=made.getvalue(), check=True, capture_output=True
    )
    yield Server.of(IMAGE, "/healthz", 8080)
    subprocess.run(["docker", "image", "rm", "-f", IMAGE], check=True, capture_output=True)


@pytest.fixture(scope="module")
def ready(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A guest's files."""
    try:
        kernel = ensure_kernel(cache())
    except KernelError as error:
        pytest.skip(f"no kernel for a guest: {error}")
    return prepared(tmp_path_factory.mktemp("vm"), kernel, server)


@pytest.fixture(scope="module")
def on() -> Iterator[Switch]:
    """A switch of its own."""
    with switch() as made:
        yield made


@pytest.fixture(scope="module")
def guest(ready: Files, on: Switch) -> Iterator[Guest]:
    """A running guest, whose server has answered over the tap."""
    with boot(ready, on, EMULATED, RAM) as running:
        yield running


@pytest.fixture
async def layers(guest: Guest) -> Any:
    """What discovery makes of this machine now."""
    discovery = Discovery(NodeView(name="here", clock=SystemClock()))
    try:
        yield await discovery.layers()
    finally:
        await discovery.close()


async def test_a_running_guest_is_found_with_its_software_nic_on_the_switch(
    layers: Layers, guest: Guest, on: Switch
) -> None:
    machine = layers.part(f"vm/{guest.pid}")
    assert machine is not None and machine.kind == "vm"
    [tap] = [part for part in layers.parts if part.name == on.tap]
    [bridge] = [part for part in layers.parts if part.name == on.bridge]
    assert (tap.kind, bridge.kind) == ("tap", "bridge")
    ties = {(link.kind, frozenset((link.source, link.target))) for link in layers.links}
    assert ("backs", frozenset((machine.id, tap.id))) in ties
    assert ("port", frozenset((tap.id, bridge.id))) in ties


async def test_it_becomes_a_machine_with_a_nic_on_that_switch(layers: Layers, guest: Guest, on: Switch) -> None:
    [found] = [one for one in guests_of(layers) if one.name.endswith(f"-{guest.pid}")]
    [nic] = found.status.nics
    assert (nic.name, nic.kind, nic.switch) == (on.tap, "software", on.bridge)


def test_the_guest_tells_of_a_kernel_and_memory_of_its_own(guest: Guest) -> None:
    told = guest.told()
    assert 64 * MIB < told["MemTotal"] < RAM
    assert told["Programs"] >= 2 and told["Threads"] > 10


def test_both_sides_are_measured_and_the_comparison_takes_the_numbers(ready: Files, tmp_path: Path) -> None:
    with switch() as other:
        result = measure(ready, other, EMULATED, RAM, 1, ensure_kernel(cache()))
    assert result.guest.seconds.range.low > result.container.seconds.range.low > 0
    assert result.guest.memory.range.low > 5 * result.container.memory.range.low > 0
    assert 0 < result.guest_kernel.range.low < RAM
    assert "emulated: it works everywhere" in table(result)
    (tmp_path / BENCH).write_bytes(result.to_json())
    compared = as_vms(Layers(), Memory(), bench(tmp_path))
    [own] = [one for one in compared.hypervisors if one.name == "measured here"]
    boot_time = own.cost("boot time")
    assert boot_time is not None and boot_time.machines == result.guest.seconds.range
    assert boot_time.now == result.container.seconds.range.typical


def test_nothing_of_a_switch_is_left_behind() -> None:
    with pytest.raises(RuntimeError), switch() as made:
        raise RuntimeError("whatever goes wrong")
    left = os.listdir("/sys/class/net")
    assert made.bridge not in left and made.tap not in left
