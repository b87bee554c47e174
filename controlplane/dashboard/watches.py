"""Many watches over one connection: a browser opens six to a server at most, and a page follows more kinds than that.

Each watch is a request of its own to the API server, by the page's user. Its lines are passed on as they are, behind the
number of the watch: `2 {"type":"MODIFIED","object":{...}}`. One that is refused, or falls out of the log (410), says so in a
frame of type ERROR as any watch does; the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from kubeapi.client.transport import Request, Transport

PENDING = 256  # frames that wait for a slow reader before the watches do


async def together(server: Transport, requests: Sequence[Request]) -> AsyncGenerator[bytes, None]:
    """The frames of all watches as they come; ends when each has."""
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
        left = len(following)
        while left:
            frame = await frames.get()
            if frame is None:
                left -= 1
            else:
                yield frame
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
