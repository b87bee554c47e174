"""Where a Machine's spec and status disagree, in words, and the conditions that say so. Pure.

What was not declared can't be contradicted, nor what nobody has looked at. Two numbers for one thing agree if they could be
the same thing counted in two ways: RAM less what firmware and kernel keep, a disk in powers of ten and of two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from kubeapi.hardware_v1.chain import KEPT, capacity, declared, host_of
from kubeapi.hardware_v1.types import Cpu, Machine, MachineStatus, Nic, SeenNic
from kubeapi.meta_v1.types import Condition
from kubeapi.quantity import parse

AGREES, HOST_FOUND = "Agrees", "HostFound"
DISK_SLACK = Decimal("0.02")  # a partition table, a size that was rounded for the shop window
NOTHING_BENEATH = ("", "none", "unknown")
# Monitors that stand on Linux's KVM: a guest sees the one, a host names the other.
ON_KVM = frozenset(
    {"kvm", "qemu", "firecracker", "cloudhypervisor", "crosvm", "proxmox", "proxmoxve", "ovirt", "kubevirt"}
)
# What an emulated card is called where it is declared, and the driver that a guest's Linux has for it.
DRIVERS = {
    "e1000": ("e1000",),
    "e1000e": ("e1000e",),
    "vmxnet3": ("vmxnet3",),
    "pcnet32": ("pcnet32",),
    "rtl8139": ("8139cp", "8139too"),
    "virtio": ("virtio_net", "virtio-pci", "virtio-mmio"),
    "netvsc": ("hv_netvsc",),
    "xen-netfront": ("vif", "xen-netfront"),
}


def status_of(machine: Machine, machines: Mapping[str, Machine], now: datetime) -> MachineStatus:
    """The status with what follows from all Machines: its host and what agrees. The rest is the agent's, and stays."""
    status, name = machine.status.clone(), machine.metadata.name
    host = machines.get(machine.spec.runs_on) if machine.spec.runs_on else None
    told = {AGREES: _agreement(machine, host)}
    if machine.spec.runs_on:
        told[HOST_FOUND] = _host_found(machine.spec.runs_on, host)
    before = {condition.type: condition for condition in status.conditions}
    made = [_condition(type, words, before.get(type), now) for type, words in told.items()]
    for condition in made:
        condition.observed_generation = machine.metadata.generation
    kept = [c for c in status.conditions if c.type in told or c.type not in (AGREES, HOST_FOUND)]
    status.conditions = with_conditions(kept, made)
    status.observed_generation, status.host = machine.metadata.generation, host_of(name, machines)
    return status


def with_conditions(conditions: Iterable[Condition], made: Iterable[Condition]) -> list[Condition]:
    """Each in the place of the one of its type, else at the end: who writes some of a list must not move those of others,
    or two such writers would take turns for ever."""
    new = {condition.type: condition for condition in made}
    return [new.pop(condition.type, condition) for condition in conditions] + [*new.values()]


def _condition(type: str, words: tuple[str, str, str], was: Condition | None, now: datetime) -> Condition:
    """A condition keeps its transition time until it turns."""
    status, reason, message = words
    since = was.last_transition_time if was is not None and was.status == status else now.replace(microsecond=0)
    return Condition(type=type, status=status, reason=reason, message=message, last_transition_time=since)


def _agreement(machine: Machine, host: Machine | None) -> tuple[str, str, str]:
    if not declared(machine):
        return "True", "NothingDeclared", "Nothing is declared that could be contradicted."
    if not discovered(machine):
        return "Unknown", "NotDiscovered", "No agent has looked at this machine."
    if found := disagreements(machine, host):
        return "False", "Disagrees", "; ".join(found) + "."
    return "True", "NothingContradicted", "Nothing that was found contradicts what is declared."


def _host_found(name: str, host: Machine | None) -> tuple[str, str, str]:
    if host is None:
        return "False", "NoSuchMachine", f"Machine {name} is not declared: what it has is not compared."
    return "True", "Declared", f"Machine {name} is declared."


def discovered(machine: Machine) -> bool:
    """Whether an agent has looked at it from inside."""
    return any(c.type == "Discovered" and c.status == "True" for c in machine.status.conditions)


def disagreements(machine: Machine, host: Machine | None) -> list[str]:
    """Everything in which status contradicts spec, or what the host declares."""
    return [
        *_cpu(machine.spec.cpu, machine.status.cpu),
        *_memory(machine),
        *_disks(machine),
        *_nics(machine),
        *_beneath(machine, host),
        *(_larger(machine, host) if host is not None else ()),
    ]


def _cpu(wanted: Cpu | None, seen: Cpu | None) -> Iterator[str]:
    if wanted is None or seen is None:
        return
    for what in ("sockets", "cores", "threads", "model"):
        said, found = getattr(wanted, what), getattr(seen, what)
        same = said == found or (what == "model" and str(said).lower() in str(found).lower())
        if said and found and not same:
            yield f"cpu: {what} {said} declared, {found} found"


def _memory(machine: Machine) -> Iterator[str]:
    said, found = machine.spec.memory, machine.status.memory
    if said is not None and found is not None and not (1 - KEPT) * parse(said) <= parse(found) <= parse(said):
        yield f"memory: {said} declared, {found} found"


def _disks(machine: Machine) -> Iterator[str]:
    seen = {disk.name: disk for disk in machine.status.disks}
    for disk in machine.spec.disks:
        found = seen.get(disk.name)
        if found is None:
            yield f"disk {disk.name}: declared, not found; there are {_listed(seen)}"
            continue
        if disk.size and found.size and abs(parse(found.size) / parse(disk.size) - 1) > DISK_SLACK:
            yield f"disk {disk.name}: size {disk.size} declared, {found.size} found"
        if disk.kind and found.kind and disk.kind != found.kind:
            yield f"disk {disk.name}: {disk.kind} declared, {found.kind} found"


def _nics(machine: Machine) -> Iterator[str]:
    """A card is known by its address where that is declared: the kernel names cards as it likes."""
    seen = {nic.name: nic for nic in machine.status.nics}
    owners = {nic.mac.lower(): nic for nic in machine.status.nics if nic.mac}
    for nic in machine.spec.nics:
        found = owners.get(nic.mac.lower()) or seen.get(nic.name)
        if found is None:
            yield f"nic {nic.name}: declared, not found; there are {_listed(seen)}"
        else:
            yield from _nic(nic, found)


def _nic(nic: Nic, found: SeenNic) -> Iterator[str]:
    if nic.name != found.name:
        yield f"nic {nic.name}: the card with its address is called {found.name}"
    if nic.mac and found.mac and nic.mac.lower() != found.mac.lower():
        yield f"nic {nic.name}: address {nic.mac} declared, {found.mac} found"
    if nic.speed and found.speed and parse(nic.speed) != parse(found.speed):
        yield f"nic {nic.name}: speed {nic.speed} declared, {found.speed} found"
    drivers = DRIVERS.get(nic.model.lower(), ())
    if drivers and found.driver and found.driver not in drivers:
        yield f"nic {nic.name}: model {nic.model} declared, its driver is {found.driver}"


def _beneath(machine: Machine, host: Machine | None) -> Iterator[str]:
    """What the kernel stands on against what the chain says it stands on."""
    below, seen = machine.spec.runs_on, machine.status.beneath
    if seen is None:
        return
    match bool(below), seen.kind.lower() not in NOTHING_BENEATH:
        case False, True:
            yield f"runsOn: a physical host is declared, {seen.says or seen.kind} was found beneath its kernel"
        case True, False if seen.kind.lower() == "none":
            yield f"runsOn: {below} is declared, nothing was found beneath its kernel"
        case True, True if host is not None and host.spec.hypervisor is not None:
            said = host.spec.hypervisor.kind
            if _family(said) not in map(_family, (seen.kind, seen.monitor, seen.platform)):
                yield f"runsOn: {below} declares {said}, {seen.says or seen.kind} was found beneath the kernel"


def _family(kind: str) -> str:
    word = "".join(filter(str.isalnum, kind.lower()))
    return "kvm" if word in ON_KVM else word


def _larger(machine: Machine, host: Machine) -> Iterator[str]:
    """What was declared has been measured when it was written; what is found nobody could refuse."""
    size, seen = capacity(host), machine.status
    if size.threads and seen.cpu is not None and seen.cpu.threads > size.threads:
        yield f"cpu: {seen.cpu.threads} threads found, its host {host.metadata.name} has {size.threads}"
    if size.memory and seen.memory is not None and parse(seen.memory) > size.memory:
        yield f"memory: {seen.memory} found, its host {host.metadata.name} has {size.told}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
