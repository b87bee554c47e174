"""Lifecycle hooks: what runs after a container's start (postStart) and before its stop signal (preStop).

A hook is a command in the container, an HTTP request to it (any answer will do), or a pause. Errors are the kubelet's words
for the container's status; its Events say only that the hook failed, since a command's output may hold secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple

from agent import httpget
from agent.environment import quoted
from agent.runtime.protocol import EngineError, Runtime
from agent.status import full_name
from kubeapi.core_v1.types import Container, HTTPGetAction, LifecycleHandler, Pod

POST_START_FAILED, PRE_STOP_FAILED = "PostStartHook failed", "PreStopHook failed"


class HookError(Exception):
    """The hook failed; the text is for the container's status."""


class Scene(NamedTuple):
    """Where a hook runs: its pod's address, and the container by template and id."""

    pod: Pod
    ip: str
    container: Container
    id: str

    def failed(self, what: str, why: object) -> HookError:
        """The words for a hook that failed."""
        whose = f'Container "{self.container.name}" in Pod "{full_name(self.pod)}"'
        return HookError(f"{what} for {whose} failed - error: {why}")


async def run(handler: LifecycleHandler, runtime: Runtime, scene: Scene, seconds: float) -> None:
    """Run a hook to its end, or until its seconds are over: then it is left to itself, and that is no error."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            if handler.exec:
                await _exec(list(handler.exec.command), runtime, scene, seconds)
            elif handler.http_get:
                await _http(handler.http_get, scene)
            elif handler.sleep:
                await asyncio.sleep(handler.sleep.seconds)
            else:
                raise HookError("Cannot run handler: invalid handler: only exec, httpGet and sleep are run")


async def _exec(command: list[str], runtime: Runtime, scene: Scene, seconds: float) -> None:
    line = " ".join(command)
    hook = f"Exec lifecycle hook ([{line}])"
    try:
        ended = await runtime.exec(scene.id, command, seconds)
    except EngineError as error:
        raise scene.failed(hook, f'{error}, message: ""') from error
    if ended.exit_code:
        output, complaint = (said.decode(errors="replace") for said in (ended.output, ended.stderr))
        ending = f"command '{line}' exited with {ended.exit_code}: {complaint}"
        raise scene.failed(hook, f"{ending}, message: {quoted(output)}")


async def _http(action: HTTPGetAction, scene: Scene) -> None:
    try:
        request = httpget.request_of(action, scene.container, scene.ip, "lifecycle")
        await httpget.fetch(request)
    except (httpget.HttpGetError, ValueError) as error:
        raise scene.failed(f"HTTP lifecycle hook ({action.path})", error) from error
