"""Machines: what one says of others holds among all that exist. Checked from both ends, so that the order does not matter.

A Machine that runs on one nobody knows is accepted: files are applied in any order, and its condition says that the host is
not found. The host's own write is then measured against its guests. The caller holds the `turn` from here to the commit, or
two writes at once could close a circle that neither saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from kubeapi.errors import Cause, invalid, invalid_object
from kubeapi.hardware_v1.chain import capacity, chain_of, declared, guests_of, nics_of, node_of, switches_of
from kubeapi.hardware_v1.types import Machine, Nic
from kubeapi.quantity import parse

if TYPE_CHECKING:
    from controlplane.store import Store

PREFIX = "/hardware.naru.dev/machines/"


def admit(store: Store, machine: Machine, faults: list[Cause]) -> None:
    """Raises 422 with all that stands against the Machine among the others, and its own faults: a person is told once."""
    entries, _ = store.list(PREFIX)
    machines = {m.metadata.name: m for m in (Machine.from_json(entry.value) for entry in entries)}
    if causes := objections(machine, machines):
        raise invalid_object("Machine", "hardware.naru.dev", machine.metadata.name, [*faults, *causes])


def objections(machine: Machine, machines: Mapping[str, Machine]) -> list[Cause]:
    """Why the Machine can't be among the others (which may hold its older self). Pure."""
    name, spec = machine.metadata.name, machine.spec
    others = {**machines, name: machine}
    found = [*_same_node(machine, others.values())]
    chain = chain_of(name, others)
    if spec.runs_on == name:
        return found  # its own fault
    if chain[-1] in chain[:-1]:
        return [*found, invalid("spec.runsOn", spec.runs_on, f"machines may not run in a circle: {' -> '.join(chain)}")]
    if host := others.get(spec.runs_on):
        found += _does_not_fit(machine, host)
    for guest in guests_of(name, others.values()):
        found += _as_hosts_fault(_does_not_fit(guest, machine), guest)
    return found


def _same_node(machine: Machine, others: Iterable[Machine]) -> Iterable[Cause]:
    """A Node is one Machine. One that the agent made for its node, of which nobody declared anything, gives way."""
    for other in others:
        if other.metadata.name == machine.metadata.name or node_of(other) != node_of(machine):
            continue
        if declared(other) and declared(machine):
            yield invalid("spec.node", node_of(machine), f"that node is Machine {other.metadata.name}")


def _does_not_fit(guest: Machine, host: Machine) -> Iterable[Cause]:
    """A guest is no larger than its host, and is plugged into what the host has. All guests together may be larger: time and
    idle memory are lent to several."""
    name, size = host.metadata.name, capacity(host)
    threads = guest.spec.cpu.threads if guest.spec.cpu else 0
    if size.threads and threads > size.threads:
        yield invalid("spec.cpu.threads", threads, f"its host {name} has {size.threads}")
    if size.memory and guest.spec.memory is not None and parse(guest.spec.memory) > size.memory:
        yield invalid("spec.memory", guest.spec.memory, f"its host {name} has {size.told}")
    for i, nic in enumerate(guest.spec.nics):
        yield from _unplugged(nic, f"spec.nics[{i}]", name, switches_of(host), nics_of(host))


def _unplugged(nic: Nic, at: str, host: str, switches: Iterable[str], nics: Iterable[str]) -> Iterable[Cause]:
    for field, wanted, there, what in (
        ("switch", nic.switch, switches, "switches"),
        ("passthrough", nic.passthrough, nics, "NICs"),
    ):
        if wanted and wanted not in there:
            has = ", ".join(sorted(there)) or "none"
            yield invalid(f"{at}.{field}", wanted, f"its host {host} has no such thing; its {what}: {has}")


def _as_hosts_fault(causes: Iterable[Cause], guest: Machine) -> Iterable[Cause]:
    """The same from the host's end: its new size or switches do not hold the guest that is there."""
    where = {"spec.cpu.threads": "spec.cpu.threads", "spec.memory": "spec.memory"}
    for cause in causes:
        field = where.get(
            cause.field, "spec.nics" if cause.field.endswith("passthrough") else "spec.hypervisor.switches"
        )
        told = f"Forbidden: Machine {guest.metadata.name} runs on it: {cause.field}: {cause.message}"
        yield Cause("FieldValueForbidden", told, field)
