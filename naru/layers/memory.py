"""`naru layers --memory`: what was promised and what was taken, by the machine, each pod, container and process."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from kubeapi.hardware_v1.layers import Fact, Part
from kubeapi.hardware_v1.memory import MACHINE, Memory
from naru.layers import memory_words as words
from naru.layers import source
from naru.layers.labels import Labels, shown
from naru.layers.terminal import Look, Span, padded, width

SUMMARY = "memory promised, committed, resident, proportional, swapped, charged and limited, per pod and process"
FEW = 10


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
    from naru.cli.layers import document, labels

    memory = observe(options)
    if options.output in ("json", "yaml"):
        print(document(memory, options.output), end="")
    else:
        print(text(memory, labels(options), Look.of(sys.stdout), options.all or options.output == "wide"))
    return 0


def observe(options: argparse.Namespace) -> Memory:
    """The document of the node that is meant."""
    answer = source.ask(options, "layers/memory")
    if answer is not None:
        return Memory.from_json(answer)
    from agent.hardware.evidence import Tree
    from agent.hardware.memory import observe_memory

    return observe_memory(Tree(), source.layers(options))


def text(memory: Memory, labels: Labels, look: Look, everything: bool = False) -> str:
    """The machine in sentences, then the table: pods with their containers and processes, then what is outside of them."""
    machine = memory.part(MACHINE)
    lines = [[Span(line)] for line in sentences(machine, labels)] if machine else []
    rows = [("", *map(labels.term, words.COLUMNS.values())), *_rows(memory, labels, everything)]
    widths = [max(width(row[column]) for row in rows) for column in range(len(words.COLUMNS) + 1)]
    for row in rows:
        first, *rest = (" " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True))
        cells = [row[0] + first, *(space + cell for space, cell in zip(rest, row[1:], strict=True))]
        lines.append([Span("  ".join(cells), "name" if row is rows[0] else "")])
    return "\n".join([*(look.text(line) for line in lines), "", labels.term(words.LEGEND)])


def sentences(machine: Part, labels: Labels) -> list[str]:
    """The totals, each with what it means on this machine."""

    def says(name: str) -> str:
        return cell(machine.fact(name), labels)

    limit, mode, own = (machine.fact(name) for name in ("commitLimit", "overcommit", "limit"))
    binds = labels.said(limit.note) if limit else ""
    kept = [str(mode.value), labels.said(mode.note)] if mode else ["?", labels.word("confidence/unknown")]
    told = {
        "ram": [says("total"), says("available"), says("swap") if machine.value("swap") else labels.term(words.NO)],
        "promised": [says("promised")],
        "committed": [says("committed"), cell(limit, labels), binds, *kept],
        "resident": [says("resident")],
        "proportional": [says("proportional"), says("swapped")],
    }
    if own:
        told["limit"] = [cell(own, labels), labels.said(own.note)]
    named = [(labels.term(words.TOTALS[name][0]), labels.term(words.TOTALS[name][1]), told[name]) for name in told]
    longest = max(width(name) for name, _, _ in named)
    return [*(padded(name, longest + 2) + sentence.format(*values) for name, sentence, values in named), ""]


def cell(fact: Fact | None, labels: Labels) -> str:
    """A fact in a cell of the table: what is not known says why."""
    if fact is None:
        return "-"
    if fact.value is None:
        return labels.said(fact.note) or labels.word("confidence/unknown")
    return shown(fact.value, fact.unit) + ("+" if fact.note.startswith("at least") else "")


def _rows(memory: Memory, labels: Labels, everything: bool) -> Iterator[tuple[str, ...]]:
    ids = {part.id for part in memory.parts}
    for pod in sorted((part for part in memory.parts if part.kind == "pod"), key=_share):
        yield _row(pod, labels, "", pod.id.removeprefix("pod/"))
        for container in sorted(memory.on(pod.id), key=_share):
            yield from _container(memory, labels, container, "  ")
    alone = [part for part in memory.parts if part.kind == "container" and part.on not in ids]
    for container in sorted(alone, key=_share):
        yield from _container(memory, labels, container, "")
    outside = sorted((part for part in memory.parts if part.kind == "process" and not part.on), key=_share)
    told = outside if everything else outside[:FEW]
    if outside:
        yield _heading(labels.term(words.OUTSIDE).format(len(outside)))
    for process in told:
        yield _row(process, labels, "  ", _called(process))
    if len(outside) > len(told):
        yield _heading("  " + labels.term(words.MORE).format(len(outside) - len(told)))


def _heading(text: str) -> tuple[str, ...]:
    return (text, *[""] * len(words.COLUMNS))


def _container(memory: Memory, labels: Labels, container: Part, indent: str) -> Iterator[tuple[str, ...]]:
    yield _row(container, labels, indent, container.name)
    for process in sorted(memory.on(container.id), key=_share):
        yield _row(process, labels, f"{indent}  ", _called(process))


def _called(process: Part) -> str:
    return f"{process.name} {process.id.removeprefix('process/')}"


def _share(part: Part) -> tuple[int, str]:
    """The largest first."""
    value = part.value("proportional")
    return (-value if isinstance(value, int) else 0, part.id)


def _row(part: Part, labels: Labels, indent: str, name: str) -> tuple[str, ...]:
    cells = [cell(part.fact(column), labels) if part.fact(column) else "" for column in words.COLUMNS]
    return (f"{indent}{name}", *cells)
