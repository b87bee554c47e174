"""The comparison with virtual machines as text: the boxes, a table of ranges, and everything it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from kubeapi.hardware_v1.vms import Box, Cost, Range, Vms
from naru.layers.labels import shown
from naru.layers.terminal import Look, Span, width, wrapped

WORDS = {"process": "process", "os": "OS", "nic": "NIC"}
SEVERAL = 4  # more names of one box than that are counted


def text(vms: Vms, look: Look) -> str:
    """All of it."""
    lines = [*_boxes(vms, look), [], *_table(vms), [], *_basis(vms, look)]
    return "\n".join(look.text(line) for line in lines)


def _boxes(vms: Vms, look: Look) -> Iterator[list[Span]]:
    yield [Span("The boxes, if each pod were a virtual machine, and what containers do without:", "name")]
    owner = None
    for box in vms.boxes:
        if box.guest != owner:
            owner = box.guest
            yield [Span(called(owner), "name")]
        first = [Span(f"{box.number:>4} {WORDS[box.layer]:8}", "vanished" if box.vanishes else "appeared")]
        cells = [Span(", ".join(_held(box))), Span(box.why, "quiet")]
        yield from wrapped(first, " " * 13, [span for span in cells if span.text], look.columns)
    gone = [str(box.number) for box in vms.boxes if box.vanishes]
    yield []
    numbers = ", ".join(gone[:8]) + (", ..." if len(gone) > 8 else "")
    yield [Span(f"{len(gone)} of {len(vms.boxes)} boxes vanish{': ' + numbers if gone else ''}")]


def called(guest: str) -> str:
    """A guest's name for a reader."""
    return guest.removeprefix("pod/") or "the host"


def _held(box: Box) -> list[str]:
    names = list(dict.fromkeys(box.holds))
    counted = [name if box.holds.count(name) == 1 else f"{name} x {box.holds.count(name)}" for name in names]
    return [*counted[:SEVERAL], f"{len(counted) - SEVERAL} more"] if len(counted) > SEVERAL else counted


def _table(vms: Vms) -> Iterator[list[Span]]:
    """Each cell is low - typical - high."""
    rows = [["", "NOW", *(hypervisor.name.upper() for hypervisor in vms.hypervisors)]]
    names = [cost.name for cost in vms.hypervisors[0].costs] if vms.hypervisors else []
    for name in names:
        costs = [cost for hypervisor in vms.hypervisors if (cost := hypervisor.cost(name))]
        now = "?" if costs[0].now is None else _value(costs[0].now, costs[0].unit)
        rows.append([name, now, *(_range(cost) for cost in costs)])
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    yield [Span(f"As virtual machines, {len(vms.guests)} guests (low .. typical .. high):", "name")]
    for row in rows:
        yield [Span("  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)))]


def _range(cost: Cost) -> str:
    found: Range | None = cost.machines
    if found is None:
        return "?"
    if found.low == found.high:
        return _value(found.low, cost.unit)
    return " .. ".join(_value(value, cost.unit) for value in (found.low, found.typical, found.high))


def _value(value: float, unit: str) -> str:
    if unit == "B":
        return shown(int(value), "B")
    return f"{value:.3g}{' ' + unit if unit else ''}"


def _basis(vms: Vms, look: Look) -> Iterator[list[Span]]:
    yield [Span("How it was computed:", "name")]
    for cost in vms.hypervisors[0].costs if vms.hypervisors else []:
        yield from wrapped([Span(f"  {cost.name:14}")], " " * 16, [Span(cost.how)], look.columns)
    yield []
    yield [Span("Read here, per guest (alone: memory with nobody to share with):", "name")]
    for guest in vms.guests:
        held = guest.alone
        memory = (
            " .. ".join(shown(int(v), "B") for v in (held.low, held.typical, held.high)) if held else "not permitted"
        )
        size = shown(sum(guest.images.values()), "B")
        image = f"{' + '.join(guest.images)}, {size}" if guest.images else "image not known"
        yield [Span(f"  {called(guest.part)}  {guest.processes} processes  alone {memory}  {image}")]
    for hypervisor in vms.hypervisors:
        yield []
        yield from wrapped([Span(hypervisor.name, "name")], "  ", [Span(hypervisor.says)], look.columns)
        for given in hypervisor.assumptions:
            value = given.value
            numbers = [f"{number:.4g}" for number in (value.low, value.typical, value.high)]
            told = numbers[0] if len(set(numbers)) == 1 else " .. ".join(numbers)
            first = [Span(f"  {given.name:12} {told} {given.unit}".rstrip())]
            yield from wrapped(first, "      ", [Span(given.source, "quiet")], look.columns)
    yield []
    for note in vms.notes:
        yield from wrapped([Span("- ")], "  ", [Span(note)], look.columns)
