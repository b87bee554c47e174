"""An engine that hangs is told of, once, and so is its coming back; one question at a time."""

from __future__ import annotations

import asyncio

import pytest

from agent.pulse import EVERY, PATIENCE, follow_pulse
from agent.runtime.protocol import EngineDownError, EngineError
from naru.simulation.virtual import virtually


class Engine:
    """Answers at once, or when `hangs` is let go; counts the questions that are open."""

    def __init__(self) -> None:
        self.answers, self.down, self.refuses = asyncio.Event(), False, False
        self.answers.set()
        self.open = self.most = 0

    async def ping(self) -> None:
        if self.down:
            raise EngineDownError("no engine")
        if self.refuses:
            raise EngineError("Error response from daemon: too many questions")
        self.open += 1
        self.most = max(self.most, self.open)
        await self.answers.wait()
        self.open -= 1


@pytest.mark.parametrize("down", [False, True])
def test_a_hung_engine_is_told_of_and_told_well_again(down: bool) -> None:
    async def story() -> list[str]:
        engine, told = Engine(), list[str]()

        async def tell(problem: str) -> None:
            told.append(problem)

        following = asyncio.create_task(follow_pulse(engine, tell))  # type: ignore[arg-type]
        await asyncio.sleep(3 * EVERY)
        assert told == []
        engine.answers.clear()
        await asyncio.sleep(EVERY + PATIENCE + 1)
        assert told == ["the engine has not answered for 20 s"]
        await asyncio.sleep(600)
        engine.down = down
        engine.answers.set()
        await asyncio.sleep(2 * EVERY)
        assert engine.most == 1
        following.cancel()
        return told

    assert virtually(story) == ["the engine has not answered for 20 s", ""]


def test_an_engine_that_is_away_is_told_of_by_others() -> None:
    async def story() -> list[str]:
        engine, told = Engine(), list[str]()
        engine.down = True

        async def tell(problem: str) -> None:
            told.append(problem)

        following = asyncio.create_task(follow_pulse(engine, tell))  # type: ignore[arg-type]
        await asyncio.sleep(10 * EVERY)
        following.cancel()
        return told

    assert virtually(story) == []


def test_an_engine_that_refuses_to_answer_is_asked_again() -> None:
    async def story() -> list[str]:
        engine, told = Engine(), list[str]()

        async def tell(problem: str) -> None:
            told.append(problem)

        engine.refuses = True
        following = asyncio.create_task(follow_pulse(engine, tell))  # type: ignore[arg-type]
        await asyncio.sleep(2 * EVERY)
        engine.refuses = False
        engine.answers.clear()
        await asyncio.sleep(2 * EVERY + PATIENCE)
        following.cancel()
        return told

    assert virtually(story) == ["the engine has not answered for 20 s"]
