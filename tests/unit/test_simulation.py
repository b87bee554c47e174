"""Stories of simulated clusters: what must hold holds under faults, a story repeats, and a failing one gets shorter."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.protocol import ContainerSpec, Image, PodRef, SandboxSpec
from naru.cli import main
from naru.simulation.deeds import Deed
from naru.simulation.many import Journal, Size, storytellers
from naru.simulation.node import Engine
from naru.simulation.shrink import shrink
from naru.simulation.story import Outcome, tell
from naru.simulation.virtual import StuckError, VirtualClock, VirtualLoop, virtually
from tests.waiting import until

SEEDS = 200
SIZE = Size(nodes=3, seconds=4.0)


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest) -> Iterator[dict[int, Future[Outcome]]]:
    """The stories that are asked for here, told by a process per core."""
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    seeds = {spec.params["seed"] for spec in parameters if spec and "seed" in spec.params}
    with storytellers() as pool:
        yield {seed: pool.submit(tell, seed, 2 + seed % 2, SIZE.seconds) for seed in sorted(seeds)}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_cluster_under_faults_holds_and_comes_to_rest(seed: int, told: dict[int, Future[Outcome]]) -> None:
    outcome = told[seed].result()
    assert not outcome.wrong, "\n".join([*outcome.wrong, *map(str, outcome.deeds)])
    assert outcome.revisions > 50


def test_a_story_repeats_to_the_commit() -> None:
    stories = []
    for _ in range(2):
        with storytellers(1) as pool:
            stories.append(pool.submit(tell, 5, *SIZE).result())
    assert stories[0] == stories[1]


def test_the_command_sums_up_and_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "simulate",
        "--stories",
        "2",
        "--nodes",
        "1",
        "--hours",
        "0.0003",
        "--quiet",
        "--journal",
        str(tmp_path / "told"),
    ]
    assert main(words) == 0
    assert main(words) == 0
    first, again = capsys.readouterr().out.splitlines()
    assert first.startswith("2 stories, ") and first.endswith("; all held")
    assert first.split(" hours")[0] == again.split(" hours")[0]


@given(st.lists(st.integers(), min_size=1, max_size=40, unique=True), st.data())
def test_a_failing_list_shrinks_to_what_makes_it_fail(deeds: list[int], data: st.DataObject) -> None:
    guilty = set(data.draw(st.lists(st.sampled_from(deeds), min_size=1, max_size=3, unique=True)))
    assert set(shrink(deeds, lambda rest: guilty <= set(rest), tries=1000)) == guilty


def test_what_was_told_is_not_told_again_after_an_interruption(tmp_path: Path) -> None:
    path, story = tmp_path / "journal", Outcome(7, ["why"], 1.0, 2, [Deed(0.5, "kill", {"node": 1})])
    journal = Journal(path, SIZE)
    journal.add(story)
    journal.close()
    path.write_text(path.read_text() + "[8, [], 1.")  # it was cut off in the middle of a line
    assert Journal(path, SIZE).told == {7: story}
    assert Journal(path, SIZE._replace(nodes=2)).told == {}


def test_a_story_in_which_nothing_can_happen_any_more_says_so() -> None:
    with pytest.raises(StuckError):
        virtually(lambda: asyncio.Event().wait())


def _again(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    loop.call_later(seconds, _again, loop, seconds)


def test_a_story_that_asks_without_a_pause_says_so() -> None:
    async def busy() -> None:
        _again(asyncio.get_running_loop(), 0.0)
        await asyncio.Event().wait()

    with pytest.raises(StuckError):
        virtually(busy)


def test_what_is_drawn_by_chance_is_drawn_again() -> None:
    async def story() -> float:
        return random.random()

    assert virtually(story) == virtually(story)


def test_a_turn_of_the_loop_comes_though_all_wait_for_time() -> None:
    async def story() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        _again(loop, 1.0)
        await loop.turn(10)
        return loop.time()

    assert 2 <= virtually(story) <= 10


@pytest.mark.parametrize("turns", range(1, 5))
def test_who_waits_for_a_turn_may_be_cancelled_in_any(turns: int) -> None:
    async def story() -> bool:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        waiter = asyncio.create_task(loop.turn(turns))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait({waiter})
        return waiter.cancelled()

    assert virtually(story)


def children(pid: int) -> set[int]:
    """The processes that a process has made."""
    return {
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    }


def lives(pid: int) -> bool:
    """Whether a process has not ended, be it that nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_who_tells_stories_ends_with_who_asked_for_them(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    command = [sys.executable, "-m", "naru", "simulate", "--stories", "99", "--quiet", "--journal", str(journal)]
    with subprocess.Popen([*command, "--jobs", "2", "--hours", "0.0003"]) as asking:
        until(lambda: journal.exists() and len(journal.read_text().splitlines()) > 1)
        tellers = children(asking.pid)
        asking.kill()
    assert len(tellers) > 1
    until(lambda: not any(map(lives, tellers)))


@pytest.mark.parametrize("lasts", [True, False])
def test_what_is_doomed_is_spared_once_the_mischief_is_over(lasts: bool) -> None:
    async def story() -> str:
        engine = Engine(VirtualClock(), random.Random(1), random.Random(2), {})
        engine.present["app:1"] = Image("sha256:app", ("app:1",))
        pod = PodRef("n", "p", "u")
        sandbox = await engine.start_sandbox(await engine.create_sandbox(SandboxSpec(pod)))
        made = await engine.create_container(ContainerSpec(pod, "c", sandbox.id, "app:1"))
        engine.mischief.doomed = True
        await engine.start(made)
        engine.mischief.doomed = lasts
        await asyncio.sleep(Engine.DOOM)
        return (await engine.observe())[1][0].phase

    assert virtually(story) == ("exited" if lasts else "running")
