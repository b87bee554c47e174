"""A WebSocket of a client, joined to one of an agent: what either says goes to the other until one of them leaves.

A refusal is told the way Kubernetes tells it. What is wrong with the request itself is an HTTP answer, not an upgrade; what
the node has against it comes after, as a status on the error channel, where kubectl looks for how a command ended.
"""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import orjson
from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from controlplane.apiserver.location import UnreachableError
from controlplane.apiserver.node_proxy import PROTOCOLS, NodeProxy
from controlplane.apiserver.routing import Target
from kubeapi.client.transport import Request
from kubeapi.errors import ApiError, bad_request, internal_error

ERROR_CHANNEL = b"\3"


async def tunnel(client: WebSocket, nodes: NodeProxy, target: Target, request: Request) -> None:
    """Serve an upgrade request; raises ApiError while it can still be answered over HTTP."""
    where = nodes.locate(target, request)
    offered = client.scope["subprotocols"]
    protocol = next((p for p in offered if p in PROTOCOLS[target.subresource]), None)
    if protocol is None:
        raise bad_request(f"unable to upgrade: unable to negotiate protocol: client supports {offered}")
    if target.subresource == "portforward":
        try:
            agent = await nodes.connect(where, protocol)
        except UnreachableError as error:
            raise ApiError(500, "", f"error dialing backend: {error}") from error
        await client.accept(protocol)
    else:
        await client.accept(protocol)
        try:
            agent = await nodes.connect(where, protocol)
        except UnreachableError as error:
            return await _fail(client, f'error sending request: Post "{where.shown}": {error}')
    try:
        await _join(client, agent)
    finally:
        await agent.close()


async def _fail(client: WebSocket, message: str) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has left: nobody to tell
        await client.send_bytes(ERROR_CHANNEL + orjson.dumps(internal_error(message).status()))
        await client.close()


async def _join(client: WebSocket, agent: aiohttp.ClientWebSocketResponse) -> None:
    """Both directions at once; when either ends, or the client has left, all does."""
    gone: asyncio.Event = client.scope["gone"]
    pumps = [asyncio.create_task(work) for work in (_upward(client, agent), _downward(client, agent), _until(gone))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
    if not gone.is_set():
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it said goodbye itself
            await client.close()


async def _until(gone: asyncio.Event) -> None:
    await gone.wait()


async def _upward(client: WebSocket, agent: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(WebSocketDisconnect, ConnectionError):
        while True:
            await agent.send_bytes(await client.receive_bytes())


async def _downward(client: WebSocket, agent: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        async for message in agent:
            if message.type is aiohttp.WSMsgType.BINARY:
                await client.send_bytes(message.data)
