"""`naru layers --memory`: what was promised and what was taken, by the machine, each pod, container and process."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from kubeapi.hardware_v1.layers import Fact, Part
from kubeapi.hardware_v1.memory import MACHINE, Memory
from naru.layers import source
from naru.layers.labels import shown
from naru.layers.terminal import Look, Span, width

SUMMARY = "memory promised, committed, resident, proportional, swapped, charged and limited, per pod and process"
COLUMNS = {
    "promised": "PROMISED", "committed": "COMMITTED", "resident": "RESIDENT", "proportional": "PROPORTIONAL",
    "unique": "UNIQUE", "swapped": "SWAPPED", "charged": "CHARGED", "workingSet": "WORKING SET", "limit": "LIMIT",
}  # fmt: skip
FEW = 10
LEGEND = """\
promised: addresses (VmSize). committed: vouched for (of a process: its private writable mappings). resident: in RAM, shared
pages counted once for each process. proportional: shared pages divided among their users; this column adds up. unique: what
its end would give back. swapped: beside proportional. charged: what the cgroup is billed for, page cache that it touched
first and kernel memory too. working set: charged without cache that can go at once, as docker stats shows it. A + means at
least: some processes may not be read."""


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    """Its own options."""
    parser.add_argument("--all", action="store_true", help=f"every process outside of containers, not the first {FEW}")
    parser.add_argument(
        "--promise", action="store_true", help="show it: ten processes are promised 4 GiB each, and take almost nothing"
    )


def run(options: argparse.Namespace) -> int:
    """Print the table, or run the demonstration."""
    if options.promise:
        from naru.layers.promise import run as demonstrate

        return demonstrate(options)
    memory = observe(options)
    if options.output in ("json", "yaml"):
        from naru.cli.layers import document

        print(document(memory, options.output), end="")
    else:
        print(text(memory, Look.of(sys.stdout), options.all or options.output == "wide"))
    return 0


def observe(options: argparse.Namespace) -> Memory:
    """The document of the node that is meant."""
    answer = source.ask(options, "layers/memory")
    if answer is not None:
        return Memory.from_json(answer)
    from agent.hardware.evidence import Tree
    from agent.hardware.memory import observe_memory

    return observe_memory(Tree(), source.layers(options))


def text(memory: Memory, look: Look, everything: bool = False) -> str:
    """The machine in sentences, then the table: pods with their containers and processes, then what is outside of them."""
    machine = memory.part(MACHINE)
    lines = [[Span(line)] for line in sentences(machine)] if machine else []
    rows = [("", *COLUMNS.values()), *_rows(memory, everything)]
    widths = [max(width(row[column]) for row in rows) for column in range(len(COLUMNS) + 1)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(wide) for cell, wide in zip(row[1:], widths[1:], strict=True))]
        lines.append([Span("  ".join(cells), "name" if row is rows[0] else "")])
    return "\n".join([*(look.text(line) for line in lines), "", LEGEND])


def sentences(machine: Part) -> list[str]:
    """The totals, each with what it means on this machine."""

    def says(name: str) -> str:
        return cell(machine.fact(name))

    limit, mode = machine.fact("commitLimit"), machine.fact("overcommit")
    swap = says("swap") if machine.value("swap") else "no"
    lines = [
        f"RAM           {says('total')}, {says('available')} available; {swap} swap",
        f"promised      {says('promised')}: the address spaces of all processes",
        f"committed     {says('committed')}; the commit limit of {cell(limit)} {limit.note if limit else ''}"
        f" (overcommit mode {mode.value if mode else '?'}, {mode.note if mode else 'unknown'})",
        f"resident      {says('resident')}, counting shared pages in every process",
        f"proportional  {says('proportional')}, counting every page once; {says('swapped')} swapped beside it",
    ]
    if own := machine.fact("limit"):
        lines.append(f"limit         {cell(own)} {own.note}")
    return [*lines, ""]


def cell(fact: Fact | None) -> str:
    """A fact in a cell of the table: what is not known says why."""
    if fact is None:
        return "-"
    if fact.value is None:
        return fact.note or "unknown"
    return shown(fact.value, fact.unit) + ("+" if fact.note.startswith("at least") else "")


def _rows(memory: Memory, everything: bool) -> Iterator[tuple[str, ...]]:
    ids = {part.id for part in memory.parts}
    for pod in sorted((part for part in memory.parts if part.kind == "pod"), key=_share):
        yield _row(pod, "", pod.id.removeprefix("pod/"))
        for container in sorted(memory.on(pod.id), key=_share):
            yield from _container(memory, container, "  ")
    alone = [part for part in memory.parts if part.kind == "container" and part.on not in ids]
    for container in sorted(alone, key=_share):
        yield from _container(memory, container, "")
    outside = sorted((part for part in memory.parts if part.kind == "process" and not part.on), key=_share)
    shown_ones = outside if everything else outside[:FEW]
    if outside:
        yield (f"outside of containers ({len(outside)} processes)", *[""] * len(COLUMNS))
    for process in shown_ones:
        yield _row(process, "  ", _called(process))
    if len(outside) > len(shown_ones):
        yield (f"  and {len(outside) - len(shown_ones)} more (--all)", *[""] * len(COLUMNS))


def _container(memory: Memory, container: Part, indent: str) -> Iterator[tuple[str, ...]]:
    yield _row(container, indent, container.name)
    for process in sorted(memory.on(container.id), key=_share):
        yield _row(process, f"{indent}  ", _called(process))


def _called(process: Part) -> str:
    return f"{process.name} {process.id.removeprefix('process/')}"


def _share(part: Part) -> tuple[int, str]:
    """The largest first."""
    value = part.value("proportional")
    return (-value if isinstance(value, int) else 0, part.id)


def _row(part: Part, indent: str, name: str) -> tuple[str, ...]:
    cells = [cell(part.fact(column)) if part.fact(column) else "" for column in COLUMNS]
    return (f"{indent}{name}", *cells)
