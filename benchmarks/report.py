"""The table: ours beside the engine's floor and what Docker offers, medians and ratios of one run, and the budgets. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

HEADER = ("", "Naru", "worst", "floor", "ratio", "Docker", "Swarm", "budget", "")
TEXT = (0, 8)  # columns of words


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. floor, docker and swarm are what it stands beside (may be empty).

    The budget is at most `times` the floor's median, or at most `limit` in the figure's own unit; neither: no promise.
    """

    what: str
    unit: str
    ours: Sequence[float]
    floor: Sequence[float] = ()
    docker: Sequence[float] = ()
    swarm: Sequence[float] = ()
    times: float | None = None
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours to the floor's, by medians."""
        return median(self.ours) / median(self.floor) if self.floor else None

    @property
    def met(self) -> bool | None:
        """Whether the budget is met, None without one."""
        if self.times is not None and self.ratio is not None:
            return self.ratio <= self.times
        return None if self.limit is None else median(self.ours) <= self.limit

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        budget = ""
        if self.times is not None:
            budget = f"{self.times:.1f} x floor"
        elif self.limit is not None:
            budget = f"{self.limit:g} {self.unit}"
        verdict = {True: "met", False: "NOT MET", None: ""}[self.met]
        worst = self._text([max(self.ours)]) if len(self.ours) > 1 else ""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return (
            self.what, self._text(self.ours), worst, self._text(self.floor), ratio,
            self._text(self.docker), self._text(self.swarm), budget, verdict,
        )  # fmt: skip

    def _text(self, values: Sequence[float]) -> str:
        if not values:
            return ""
        value = median(values)
        return f"{value:.2f} {self.unit}" if value < 10 else f"{value:,.0f} {self.unit}"


def table(rows: Sequence[Row]) -> str:
    """All rows, aligned, without the columns that are empty."""
    cells = [row.cells() for row in rows]
    shown = [i for i in range(len(HEADER)) if any(line[i] for line in cells)]
    lines = [HEADER, *cells]
    widths = {i: max(len(line[i]) for line in lines) for i in shown}
    return "\n".join(
        "  ".join(line[i].ljust(widths[i]) if i in TEXT else line[i].rjust(widths[i]) for i in shown).rstrip()
        for line in lines
    )
