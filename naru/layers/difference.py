"""What changed between two snapshots of a machine's layers: after a failure, a rollout, a new rule.

Parts are the same where their ids are, or where one took the other's place (`naru.layers.succession`): of a container that
was restarted, what every new one has anew is one change, that of its id. A fact that moves by itself (bytes received, memory
in use) is no change of the machine: it is told apart and makes no difference. Where a value was read doesn't matter, only
what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from kubeapi.hardware_v1.layers import Conflict, Fact, Horizon, Layers, Link, Part, Value
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.model import Model, always, empty
from naru.layers.labels import Labels
from naru.layers.succession import succession
from naru.layers.terminal import Look, Span, wrapped
from naru.layers.tower import Tower

# Facts that are another number a moment later though nobody changed anything.
MOVING = frozenset(("available", "committed", "connections", "conntrackFlows", "frequency", "memory", "processes"))
MOVING |= frozenset(("received", "sent", "stolen time", "charged", "chargedSwap"))
# What a successor has anew without anybody having changed it; so has every kind of namespace.
ANEW = frozenset(("id", "pid", "inode", "index", "netns", "mac", "cgroup", "engineName", "received", "sent"))
COUNTER = re.compile(r"counter packets \d+ bytes \d+")  # within a rule's text
T = TypeVar("T")


class Change(Model):
    """One thing of a part that is another now: a fact by its name, or `kind`, `name`, `floor`, `on`, `object`."""

    part: str
    what: str
    before: Value = always(lambda: None)
    after: Value = always(lambda: None)
    unit: str = ""


class Difference(Model):
    """What appeared, vanished and changed from one snapshot to a later one. `moved` is what moves by itself."""

    kind: str = always(lambda: "LayersDifference")
    api_version: str = always(lambda: "hardware.naru.dev/v1")
    before: ObjectMeta = always(lambda: ObjectMeta())
    after: ObjectMeta = always(lambda: ObjectMeta())
    appeared: list[Part] = always(list)
    vanished: list[Part] = always(list)
    changed: list[Change] = always(list)
    linked: list[Link] = empty(list)
    unlinked: list[Link] = empty(list)
    conflicts_appeared: list[Conflict] = empty(list)
    conflicts_vanished: list[Conflict] = empty(list)
    horizons_appeared: list[Horizon] = empty(list)
    horizons_vanished: list[Horizon] = empty(list)
    moved: list[Change] = empty(list)

    def __bool__(self) -> bool:
        """Whether there is any difference, apart from what moves by itself."""
        same = {"kind", "api_version", "before", "after", "moved"}
        return any(getattr(self, name) for name in type(self).model_fields if name not in same)


def difference(before: Layers, after: Layers) -> Difference:
    """From `before` to `after`."""
    before, had, anew = succession(before, after)
    old, new = {part.id: part for part in before.parts}, {part.id: part for part in after.parts}
    replaced = [Change(part=id, what="id", before=was, after=id) for id, was in had.items()]
    changes = replaced + [change for id in old if id in new for change in _changes(old[id], new[id], id in anew)]
    linked, unlinked = _apart(before.links, after.links, lambda link: (link.kind, link.source, link.target))
    new_conflicts, old_conflicts = _apart(before.conflicts, after.conflicts, lambda c: (c.part, c.question, c.verdict))
    new_horizons, old_horizons = _apart(before.horizons, after.horizons, lambda h: (h.part, h.says))
    return Difference(
        before=before.metadata,
        after=after.metadata,
        appeared=[part for id, part in new.items() if id not in old],
        vanished=[part for id, part in old.items() if id not in new],
        changed=[change for change in changes if not _moves(change)],
        linked=linked,
        unlinked=unlinked,
        conflicts_appeared=new_conflicts,
        conflicts_vanished=old_conflicts,
        horizons_appeared=new_horizons,
        horizons_vanished=old_horizons,
        moved=[change for change in changes if _moves(change)],
    )


def text(difference: Difference, before: Layers, after: Layers, labels: Labels, look: Look) -> str:
    """The difference for a reader. What a new or a gone part was linked to goes with it and is not told again."""
    lines = _Lines(labels, Tower(succession(before, after).before), Tower(after), look).lines(difference)
    return "\n".join(look.text(line) for line in lines)


class _Lines(NamedTuple):
    """What the lines are made with."""

    labels: Labels
    before: Tower
    after: Tower
    look: Look

    def lines(self, difference: Difference) -> Iterator[list[Span]]:
        """All of them, under a heading each."""
        yield [Span(f"{_moment(difference.before)} → {_moment(difference.after)}", "quiet")]
        if not difference:
            yield [Span(self.labels.word("word/same"))]
        both = self.before.parts.keys() & self.after.parts.keys()
        groups: list[tuple[str, str, list[Span]]] = []
        for style, sign, tower, parts, links, conflicts, horizons in (
            ("vanished", "-", self.before, difference.vanished, difference.unlinked, *_lost(difference)),
            ("appeared", "+", self.after, difference.appeared, difference.linked, *_gained(difference)),
        ):
            told = [self._part(part, tower) for part in parts]
            told += [self._link(link, tower) for link in links if link.source in both and link.target in both]
            told += [self._said("conflict", f"{c.question} {c.verdict}", c.part, tower) for c in conflicts]
            told += [self._said("horizon", h.says, h.part, tower) for h in horizons]
            groups += [(style, sign, spans) for spans in told]
        groups += [("changed", "~", self._change(change)) for change in difference.changed]
        heading = ""
        for style, sign, spans in groups:
            if style != heading:
                heading = style
                yield [Span(self.labels.word(f"word/{style}"), "name")]
            yield from wrapped([Span(f"  {sign} ", style)], "      ", spans, self.look.columns)
        if difference.moved:
            yield [Span(f"({self.labels.word('says/moved').format(len(difference.moved))})", "quiet")]

    def _part(self, part: Part, tower: Tower) -> list[Span]:
        return [Span(f"{self.labels.kind(part, tower)} {part.name}"), *self._where(part, tower)]

    def _where(self, part: Part, tower: Tower) -> list[Span]:
        """Whose it is: the pod or the namespace that it is in, where its own name would not tell."""
        owners = [beneath for beneath in tower.beneath(part.id) if beneath.kind in ("container", "pod", "netns")]
        if part.kind == "shim":
            owners = [tower.parts[link.target] for link in tower.links_from(part.id, "runs")]
        return [Span(f"{self.labels.kind(owners[0], tower)} {owners[0].name}", "quiet")] if owners else []

    def _link(self, link: Link, tower: Tower) -> list[Span]:
        source, target = tower.parts[link.source], tower.parts[link.target]
        return [
            Span(f"{self.labels.kind(source, tower)} {source.name}"),
            Span(self.labels.says(link.kind, target.name)),
        ]

    def _said(self, kind: str, says: str, id: str, tower: Tower) -> list[Span]:
        part = tower.parts.get(id)
        name = f"{self.labels.kind(part, tower)} {part.name}" if part else id
        return [Span(f"{self.labels.word(f'word/{kind}')} {name}"), Span(says)]

    def _change(self, change: Change) -> list[Span]:
        part = self.after.parts[change.part]
        values = [self.labels.value(change.what, value, change.unit) for value in (change.before, change.after)]
        return [*self._part(part, self.after), Span(f"{self.labels.name(change.what)}: {' → '.join(values)}")]


def _lost(difference: Difference) -> tuple[list[Conflict], list[Horizon]]:
    return difference.conflicts_vanished, difference.horizons_vanished


def _gained(difference: Difference) -> tuple[list[Conflict], list[Horizon]]:
    return difference.conflicts_appeared, difference.horizons_appeared


def _moment(about: ObjectMeta) -> str:
    moment = f" {about.creation_timestamp:%Y-%m-%d %H:%M:%S}" if about.creation_timestamp else ""
    return f"{about.name or '?'}{moment}"


def _apart(before: list[T], after: list[T], key: Callable[[T], Hashable]) -> tuple[list[T], list[T]]:
    """What is only in `after`, and what is only in `before`."""
    old, new = {key(item) for item in before}, {key(item) for item in after}
    return [item for item in after if key(item) not in old], [item for item in before if key(item) not in new]


def _changes(before: Part, after: Part, anew: bool) -> Iterator[Change]:
    for what in ("kind", "name", "floor", "on"):
        if (old := getattr(before, what)) != (new := getattr(after, what)):
            yield Change(part=before.id, what=what, before=old, after=new)
    if before.object != after.object:
        yield Change(part=before.id, what="object", before=_named(before), after=_named(after))
    old_facts, new_facts = _by_name(before.facts), _by_name(after.facts)
    for key in dict.fromkeys([*old_facts, *new_facts]):
        old, new = old_facts.get(key), new_facts.get(key)
        if _known(old) != _known(new) and not (anew and _is_anew(key[0])):
            yield Change(
                part=before.id,
                what=key[0],
                before=old.value if old else None,
                after=new.value if new else None,
                unit=new.unit if new else old.unit if old else "",
            )


def _is_anew(fact: str) -> bool:
    return fact in ANEW or fact.endswith("Namespace")


def _moves(change: Change) -> bool:
    """Whether it is a counter or a gauge: of a rule of several (`connections tcp/http`) the first word tells."""
    return change.what in MOVING or change.what.split(" ")[0] in MOVING


def _known(fact: Fact | None) -> tuple[Value, str, str, str] | None:
    if fact is None:
        return None
    value = COUNTER.sub("counter", fact.value) if isinstance(fact.value, str) else fact.value
    return value, fact.unit, fact.confidence, fact.note


def _by_name(facts: Iterable[Fact]) -> dict[tuple[str, int], Fact]:
    """Facts by name and, should a name be told twice, by which it is."""
    found: dict[tuple[str, int], Fact] = {}
    counts: dict[str, int] = {}
    for fact in facts:
        at = counts[fact.name] = counts.get(fact.name, -1) + 1
        found[fact.name, at] = fact
    return found


def _named(part: Part) -> str | None:
    return f"{part.object.kind} {part.object.namespace}/{part.object.name}" if part.object else None
