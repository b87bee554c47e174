"""Lifecycle hooks of containers. First slice: commands in the container."""

from __future__ import annotations

from agent.runtime.protocol import Runtime
from kubeapi.core_v1.types import Container, LifecycleHandler


class HookError(Exception):
    """The hook failed; the text is the Event's."""


async def run(
    handler: LifecycleHandler, runtime: Runtime, container_id: str, pod_ip: str, container: Container, seconds: float
) -> None:
    """Run a hook to its end."""
    if handler.exec is None:
        raise HookError("only exec hooks run on this node yet")
    result = await runtime.exec(container_id, list(handler.exec.command), seconds)
    if result.exit_code:
        raise HookError(f"Exec lifecycle hook failed: exit code {result.exit_code}")
