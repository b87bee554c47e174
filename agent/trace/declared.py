"""What lies beyond the uplink and can't be seen from inside: the hops that Machines declare. Pure.

A virtual machine's NIC is a plug in a switch of its host's hypervisor; by the switch's mode the packet is translated or not,
and leaves by the host's NIC; if the host is a virtual machine itself, the same again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubeapi.core_v1.types import ObjectReference
from kubeapi.hardware_v1.layers import Evidence
from kubeapi.hardware_v1.trace import Hop
from kubeapi.hardware_v1.types import Machine, Nic, Switch


def declared_hops(node: str, uplink: str, machines: Sequence[Machine]) -> list[Hop]:
    """The hops of a packet that leaves `node` by its NIC `uplink`; none where no Machine says what it runs on."""
    by_name = {machine.metadata.name: machine for machine in machines}
    machine = next((m for m in machines if m.spec.node == node), by_name.get(node))
    return [*_hops(machine, uplink, by_name, set())] if machine else []


def _hops(machine: Machine, uplink: str, by_name: dict[str, Machine], seen: set[str]) -> Iterator[Hop]:
    host = by_name.get(machine.spec.runs_on)
    nic = _nic(machine, uplink)
    if host is None or nic is None or machine.metadata.name in seen:
        return
    seen.add(machine.metadata.name)
    if nic.passthrough:
        yield from _card(host, nic.passthrough)
        return
    hypervisor = host.spec.hypervisor
    switch = next((s for s in hypervisor.switches if s.name == nic.switch), None) if hypervisor else None
    if hypervisor is None or switch is None:
        return
    name = switch.words or switch.name
    says = f"{hypervisor.kind}'s switch {name}: {machine.metadata.name}'s {nic.name} is a plug in it"
    yield _hop("switch", name, says, host, f"hypervisor.switches {switch.name}: mode {switch.mode}")
    if switch.mode == "hostOnly":
        yield _hop("switch", name, "there is no way out of this host", host, f"{switch.name}: mode hostOnly")
        return
    if switch.mode == "nat":
        says = f"a router in software: addresses of {switch.subnet or 'the guests'} become the host's own"
        yield _hop("nat", f"{name} NAT", says, host, f"{switch.name}: mode nat, subnet {switch.subnet}")
    out = _uplink(host, switch)
    if out:
        yield from _card(host, out)
        yield from _hops(host, out, by_name, seen)


def _card(host: Machine, name: str) -> Iterator[Hop]:
    nic = _nic(host, name)
    model = f", {nic.model}" if nic and nic.model else ""
    what = "its virtual NIC" if host.spec.runs_on else "a card of metal"
    yield _hop("nic", name, f"leaves {host.metadata.name}, by {what}{model}", host, f"nics {name}")


def _uplink(host: Machine, switch: Switch) -> str:
    """The switch's own, else the only NIC there is."""
    return switch.uplink or (host.spec.nics[0].name if len(host.spec.nics) == 1 else "")


def _nic(machine: Machine, name: str) -> Nic | None:
    """The NIC of that name; the only one that is declared where none is."""
    nics = machine.spec.nics
    return next((n for n in nics if n.name == name), nics[0] if len(nics) == 1 else None)


def _hop(kind: str, name: str, says: str, host: Machine, value: str) -> Hop:
    about = ObjectReference(api_version="hardware.naru.dev/v1", kind="Machine", name=host.metadata.name)
    evidence = [Evidence(source=f"Machine {host.metadata.name}, spec", value=value)]
    return Hop(kind=kind, name=name, says=says, state="declared", object=about, evidence=evidence)
