"""A controller's queue: repeats merged, one worker per key, failures tried again."""

import asyncio

import pytest

from kubeapi.client.workqueue import Queue
from naru.simulation.virtual import virtually


async def test_repeats_of_a_waiting_key_are_one_reconcile() -> None:
    done: list[str] = []
    finished = asyncio.Event()

    async def reconcile(key: str) -> None:
        done.append(key)
        if key == "last":
            finished.set()

    queue = Queue(reconcile, workers=1)
    for key in ("a", "a", "b", "a", "last"):
        queue.add(key)
    await queue.start()
    async with asyncio.timeout(5):
        await finished.wait()
    await queue.stop()
    assert done == ["a", "b", "last"]


async def test_a_key_added_during_its_reconcile_comes_again_and_never_twice_at_once() -> None:
    running, most, runs = 0, 0, 0
    inside, go, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def reconcile(_: str) -> None:
        nonlocal running, most, runs
        running, runs = running + 1, runs + 1
        most = max(most, running)
        inside.set()
        await go.wait()
        running -= 1
        if runs == 2:
            finished.set()

    queue = Queue(reconcile, workers=4)
    await queue.start()
    queue.add("a")
    async with asyncio.timeout(5):
        await inside.wait()
        queue.add("a")
        queue.add("a")
        go.set()
        await finished.wait()
    await queue.stop()
    assert (most, runs) == (1, 2)


async def test_a_failed_key_is_tried_again_while_others_go_on() -> None:
    tries: list[str] = []
    finished = asyncio.Event()

    async def reconcile(key: str) -> None:
        tries.append(key)
        if key == "bad" and tries.count("bad") < 4:
            raise RuntimeError("not yet")
        if tries.count("bad") == 4:
            finished.set()

    queue = Queue(reconcile, workers=1)
    await queue.start()
    queue.add("bad")
    queue.add("good")
    async with asyncio.timeout(5):
        await finished.wait()
    await queue.stop()
    assert tries == ["bad", "good", "bad", "bad", "bad"]


@pytest.mark.parametrize(("first", "second"), [(60, 0), (0, 60)])
async def test_of_two_wishes_the_earliest_counts(first: float, second: float) -> None:
    finished = asyncio.Event()

    async def reconcile(_: str) -> None:
        finished.set()

    queue = Queue(reconcile)
    await queue.start()
    queue.add_after("a", first)
    queue.add_after("a", second)
    async with asyncio.timeout(5):
        await finished.wait()
    await queue.stop()


def test_a_busy_key_rests_nine_times_as_long_as_it_works_and_never_long() -> None:
    async def story(takes: float, starts: list[float]) -> None:
        loop = asyncio.get_running_loop()

        async def reconcile(_: str) -> None:
            starts.append(round(loop.time(), 4))
            await asyncio.sleep(takes)

        queue = Queue(reconcile)
        await queue.start()
        for _ in range(1000):  # a change each millisecond
            queue.add("a")
            await asyncio.sleep(0.001)
        await queue.stop()

    short: list[float] = []
    virtually(lambda: story(0.005, short))
    assert short[:3] == [0.0, 0.05, 0.1]
    long: list[float] = []
    virtually(lambda: story(0.2, long))
    assert long[:3] == [0.0, 0.25, 0.5]
