"""What the bench's table says of figures: medians, ratios, and whether a budget is met."""

import pytest

from benchmarks.report import Row, table


@pytest.mark.parametrize(
    ("row", "ratio", "met"),
    [
        (Row("heal", "ms", [100, 120, 900], [100, 100, 110], times=1.2), 1.2, True),
        (Row("heal", "ms", [130], [100], times=1.2), 1.3, False),
        (Row("memory", "MB", [71.0], limit=70.0), None, False),
        (Row("memory", "MB", [70.0], limit=70.0), None, True),
        (Row("told", "ms", [50.0], [100.0]), 0.5, None),
    ],
)
def test_a_budget_is_judged_by_medians(row: Row, ratio: float | None, met: bool | None) -> None:
    assert (row.ratio, row.met) == (ratio, met)


def test_the_table_says_what_is_not_met() -> None:
    rows = [
        Row("heal", "ms", [210.0, 230.0, 1900.0], [100.0], [800.0], times=1.2),
        Row("idle", "%", [0.5], limit=1.0),
    ]
    assert [line.split() for line in table(rows).splitlines()] == [
        ["Naru", "worst", "floor", "ratio", "Docker", "budget"],
        ["heal", "230", "ms", "1,900", "ms", "100", "ms", "2.30", "800", "ms", "1.2", "x", "floor", "NOT", "MET"],
        ["idle", "0.50", "%", "1", "%", "met"],
    ]
