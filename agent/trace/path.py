"""The way a packet will take, computed from a `Scene` as the kernel would: one `Step` per station. Pure.

    output ─▶ (Service rule) ─▶ route ─▶ (masquerade) ─▶ device ═▶ the other end, or a bridge's port, or the outside
                                                           │
    process ◀─ input ◀── to this namespace's own address ──┤ arrives: prerouting, (Service rule), route
                         to another's: forward, (masquerade), the next device ◀┘

Each step says what its witnesses should see (`Expect`). Where the way leads into a namespace that the scene does not hold,
the path stops there and names it (`wanted`): look into it, and ask again.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from agent.trace.packet import Packet
from agent.trace.ruleset import Judgement, RuleRef, judge
from agent.trace.scene import Device, Netns, Route, Scene
from kubeapi.core_v1.types import ObjectReference
from kubeapi.hardware_v1.layers import Evidence

LONGEST = 32  # namespaces crossed: more is a loop, as with a packet's time to live
Cause = Literal["rule", "no route", "unreachable", "refused", "device down", "loop", "kernel", "unanswered"]


class Expect(NamedTuple):
    """What to look for: device and direction (tracefs), hook and rule (nft), and in a flow its being known or translated."""

    device: str = ""
    direction: Literal["", "in", "out"] = ""
    hook: str = ""
    rule: RuleRef | None = None
    flow: Literal["", "known", "destination", "source"] = ""


class Step(NamedTuple):
    """A station in namespace `netns`; packet is what the packet is when it leaves it."""

    kind: str
    name: str
    netns: int
    says: str
    packet: Packet
    part: str = ""
    expect: Expect = Expect()
    evidence: tuple[Evidence, ...] = ()
    object: ObjectReference | None = None


class Failure(NamedTuple):
    """Where a packet ends: the index of its step, why, by which rule, in which namespace, and as what packet."""

    step: int
    cause: Cause
    netns: int
    packet: Packet
    rule: RuleRef | None = None
    detail: str = ""


class Arrival(NamedTuple):
    """The packet comes out of a device in a namespace; via is the address that its sender took for the next station."""

    space: Netns
    device: Device
    packet: Packet
    via: str


@dataclass
class Path:
    """The steps so far. choices are the endpoints among which chance decides; undecided the rules not judged; wanted is
    the namespace to look into before the rest can be told; arrived says that the packet ends where it should."""

    steps: list[Step] = field(default_factory=list)
    failure: Failure | None = None
    choices: tuple[tuple[str, int], ...] = ()
    undecided: list[RuleRef] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    wanted: int = 0
    arrived: bool = False
    outside: bool = False

    @property
    def destination(self) -> Packet | None:
        """The packet at the end of the path."""
        return self.steps[-1].packet if self.steps else None


def predict(scene: Scene, start: int, packet: Packet, chosen: tuple[str, int] | None = None) -> Path:
    """The path of a packet that a process in namespace `start` sends. An empty source is filled in as the kernel does."""
    return _Walker(scene, chosen).walk(start, packet)


class _Walker:
    """One packet on its way; each method adds its steps and says where to go on, or ends the path."""

    def __init__(self, scene: Scene, chosen: tuple[str, int] | None) -> None:
        self._scene, self._chosen = scene, chosen
        self._path = Path()
        self._inside_bridge = 0

    def walk(self, start: int, packet: Packet) -> Path:
        """From the sending process to the end."""
        space = self._scene.spaces[start]
        pod = self._scene.pod_in(start)
        first = space.route(packet.destination)
        if not packet.source and first:
            packet = packet._replace(source=space.source(first, packet.destination))
        who, pid = next(iter(pod.processes), ("", pod.pid)) if pod else ("", 0)
        name = f"{pod.name}{f'/{who}' if who else ''}" if pod else "host"
        says = f"a socket sends {packet.protocol.upper()} to {packet.destination}:{packet.dport}"
        part = f"process/{pid}" if pid else "kernel"
        self._add(
            Step("process", name, start, says, packet, part, Expect(hook="output"), object=_pod(self._scene, start))
        )
        if space.ipv6:
            self._note(f"this way is IPv4's: {self._where(space)} has IPv6 too, which is not followed")
        arrival = self._leave_process(space, packet)
        for _ in range(LONGEST):
            if arrival is None:
                return self._path
            arrival = self._arrive(*arrival)
        self._fail("loop", space, packet, detail="the packet comes back again and again")
        return self._path

    def _leave_process(self, space: Netns, packet: Packet) -> Arrival | None:
        route = self._routed(space, packet)
        if route is None:
            return None
        packet = packet._replace(leaves_by=_name(space, route.device))
        judged = self._judge(space, "output", packet)
        if judged is None:
            return None
        before, packet = packet, judged.packet._replace(leaves_by="")
        self._translation(space, before, judged)
        route = self._routed(space, packet)
        return self._route(space, packet, route, sent_here=True) if route else None

    def _arrive(self, space: Netns, device: Device, packet: Packet, via: str) -> Arrival | None:
        """Out of a device: into a bridge, or to routing."""
        bridge = space.devices.get(device.master)
        entered = bridge or device
        says = f"comes in, a port of bridge {bridge.name}" if bridge else f"comes in at {device.name}"
        hook = "" if bridge else "prerouting"
        self._device(space, device, says, packet, Expect(device.name, "in", hook))
        if bridge:
            if space.addresses.get(via) != bridge.index and not space.is_local(via):
                return self._switch(space, bridge, packet, via)
            says = f"its own MAC is addressed ({via}): up to this kernel, to be routed"
            self._device(space, bridge, says, packet, Expect(bridge.name, "in", "prerouting", flow="known"))
        packet = packet._replace(came_by=entered.name, leaves_by="")
        judged = self._judge(space, "prerouting", packet)
        if judged is None:
            return None
        before, packet = packet, judged.packet
        onward = space.route(packet.destination)
        if bridge and judged.translated and space.bridge_filtering and onward and onward.device == bridge.index:
            self._rewritten_in(bridge)
        self._translation(space, before, judged)
        route = self._routed(space, packet)
        return self._route(space, packet, route, sent_here=False) if route else None

    def _rewritten_in(self, bridge: Device) -> None:
        """With bridge-nf-call-iptables the rules are asked while the packet is still in the bridge. What they lead back
        into the same bridge is switched there: the bridge's own device, which is the way to routing, never sees it."""
        self._inside_bridge = bridge.index
        step = self._path.steps[-1]
        says = "the rules are asked within the bridge (bridge-nf-call-iptables)"
        self._path.steps[-1] = step._replace(says=says, expect=step.expect._replace(direction=""))

    def _route(self, space: Netns, packet: Packet, route: Route, sent_here: bool) -> Arrival | None:
        """Deliver here, or send out by the route's device."""
        if route.kind == "local":
            return self._deliver(space, packet, sent_here)
        device = space.devices.get(route.device)
        if device is None:
            return self._fail("no route", space, packet, detail=f"the device of route {route.text} is gone")
        via = route.gateway or packet.destination
        packet = packet._replace(leaves_by=device.name)
        if not sent_here:
            judged = self._judge(space, "forward", packet)
            if judged is None:
                return None
            packet = judged.packet
        gateway = f" via {route.gateway}" if route.gateway else ""
        line = f"{route.text}{gateway} dev {device.name}"
        expect = Expect(hook="postrouting" if sent_here else "forward")
        evidence = (Evidence(source=f"netlink RTM_GETROUTE, table {route.table}", value=line),)
        part = f"route/{space.inode}/{route.text}"
        self._add(
            Step("route", route.text, space.inode, f"to {packet.destination}: {line}", packet, part, expect, evidence)
        )
        as_source = space.source(route._replace(source=""), packet.destination)
        judged = self._judge(space, "postrouting", packet, as_source)
        if judged is None:
            return None
        self._translation(space, packet, judged)
        packet = judged.packet
        if not device.up:
            return self._fail("device down", space, packet, detail=device.name)
        return self._emit(space, device, packet, via)

    def _emit(self, space: Netns, device: Device, packet: Packet, via: str) -> Arrival | None:
        if device.kind == "bridge":
            within = device.index == self._inside_bridge
            expect = Expect(device.name, "" if within else "out", "postrouting")
            self._device(space, device, f"looks for {via} among its ports", packet, expect)
            return self._switch(space, device, packet, via)
        hook = "postrouting" if self._path.steps[-1].kind != "bridge" else ""
        return self._cross(space, device, packet, via, f"goes out by {device.name}", hook)

    def _switch(self, space: Netns, bridge: Device, packet: Packet, via: str) -> Arrival | None:
        """From a bridge to the port behind which the next station is: its MAC's, else the pod's that has the address."""
        mac = space.neighbours.get(via, "")
        port = space.devices.get(space.forwarding.get((bridge.index, mac), 0))
        evidence = f"{via} is {mac}, learnt at {port.name}" if port else ""
        if port is None:
            pod = self._scene.pod_at(via)
            ends = [d for d in space.devices.values() if d.master == bridge.index and d.peer and pod]
            port = next((d for d in ends if pod and d.peer and d.peer[0] == pod.netns), None)
            evidence = f"{port.name} leads to the namespace of pod {pod.name}" if port and pod else ""
        if port is None:
            detail = f"no port of {bridge.name} leads to {via}: nobody answers ARP"
            return self._fail("unanswered", space, packet, detail=detail)
        found = (Evidence(source=f"netlink RTM_GETNEIGH, {bridge.name}'s forwarding table", value=evidence),)
        return self._cross(space, port, packet, via, f"the port of {bridge.name} behind which {via} is", "", found)

    def _cross(
        self,
        space: Netns,
        device: Device,
        packet: Packet,
        via: str,
        says: str,
        hook: str = "",
        evidence: tuple[Evidence, ...] = (),
    ) -> Arrival | None:
        """Out of a device: to a veth's other end, or out of what can be seen."""
        if not device.up:
            self._device(space, device, says, packet, Expect(device.name, "out", hook), evidence)
            return self._fail("device down", space, packet, detail=device.name)
        gone = packet._replace(came_by="", leaves_by="", mark=0)
        if device.peer is None:
            driver = f", driver {device.driver}" if device.driver else ""
            says = (
                f"the uplink{driver}: leaves this machine for {via}"
                if device.kind != "veth"
                else (f"{says}, into a namespace that is nobody's here")
            )
            self._device(space, device, says, packet, Expect(device.name, "out", hook), evidence)
            self._path.outside = True
            return None
        self._device(space, device, says, packet, Expect(device.name, "out", hook), evidence)
        inode, index = device.peer
        there = self._scene.spaces.get(inode)
        if there is None:
            self._path.wanted = inode
            return None
        return Arrival(there, there.devices[index], gone, via)

    def _deliver(self, space: Netns, packet: Packet, sent_here: bool) -> Arrival | None:
        if sent_here:
            loopback = space.device("lo")
            if loopback:
                self._device(space, loopback, "stays in this namespace", packet, Expect("lo", "out", "postrouting"))
        judged = self._judge(space, "input", packet._replace(leaves_by=""))
        if judged is None:
            return None
        pod = self._scene.pod_in(space.inode)
        name, where = pod.name if pod else "host", self._where(space)
        listens = space.listens(packet)
        port = f"{packet.dport}/{packet.protocol.upper()}"
        says = f"{where} takes it: a process listens on {port}" if listens else f"nothing in {where} listens on {port}"
        who, pid = next(iter(pod.processes), ("", pod.pid)) if pod else ("", 0)
        name += f"/{who}" if who else ""
        part = f"process/{pid}" if pid else "kernel"
        evidence = Evidence(source="netlink SOCK_DIAG", value=f"listens: {_listening(space)}")
        step = Step("process", name, space.inode, says, packet, part, Expect(hook="input"), (evidence,))
        self._add(step._replace(object=_pod(self._scene, space.inode)))
        if not listens:
            return self._fail("refused", space, packet, detail=_listening(space))
        self._path.arrived = True
        return None

    def _routed(self, space: Netns, packet: Packet) -> Route | None:
        if space.policies:
            rules = "; ".join(space.policies)
            self._note(f"{self._where(space)} has policy routing ({rules}), which is not judged: the way may differ")
        route = space.route(packet.destination)
        if route is None:
            self._fail("no route", space, packet, detail=f"no route leads to {packet.destination}")
            return None
        if route.kind in ("unreachable", "blackhole", "prohibit"):
            self._fail("unreachable", space, packet, detail=f"{route.kind} {route.text}")
            return None
        return route

    def _where(self, space: Netns) -> str:
        pod = self._scene.pod_in(space.inode)
        return f"pod {pod.name}" if pod else "this host"

    def _note(self, text: str) -> None:
        if text not in self._path.notes:
            self._path.notes.append(text)

    def _judge(self, space: Netns, hook: str, packet: Packet, masquerade_as: str = "") -> Judgement | None:
        """What the rules of a hook do. None when they end the packet, which is then told."""
        judged = judge(space.ruleset, hook, packet, space.is_local, masquerade_as, self._chosen)
        self._path.undecided += [rule for rule in judged.undecided if rule not in self._path.undecided]
        if judged.decision == "accept":
            return judged
        self._fail("rule", space, packet, judged.rule, judged.decision)
        return None

    def _translation(self, space: Netns, before: Packet, judged: Judgement) -> None:
        if not judged.translated or judged.rule is None:
            return
        after, rule = judged.packet, judged.rule
        evidence = (Evidence(source=f"nft -j list ruleset, {rule.text}"),)
        if judged.translated == "source":
            says = f"masquerade: from {before.source} to {after.source}, so that answers come back here"
            part, expect = _nat(self._scene, space, rule), Expect(hook="postrouting", rule=rule, flow="source")
            self._add(Step("masquerade", rule.table, space.inode, says, after, part, expect, evidence))
            return
        self._path.choices = self._path.choices or judged.choices
        port = self._scene.service_of(before, space) if space.inode == self._scene.node else None
        chance = f", one of {len(judged.choices)} endpoints by chance" if len(judged.choices) > 1 else ""
        says = f"{before.destination}:{before.dport} becomes {after.destination}:{after.dport}{chance}"
        hook = "prerouting" if before.came_by else "output"
        expect = Expect(hook=hook, rule=rule, flow="destination")
        if port:
            about = ObjectReference(api_version="v1", kind="Service", namespace=port.namespace, name=port.name)
            name, part = f"{port.namespace}/{port.name}", f"service/{port.namespace}/{port.name}"
            self._add(Step("service", name, space.inode, says, after, part, expect, evidence, about))
        else:
            part = _nat(self._scene, space, rule)
            self._add(Step("nat", rule.table, space.inode, says, after, part, expect, evidence))

    def _device(
        self,
        space: Netns,
        device: Device,
        says: str,
        packet: Packet,
        expect: Expect,
        evidence: tuple[Evidence, ...] = (),
    ) -> None:
        part = f"link/{space.inode}/{device.index}"
        about = _pod(self._scene, space.inode)
        self._add(Step(device.kind, device.name, space.inode, says, packet, part, expect, evidence, about))

    def _add(self, step: Step) -> None:
        self._path.steps.append(step)

    def _fail(
        self, cause: Cause, space: Netns, packet: Packet, rule: RuleRef | None = None, detail: str = ""
    ) -> Arrival | None:
        """The packet ends here: it arrives nowhere."""
        self._path.failure = Failure(len(self._path.steps) - 1, cause, space.inode, packet, rule, detail)
        return None


def _name(space: Netns, index: int) -> str:
    device = space.devices.get(index)
    return device.name if device else ""


def _nat(scene: Scene, space: Netns, rule: RuleRef) -> str:
    """The part of the layers that the rule is: they hold the node's own rules."""
    return f"nat/{rule.table}/{rule.handle}" if space.inode == scene.node else ""


def _listening(space: Netns) -> str:
    found = sorted({(x.port, x.protocol.upper(), x.address) for x in space.listeners})
    shown = [f"{p}/{word}" + ("" if address == "0.0.0.0" else f" on {address} only") for p, word, address in found]
    return ", ".join(shown) or "nothing"


def _pod(scene: Scene, netns: int) -> ObjectReference | None:
    pod = scene.pod_in(netns)
    if pod is None:
        return None
    return ObjectReference(api_version="v1", kind="Pod", namespace=pod.namespace, name=pod.name, uid=pod.uid)


def is_outside(address: str, *ranges: str) -> bool:
    """Whether an address is neither loopback nor of one of the cluster's ranges."""
    wanted = ipaddress.IPv4Address(address)
    return not wanted.is_loopback and not any(wanted in ipaddress.IPv4Network(r) for r in ranges)
