"""Lifecycle hooks: what they do, how long they may take, and what is said when they fail."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent import hooks
from agent.runtime.protocol import EngineError, ExecResult
from kubeapi.core_v1.types import Container, LifecycleHandler, Pod

POD = Pod.model_validate({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}})
COMMAND = {"exec": {"command": ["sh", "-c", "bye"]}}


class Ending:
    """A runtime whose every command ends so, or never."""

    def __init__(self, result: ExecResult | Exception | None) -> None:
        self.result, self.asked = result, []

    async def exec(self, *asked: object) -> ExecResult:
        self.asked.append(asked)
        if self.result is None:
            await asyncio.Event().wait()
        if isinstance(self.result, Exception):
            raise self.result
        assert self.result is not None
        return self.result


async def run(
    handler: dict[str, Any], result: ExecResult | Exception | None = None, seconds: float = 5, port: int = 0
) -> Ending:
    runtime = Ending(result)
    ports = [{"name": "web", "containerPort": port}] if port else []
    container = Container.model_validate({"name": "c", "ports": ports})
    scene = hooks.Scene(POD, "127.0.0.1", container, "one")
    await hooks.run(LifecycleHandler.model_validate(handler), runtime, scene, seconds)  # type: ignore[arg-type]
    return runtime


async def test_a_command_runs_in_the_container() -> None:
    runtime = await run(COMMAND, ExecResult(0, b""))
    assert runtime.asked == [("one", ["sh", "-c", "bye"], 5)]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (ExecResult(3, b"so\n", b"no\n"), "command 'sh -c bye' exited with 3: no\n, message: \"so\\nno\\n\""),
        (EngineError("Container one is not running"), 'Container one is not running, message: ""'),
    ],
)
async def test_a_command_that_fails(result: ExecResult | Exception, words: str) -> None:
    with pytest.raises(hooks.HookError) as failed:
        await run(COMMAND, result)
    hook = 'Exec lifecycle hook ([sh -c bye]) for Container "c" in Pod "p_ns(u)"'
    assert str(failed.value) == f"{hook} failed - error: {words}"


@pytest.mark.parametrize("handler", [COMMAND, {"sleep": {"seconds": 1000}}])
async def test_a_hook_that_takes_too_long_is_left_to_itself(handler: dict[str, Any]) -> None:
    async with asyncio.timeout(5):
        await run(handler, None, seconds=0.01)


async def test_a_pause_lasts() -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await run({"sleep": {"seconds": 1}})
    assert loop.time() - begun >= 1


async def test_a_request_to_the_container_is_content_with_any_answer() -> None:
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await run({"httpGet": {"path": "/bye", "port": "web"}}, port=port)
    assert asked[0].startswith("GET /bye HTTP/1.1\r\n")
    assert "User-Agent: kube-lifecycle/1.36\r\n" in asked[0]
    with pytest.raises(hooks.HookError) as failed:
        await run({"httpGet": {"path": "/bye", "port": port}})
    assert str(failed.value) == (
        f'HTTP lifecycle hook (/bye) for Container "c" in Pod "p_ns(u)" failed - error: Get "http://127.0.0.1:{port}/bye": '
        f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    )


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        ({"tcpSocket": {"port": 80}}, "Cannot run handler: invalid handler"),
        ({"httpGet": {"path": "/", "port": "admin"}}, 'parsing "admin": invalid syntax'),
    ],
)
async def test_a_hook_that_cannot_be_run(handler: dict[str, Any], words: str) -> None:
    with pytest.raises(hooks.HookError, match=words):
        await run(handler)
