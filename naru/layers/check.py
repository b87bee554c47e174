"""`naru layers --check`: which witnesses this kernel offers, what is lost without each, and how to allow it."""

from __future__ import annotations

import argparse
import sys

from kubeapi.hardware_v1.check import Check
from naru.layers import source
from naru.layers.terminal import Look, Span, wrapped

SUMMARY = "which witnesses this kernel offers, what is lost without each and how to allow it"
STYLES = {"offered": "appeared", "dormant": "changed", "forbidden": "conflict", "missing": "vanished"}


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    """The mode has no options of its own."""


def run(options: argparse.Namespace) -> int:
    """Print them; exit status 0 whatever is missing: it is a report."""
    check = _check(options)
    if options.output in ("json", "yaml"):
        from naru.cli.layers import document

        print(document(check, options.output), end="")
    else:
        print(text(check, Look.of(sys.stdout), evidence=options.output == "wide"))
    return 0


def text(check: Check, look: Look, evidence: bool = False) -> str:
    """A line per witness; what is lost and how to get it below those that do not answer."""
    longest = max((len(found.name) for found in check.capabilities), default=0)
    rest = " " * (longest + 13)
    lines: list[list[Span]] = []
    for found in check.capabilities:
        first = [Span(f"{found.name:{longest}}  ", "name"), Span(f"{found.state:9}  ", STYLES[found.state])]
        lines += wrapped(first, rest, [Span(found.says)], look.columns)
        if found.state != "offered":
            lines += wrapped([Span(f"{rest}lost: ")], f"{rest}  ", [Span(found.lost)], look.columns)
            lines += wrapped([Span(f"{rest}allow: ")], f"{rest}  ", [Span(found.allow)], look.columns)
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
