"""One look at one container: exec, httpGet or tcpSocket, and what it found, in the kubelet's words.

A look ends in a `Finding`, or in `ProbeError` where it could not be made at all (no such command in the image, a port name
that nobody declares, no engine): that says nothing about the container, and nothing is concluded from it.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from agent import httpget
from agent.runtime.protocol import EngineError, Runtime
from kubeapi.core_v1.types import Container, ExecAction, HTTPGetAction, Probe, TCPSocketAction

OUTPUT_LIMIT = 10 * 1024
NOT_STARTED = (126, 127), b"OCI runtime exec failed"
PAUSED = "is paused"
GRPC = "grpc probes are not supported by this node: use httpGet, tcpSocket or exec"


class ProbeError(Exception):
    """The look could not be made."""


class Finding(NamedTuple):
    """Whether the container is well; a message about one that is well is a warning."""

    healthy: bool
    message: str = ""


class Target(NamedTuple):
    """What is looked at."""

    container: Container
    id: str
    ip: str


async def look(runtime: Runtime, probe: Probe, target: Target) -> Finding:
    """Look once, for no longer than the probe's timeout."""
    seconds = float(probe.timeout_seconds)
    try:
        if probe.exec:
            return await _exec(runtime, probe.exec, target, seconds)
        if probe.http_get:
            return await _http(probe.http_get, target, seconds)
        if probe.tcp_socket:
            return await _tcp(probe.tcp_socket, target, seconds)
    except (EngineError, ValueError) as error:
        raise ProbeError(str(error)) from error
    raise ProbeError(GRPC)


async def _exec(runtime: Runtime, action: ExecAction, target: Target, seconds: float) -> Finding:
    command = list(action.command)
    try:
        ended = await runtime.exec(target.id, command, seconds)
    except TimeoutError:
        return Finding(False, f'command timed out: "{" ".join(command)}" timed out after {seconds:g}s')
    except EngineError as error:
        if PAUSED in str(error):  # a frozen container would let the command hang: what the engine refuses is as bad
            return Finding(False, str(error))
        raise
    codes, words = NOT_STARTED
    if ended.exit_code in codes and ended.output.startswith(words):
        raise ProbeError(ended.output.decode(errors="replace").strip())
    if ended.exit_code == 0:
        return Finding(True)
    return Finding(False, ended.output[:OUTPUT_LIMIT].decode(errors="replace"))


async def _http(action: HTTPGetAction, target: Target, seconds: float) -> Finding:
    request = httpget.request_of(action, target.container, target.ip, "probe")
    try:
        answer = await httpget.fetch(request, seconds)
    except httpget.HttpGetError as error:
        return Finding(False, str(error))
    if not 200 <= answer.status < 400:
        return Finding(False, f"HTTP probe failed with statuscode: {answer.status}")
    if answer.status >= 300:
        return Finding(True, f"Probe terminated redirects, Response body: {answer.body}")
    return Finding(True)


async def _tcp(action: TCPSocketAction, target: Target, seconds: float) -> Finding:
    host, port = action.host or target.ip, httpget.port_of(action.port, target.container)
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return Finding(False, str(httpget.dial_error(error, host, port)))
    writer.close()
    return Finding(True)
