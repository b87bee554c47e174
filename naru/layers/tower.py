"""The tower as it is asked for when it is shown: what stands on a part, what it is linked to, and one pod's way through it.

An index of a `Layers`, and rules over it. A document may be of any machine, also a broken one: a part whose `on` leads
nowhere, or in a circle, stands at the bottom.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Literal, NamedTuple

from kubeapi.hardware_v1.layers import Layers, Link, Part

Switch = Literal["nat", "bridged", "hostOnly"]
# How far a part is from the wire. A way along links only leads nearer to it: so a bridge leads to its masquerading and the
# NIC, never to its other ports, a Service not to its other endpoints, the engine not to what else it runs.
DISTANCE = {"process": 6, "container": 6, "pod": 6, "vm": 6, "netns": 6, "veth": 4, "tap": 4, "shim": 4}
DISTANCE |= {"containerd": 3, "service": 2, "nat": 2, "route": 2, "engine": 2, "nic": 1}
SUBSTANCE = frozenset(("cpu", "memory", "disk"))  # beside every way, and what all of it stands on


def is_interface(part: Part) -> bool:
    """Whether a part is a network interface, of whatever kind."""
    return part.id.startswith("link/")


def is_sandbox(part: Part) -> bool:
    """Whether a container only holds its pod's namespaces: every pod has one, and it tells nothing."""
    return part.kind == "container" and part.value("sandbox") is True


class Plug(NamedTuple):
    """How a pod (or whatever owns a network namespace) is plugged in: its own interface, the other end, the switch."""

    inside: Part
    outside: Part | None = None
    switch: Part | None = None


class Tower:
    """Parts by id, by what they stand on, and by their links. ways_out are the devices by which packets leave: NICs, or
    whatever stands for one where the machine is itself a namespace's."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.parts = {part.id: part for part in layers.parts}
        self._on: dict[str, list[Part]] = defaultdict(list)
        self._from: dict[str, list[Link]] = defaultdict(list)
        self._to: dict[str, list[Link]] = defaultdict(list)
        self.bottom = [part for part in self.parts.values() if not self._stands(part)]
        self.ways_out = {link.target for link in layers.links if link.kind == "uplink"}
        self._bottom = {part.id for part in self.bottom}
        for part in self.parts.values():
            if part.id not in self._bottom:
                self._on[part.on].append(part)
        for link in layers.links:
            if link.source in self.parts and link.target in self.parts:
                self._from[link.source].append(link)
                self._to[link.target].append(link)

    def _stands(self, part: Part) -> bool:
        """Whether going down from a part ends somewhere, and it is not the end itself."""
        seen = {part.id}
        on = part.on
        while on in self.parts:
            if on in seen:
                return False
            seen.add(on)
            on = self.parts[on].on
        return part.on in self.parts

    def above(self, id: str) -> list[Part]:
        """What stands on a part directly."""
        return self._on.get(id, [])

    def all_above(self, id: str) -> Iterator[Part]:
        """All that stands on it, at any height."""
        for part in self.above(id):
            yield part
            yield from self.all_above(part.id)

    def beneath(self, id: str) -> Iterator[Part]:
        """What it stands on, down to the bottom."""
        part = self.parts.get(id)
        while part and part.id not in self._bottom:
            part = self.parts[part.on]
            yield part

    def links_from(self, id: str, kind: str = "") -> list[Link]:
        """The links that begin at a part."""
        return [link for link in self._from.get(id, []) if not kind or link.kind == kind]

    def links_to(self, id: str, kind: str = "") -> list[Link]:
        """The links that end at it."""
        return [link for link in self._to.get(id, []) if not kind or link.kind == kind]

    def neighbours(self, id: str, kind: str) -> list[Part]:
        """The other ends of its links of a kind."""
        others = [link.target for link in self.links_from(id, kind)] + [link.source for link in self.links_to(id, kind)]
        return [self.parts[other] for other in dict.fromkeys(others)]

    def namespace(self, part: Part) -> Part | None:
        """The network namespace that a part is in: beneath it, or the one that it says."""
        for beneath in self.beneath(part.id):
            if beneath.kind == "netns":
                return beneath
        return self.parts.get(f"netns/{part.value('netns')}")

    def plugs(self, owner: Part) -> list[Plug]:
        """How a pod, a container by itself or a virtual machine reaches a switch: an answer for each of its interfaces."""
        netns = self.namespace(owner)
        insides = [p for p in self.above(netns.id) if is_interface(p) and p.kind != "loopback"] if netns else []
        plugs = [self._plug(inside, self.neighbours(inside.id, "peer")) for inside in insides]
        return plugs + [self._plug(tap, [tap]) for tap in self.neighbours(owner.id, "backs")]

    def _plug(self, inside: Part, outsides: list[Part]) -> Plug:
        outside = outsides[0] if outsides else None
        switches = [self.parts[link.target] for link in self.links_from(outside.id, "port")] if outside else []
        return Plug(inside, outside, switches[0] if switches else None)

    def switch(self, bridge: Part) -> Switch:
        """What a bridge is to its machine: with the NIC as a port `bridged`, with masquerading `nat`, else `hostOnly`."""
        if any(self.parts[link.source].kind == "nic" for link in self.links_to(bridge.id, "port")):
            return "bridged"
        return "nat" if self.neighbours(bridge.id, "masquerades") else "hostOnly"

    def pods(self) -> list[Part]:
        """The pods, by namespace and name."""
        return sorted((p for p in self.parts.values() if p.kind == "pod"), key=lambda p: p.id)

    def find(self, name: str) -> list[Part]:
        """The pods of that name, `NAMESPACE/NAME` or `NAME`; else those whose name begins so."""
        pods = self.pods()
        exact = [p for p in pods if p.id == f"pod/{name}" or p.id.split("/", 2)[-1] == name]
        return exact or [p for p in pods if p.id.split("/", 2)[-1].startswith(name) or p.id.startswith(f"pod/{name}")]

    def way(self, id: str) -> set[str]:
        """All that one part needs: what stands on it, what it stands on, and its way out to the NIC."""
        asked: set[str] = set()
        waiting = [id, *(part.id for part in self.all_above(id))]
        waiting += [part.id for plug in self.plugs(self.parts[id]) for part in plug if part]
        while waiting:
            at = waiting.pop()
            if at not in asked:
                asked.add(at)
                others = [link.target for link in self.links_from(at)] + [link.source for link in self.links_to(at)]
                waiting += [other for other in others if self._distance(other) <= self._distance(at)]
        reached = asked | {part.id for id in asked for part in self.beneath(id)}
        return reached | {part.id for part in self.parts.values() if part.kind in SUBSTANCE and part.on in reached}

    def _distance(self, id: str) -> int:
        return DISTANCE["nic"] if id in self.ways_out else DISTANCE.get(self.parts[id].kind, 3)


def only(layers: Layers, ids: Collection[str]) -> Layers:
    """A document with these parts, and what is said of them."""
    return layers.model_copy(
        update={
            "parts": [part for part in layers.parts if part.id in ids],
            "links": [link for link in layers.links if link.source in ids and link.target in ids],
            "conflicts": [conflict for conflict in layers.conflicts if conflict.part in ids],
            "horizons": [horizon for horizon in layers.horizons if horizon.part in ids],
        }
    )
