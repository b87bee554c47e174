"""`naru layers --check`: which witnesses this kernel offers, what is lost without each, and how to allow it."""

from __future__ import annotations

import argparse
import sys

from kubeapi.hardware_v1.check import Check
from naru.layers import source
from naru.layers.labels import Labels
from naru.layers.terminal import Look, Span, padded, width, wrapped

SUMMARY = "which witnesses this kernel offers, what is lost without each and how to allow it"
STYLES = {"offered": "appeared", "dormant": "changed", "forbidden": "conflict", "missing": "vanished"}


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    """The mode has no options of its own."""


def run(options: argparse.Namespace) -> int:
    """Print them; exit status 0 whatever is missing: it is a report."""
    from naru.cli.layers import document, labels, language, told_in

    check = _check(options)
    if options.output in ("json", "yaml"):
        print(document(check, options.output), end="")
    else:
        told = told_in(check, language(options))
        print(text(told, labels(options), Look.of(sys.stdout), evidence=options.output == "wide"))
    return 0


def text(check: Check, labels: Labels, look: Look, evidence: bool = False) -> str:
    """A line per witness; what is lost and how to get it below those that do not answer."""
    longest = max((width(found.name) for found in check.capabilities), default=0)
    states = {found.state: labels.word(f"offer/{found.state}") for found in check.capabilities}
    wide = max(map(width, states.values()), default=0)
    rest = " " * (longest + wide + 4)
    lines: list[list[Span]] = []
    for found in check.capabilities:
        first = [
            Span(padded(found.name, longest + 2), "name"),
            Span(padded(states[found.state], wide + 2), STYLES[found.state]),
        ]
        lines += wrapped(first, rest, [Span(found.says)], look.columns)
        if found.state != "offered":
            lines += wrapped(
                [Span(f"{rest}{labels.word('word/lost')}: ")], f"{rest}  ", [Span(found.lost)], look.columns
            )
            lines += wrapped(
                [Span(f"{rest}{labels.word('word/allow')}: ")], f"{rest}  ", [Span(found.allow)], look.columns
            )
        if evidence:
            for told in found.evidence:
                cells = [Span(f"{told.source}: {told.value}", "quiet")]
                lines += wrapped([Span(rest)], f"{rest}  ", cells, look.columns)
    return "\n".join(look.text(line) for line in lines)


def _check(options: argparse.Namespace) -> Check:
    answer = source.ask(options, "layers/check")
    if answer is not None:
        return Check.from_json(answer)
    import socket

    from agent.hardware.evidence import Tree
    from agent.hardware.witnesses import checked
    from kubeapi.clock import SystemClock

    return checked(Tree(), socket.gethostname().lower(), SystemClock().now())
