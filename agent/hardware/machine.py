"""What discovery found, as a Machine's status. Pure: Layers in, statuses out.

Only what stays while pods come and go is told: a Machine is written when hardware changes, not when a container starts. So
of a bridge's ports only cards and the taps of virtual machines are named, not the veths of pods.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from kubeapi.hardware_v1.layers import Layers, Part
from kubeapi.hardware_v1.types import Beneath, Cpu, Disk, MachineStatus, SeenNic, SeenSwitch
from kubeapi.quantity import canonical

NOT_A_NAME = re.compile(r"[^a-z0-9]+")
PLUGGED = ("nic", "tap")  # what is plugged into a switch for as long as a machine is there


class Guest(NamedTuple):
    """A virtual machine that was found on this one: what it is called here, and what can be seen of it from outside."""

    name: str
    status: MachineStatus


def status_of(layers: Layers) -> MachineStatus:
    """What was found on the machine itself."""
    status = MachineStatus(nics=[*_nics(layers)], switches=[*_switches(layers)], disks=[*_disks(layers)])
    if cpu := layers.part("cpu"):
        counts = {
            key: _number(cpu, name) for key, name in (("sockets", "sockets"), ("cores", "cores"), ("threads", "cpus"))
        }
        seen = Cpu(**counts, model=_text(cpu, "model"))
        status.cpu = seen if seen != Cpu() else None
    if (memory := layers.part("memory")) and (total := _number(memory, "total")):
        status.memory = _bytes(total)
    if kernel := layers.part("kernel"):
        status.kernel, status.architecture = _text(kernel, "release"), _text(kernel, "arch")
        status.operating_system = _text(kernel, "os")
        hosts = kernel.value("hosts machines")
        status.hosts_machines = hosts if isinstance(hosts, bool) else None
    status.beneath = _beneath(layers)
    status.horizon = " ".join(h.says for h in layers.horizons if h.part in ("hypervisor", "machine"))
    return status


def guests_of(layers: Layers) -> list[Guest]:
    """The virtual machines whose taps this kernel holds, each with its software NICs on their switches."""
    taps = [(link.source, link.target) for link in layers.links if link.kind == "backs"]
    found = []
    for vm in (part for part in layers.parts if part.kind == "vm"):
        ends = [end for pair in taps if vm.id in pair for end in pair if end != vm.id]
        nics = [_behind(layers, tap) for tap in map(layers.part, ends) if tap is not None and tap.kind == "tap"]
        name = NOT_A_NAME.sub("-", f"{vm.name}-{vm.id.rpartition('/')[2]}".lower()).strip("-")
        found.append(Guest(name, MachineStatus(nics=nics)))
    return found


def _behind(layers: Layers, tap: Part) -> SeenNic:
    """The guest's NIC by its tap: of the card itself only its address shows, once it has spoken through the switch."""
    port = next((link for link in layers.links if link.kind == "port" and link.source == tap.id), None)
    bridge = layers.part(port.target) if port else None
    learned = re.search(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", port.note) if port else None
    switch = bridge.name if bridge else ""
    return SeenNic(name=tap.name, kind="software", driver="tap", mac=learned[0] if learned else "", switch=switch)


def _beneath(layers: Layers) -> Beneath:
    if found := layers.part("hypervisor"):
        kind, told = _text(found, "hypervisor") or "unknown", found.fact("hypervisor")
        more = {name: _text(found, name) for name in ("monitor", "platform")}
        return Beneath(kind=kind, **more, confidence=told.confidence if told else "unknown", says=found.name)
    machine = layers.part("machine")
    told = machine.fact("hypervisor") if machine else None
    kind = "none" if told and told.value == "none" else "unknown"
    return Beneath(kind=kind, confidence=told.confidence if told else "unknown", says=told.note if told else "")


def _own(layers: Layers, kind: str) -> Iterator[Part]:
    """The devices of a kind in the machine's own network namespace."""
    here = next(
        (part.id.removeprefix("netns/") for part in layers.parts if part.kind == "netns" and part.name == "host"), ""
    )
    return (part for part in layers.parts if part.kind == kind and part.id.startswith(f"link/{here}/"))


def _nics(layers: Layers) -> Iterator[SeenNic]:
    bridges = {link.source: link.target for link in layers.links if link.kind == "port"}
    for nic in _own(layers, "nic"):
        if nic.floor != "hardware":
            continue
        switch, speed = layers.part(bridges.get(nic.id, "")), _number(nic, "speed")
        yield SeenNic(
            name=nic.name,
            mac=_text(nic, "mac"),
            kind=_text(nic, "sort"),
            driver=_text(nic, "driver"),
            bus=" ".join(filter(None, (_text(nic, "bus"), _text(nic, "slot")))),
            speed=canonical(f"{speed}M") if speed > 0 else None,
            switch=switch.name if switch else "",
        )


def _switches(layers: Layers) -> Iterator[SeenSwitch]:
    for bridge in sorted(_own(layers, "bridge"), key=lambda part: part.name):
        ends = [layers.part(link.source) for link in layers.links if link.kind == "port" and link.target == bridge.id]
        yield SeenSwitch(name=bridge.name, ports=sorted(end.name for end in ends if end and end.kind in PLUGGED))


def _disks(layers: Layers) -> Iterator[Disk]:
    for disk in layers.parts:
        if disk.kind == "disk" and disk.value("sort") != "software" and (size := _number(disk, "size")):
            yield Disk(name=disk.name, size=_bytes(size), kind=_disk_kind(disk))


def _disk_kind(disk: Part) -> str:
    match disk.value("sort"), disk.value("rotational"):
        case (("paravirtual" | "emulated"), _):
            return "virtual"
        case _, _ if disk.name.startswith("nvme"):
            return "nvme"
        case _, bool(rotational):
            return "hdd" if rotational else "ssd"
    return ""


def _bytes(number: int) -> str:
    return canonical(f"{number // 1024}Ki" if number % 1024 == 0 else number)


def _number(part: Part, name: str) -> int:
    value = part.value(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _text(part: Part, name: str) -> str:
    value = part.value(name)
    return value if isinstance(value, str) else ""
