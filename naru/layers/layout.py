"""Where each part stands in the picture: positions from `Layers`, and nothing else.

    NIC          NAT          switch       NIC              pod
    ┌──────┐     ┌──────┐     ┌──────┐     ┌──────────┐     ┌─────────┐
    │ eth0 ├─────┤ masq ├─────┤      ├─────┤ eth0     ├─────┤ web-0   │
    └──────┘     └──────┘     │ br0  │     └──────────┘     └─────────┘
                 ┌──────┐     │      │     ┌──────────┐     ┌─────────┐
                 │ web  ├─────┤      ├─────┤ eth0     ├─────┤ web-1   │
                 └──────┘     └──────┘     └──────────┘     └─────────┘
    ═ runtime ══════════════════════════════════════════════════════════
    ═ kernel ═══════════════════════════════════════════════════════════

Columns are fixed, so that the eye finds a thing where it was. A switch is as tall as its ports need, so that no wire crosses
another; below lie the floors that all of it stands on. Lengths are pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from kubeapi.hardware_v1.layers import Floor, Layers, Part
from naru.layers.labels import Labels
from naru.layers.tower import Plug, Tower, is_sandbox
from naru.layers.tree import headlines

COLUMNS = {"nic": (24, 190), "nat": (254, 230), "switch": (524, 170), "inner-nic": (734, 190), "pod": (964, 330)}
FLOORS: tuple[Floor, ...] = ("runtime", "kernel", "hypervisor", "hardware")  # from above, as they lie
WIDTH = 1318
HEADING = 68  # the y of the columns' headings; what stands above is the title
TOP = 80
LINE = 16
PADDING = 8
GAP = 14
FLOOR_LABEL = 170
CONTROL = 22  # how far a wire goes straight before it bends


class Words(NamedTuple):
    """A line of a box; the part that it is about."""

    text: str
    part: str = ""


class Box(NamedTuple):
    """A part (or several of a kind that look the same) at its place. words[0] is its title."""

    part: str
    kind: str
    x: int
    y: int
    width: int
    height: int
    words: tuple[Words, ...]

    @property
    def middle(self) -> int:
        """The height at which a wire meets it."""
        return self.y + self.height // 2


class Wire(NamedTuple):
    """A link from one box's right side to another's left side; `parts` are those that it belongs to."""

    kind: str
    parts: tuple[str, str]
    start: tuple[int, int]
    end: tuple[int, int]


class Band(NamedTuple):
    """A floor: its name and height; where below it the horizon lies, what that says."""

    floor: Floor
    y: int
    height: int
    horizon: tuple[str, ...] = ()


class Picture(NamedTuple):
    """All of it."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    bands: tuple[Band, ...]


class End(NamedTuple):
    """What a row of the picture ends in (a pod, a virtual machine, a container by itself), its plugs, and the containers
    inside: of one that stands by itself those that share its network namespace."""

    part: Part
    plugs: tuple[Plug, ...]
    inside: tuple[Part, ...] = ()

    @property
    def switch(self) -> str:
        """The switch that it is sorted to; those on none come last."""
        return next((plug.switch.name for plug in self.plugs if plug.switch), "\uffff")


def layout(layers: Layers, labels: Labels) -> Picture:
    """The picture of a machine."""
    page = _Page(Tower(layers), labels)
    page.rows()
    page.way_out()
    bands, height = page.floors()
    return Picture(WIDTH, height, tuple(page.boxes.values()), tuple(page.wires), tuple(bands))


def ends(tower: Tower) -> list[End]:
    """What the rows end in, those of one switch together."""
    parts = tower.parts.values()
    alone = [p for p in parts if p.kind == "container" and all(below.kind != "pod" for below in tower.beneath(p.id))]
    made = [
        End(
            pod,
            tuple(tower.plugs(pod)),
            tuple(p for p in tower.above(pod.id) if p.kind == "container" and not is_sandbox(p)),
        )
        for pod in tower.pods()
    ]
    made += [End(part, tuple(tower.plugs(part))) for part in parts if part.kind == "vm"]
    shared: dict[str, list[Part]] = defaultdict(list)
    for container in alone:
        netns = tower.namespace(container)
        shared[netns.id if netns else container.id].append(container)
    made += [End(first, tuple(tower.plugs(first)), tuple(others)) for first, *others in shared.values()]
    ours = {end.switch for end in made if end.part.kind == "pod"}  # what a person came to see stands above
    return sorted(made, key=lambda e: (e.switch not in ours, e.switch, e.part.kind != "pod", e.part.name, e.part.id))


class _Page:
    """A picture in the making: columns are filled from above."""

    def __init__(self, tower: Tower, labels: Labels) -> None:
        self._tower = tower
        self._labels = labels
        self._free = dict.fromkeys(COLUMNS, TOP)
        self.boxes: dict[str, Box] = {}
        self.wires: list[Wire] = []

    def rows(self) -> None:
        """Pods with their NICs, each row as high as it needs, and the switches along them."""
        reach: dict[str, tuple[int, int]] = {}
        for end in ends(self._tower):
            y = self._free["pod"]
            pod = self._put("pod", end.part, self._pod_words(end), y)
            bottom = pod.y + pod.height
            for plug in end.plugs:
                nic = self._put("inner-nic", plug.inside, self._nic_words(plug), y)
                self._wire("plugged", nic, pod)
                y = nic.y + nic.height + GAP
                bottom = max(bottom, nic.y + nic.height)
                if plug.switch:
                    first, last = reach.get(plug.switch.id, (nic.y, 0))
                    reach[plug.switch.id] = (min(first, nic.y), max(last, nic.y + nic.height))
            self._free["pod"] = self._free["inner-nic"] = bottom + GAP
        for bridge in sorted(self._kind("bridge"), key=lambda b: (reach.get(b.id, (1 << 30, 0)), b.name)):
            first, last = reach.get(bridge.id, (self._free["switch"], 0))
            self._put("switch", bridge, self._words(bridge), first, last - first)
        for end in ends(self._tower):
            for plug in end.plugs:
                if plug.switch:
                    self._wire("port", self.boxes[plug.switch.id], self.boxes[plug.inside.id])

    def way_out(self) -> None:
        """NAT and Services beside the switch that they serve, and the NICs."""
        served = [(nat, "masquerades", self._tower.neighbours(nat.id, "masquerades")) for nat in self._kind("nat")]
        served = [row for row in served if row[2]]  # other rules keep a Service and its own clients apart: no way out
        for service in self._kind("service"):
            endpoints = [self._tower.parts[link.target] for link in self._tower.links_from(service.id, "translates")]
            switches = [plug.switch for pod in endpoints for plug in self._tower.plugs(pod) if plug.switch]
            served.append((service, "translates", switches))
        rows = [
            (part, kind, [self.boxes[id] for id in dict.fromkeys(switch.id for switch in switches) if id in self.boxes])
            for part, kind, switches in served
        ]
        for part, kind, boxes in sorted(rows, key=lambda row: min((box.y for box in row[2]), default=1 << 30)):
            box = self._put("nat", part, self._words(part), min((switch.y for switch in boxes), default=TOP))
            for switch in boxes:
                self._wire(kind, box, switch)
        for nic in self._kind("nic"):
            box = self._put("nic", nic, self._words(nic), self._free["nic"])
            for nat in self._tower.neighbours(nic.id, "uplink"):
                if nat.id in self.boxes:
                    self._wire("uplink", box, self.boxes[nat.id])
            for link in self._tower.links_from(nic.id, "port"):
                if link.target in self.boxes:
                    self._wire("port", box, self.boxes[link.target])

    def floors(self) -> tuple[list[Band], int]:
        """What all of it stands on, beneath the longest column, and where the picture ends."""
        y = max(self._free.values()) + GAP
        bands = []
        for floor in FLOORS:
            standing = self._floor(floor)
            if not standing:
                continue
            height = self._band(standing, y)
            says = tuple(h.says for h in self._tower.layers.horizons if self._floor_of(h.part) == floor)
            bands.append(Band(floor, y, height, says))
            y += height + (len(says) * LINE + GAP if says else 0) + GAP // 2
        return bands, y + GAP

    def _floor_of(self, id: str) -> Floor | None:
        part = self._tower.parts.get(id)
        return part.floor if part else None

    def _floor(self, floor: Floor) -> list[tuple[Part, tuple[Words, ...]]]:
        """The boxes of a floor: parts that stand in no column. Shims are counted, one would look as the other."""
        parts = [p for p in self._tower.parts.values() if p.floor == floor and p.kind not in ("nic", "machine", "shim")]
        boxes = [(part, self._words(part)) for part in parts if part.id not in self.boxes]
        shims = [p for p in self._tower.parts.values() if p.kind == "shim" and p.floor == floor]
        if shims:
            boxes.append((shims[0], (Words(self._labels.counted(len(shims), "shim")),)))
        return boxes

    def _band(self, standing: Sequence[tuple[Part, tuple[Words, ...]]], y: int) -> int:
        """Boxes side by side on a floor, in as many rows as they need; returns the floor's height."""
        width = (WIDTH - FLOOR_LABEL - 24 - 3 * GAP) // 4
        top = y + PADDING
        for at in range(0, len(standing), 4):
            row = standing[at : at + 4]
            height = max(_height(words) for _, words in row)
            for place, (part, words) in enumerate(row):
                x = FLOOR_LABEL + place * (width + GAP)
                self.boxes[part.id] = Box(part.id, part.kind, x, top, width, height, words)
            top += height + PADDING
        return top - y

    def _kind(self, kind: str) -> list[Part]:
        return sorted((p for p in self._tower.parts.values() if p.kind == kind), key=lambda p: (p.name, p.id))

    def _put(self, column: str, part: Part, words: tuple[Words, ...], y: int, height: int = 0) -> Box:
        """A box in its column, at `y` or below what stands there already."""
        x, width = COLUMNS[column]
        y = max(y, self._free[column])
        box = Box(part.id, part.kind, x, y, width, max(height, _height(words)), words)
        self.boxes[part.id] = box
        self._free[column] = box.y + box.height + GAP
        return box

    def _wire(self, kind: str, left: Box, right: Box) -> None:
        """From a box's right side to another's left; level where one is so high that it can be."""
        start, end = left.middle, right.middle
        if right.y < start < right.y + right.height:
            end = start
        elif left.y < end < left.y + left.height:
            start = end
        self.wires.append(Wire(kind, (left.part, right.part), (left.x + left.width, start), (right.x, end)))

    def _words(self, part: Part) -> tuple[Words, ...]:
        title = " ".join(filter(None, self._labels.named(part, self._tower)))
        told = [text for text in headlines(part, self._labels) if text]
        if part.kind == "bridge":
            told.append(self._labels.counted(len(self._tower.links_to(part.id, "port")), "port"))
        return (Words(title, part.id), *(Words(text) for text in told))

    def _nic_words(self, plug: Plug) -> tuple[Words, ...]:
        words = [Words(f"{self._labels.kind(plug.inside, self._tower)} {plug.inside.name}", plug.inside.id)]
        if plug.outside and plug.outside is not plug.inside:
            words.append(Words(f"⇄ {plug.outside.name}", plug.outside.id))
        return tuple(words)

    def _pod_words(self, end: End) -> tuple[Words, ...]:
        part = end.part
        services = [link.source for link in self._tower.links_to(part.id, "translates")]
        names = ", ".join(self._tower.parts[id].name for id in dict.fromkeys(services))
        words = [*self._words(part), *([Words(f"{self._labels.word('kind/service')} {names}")] if names else [])]
        for inner in end.inside:
            words.append(Words("▪ " + "  ".join([inner.name, *filter(None, headlines(inner, self._labels))]), inner.id))
        return tuple(words)


def _height(words: Sequence[Words]) -> int:
    return len(words) * LINE + 2 * PADDING
