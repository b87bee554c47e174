"""Which Machine runs on which: chains from a guest to its physical host, and what a host has for its guests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from kubeapi.hardware_v1.types import Machine, MachineSpec
from kubeapi.quantity import parse

HOST_LABEL = "topology.naru.dev/host"
GUEST_MARK = ".vm-"  # between a node's name and its guest's, in the names of Machines that the node's agent makes
KEPT = Decimal(1) / 8  # firmware and kernel keep that share of the RAM at most: what is installed is more than MemTotal
NOTHING = MachineSpec()


class Capacity(NamedTuple):
    """What a host has for one guest: 0 where that is not known. `told` is its memory as it was written."""

    threads: int
    memory: Decimal
    told: str


def node_of(machine: Machine) -> str:
    """The Node that it is."""
    return machine.spec.node or machine.metadata.name


def declared(machine: Machine) -> bool:
    """Whether a person said anything of it; the agent makes Machines of which only status speaks."""
    return machine.spec != NOTHING


def addresses_of(machine: Machine) -> set[str]:
    """The hardware addresses of its NICs, declared and seen."""
    told = [nic.mac for nic in machine.spec.nics] + [nic.mac for nic in machine.status.nics]
    return {address.lower() for address in told if address}


def guests_of(name: str, machines: Iterable[Machine]) -> list[Machine]:
    """The virtual machines that run on it, directly."""
    return [machine for machine in machines if machine.spec.runs_on == name]


def on_top_of(name: str, machines: Iterable[Machine]) -> list[str]:
    """The names of all that stand on it, on whatever floor."""
    machines, found = list(machines), list[str]()
    floor = [name]
    while floor:
        floor = [m.metadata.name for m in machines if m.spec.runs_on in floor and m.metadata.name not in found]
        found += floor
    return found


def chain_of(name: str, machines: Mapping[str, Machine]) -> list[str]:
    """The names from a Machine down to what it stands on at last, which may be one that nobody declared. In a circle, the
    name that closes it stands twice."""
    chain = [name]
    while (below := machines.get(chain[-1])) is not None and below.spec.runs_on:
        closed = below.spec.runs_on in chain
        chain.append(below.spec.runs_on)
        if closed:
            break
    return chain


def host_of(name: str, machines: Mapping[str, Machine]) -> str:
    """The physical host at the end of the chain; empty where no person said anything of the Machines in it or on it.

    A kernel can't tell that nothing is beneath it, so silence does not make a host, nor does a guest that an agent found.
    """
    chain = chain_of(name, machines)
    heard = [machines[one] for one in chain if one in machines] + guests_of(chain[-1], machines.values())
    return chain[-1] if name in machines and any(map(_by_a_person, heard)) else ""


def _by_a_person(machine: Machine) -> bool:
    found = GUEST_MARK in machine.metadata.name and machine.spec == MachineSpec(runs_on=machine.spec.runs_on)
    return declared(machine) and not found


def capacity(host: Machine) -> Capacity:
    """What was declared of the host, else what was found on it."""
    threads = next((c.threads for c in (host.spec.cpu, host.status.cpu) if c is not None and c.threads), 0)
    if host.spec.memory is not None:
        return Capacity(threads, parse(host.spec.memory), host.spec.memory)
    if host.status.memory is not None:
        return Capacity(threads, parse(host.status.memory) / (1 - KEPT), host.status.memory)
    return Capacity(threads, Decimal(0), "")


def switches_of(host: Machine) -> set[str]:
    """The names of its switches, declared or found."""
    of = host.spec.hypervisor.switches if host.spec.hypervisor else []
    return {switch.name for switch in of} | {switch.name for switch in host.status.switches}


def nics_of(machine: Machine) -> set[str]:
    """The names of its NICs, declared or found."""
    return {nic.name for nic in machine.spec.nics} | {nic.name for nic in machine.status.nics}
