"""The demonstration of promises: where it is not begun, and how it is laid out; what it says."""

from __future__ import annotations

import re

import pytest

from naru.layers.bits import program, sentence
from naru.layers.labels import Labels
from naru.layers.promise import EACH, GIB, MIB, Limits, Moment, Plan, Refusal, plan, text
from naru.layers.terminal import width

ROOMY = Limits(mode=0, ram_and_swap=24 * GIB, available=20 * GIB)


def test_on_a_usual_machine_each_child_maps_its_share_at_once() -> None:
    assert plan(ROOMY) == Plan(1, 4 * GIB)


@pytest.mark.parametrize(("ram", "pieces"), [(8, 1), (7, 2), (2, 4), (1, 8)])
def test_on_a_small_machine_it_is_mapped_in_pieces_that_mode_0_allows(ram: int, pieces: int) -> None:
    planned = plan(ROOMY._replace(ram_and_swap=ram * GIB, available=GIB))
    assert isinstance(planned, Plan) and planned.mappings == pieces
    assert planned.mappings * planned.size == EACH and planned.size < ram * GIB


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (ROOMY._replace(mode=2), "overcommit mode is 2"),
        (ROOMY._replace(address_space=3 * GIB), "ulimit -v (address space) of this session is 3"),
        (ROOMY._replace(data=GIB), "ulimit -d"),
        (ROOMY._replace(charge_left=100 * MIB), "only 100 MiB are left below the limit"),
        (ROOMY._replace(processes_left=11), "only 11 more processes"),
        (ROOMY._replace(available=200 * MIB), "only 200 MiB of memory"),
        (ROOMY._replace(bits=32), "32-bit"),
    ],
)
def test_it_is_not_begun_where_a_limit_would_bite_and_says_which(limits: Limits, why: str) -> None:
    planned = plan(limits)
    assert isinstance(planned, Refusal) and why in planned.why


def test_limits_that_are_wide_enough_do_not_stop_it() -> None:
    wide = ROOMY._replace(mode=1, address_space=5 * GIB, data=5 * GIB, charge_left=GIB, processes_left=100)
    assert isinstance(plan(wide), Plan)


def test_what_is_said_is_what_was_counted() -> None:
    moments = [
        Moment("before", 1 * GIB, 20 * GIB),
        Moment("promised", 41 * GIB, 20 * GIB - 3 * MIB, 40 * GIB, 200 * MIB, 15 * MIB),
        Moment("touched", 41 * GIB, 20 * GIB - 43 * MIB, 40 * GIB, 240 * MIB, None),
        Moment("after", 1 * GIB, 20 * GIB),
    ]
    shown = text(moments, sentence(None), Labels())
    assert "40 GiB more are committed" in shown.replace("40.0", "40") and "3 MiB of memory" in shown.replace("3.0", "3")
    assert "40 MiB more are resident" in shown.replace("40.0", "40") and "not permitted" in shown
    assert "4 GiB under a 64-bit kernel, 3 under a 32-bit one" in shown


def test_it_is_said_in_korean_in_the_same_columns() -> None:
    moments = [Moment(when, GIB, 20 * GIB, 40 * GIB, MIB, None) for when in ("before", "promised", "touched", "after")]
    shown = text(moments, sentence(True), Labels(language="ko")).splitlines()
    assert [line for line in shown if line and not re.search("[가-힣]", line)] == []
    assert len({width(line) for line in shown[2:7]}) == 1


def test_the_32_bit_program_is_a_whole_elf_file() -> None:
    assert len(program()) == 91 and program()[:5] == b"\x7fELF\x01"
