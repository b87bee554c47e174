"""Stories of simulated clusters: what must hold holds under faults, a story repeats, and a failing one gets shorter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naru.simulation.shrink import shrink
from naru.simulation.story import tell
from naru.simulation.virtual import StuckError, virtually

SEEDS = 24
STORY = (
    "import json, sys; from naru.simulation.story import tell; print(json.dumps(tell(int(sys.argv[1]), seconds=90)))"
)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_cluster_under_faults_holds_and_comes_to_rest(seed: int) -> None:
    told = tell(seed, seconds=120)
    assert not told.wrong, "\n".join([*told.wrong, *map(str, told.deeds)])
    assert told.revisions > 50


def test_a_story_repeats_to_the_commit() -> None:
    def story() -> dict[str, object]:
        command = [sys.executable, "-c", STORY, "5"]
        ran = subprocess.run(command, capture_output=True, check=True, env={"PYTHONHASHSEED": "0"}, timeout=100)
        return dict(enumerate(json.loads(ran.stdout.splitlines()[-1])))  # type: ignore[return-value]

    assert story() == story()


@given(st.lists(st.integers(), min_size=1, max_size=40, unique=True), st.data())
def test_a_failing_list_shrinks_to_what_makes_it_fail(deeds: list[int], data: st.DataObject) -> None:
    guilty = set(data.draw(st.lists(st.sampled_from(deeds), min_size=1, max_size=3, unique=True)))
    assert set(shrink(deeds, lambda rest: guilty <= set(rest), tries=1000)) == guilty


def test_a_story_in_which_nothing_can_happen_any_more_says_so() -> None:
    async def waits() -> None:
        import asyncio

        await asyncio.Event().wait()

    with pytest.raises(StuckError):
        virtually(waits)
