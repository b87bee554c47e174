"""Who took whose place between two snapshots: a restarted container is the same one to whoever asks what changed.

A container that starts again is another to the engine, with another id, process, shim and namespaces; to its pod it is the
one of that name. So parts that are gone are paired with those that are new by what outlives an instance:

    network namespace   its pod's
    device, route       its name, in a namespace that is the same or paired
    container           its name, in its pod
    shim                whose container it holds
    process             its name, where its container has one of that name
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

from kubeapi.hardware_v1.layers import Layers, Link, Part

Key = Callable[[Part, Layers], Hashable | None]


class Succession(NamedTuple):
    """An earlier snapshot with the later one's ids for parts that were replaced, the ids that these had, and all that is
    another instance now: these, and what is in a namespace that is one of them."""

    before: Layers
    had: dict[str, str]
    anew: set[str]


def succession(before: Layers, after: Layers) -> Succession:
    """Who took whose place."""
    renamed, had = before, dict[str, str]()
    for kinds, key in KEYS:
        new = _pairs(renamed, after, kinds, key)
        had |= {successor: id for id, successor in new.items()}
        renamed = _renamed(renamed, new)
    both = zip(before.parts, renamed.parts, strict=True)
    return Succession(renamed, had, {now.id for was, now in both if was.id != now.id})


def _pairs(before: Layers, after: Layers, kinds: str, key: Key) -> dict[str, str]:
    """The successor's id for each part that has one."""
    both = {part.id for part in before.parts} & {part.id for part in after.parts}
    gone, come = (_by_key(layers, both, kinds, key) for layers in (before, after))
    return {gone[known].id: come[known].id for known in gone.keys() & come.keys()}


def _by_key(layers: Layers, but: set[str], kinds: str, key: Key) -> dict[Hashable, Part]:
    """Those that are in one snapshot only, where no other of them has the same key."""
    found: dict[Hashable, Part] = {}
    twice: set[Hashable] = set()
    for part in layers.parts:
        if part.id in but or part.id.partition("/")[0] != kinds or (known := key(part, layers)) is None:
            continue
        twice |= {known} & found.keys()
        found[known] = part
    return {known: part for known, part in found.items() if known not in twice}


def _of_pod(netns: Part, layers: Layers) -> Hashable | None:
    return next((part.id for part in layers.parts if part.kind == "pod" and part.on == netns.id), None)


def _in_place(part: Part, _: Layers) -> Hashable | None:
    return part.on, part.kind, part.name


def _device(part: Part, _: Layers) -> Hashable | None:
    return part.id.split("/")[1], part.name


def _in_pod(container: Part, _: Layers) -> Hashable | None:
    return (container.on, container.name) if container.on.startswith("pod/") else None


def _held(shim: Part, layers: Layers) -> Hashable | None:
    return next((link.target for link in layers.links if link.kind == "runs" and link.source == shim.id), None)


# By the first word of their ids, in this order: those that others are in come first.
KEYS: tuple[tuple[str, Key], ...] = (
    ("netns", _of_pod),
    ("link", _device),
    ("route", _in_place),
    ("container", _in_pod),
    ("shim", _held),
    ("process", _in_place),
)


def _renamed(layers: Layers, new: dict[str, str]) -> Layers:
    """With other ids. What is in a namespace has its number in its id: that is renamed with it."""
    if not new:
        return layers
    inodes = {old.partition("/")[2]: now.partition("/")[2] for old, now in new.items() if old.startswith("netns/")}

    def name(id: str) -> str:
        first, *rest = id.split("/", 2)
        if first in ("link", "route") and rest and rest[0] in inodes:
            return "/".join((first, inodes[rest[0]], *rest[1:]))
        return new.get(id, id)

    def part(one: Part) -> Part:
        return one.model_copy(update={"id": name(one.id), "on": name(one.on)})

    def links(all_: Iterable[Link]) -> list[Link]:
        ends = ((one, name(one.source), name(one.target)) for one in all_)
        return [one.model_copy(update={"source": source, "target": target}) for one, source, target in ends]

    return layers.model_copy(update={"parts": [part(one) for one in layers.parts], "links": links(layers.links)})
