"""Whether the engine answers. One that hangs says nothing, and its event stream stays open: so it is asked now and then.

One question is open at a time, however long the engine takes over it: what hangs must not gather threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from agent.runtime.protocol import EngineDownError, EngineError, Runtime

EVERY, PATIENCE = 10.0, 20.0

log = structlog.get_logger()


async def follow_pulse(runtime: Runtime, tell: Callable[[str], Awaitable[None]]) -> None:
    """Ask for ever. `tell(problem)` hears that the engine hangs, and with an empty text that it answers again.

    An engine that is away is not told of: its event stream has ended.
    """
    hangs = False
    while True:
        await asyncio.sleep(EVERY)
        question = asyncio.create_task(runtime.ping(), name="engine ping")
        try:
            if not (await asyncio.wait({question}, timeout=PATIENCE))[0]:
                hangs = True
                log.warning("engine hangs", seconds=PATIENCE)
                await tell(f"the engine has not answered for {PATIENCE:.0f} s")
            await question
        except EngineDownError:
            continue
        except EngineError as error:  # it does answer
            log.warning("engine refuses", why=str(error))
        finally:
            question.cancel()
        if hangs:
            hangs = False
            log.info("engine answers again")
            await tell("")
