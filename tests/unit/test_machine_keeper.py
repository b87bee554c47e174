"""The Machine that a node is: made, told as it was found, and left alone while nothing changes."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from agent.hardware.evidence import fact
from agent.hardware.hotplug import is_news
from agent.hardware.keeper import MachineKeeper, unclaimed
from agent.hardware.machine import guests_of, status_of
from agent.netlink.messages import Message, attribute, nested
from agent.netlink.sockets import UEVENT
from controlplane.controllers.machines import MachineController
from kubeapi.errors import ApiError
from kubeapi.hardware_v1.layers import Floor, Horizon, Layers, Link, Part, Value
from kubeapi.hardware_v1.types import Machine
from kubeapi.meta_v1.types import Condition
from naru.simulation.virtual import virtually
from tests.plane import Plane, by_name

GIB = 1 << 30


def part(id: str, kind: str, name: str, floor: Floor = "hardware", **facts: Value) -> Part:
    return Part(
        id=id, kind=kind, name=name, floor=floor, facts=[fact(n.replace("_", " "), v) for n, v in facts.items()]
    )


def layers(memory: int = 4 * GIB, *more: Part, links: list[Link] | None = None) -> Layers:
    """A small machine: two cards, of which one is in a switch with a pod's veth, and a pod's own namespace."""
    parts = [
        part("machine", "machine", "m"),
        part("cpu", "cpu", "EPYC", sockets=1, cores=2, cpus=4, model="EPYC"),
        part("memory", "memory", "RAM", total=memory),
        part("disk/vda", "disk", "vda", size=20 * GIB, sort="paravirtual", rotational=True),
        part("disk/nvme0n1", "disk", "nvme0n1", size=10**12, sort="physical", rotational=False),
        part("disk/loop0", "disk", "loop0", size=GIB, sort="software"),
        part("hypervisor", "hypervisor", "QEMU on KVM", "hypervisor", hypervisor="KVM", monitor="QEMU"),
        part("kernel", "kernel", "Linux", "kernel", release="6.1", arch="x86_64", os="Debian", hosts_machines=False),
        part("netns/1", "netns", "host", "network"),
        part("netns/2", "netns", "2", "network"),
        part("link/1/2", "nic", "eth0", mac="52:54:00:00:00:01", sort="physical", driver="igc", bus="pci", speed=2500),
        part("link/1/3", "nic", "eth1", mac="52:54:00:00:00:02", sort="paravirtual", driver="virtio_net", speed=None),
        part("link/1/4", "nic", "odd", "network", sort="software"),
        part("link/1/5", "bridge", "br0", "network"),
        part("link/1/6", "veth", "va", "network"),
        part("link/2/2", "nic", "elsewhere", sort="physical"),
        part("link/2/3", "bridge", "hidden", "network"),
    ]
    ports = [
        Link(kind="port", source="link/1/3", target="link/1/5"),
        Link(kind="port", source="link/1/6", target="link/1/5"),
    ]
    horizons = [Horizon(part="hypervisor", says="Unknown below."), Horizon(part="link/1/2", says="A wire.")]
    return Layers(parts=[*parts, *more], links=[*ports, *(links or [])], horizons=horizons)


def with_guest() -> Layers:
    tap, vm = part("link/1/7", "tap", "tap0", "network"), part("vm/4711", "vm", "qemu-system-x86", "hypervisor")
    links = [
        Link(kind="backs", source="vm/4711", target="link/1/7"),
        Link(kind="port", source="link/1/7", target="link/1/5", note="behind it: 02:00:00:4e:61:72"),
    ]
    return layers(4 * GIB, tap, vm, links=links)


def test_status_is_what_was_found_of_hardware_and_nothing_of_pods() -> None:
    assert status_of(layers()).to_dict() == {
        "architecture": "x86_64",
        "operatingSystem": "Debian",
        "kernel": "6.1",
        "cpu": {"sockets": 1, "cores": 2, "threads": 4, "model": "EPYC"},
        "memory": "4Gi",
        "disks": [
            {"name": "vda", "size": "20Gi", "kind": "virtual"},
            {"name": "nvme0n1", "size": "976562500Ki", "kind": "nvme"},
        ],
        "nics": [
            {
                "name": "eth0",
                "mac": "52:54:00:00:00:01",
                "kind": "physical",
                "driver": "igc",
                "bus": "pci",
                "speed": "2500M",
            },
            {
                "name": "eth1",
                "mac": "52:54:00:00:00:02",
                "kind": "paravirtual",
                "driver": "virtio_net",
                "switch": "br0",
            },
        ],
        "switches": [{"name": "br0", "ports": ["eth1"]}],
        "beneath": {"kind": "KVM", "monitor": "QEMU", "confidence": "certain", "says": "QEMU on KVM"},
        "hostsMachines": False,
        "horizon": "Unknown below.",
    }


def test_of_nothing_nothing_is_told() -> None:
    found = status_of(Layers())
    assert found.beneath is not None and found.beneath.kind == "unknown"
    assert found.to_dict().keys() == {"beneath"}
    assert guests_of(Layers()) == []


def test_a_guest_shows_its_software_nic_on_the_switch_of_its_tap() -> None:
    (guest,) = guests_of(with_guest())
    assert guest.name == "qemu-system-x86-4711"
    assert guest.status.to_dict() == {
        "nics": [{"name": "tap0", "kind": "software", "driver": "tap", "mac": "02:00:00:4e:61:72", "switch": "br0"}]
    }
    assert status_of(with_guest()).switches[0].ports == ["eth1", "tap0"]


def link(kind: bytes, type_: int = 16, changed: int = 0, family: int = 0, slave: bytes = b"") -> bytes:
    """A message about a device, as the kernel writes it."""
    told = [attribute(number, word + b"\0") for number, word in ((1, kind), (4, slave)) if word]
    head = struct.pack("=BxHiII", family, 1, 2, 0, changed)
    return Message(type_, 0, 0, head + nested(18, *told)).packed()  # IFLA_LINKINFO


MADE, DELLINK = 0xFFFFFFFF, 17


@pytest.mark.parametrize(
    ("protocol", "message", "news"),
    [
        (0, link(b""), True),
        (0, link(b"tun", slave=b"bridge"), True),
        (0, link(b"bridge", changed=MADE), True),
        (0, link(b"bridge", DELLINK), True),
        (0, link(b"bridge"), False),  # a port of it came or went
        (0, link(b"veth", changed=MADE), False),
        (0, link(b"veth", DELLINK), False),
        (0, link(b"veth", slave=b"bridge"), False),
        (0, link(b"", family=7), False),
        (0, b"short", False),
        (UEVENT, b"add@/devices/x/block/vdb\0ACTION=add\0SUBSYSTEM=block\0", True),
        (UEVENT, b"offline@/devices/system/cpu/cpu1\0SUBSYSTEM=cpu\0", True),
        (UEVENT, b"change@/devices/x/block/vdb\0SUBSYSTEM=block\0", False),
        (UEVENT, b"add@/devices/virtual/net/va\0SUBSYSTEM=net\0", False),
    ],
)
def test_a_pods_plug_is_no_news_of_the_machine(protocol: int, message: bytes, news: bool) -> None:
    assert is_news(protocol, message) is news


class Kernel:
    """What the keeper looks at, and by which it is told."""

    def __init__(self) -> None:
        self.layers, self.looks, self.failures = layers(), 0, 0
        self.plug: Callable[[], None] = lambda: None

    async def look(self) -> Layers:
        self.looks += 1
        if self.failures:
            self.failures -= 1
            raise OSError("the kernel is not in the mood")
        return self.layers

    def listen(self, _: AbstractEventLoop, wake: Callable[[], None]) -> Any:
        self.plug = wake
        return self

    def close(self) -> None:
        """Nothing is open."""

    @contextlib.asynccontextmanager
    async def kept(self, plane: Plane, node: str = "n") -> AsyncIterator[None]:
        keeper = MachineKeeper(plane.client, plane.context.clock, node, self.look, self.listen)
        task = asyncio.create_task(keeper.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def turns(count: int) -> None:
    """Let everybody work so often."""
    for _ in range(count):
        await asyncio.sleep(0)


async def told(plane: Plane, name: str, holds: Callable[[Machine], bool] = lambda m: bool(m.status.kernel)) -> Machine:
    machines = await plane.until(Machine, lambda ms: name in by_name(ms) and holds(by_name(ms)[name]), 7200)
    found: Machine = by_name(machines)[name]
    return found


def test_the_nodes_machine_is_made_and_then_left_alone() -> None:
    async def story() -> None:
        kernel = Kernel()
        async with Plane.running() as plane, kernel.kept(plane):
            made = await told(plane, "n")
            assert made.spec.to_dict() == {}
            assert [(c.type, c.status) for c in made.status.conditions] == [("Discovered", "True")]
            await asyncio.sleep(86400)
            again = await plane.client.get(Machine, "n")
            assert again.metadata.resource_version == made.metadata.resource_version
            assert kernel.looks == 1

    virtually(story)


def test_agent_and_control_plane_write_one_status_and_come_to_rest() -> None:
    async def story() -> None:
        kernel = Kernel()
        async with Plane.running(MachineController) as plane, kernel.kept(plane):
            await told(plane, "n", lambda m: len(m.status.conditions) == 2)
            await plane.client.patch(Machine, "n", {"spec": {"runsOn": "box", "memory": "9Gi"}})
            await told(plane, "n", lambda m: {c.type: c.status for c in m.status.conditions}.get("Agrees") == "False")
            await turns(1000)
            before = await plane.client.get(Machine, "n")
            await turns(1000)  # virtual time would stand still for two that take turns
            assert (await plane.client.get(Machine, "n")).metadata.resource_version == before.metadata.resource_version

    virtually(story)


def test_what_is_plugged_in_is_looked_at_and_written() -> None:
    async def story() -> None:
        kernel = Kernel()
        async with Plane.running() as plane, kernel.kept(plane):
            await told(plane, "n")
            kernel.layers = layers(8 * GIB)
            for _ in range(50):
                kernel.plug()
            await told(plane, "n", lambda m: m.status.memory == "8Gi")
            assert kernel.looks == 2

    virtually(story)


def test_a_machine_that_somebody_deleted_is_made_again() -> None:
    async def story() -> None:
        kernel = Kernel()
        async with Plane.running() as plane, kernel.kept(plane):
            was = await told(plane, "n")
            await plane.client.delete(Machine, "n")
            await told(plane, "n", lambda m: m.metadata.uid != was.metadata.uid and bool(m.status.kernel))
            assert kernel.looks == 1

    virtually(story)


def test_the_machine_that_a_person_declared_for_the_node_is_taken_before_or_after() -> None:
    async def story() -> None:
        async with Plane.running() as plane:
            await plane.make(Machine, "declared", spec={"node": "n", "memory": "4Gi"})
            async with Kernel().kept(plane):
                await told(plane, "declared")
            async with Kernel().kept(plane, "m"):
                await told(plane, "m")
                await plane.make(Machine, "late", spec={"node": "m", "memory": "4Gi"})
                await told(plane, "late")
                await plane.until_gone(Machine, "m", "")
            assert set(by_name((await plane.client.list(Machine)).items)) == {"declared", "late"}

    virtually(story)


def test_what_others_say_of_the_machine_stays() -> None:
    async def story() -> None:
        kernel = Kernel()
        async with Plane.running() as plane, kernel.kept(plane):
            made = await told(plane, "n")
            made.status.host = "pc"
            agrees = Condition(type="Agrees", status="True", reason="R", message="", last_transition_time=plane.now())
            made.status.conditions.append(agrees)
            await plane.client.update_status(made)
            kernel.layers = layers(8 * GIB)
            kernel.plug()
            found = await told(plane, "n", lambda m: m.status.memory == "8Gi")
            assert found.status.host == "pc"
            assert {c.type for c in found.status.conditions} == {"Agrees", "Discovered"}

    virtually(story)


def test_a_look_that_fails_is_tried_again_after_pauses_that_grow() -> None:
    async def story() -> None:
        kernel = Kernel()
        kernel.failures = 4
        async with Plane.running() as plane:
            began = plane.now()
            async with kernel.kept(plane):
                await told(plane, "n")
            assert kernel.looks == 5
            assert 15 <= (plane.now() - began).total_seconds() < 17

    virtually(story)


def test_a_machine_that_the_api_refuses_keeps_nothing_from_running() -> None:
    async def story() -> None:
        kernel = Kernel()
        async with Plane.running() as plane, kernel.kept(plane, "x" * 64):  # too long for a label's value
            await asyncio.sleep(3600)
            with pytest.raises(ApiError):
                await plane.client.get(Machine, "x" * 64)
            assert kernel.looks == 1

    virtually(story)


def test_a_guest_is_a_machine_that_runs_on_this_one_while_it_runs() -> None:
    async def story() -> None:
        kernel = Kernel()
        async with Plane.running() as plane, kernel.kept(plane):
            await told(plane, "n")
            kernel.layers = with_guest()
            kernel.plug()
            name = "n.vm-qemu-system-x86-4711"
            guest = await told(plane, name, lambda m: bool(m.status.nics))
            assert guest.spec.runs_on == "n"
            assert guest.status.nics[0].switch == "br0"
            kernel.layers = layers()
            kernel.plug()
            await plane.until_gone(Machine, name, "")

    virtually(story)


def test_a_guest_that_was_declared_is_not_told_twice_whether_it_is_seen_before_or_after() -> None:
    name = "n.vm-qemu-system-x86-4711"

    async def story() -> None:
        kernel = Kernel()
        kernel.layers = with_guest()
        async with Plane.running() as plane, kernel.kept(plane):
            await told(plane, name, lambda m: bool(m.status.nics))
            nic = {
                "name": "eth0",
                "mac": "02:00:00:4E:61:72",
                "switch": "br0",
            }  # the address that the tap's switch has learned
            spec = {"runsOn": "n", "node": "inside", "nics": [nic]}
            await plane.client.create(Machine.model_validate({"metadata": {"name": "guest"}, "spec": spec}))
            await plane.until_gone(Machine, name, "")
            kernel.plug()
            await told(plane, "n")
            assert {m.metadata.name for m in (await plane.client.list(Machine)).items} == {"n", "guest"}

    virtually(story)


def test_a_declared_guest_with_another_address_is_another() -> None:
    found = guests_of(with_guest())
    other = Machine.model_validate(
        {"metadata": {"name": "g"}, "spec": {"nics": [{"name": "e", "mac": "02:00:00:00:00:09"}]}}
    )
    assert unclaimed(found, [other, Machine()]) == found
    other.status.nics = found[0].status.nics  # what its own agent sees
    assert unclaimed(found, [other]) == []
