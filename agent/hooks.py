"""Lifecycle hooks: what runs after a container's start (postStart) and before its stop signal (preStop).

A hook is a command in the container, an HTTP request to it (any answer will do), or a pause. Errors are the kubelet's words
for the container's status; its Events say only that the hook failed, since a command's output may hold secrets.
"""

from __future__ import annotations

import asyncio
import contextlib

from agent import httpget
from agent.runtime.protocol import EngineError, Runtime
from kubeapi.core_v1.types import Container, HTTPGetAction, LifecycleHandler


class HookError(Exception):
    """The hook failed; the text is for the container's status."""


async def run(
    handler: LifecycleHandler, runtime: Runtime, container_id: str, pod_ip: str, container: Container, seconds: float
) -> None:
    """Run a hook to its end, or until its seconds are over: then it is left to itself, and that is no error."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            if handler.exec:
                await _exec(list(handler.exec.command), runtime, container_id, container, seconds)
            elif handler.http_get:
                await _http(handler.http_get, pod_ip, container)
            elif handler.sleep:
                await asyncio.sleep(handler.sleep.seconds)
            else:
                raise HookError("Cannot run handler: invalid handler: only exec, httpGet and sleep are run")


async def _exec(command: list[str], runtime: Runtime, container_id: str, container: Container, seconds: float) -> None:
    line = " ".join(command)
    failed = f'Exec lifecycle hook ([{line}]) for Container "{container.name}" failed - error: '
    try:
        ended = await runtime.exec(container_id, command, seconds)
    except EngineError as error:
        raise HookError(f"{failed}{error}") from error
    if ended.exit_code:
        output = ended.output.decode(errors="replace")
        raise HookError(f"{failed}command '{line}' exited with {ended.exit_code}: {output}")


async def _http(action: HTTPGetAction, pod_ip: str, container: Container) -> None:
    try:
        request = httpget.request_of(action, container, pod_ip, "lifecycle")
        async with httpget.session() as client:
            await httpget.fetch(client, request)
    except (httpget.HttpGetError, ValueError) as error:
        failed = f'HTTP lifecycle hook ({action.path}) for Container "{container.name}" failed - error: '
        raise HookError(f"{failed}{error}") from error
