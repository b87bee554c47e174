"""Exec and attach over a WebSocket: the channels of remotecommand's v4 and v5 (KEP-4006), one byte before each message.

    client ── 0 stdin, 4 terminal size, 255 "this channel has ended" (v5) ──▶ session
    client ◀─ 1 stdout, 2 stderr, 3 the status at the end ─────────────────── session

`converse` pumps both ways until the command has ended or the client has left. Either way it closes the session; a command
whose client has left goes on by itself, as in Kubernetes.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, NamedTuple

import orjson
from aiohttp import WSMsgType, web

from agent.runtime.protocol import EngineError, ExecSession
from kubeapi.errors import internal_error

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class Wanted(NamedTuple):
    """Which streams the client asked for. A terminal has no standard error of its own."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

    @property
    def outputs(self) -> frozenset[int]:
        """The channels that the client reads."""
        wanted = ((STDOUT, self.stdout), (STDERR, self.stderr and not self.tty))
        return frozenset(channel for channel, told in wanted if told)


def success() -> dict[str, Any]:
    """The status of a command that ended with 0."""
    return {"metadata": {}, "status": "Success"}


def non_zero(code: int) -> dict[str, Any]:
    """The status of a command that ended with another code; clients read the code from its cause."""
    told = f"command terminated with non-zero exit code: command terminated with exit code {code}"
    causes = [{"reason": "ExitCode", "message": str(code)}]
    head = {"metadata": {}, "status": "Failure", "message": told, "reason": "NonZeroExitCode"}
    return head | {"details": {"causes": causes}}


def terminal_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a resize message; None when it is none."""
    try:
        told = orjson.loads(data)
        width, height = int(told["Width"]), int(told["Height"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


async def converse(socket: web.WebSocketResponse, session: ExecSession, wanted: Wanted) -> None:
    """Pump until the command ends, then tell its status; or until the client leaves. Closes the session."""
    listening = asyncio.create_task(_listen(socket, session, wanted))
    speaking = asyncio.create_task(_speak(socket, session, wanted))
    try:
        await asyncio.wait({listening, speaking}, return_when=asyncio.FIRST_COMPLETED)
        if speaking.done():
            await _end(socket, speaking)
    finally:
        for task in (listening, speaking):
            task.cancel()
        await asyncio.gather(listening, speaking, return_exceptions=True)
        await session.close()


async def _listen(socket: web.WebSocketResponse, session: ExecSession, wanted: Wanted) -> None:
    """What the client says, until it hangs up."""
    taking = wanted.stdin
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == RESIZE and wanted.tty and (size := terminal_size(data)):
            await session.resize(*size)
        elif taking and channel == STDIN and data:
            taking = await _taken(session, data)
        elif taking and channel == CLOSE and data == bytes([STDIN]):
            taking = False
            await session.close_stdin()


async def _taken(session: ExecSession, data: bytes) -> bool:
    """Write to standard input; whether the command still reads it."""
    try:
        await session.write(data)
    except OSError:
        return False  # the command closed its input or has ended: what it still says matters, not this
    return True


async def _speak(socket: web.WebSocketResponse, session: ExecSession, wanted: Wanted) -> dict[str, Any]:
    """What the command says, until it has ended; its status."""
    outputs = wanted.outputs
    await socket.send_bytes(bytes([min(outputs, default=ERROR)]))  # nothing, to say that all is set up
    async with contextlib.aclosing(session.chunks()) as chunks:
        async for channel, data in chunks:
            if channel in outputs:
                await socket.send_bytes(bytes([channel]) + data)
    code = await session.exit_code()
    return non_zero(code) if code else success()


async def _end(socket: web.WebSocketResponse, speaking: asyncio.Task[dict[str, Any]]) -> None:
    """Tell how the command ended; a client that has left meanwhile is told nothing."""
    with contextlib.suppress(ConnectionError):
        try:
            status = speaking.result()
        except EngineError as error:
            status = internal_error(str(error)).status()
        await _tell(socket, status)


async def refuse(socket: web.WebSocketResponse, why: str) -> None:
    """Tell why there is no session."""
    with contextlib.suppress(ConnectionError):
        await _tell(socket, internal_error(why).status())


async def _tell(socket: web.WebSocketResponse, status: dict[str, Any]) -> None:
    await socket.send_bytes(bytes([ERROR]) + orjson.dumps(status))
    await socket.close()
