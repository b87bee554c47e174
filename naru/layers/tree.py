"""The tower as a tree of lines: a part a line, with its most telling facts and what it is linked to.

By default what repeats itself is folded: a pod's line tells its namespace's veth and switch, a container's its process, and
what was folded is counted at the end. `wide` shows every part and fact; with evidence, each fact stands on a line of its own
with its confidence and the places where it was read. Facts that witnesses dispute show the verdict, and the horizon is a
drawn line: the part below it in the text is the last that can be seen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kubeapi.hardware_v1.layers import Conflict, Evidence, Fact, Layers, Part
from naru.layers.labels import Labels, clause
from naru.layers.terminal import Look, Span, padded, width, wrapped
from naru.layers.tower import Tower, is_interface, is_sandbox

# What a part's line says of it, the most telling first.
HEADLINES: dict[str, tuple[str, ...]] = {
    "machine": ("vendor", "model"),
    "cpu": ("cpus",),
    "memory": ("total", "swap"),
    "disk": ("size", "mounted"),
    "hypervisor": ("version",),
    "kernel": ("os",),
    "nic": ("sort", "driver", "speed", "mac", "addresses"),
    "veth": ("addresses",),
    "bridge": ("addresses",),
    "nat": ("rule",),
    "service": ("address", "ports"),
    "engine": ("version",),
    "containerd": ("version",),
    "pod": ("address",),
    "container": ("image", "pid", "memory", "limit"),
    "vm": ("pid",),
}
# What is told in another part's line, or is the same for all; so are devices that are neither NIC nor switch.
FOLDED = frozenset(("netns", "route", "nat", "shim", "process"))
NAMED = 4  # so many are named in a line; the others are counted
TOLD = frozenset(("port", "peer", "backs", "masquerades", "uplink"))  # links in the line of the pod, or of the switch
ORDER = (
    *("machine", "cpu", "memory", "disk", "nic", "hypervisor", "kernel"),
    *("nat", "bridge", "service", "route", "engine", "containerd", "shim", "pod", "container", "process"),
)


class Row(NamedTuple):
    """A line of the tree: what it begins with, what following lines of it begin with, and what it says."""

    first: str
    rest: str
    kind: str
    label: str
    name: str
    cells: list[str]
    style: str = ""


class Options(NamedTuple):
    """What of the tower is shown, in which words."""

    labels: Labels = Labels()
    wide: bool = False
    evidence: bool = False


def tree(layers: Layers, options: Options, look: Look) -> str:
    """The tower as text."""
    return "\n".join(look.text(line) for line in _Tree(Tower(layers), options).lines(look.columns))


def headlines(part: Part, labels: Labels) -> list[str]:
    """What a part's line says of it, one place for each of its kind's telling facts: empty for what it hasn't."""
    facts = (part.fact(name) for name in HEADLINES.get(part.kind, ()))
    return [labels.fact(fact) if fact else "" for fact in facts]


class _Tree:
    """The rows of one tower."""

    def __init__(self, tower: Tower, options: Options) -> None:
        self._tower = tower
        self._labels = options.labels
        self._options = options
        self._all = options.wide or options.evidence
        self._horizons = {horizon.part: horizon for horizon in tower.layers.horizons}
        self._conflicts: dict[str, list[Conflict]] = defaultdict(list)
        for conflict in tower.layers.conflicts:
            self._conflicts[conflict.part].append(conflict)

    def lines(self, columns: int) -> Iterator[list[Span]]:
        """All lines, broken at `columns` (0: nowhere)."""
        about = self._tower.layers.metadata
        moment = f"{about.creation_timestamp:%Y-%m-%d %H:%M:%S} UTC" if about.creation_timestamp else ""
        yield [Span(about.name or "", "name"), Span(f"  {moment}", "quiet")]
        rows = [row for part in self._sorted(self._tower.bottom) for row in self._rows(part, "", "", "")]
        yield from _printed(rows, columns)
        if folded := self._folded():
            yield from wrapped([], "  ", [Span(f"(-o wide: {', '.join(folded)})", "quiet")], columns)

    def _folded(self) -> list[str]:
        if self._all:
            return []
        counts = Counter(part.kind for part in self._tower.parts.values() if self._is_folded(part))
        return [self._labels.counted(counts[kind], kind) for kind in sorted(counts)]

    def _rows(self, part: Part, first: str, rest: str, bar: str) -> Iterator[Row]:
        """A part and all that stands on it. `first` begins its own line, `rest` those under it, `bar` lines before it."""
        if part.id in self._horizons:
            says = self._clause(self._horizons[part.id].says)
            label = f"╌╌╌╌ {self._labels.word('word/horizon')}:"
            yield Row(bar, bar + "     ", "horizon", label, "", [f"{says} ╌╌╌╌"], "horizon")
        above = list(self._shown_above(part))
        trunk = rest + ("│  " if above else "   ")
        label, name = self._labels.named(part, self._tower)
        yield Row(first, trunk, part.kind, label, name, self._cells(part))
        yield from (row for conflict in self._conflicts[part.id] for row in self._dispute(conflict, trunk))
        if self._options.evidence:
            yield from (self._proof(fact, part, trunk) for fact in part.facts)
        for at, child in enumerate(above):
            last = at == len(above) - 1
            yield from self._rows(
                child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "), rest + "│  "
            )

    def _shown_above(self, part: Part) -> list[Part]:
        """What stands on a part; what is folded is skipped for what stands on it."""
        shown: list[Part] = []
        for above in self._tower.above(part.id):
            shown += self._shown_above(above) if self._is_folded(above) else [above]
        return self._sorted(shown)

    def _is_folded(self, part: Part) -> bool:
        """Whether a part has no line of its own: told elsewhere, a pod's sandbox, or, beside pods, another's container."""
        if self._all:
            return False
        if part.kind == "container":
            return is_sandbox(part) or (not part.on.startswith("pod/") and bool(self._tower.pods()))
        shown = part.kind in ("nic", "bridge") or part.id in self._tower.ways_out | self._horizons.keys()
        return part.kind in FOLDED or (is_interface(part) and not shown)

    def _sorted(self, parts: list[Part]) -> list[Part]:
        return sorted(parts, key=lambda p: (ORDER.index(p.kind) if p.kind in ORDER else len(ORDER), p.name, p.id))

    def _cells(self, part: Part) -> list[str]:
        if self._options.evidence:
            return self._links(part)
        if self._options.wide:
            return [f"{self._labels.name(fact.name)}={self._value(fact)}" for fact in part.facts] + self._links(part)
        return headlines(part, self._labels) + self._links(part)

    def _links(self, part: Part) -> list[str]:
        """What a part is linked to, in words: by name, or by number where those are folded."""
        told = [self._labels.plug(plug) for plug in self._tower.plugs(part)] if part.kind in ("pod", "vm") else []
        if part.kind == "bridge":
            told.append(self._labels.counted(len(self._tower.links_to(part.id, "port")), "port"))
            rules = self._tower.neighbours(part.id, "masquerades")
            ways = dict.fromkeys(nic.name for rule in rules for nic in self._tower.neighbours(rule.id, "uplink"))
            told += [self._labels.word("says/masqueraded").format(", ".join(ways))] if ways else []
        others: dict[str, list[Part]] = defaultdict(list)
        for link in self._tower.links_from(part.id):
            if self._all or link.kind not in TOLD:
                others[link.kind].append(self._tower.parts[link.target])
        return told + [self._labels.says(kind, self._named(parts)) for kind, parts in others.items()]

    def _value(self, fact: Fact) -> str:
        return self._labels.value(fact.name, fact.value, fact.unit)

    def _clause(self, says: str) -> str:
        """What is said, or the beginning of it that stands by itself."""
        return says if self._all else clause(says)

    def _named(self, parts: Sequence[Part]) -> str:
        counts = Counter(part.kind for part in parts if self._is_folded(part))
        names = [part.name for part in parts if part.kind not in counts]
        if len(names) > NAMED and not self._all:
            names[NAMED - 1 :] = [f"… {self._labels.word('says/more').format(len(names) - NAMED + 1)}"]
        return ", ".join(names + [self._labels.counted(number, kind) for kind, number in counts.items()])

    def _dispute(self, conflict: Conflict, trunk: str) -> Iterator[Row]:
        cells = [f"{conflict.question} {conflict.verdict}"]
        cells += [f"({conflict.why})"] if self._all else []
        label = self._labels.word("word/conflict")
        yield Row(trunk + "! ", trunk + "  ", "conflict", label, "", cells, "conflict")
        if self._all:
            for witness in conflict.witnesses:
                says = [witness.says, *map(_source, witness.evidence)]
                yield Row(trunk + "    ", trunk + "      ", "witness", "", "", says, "quiet")

    def _proof(self, fact: Fact, part: Part, trunk: str) -> Row:
        cells = [self._value(fact), self._labels.word(f"confidence/{fact.confidence}")]
        cells += [" ".join(map(_source, fact.evidence)) + (f"  ({fact.note})" if fact.note else "")]
        return Row(trunk + "  ", trunk + "    ", f"fact of {part.id}", "", self._labels.name(fact.name), cells, "quiet")


def _source(evidence: Evidence) -> str:
    value = " ".join(evidence.value.split())
    return f"← {evidence.source}" + (f": {value}" if value else "")


def _printed(rows: list[Row], columns: int) -> Iterator[list[Span]]:
    """Rows as lines; those of one kind and depth stand in columns where these fit."""
    groups: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.kind, width(row.first)].append(row)
    tables = {key: _table(group, columns) for key, group in groups.items()}
    for row in rows:
        widths = tables[row.kind, width(row.first)]
        head = [
            Span(row.first, "quiet"),
            Span(row.label, row.style or "kind"),
            Span(" " if row.label and row.name else ""),
        ]
        aligned = padded(row.name, widths[0]) + "  " if widths and any(row.cells) else row.name
        name = Span(aligned, row.style or "name")
        if widths:
            cells = zip(row.cells, widths[1:], strict=False)
            texts = [padded(cell, wide, numbers=row.style != "quiet") for cell, wide in cells if wide]
        else:
            texts = [cell for cell in row.cells if cell]
        style = row.style if row.style != "quiet" else ""
        yield from wrapped([*head, name], row.rest, [Span(text, style) for text in texts], columns)


def _table(rows: list[Row], columns: int) -> list[int]:
    """The widths of the name and of each cell of rows that stand in columns; nothing where they don't fit."""
    if len(rows) == 1 or rows[0].kind in ("conflict", "horizon", "witness"):
        return []
    length = max(len(row.cells) for row in rows)
    widths = [max(width(row.name) for row in rows)]
    widths += [max((width(row.cells[i]) for row in rows if i < len(row.cells)), default=0) for i in range(length)]
    longest = max(width(row.first) + width(row.label) + 1 for row in rows) + sum(w + 2 for w in widths)
    return [] if columns and longest > columns else widths
