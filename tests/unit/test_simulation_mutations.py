"""Planted bugs are caught, each by the invariant that is there for it; a story with one replays, and gets shorter."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from naru.simulation.many import storytellers
from naru.simulation.story import Outcome
from tests.unit.simulation_mutations import MUTATIONS, hunt, shortened, tell_with

CASES = [
    pytest.param(number, id=bug.words, marks=pytest.mark.soak if bug.slow else ())
    for number, bug in enumerate(MUTATIONS)
]


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """A process per core: what is planted in one is not in this."""
    with storytellers() as tellers:
        yield tellers


@pytest.fixture(scope="module")
def hunted(request: pytest.FixtureRequest, pool: ProcessPoolExecutor) -> dict[int, Future[Outcome | None]]:
    """What is asked for here is hunted for at once."""
    parameters = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    numbers = {spec.params["number"] for spec in parameters if spec and "number" in spec.params}
    return {number: pool.submit(hunt, number) for number in sorted(numbers)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", CASES)
def test_a_planted_bug_is_caught(number: int, hunted: dict[int, Future[Outcome | None]]) -> None:
    bug, told = MUTATIONS[number], hunted[number].result()
    assert told is not None, f"none of {bug.seeds} stories caught it"
    assert any(name in why for why in told.wrong for name in bug.invariant.split(" or ")), told.wrong


def test_a_failing_story_replays_and_is_made_shorter(pool: ProcessPoolExecutor) -> None:
    told = pool.submit(hunt, 0).result()
    assert told is not None
    assert pool.submit(tell_with, 0, told.seed).result() == told
    deeds = pool.submit(shortened, 0, told).result()
    assert {deed.name for deed in deeds} <= {deed.name for deed in told.deeds}
    assert len(deeds) <= 3
    assert pool.submit(tell_with, 0, told.seed, deeds=deeds).result().wrong
