"""What a Docker container wrote, as one answer of the engine's API: whole chunks on the event loop.

Docker's client would read line by line in a thread per reader, and ahead of a reader that is slow; a log of 200,000 lines
took it half a minute. Here the socket is read as far as the reader goes, and a log that is followed costs no thread.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

import aiohttp
import orjson

from agent.runtime.docker_exec import split_frames
from agent.runtime.protocol import EngineDownError, EngineError


async def read_logs(url: str, path: str, query: Mapping[str, str], tty: bool) -> AsyncGenerator[bytes, None]:
    """GET a log from the engine at unix://PATH or tcp://HOST:PORT; without a terminal both outputs come in frames."""
    scheme, _, rest = url.partition("://")
    connector = aiohttp.UnixConnector(rest) if scheme == "unix" else aiohttp.TCPConnector()
    host = "docker" if scheme == "unix" else rest
    timeout = aiohttp.ClientTimeout(total=None)  # one that is followed lasts as long as its container
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(f"http://{host}{path}", params=query) as answer,
        ):
            if answer.status >= 400:
                raise EngineError(f"Error response from daemon: {orjson.loads(await answer.read())['message']}")
            pending = b""
            async for chunk in answer.content.iter_any():
                if tty:
                    yield chunk
                    continue
                frames, pending = split_frames(pending + chunk)
                if frames:
                    yield b"".join(data for _, data in frames)
    except aiohttp.ClientPayloadError:
        return  # the engine has gone: what it said so far is what there is
    except (aiohttp.ClientError, OSError) as error:
        raise EngineDownError(str(error)) from error
