"""A report as lines for people, and as plain values for programs; both tell the same."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from naru.why.finding import Finding, Report

STEP = "  "


def lines(report: Report, width: int = 100) -> Iterator[str]:
    """The report, no line longer than `width` but for words that can't be broken."""
    if report.wrong:
        yield f"{report.object}: something is wrong."
        for finding in report.wrong:
            yield from _finding(finding, report.object, STEP, "", width)
    else:
        yield from _wrapped(f"nothing is wrong: {report.well}", "", "  ", width)
    if report.past:
        yield ""
        yield "worth knowing:"
        for finding in report.past:
            yield from _finding(finding, report.object, STEP, "", width)


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON has it."""
    return {
        "object": report.object,
        "wrong": [_plain(finding) for finding in report.wrong],
        "past": [_plain(finding) for finding in report.past],
        **({"well": report.well} if report.well else {}),
    }


def _plain(finding: Finding) -> dict[str, Any]:
    told: dict[str, Any] = {"about": finding.about, "says": finding.says, "evidence": [*finding.evidence]}
    if finding.log_lines:
        told["log"] = [*finding.log_lines]
    if finding.remedy:
        told["remedy"] = finding.remedy
    if finding.because:
        told["because"] = [_plain(one) for one in finding.because]
    return told


def _finding(finding: Finding, said: str, indent: str, because: str, width: int) -> Iterator[str]:
    """A finding and those beneath it; whom it is about is told where that changes."""
    about = "" if finding.about == said else f"{finding.about}: "
    yield from _wrapped(f"{because}{about}{finding.says}", indent, indent + STEP, width)
    inner = indent + STEP
    for one in finding.evidence:
        yield from _wrapped(f"· {one}", inner, inner + STEP, width)
    for one in finding.log_lines:
        yield printable(f"{inner}│ {one}")
    if finding.remedy:
        yield from _wrapped(f"to do: {finding.remedy}", inner, inner + STEP, width)
    for deeper in finding.because:
        yield from _finding(deeper, finding.about, inner, "because ", width)


def printable(text: str) -> str:
    """Without what would steer the terminal: a container chooses its own words."""
    return "".join(c if c.isprintable() else " " if c in "\t\n\r" else "�" for c in text)


def _wrapped(text: str, first: str, rest: str, width: int) -> list[str]:
    return textwrap.wrap(
        " ".join(printable(text).split()),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )
