"""Many watches over one connection: a browser opens six to a server at most, and a page follows more kinds than that.

Each watch is a request of its own to the API server, by the page's user. Its lines are passed on as they are, behind the
number of the watch: `2 {"type":"MODIFIED","object":{...}}`. One that is refused, or falls out of the log (410), says so in a
frame of type ERROR as any watch does. All end when one does: then the page goes on with each from where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from kubeapi.client.transport import Request, Transport

PENDING = 256  # frames that wait for a slow reader before the watches do


async def together(server: Transport, requests: Sequence[Request]) -> AsyncGenerator[bytes, None]:
    """The frames of all watches as they come, until the first of them ends."""
    frames: asyncio.Queue[bytes | None] = asyncio.Queue(PENDING)

    async def follow(number: int, request: Request) -> None:
        label = b"%d " % number
        answer = await server.send(request)
        if answer.stream is None:
            await frames.put(label + b'{"type":"ERROR","object":' + answer.body + b"}\n")
        else:
            async with contextlib.aclosing(answer.stream) as stream:
                async for frame in stream:
                    await frames.put(label + frame)
        await frames.put(None)

    following = [asyncio.create_task(follow(number, request)) for number, request in enumerate(requests)]
    try:
        while (frame := await frames.get()) is not None:
            yield frame
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
