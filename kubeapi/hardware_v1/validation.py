"""What a Machine may say of itself. What it may say of others (its host, its guests) is for admission, which knows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from itertools import combinations, pairwise

from kubeapi.errors import Cause, duplicate, forbidden, invalid, not_supported, required, too_long
from kubeapi.hardware_v1.chain import nics_of
from kubeapi.hardware_v1.types import Cpu, Disk, Hypervisor, Machine, Nic, Switch
from kubeapi.meta_v1.validation import (
    causes_of,
    dns_subdomain,
    label_value,
    validate_choice,
    validate_meta,
    validate_meta_update,
)
from kubeapi.quantity import parse

MODES = ("bridged", "nat", "hostOnly")
DISK_KINDS = ("hdd", "ssd", "nvme", "virtual")
MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
DEVICE = re.compile(r"[^\s/:]+")
LONGEST_TEXT = 256
NOT_MAC = "must be a hardware address, six pairs of hex digits with colons (e.g. 00:0c:29:3e:5a:01)"
NOT_UNICAST = "must be the address of one card: its first byte has to be even, and not all may be zero"
NOT_SUBNET = "must be a network in CIDR form, without host bits (e.g. 192.168.80.0/24)"
NOT_DEVICE = "must be a device's name: no space, '/' or ':' (e.g. eth0)"
NOT_ITSELF = "a machine can't run on itself"
NO_HOST = "only a machine with `runsOn` is plugged into something of its host"
NO_PLUG = "a virtual machine's NIC is plugged into a switch of its host, or is a NIC of the host (`passthrough`)"


def machine_name(value: str) -> list[str]:
    """A subdomain that can be a label's value: nodes carry the name of their host."""
    return dns_subdomain(value) or label_value(value)


def validate_machine(machine: Machine) -> list[Cause]:
    """A new Machine."""
    return validate_meta(machine.metadata, False, machine_name) + _validate_spec(machine)


def validate_machine_update(new: Machine, old: Machine) -> list[Cause]:
    """As when it is made: machines are rebuilt, and move to another host."""
    return validate_meta_update(new.metadata, old.metadata) + _validate_spec(new)


def _validate_spec(machine: Machine) -> list[Cause]:
    spec, found = machine.spec, list[Cause]()
    if spec.runs_on:
        found += causes_of(machine_name, spec.runs_on, "spec.runsOn")
    if spec.runs_on and spec.runs_on == machine.metadata.name:
        found.append(invalid("spec.runsOn", spec.runs_on, NOT_ITSELF))
    if spec.node:
        found += causes_of(dns_subdomain, spec.node, "spec.node")
    if spec.cpu is not None:
        found += _validate_cpu(spec.cpu)
    found += _positive(spec.memory, "spec.memory")
    found += _unique((disk.name for disk in spec.disks), "spec.disks", "name")
    for i, disk in enumerate(spec.disks):
        found += _validate_disk(disk, f"spec.disks[{i}]")
    found += _unique((nic.name for nic in spec.nics), "spec.nics", "name")
    found += _unique((nic.mac.lower() for nic in spec.nics), "spec.nics", "mac")
    for i, nic in enumerate(spec.nics):
        found += _validate_nic(nic, bool(spec.runs_on), f"spec.nics[{i}]")
    if spec.hypervisor is not None:
        found += _validate_hypervisor(spec.hypervisor, nics_of(machine))
    return found


def _validate_cpu(cpu: Cpu) -> list[Cause]:
    """No negative count; every socket has a core, every core a thread."""
    counts = (("sockets", cpu.sockets), ("cores", cpu.cores), ("threads", cpu.threads))
    negative = [invalid(f"spec.cpu.{name}", n, "must be greater than or equal to 0") for name, n in counts if n < 0]
    given = [(name, count) for name, count in counts if count > 0]
    fewer = [
        invalid(f"spec.cpu.{name}", count, f"must be at least the number of {below}, which is {least}")
        for (below, least), (name, count) in pairwise(given)
        if count < least
    ]
    return negative + fewer + _short(cpu.model, "spec.cpu.model")


def _validate_disk(disk: Disk, at: str) -> list[Cause]:
    found = _device(disk.name, f"{at}.name") + _positive(disk.size, f"{at}.size")
    return found + (validate_choice(disk.kind, DISK_KINDS, f"{at}.kind") if disk.kind else [])


def _validate_nic(nic: Nic, virtual: bool, at: str) -> list[Cause]:
    found = _device(nic.name, f"{at}.name") + _positive(nic.speed, f"{at}.speed") + _short(nic.model, f"{at}.model")
    if nic.mac:
        found += _validate_mac(nic.mac, f"{at}.mac")
    plugs = [(name, value) for name, value in (("switch", nic.switch), ("passthrough", nic.passthrough)) if value]
    for name, value in plugs:
        found += [forbidden(f"{at}.{name}", NO_HOST)] if not virtual else _device(value, f"{at}.{name}")
    if len(plugs) > 1:
        found.append(forbidden(f"{at}.passthrough", "may not be specified when `switch` is"))
    if virtual and not plugs:
        found.append(required(f"{at}.switch", NO_PLUG))
    return found


def _validate_mac(mac: str, at: str) -> list[Cause]:
    if not MAC.fullmatch(mac):
        return [invalid(at, mac, NOT_MAC)]
    octets = bytes.fromhex(mac.replace(":", ""))
    return [invalid(at, mac, NOT_UNICAST)] if octets[0] & 1 or not any(octets) else []


def _validate_hypervisor(hypervisor: Hypervisor, nics: set[str]) -> list[Cause]:
    at, switches = "spec.hypervisor", hypervisor.switches
    found = _short(hypervisor.kind, f"{at}.kind") + _short(hypervisor.version, f"{at}.version")
    if not hypervisor.kind:
        found.append(required(f"{at}.kind"))
    found += _unique((switch.name for switch in switches), f"{at}.switches", "name")
    for i, switch in enumerate(switches):
        found += _validate_switch(switch, nics, f"{at}.switches[{i}]")
    return found or _disjoint(switches, f"{at}.switches")


def _validate_switch(switch: Switch, nics: set[str], at: str) -> list[Cause]:
    found = _device(switch.name, f"{at}.name") + validate_choice(switch.mode, MODES, f"{at}.mode")
    match switch.mode, switch.uplink:
        case "bridged", "":
            found.append(required(f"{at}.uplink", "a bridged switch is joined to a NIC of this machine"))
        case "hostOnly", uplink if uplink:
            found.append(forbidden(f"{at}.uplink", "nothing leaves the host from a hostOnly switch"))
        case _, uplink if uplink and uplink not in nics:
            found.append(not_supported(f"{at}.uplink", uplink, sorted(nics)))
    if switch.subnet:
        found += _validate_subnet(switch.subnet, f"{at}.subnet")
    return found + _short(switch.words, f"{at}.words")


def _validate_subnet(subnet: str, at: str) -> list[Cause]:
    try:
        ip_network(subnet)
    except ValueError:
        return [invalid(at, subnet, NOT_SUBNET)]
    return [] if "/" in subnet else [invalid(at, subnet, NOT_SUBNET)]


def _disjoint(switches: Sequence[Switch], at: str) -> list[Cause]:
    """Networks that overlap can't be told apart by the host that routes between them; bridged ones are the uplink's own."""
    routed = [(i, s, ip_network(s.subnet)) for i, s in enumerate(switches) if s.subnet and s.mode != "bridged"]
    return [
        invalid(f"{at}[{i}].subnet", switch.subnet, f"overlaps {other.subnet} of switch {other.name}")
        for (_, other, before), (i, switch, subnet) in combinations(routed, 2)
        if before.version == subnet.version and before.overlaps(subnet)
    ]


def _device(name: str, at: str) -> list[Cause]:
    if not name:
        return [required(at)]
    return [] if DEVICE.fullmatch(name) and len(name) <= LONGEST_TEXT else [invalid(at, name, NOT_DEVICE)]


def _positive(quantity: str | None, at: str) -> list[Cause]:
    wrong = quantity is not None and parse(quantity) <= 0
    return [invalid(at, quantity, "must be greater than zero")] if wrong else []


def _short(text: str, at: str) -> list[Cause]:
    return [too_long(at, LONGEST_TEXT)] if len(text.encode()) > LONGEST_TEXT else []


def _unique(values: Iterable[str], at: str, key: str) -> list[Cause]:
    """What is told once may not be told again; what is left out is no duplicate."""
    seen, found = set[str](), list[Cause]()
    for i, value in enumerate(values):
        if value and value in seen:
            found.append(duplicate(f"{at}[{i}].{key}", value))
        seen.add(value)
    return found
