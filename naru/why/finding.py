"""What `naru why` says: findings, each with its evidence, a remedy, and the findings that it is because of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple


class LogRef(NamedTuple):
    """Whose last lines would tell more: a container, or the one that ran before it."""

    namespace: str
    pod: str
    container: str
    previous: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one object (`pod/web-1`). remedy: what to do, empty where another finding beneath says it."""

    about: str
    says: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    because: tuple[Finding, ...] = ()
    log: LogRef | None = None
    log_lines: tuple[str, ...] = ()

    def walk(self) -> Iterator[Finding]:
        """Itself, and all that it is because of."""
        yield self
        for one in self.because:
            yield from one.walk()

    def with_logs(self, logs: dict[LogRef, tuple[str, ...]]) -> Finding:
        """The same, with the log lines of those that have some."""
        because = tuple(one.with_logs(logs) for one in self.because)
        return replace(self, because=because, log_lines=logs.get(self.log, ()) if self.log else ())


@dataclass(frozen=True, slots=True)
class Report:
    """The answer for one object: what is wrong; what was, and is over; and, where nothing is wrong, how it is."""

    object: str
    wrong: tuple[Finding, ...] = ()
    past: tuple[Finding, ...] = ()
    well: str = ""

    def logs(self) -> set[LogRef]:
        """Whose last lines it asks for."""
        return {f.log for root in (*self.wrong, *self.past) for f in root.walk() if f.log}

    def with_logs(self, logs: dict[LogRef, tuple[str, ...]]) -> Report:
        """The same, with log lines."""
        wrong, past = (tuple(f.with_logs(logs) for f in found) for found in (self.wrong, self.past))
        return replace(self, wrong=wrong, past=past)


def times(number: int) -> str:
    """`once`, `3 times`."""
    return "once" if number == 1 else f"{number} times"


def some(names: Sequence[str], most: int = 3) -> str:
    """`a, b and 4 more`."""
    shown = [*names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
