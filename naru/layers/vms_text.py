"""The comparison with virtual machines as text: the boxes, a table of ranges, and everything it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from kubeapi.hardware_v1.terms import Term
from kubeapi.hardware_v1.vms import Box, Cost, Range, Vms
from naru.layers.labels import Labels, shown
from naru.layers.terminal import Look, Span, padded, width, wrapped

LAYERS = {"process": Term("process", "프로세스"), "os": Term("OS", "OS"), "nic": Term("NIC", "NIC")}
COSTS = {
    "kernels": Term("kernels", "커널"),
    "OS processes": Term("OS processes", "OS 프로세스"),
    "software NICs": Term("software NICs", "소프트웨어 NIC"),
    "memory": Term("memory", "메모리"),
    "disk": Term("disk", "디스크"),
    "boot time": Term("boot time", "부팅 시간"),
}
NOW = Term("NOW", "지금")
MORE, PROCESSES = Term("{} more", "그 밖에 {}개"), Term("{} processes", "프로세스 {}개")
SEVERAL = 4  # more names of one box than that are counted


def text(vms: Vms, labels: Labels, look: Look) -> str:
    """All of it."""
    lines = [*_boxes(vms, labels, look), [], *_table(vms, labels), [], *_basis(vms, labels, look)]
    return "\n".join(look.text(line) for line in lines)


def _boxes(vms: Vms, labels: Labels, look: Look) -> Iterator[list[Span]]:
    title = "The boxes, if each pod were a virtual machine, and what containers do without:"
    yield [Span(labels.said(title), "name")]
    owner = None
    for box in vms.boxes:
        if box.guest != owner:
            owner = box.guest
            yield [Span(called(owner, labels), "name")]
        layer = padded(labels.term(LAYERS[box.layer]), 8)
        first = [Span(f"{box.number:>4} {layer}", "vanished" if box.vanishes else "appeared")]
        cells = [Span(", ".join(_held(box, labels))), Span(box.why, "quiet")]
        yield from wrapped(first, " " * 13, [span for span in cells if span.text], look.columns)
    gone = [str(box.number) for box in vms.boxes if box.vanishes]
    yield []
    numbers = ", ".join(gone[:8]) + (", ..." if len(gone) > 8 else "")
    told = f"{len(gone)} of {len(vms.boxes)} boxes vanish{': ' + numbers if gone else ''}"
    yield [Span(labels.said(told))]


def called(guest: str, labels: Labels) -> str:
    """A guest's name for a reader."""
    return guest.removeprefix("pod/") or labels.said("the host")


def _held(box: Box, labels: Labels) -> list[str]:
    names = list(dict.fromkeys(box.holds))
    counted = [name if box.holds.count(name) == 1 else f"{name} x {box.holds.count(name)}" for name in names]
    if len(counted) <= SEVERAL:
        return counted
    return [*counted[:SEVERAL], labels.term(MORE).format(len(counted) - SEVERAL)]


def _table(vms: Vms, labels: Labels) -> Iterator[list[Span]]:
    """Each cell is low - typical - high."""
    rows = [["", labels.term(NOW), *(hypervisor.name.upper() for hypervisor in vms.hypervisors)]]
    names = [cost.name for cost in vms.hypervisors[0].costs] if vms.hypervisors else []
    for name in names:
        costs = [cost for hypervisor in vms.hypervisors if (cost := hypervisor.cost(name))]
        now = "?" if costs[0].now is None else _value(costs[0].now, costs[0].unit)
        rows.append([labels.term(COSTS[name]), now, *(_range(cost) for cost in costs)])
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    told = f"As virtual machines, {len(vms.guests)} guests (low .. typical .. high):"
    yield [Span(labels.said(told), "name")]
    for row in rows:
        yield [Span("  ".join(padded(cell, wide, numbers=False) for cell, wide in zip(row, widths, strict=True)))]


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


def _basis(vms: Vms, labels: Labels, look: Look) -> Iterator[list[Span]]:
    yield [Span(labels.said("How it was computed:"), "name")]
    for cost in vms.hypervisors[0].costs if vms.hypervisors else []:
        first = Span(f"  {padded(labels.term(COSTS[cost.name]), 14)}")
        yield from wrapped([first], " " * 16, [Span(cost.how)], look.columns)
    yield []
    yield [Span(labels.said("Read here, per guest (alone: memory with nobody to share with):"), "name")]
    for guest in vms.guests:
        held = guest.alone
        memory = labels.said("not permitted")
        if held:
            memory = " .. ".join(shown(int(value), "B") for value in (held.low, held.typical, held.high))
        size = shown(sum(guest.images.values()), "B")
        image = f"{' + '.join(guest.images)}, {size}" if guest.images else labels.said("image not known")
        processes = labels.term(PROCESSES).format(guest.processes)
        yield [Span(f"  {called(guest.part, labels)}  {processes}  alone {memory}  {image}")]
    for hypervisor in vms.hypervisors:
        yield []
        yield from wrapped([Span(hypervisor.name, "name")], "  ", [Span(hypervisor.says)], look.columns)
        for given in hypervisor.assumptions:
            value = given.value
            numbers = [f"{number:.4g}" for number in (value.low, value.typical, value.high)]
            told = numbers[0] if len(set(numbers)) == 1 else " .. ".join(numbers)
            line = [Span(f"  {given.name:12} {told} {given.unit}".rstrip())]
            yield from wrapped(line, "      ", [Span(given.source, "quiet")], look.columns)
    yield []
    for note in vms.notes:
        yield from wrapped([Span("- ")], "  ", [Span(note)], look.columns)
