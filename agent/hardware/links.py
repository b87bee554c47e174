"""Namespaces and their devices as parts: which switch a device is plugged into, where a veth's other end is, the routes.

What is named by a device's index means nothing beyond its namespace: everything here is keyed by (namespace's inode, index).
The two ends of a veth each name the other; where only one can be read, its word is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.hardware.evidence import Tree, fact
from agent.hardware.findings import Findings
from agent.hardware.nics import LOOPBACK, Device, mac_facts, observe_nic, sort_of
from agent.hardware.spaces import Space
from agent.netlink.route import Forwarding, Interface, Route
from kubeapi.hardware_v1.layers import Evidence, Fact, Floor, Horizon, Link, Part

LOWER = frozenset(
    {"vlan", "macvlan", "macvtap", "ipvlan", "vxlan"}
)  # kinds that stand on the device that IFLA_LINK names
UNSEEN = "{} leads into a network namespace that can't be seen from here: by which NIC packets leave is not known."
CONNTRACK = {
    "conntrackFlows": "nf_conntrack_count",
    "conntrackMost": "nf_conntrack_max",
    "conntrackCounts": "nf_conntrack_acct",
}


def link_id(inode: int, index: int) -> str:
    """The id of a device."""
    return f"link/{inode}/{index}"


def observe_links(tree: Tree, spaces: Iterable[Space], findings: Findings) -> None:
    """Every namespace with its devices and routes. The first is our own."""
    listed = list(spaces)
    in_vm = " hypervisor" in (tree.read("/proc/cpuinfo", 8192).text or "")
    for number, space in enumerate(listed):
        own = number == 0
        findings.parts.append(_namespace(tree, space, own))
        for interface in space.interfaces.values():
            findings.parts.append(_device(tree, space, interface, own, in_vm))
        findings.parts += [part for part, _ in _routes(space)]
        findings.links += _plugs(space) + [link for _, link in _routes(space) if link]
    known = {space.inode: space for space in listed}
    findings.links += peers(known)
    findings.horizons += unseen_ways_out(listed[0], known) if listed else []


def kind_of(interface: Interface) -> str:
    """The word for a device: its kind as the kernel names it, loopback, or nic for all that has none."""
    if interface.type == LOOPBACK or interface.name == "lo":
        return "loopback"
    return interface.kind or "nic"


def peers(spaces: Mapping[int, Space]) -> list[Link]:
    """The pairs of veths, each once, and what stands on another device, across namespaces."""
    found: dict[frozenset[tuple[int, int]], Link] = {}
    for space in spaces.values():
        for interface in space.interfaces.values():
            other = space.peer(interface)
            if other is None or (interface.kind != "veth" and interface.kind not in LOWER):
                continue
            here = (space.inode, interface.index)
            netnsid = "" if interface.netnsid is None else f" IFLA_LINK_NETNSID {interface.netnsid}"
            said = Evidence(
                source=f"netlink RTM_GETLINK {interface.name}@netns/{space.inode}",
                value=f"IFLA_LINK {interface.link}{netnsid}" + (f" (RTM_GETNSID: netns/{other[0]})" if netnsid else ""),
            )
            known = found.setdefault(
                frozenset((here, other)),
                Link(
                    kind="peer" if interface.kind == "veth" else "uplink", source=link_id(*here), target=link_id(*other)
                ),
            )
            known.evidence.append(said)
    return list(found.values())


def unseen_ways_out(own: Space, spaces: Mapping[int, Space]) -> list[Horizon]:
    """Where packets leave by a veth, as in a machine that is itself a network namespace: no NIC here is their way's end, and
    what the other end is plugged into only its own namespace would tell."""
    devices = [own.interfaces.get(route.device) for route in own.routes if route.destination == "default"]
    ends = {device.index: device for device in devices if device is not None and device.kind == "veth"}
    unseen = [end for end in ends.values() if (other := own.peer(end)) is None or other[0] not in spaces]
    return [Horizon(part=link_id(own.inode, end.index), says=UNSEEN.format(end.name)) for end in unseen]


def _namespace(tree: Tree, space: Space, own: bool) -> Part:
    said = Evidence(source=space.path, value=f"net:[{space.inode}]")
    facts = [fact("inode", space.inode, said), fact("processes", len(space.pids), Evidence(source="/proc/*/ns/net"))]
    if space.why:
        facts.append(
            fact("devices", None, Evidence(source=f"netlink in {space.path}", value=space.why), note=space.why)
        )
    if own:
        for name, file in CONNTRACK.items():
            read = tree.read(f"/proc/sys/net/netfilter/{file}")
            if (text := (read.text or "").strip()).isdecimal():
                facts.append(fact(name, int(text), read))
            elif name == "conntrackFlows":
                facts.append(fact(name, None, read, note="this kernel tracks no connections now"))
    return Part(
        id=f"netns/{space.inode}",
        kind="netns",
        name="host" if own else str(space.inode),
        floor="network",
        on="kernel",
        facts=facts,
    )


def _device(tree: Tree, space: Space, interface: Interface, own: bool, in_vm: bool) -> Part:
    kind, netlink = kind_of(interface), f"netlink RTM_GETLINK {interface.name}"
    facts = observe_nic(tree, interface, in_vm) if own else _elsewhere(tree, interface)
    said = Evidence(source=f"{netlink}@netns/{space.inode}", value=f"index {interface.index}")
    facts += [fact("netns", space.inode, said), fact("index", interface.index, said)]
    if addresses := space.addresses.get(interface.index):
        text = ", ".join(addresses)
        facts.append(fact("addresses", text, Evidence(source=f"netlink RTM_GETADDR {interface.name}", value=text)))
    told: list[tuple[str, str | int | None, str]] = [
        ("mtu", interface.mtu, "B"),
        ("state", interface.state, ""),
        ("received", interface.received, "B"),
        ("sent", interface.sent, "B"),
    ]
    for name, value, unit in told:
        if value not in (None, ""):
            facts.append(fact(name, value, Evidence(source=netlink, value=str(value)), unit=unit))
    if learned := _learned(space, interface):
        facts.append(_forwarding(space, interface, learned))
    floor: Floor = "hardware" if kind == "nic" and facts[0].value != "software" else "network"
    # What carries the namespace stands on the kernel beside it; all else is in it.
    on = "kernel" if own and kind in ("nic", "bridge") else f"netns/{space.inode}"
    return Part(
        id=link_id(space.inode, interface.index), kind=kind, name=interface.name, floor=floor, on=on, facts=facts
    )


def _learned(space: Space, bridge: Interface) -> list[Forwarding]:
    ports = {port.index for port in space.interfaces.values() if port.master == bridge.index}
    return [entry for entry in space.forwarding if entry.port in ports]


def _elsewhere(tree: Tree, interface: Interface) -> list[Fact]:
    """A device of another namespace, where /sys does not reach: its kind, and what it hangs on, by netlink."""
    verdict = sort_of(Device(interface, hangs=bool(interface.bus), subsystem=interface.bus))
    value = f"{interface.bus} {interface.device}" if interface.bus else f"IFLA_INFO_KIND {interface.kind or 'none'}"
    said = Evidence(source=f"netlink RTM_GETLINK {interface.name}", value=value)
    sort = fact("sort", verdict.sort, said, confidence=verdict.confidence, note=verdict.why)
    return [sort, *mac_facts(tree, interface)]


def _forwarding(space: Space, bridge: Interface, learned: list[Forwarding]) -> Fact:
    lines = [f"{entry.mac} behind {space.interfaces[entry.port].name}" for entry in learned]
    said = Evidence(source=f"netlink RTM_GETNEIGH {bridge.name}", value=f"{len(lines)} learned")
    return fact("forwarding", "; ".join(lines), said)


def _plugs(space: Space) -> list[Link]:
    """Devices that are ports of others: of a bridge, a bond, or (hv_netvsc) the synthetic twin of a virtual function."""
    found = []
    for interface in space.interfaces.values():
        if interface.master in space.interfaces:
            said = Evidence(source=f"netlink RTM_GETLINK {interface.name}", value=f"IFLA_MASTER {interface.master}")
            source, target = link_id(space.inode, interface.index), link_id(space.inode, interface.master)
            macs = [entry.mac for entry in space.forwarding if entry.port == interface.index]
            behind = f"behind it: {', '.join(macs)}" if macs else ""
            found.append(Link(kind="port", source=source, target=target, evidence=[said], note=behind))
    return found


def _routes(space: Space) -> list[tuple[Part, Link | None]]:
    """Routes as parts; those of one destination are told apart by their metric."""
    found: dict[str, tuple[Part, Link | None]] = {}
    for route in space.routes:
        if route.destination.startswith(("fe80:", "ff00:")):
            continue  # every device has them
        id = f"route/{space.inode}/{route.destination}"
        while id in found:
            id += f" metric {route.metric}"
        found[id] = _route(space, route, id)
    return list(found.values())


def _route(space: Space, route: Route, id: str) -> tuple[Part, Link | None]:
    device = space.interfaces.get(route.device)
    words = [route.kind if route.kind != "unicast" else "", route.destination]
    words += [f"via {route.gateway}" if route.gateway else "", f"dev {device.name}" if device else ""]
    words += [f"src {route.source}" if route.source else "", f"metric {route.metric}" if route.metric else ""]
    text = " ".join(word for word in words if word)
    said = Evidence(source=f"netlink RTM_GETROUTE netns/{space.inode}", value=text)
    values: dict[str, str | int] = {
        "type": route.kind,
        "gateway": route.gateway,
        "source": route.source,
        "metric": route.metric,
    }
    facts = [fact(name, value, said) for name, value in values.items() if value]
    if route.table != 254:
        facts.append(fact("table", route.table, said))
    part = Part(id=id, kind="route", name=text, floor="network", on=f"netns/{space.inode}", facts=facts)
    target = link_id(space.inode, route.device)
    return part, Link(kind="routes", source=id, target=target, evidence=[said]) if device else None
