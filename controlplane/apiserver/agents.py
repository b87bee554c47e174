"""The way to the agents: HTTPS with the API server's own certificate, which is the only one they let in.

Imported when the first log or command is asked for, and not before: the HTTP client is a tenth of the control plane's memory
and a good part of its start.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping

import aiohttp
import yarl

from controlplane.apiserver.location import HOP_BY_HOP, Location, UnreachableError
from kubeapi.client.transport import Response

CONNECT_SECONDS = 10
OUR_OWN = {"date", "server"}  # headers that the API server's answers have already


class Agents:
    """One pool of connections to all agents; `tls` holds the cluster's CA and the certificate."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        # No total limit: a followed log lives for hours.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        # What is said is passed on, not understood: neither unpacked nor followed elsewhere.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=0),
            timeout=timeout,
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding", "Content-Type", "User-Agent"),
        )

    async def close(self) -> None:
        """Release connections."""
        await self._session.close()

    async def send(
        self, where: Location, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """An agent's answer, good ones as a stream of chunks. UnreachableError."""
        try:
            answer = await self._session.request(
                method,
                _url(where),
                headers=headers,
                data=body or None,
                server_hostname=where.node,
                allow_redirects=False,
            )
            told = [(k.lower(), v) for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP | OUR_OWN]
            if answer.status < 300:
                return Response(answer.status, told, stream=_chunks(answer))
            async with answer:
                return Response(answer.status, told, await answer.read())
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(dial_error(where, error)) from error

    async def connect(self, where: Location, protocol: str) -> aiohttp.ClientWebSocketResponse:
        """The agent's end of a connection. UnreachableError."""
        try:
            return await self._session.ws_connect(
                _url(where), protocols=(protocol,), server_hostname=where.node, max_msg_size=0
            )
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(dial_error(where, error)) from error


def _url(where: Location) -> yarl.URL:
    return yarl.URL(where.url, encoded=True)


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except aiohttp.ClientError:
        pass  # the agent has gone: what it said so far is what there is
    finally:
        answer.close()


def dial_error(where: Location, error: BaseException) -> str:
    """A failed connect in Go's words."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, TimeoutError):
        return f"dial tcp {where.authority}: i/o timeout"
    if isinstance(cause, OSError) and cause.errno:
        words = {111: "connection refused", 113: "no route to host", 101: "network is unreachable"}
        return f"dial tcp {where.authority}: connect: {words.get(cause.errno, str(cause.strerror))}"
    return str(cause)
