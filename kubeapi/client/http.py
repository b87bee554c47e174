"""The Transport over HTTP: HTTPS with the cluster's CA and a bearer token or client certificate, or a unix socket.

One pool of connections is kept; a watch or a followed log holds its own connection until its stream is closed. Other
requests take turns on a few: a connection with TLS costs each side some 300 KB and a handshake, and the server answers one
request after the other all the same.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import yarl

from kubeapi.client.transport import Request, Response

STREAMED = ("watch", "follow")
AT_ONCE = 8  # requests under way


class HttpTransport:
    """Sends requests to `server` (https://host:port), or through the unix socket `socket`."""

    def __init__(
        self,
        server: str = "http://naru",
        *,
        token: str = "",
        ca: Path | None = None,
        certificate: tuple[Path, Path] | None = None,
        socket: Path | None = None,
    ) -> None:
        self._server, self._socket = yarl.URL(server), socket
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tls = ssl.create_default_context(cafile=ca) if ca else None
        if certificate and self._tls:
            self._tls.load_cert_chain(*certificate)
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def send(self, request: Request) -> Response:
        """Answer one request; OSError when the server can't be reached or hangs up."""
        try:
            if any(k in STREAMED and v in ("1", "true") for k, v in request.query):
                answer = await self._ask(request)
                if answer.status < 300:
                    return Response(answer.status, _headers(answer), stream=_chunks(answer))
                async with answer:
                    return Response(answer.status, _headers(answer), await answer.read())
            async with self._turns, await self._ask(request) as answer:
                return Response(answer.status, _headers(answer), await answer.read())
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from error

    async def _ask(self, request: Request) -> aiohttp.ClientResponse:
        url = self._server.with_path(request.path).with_query(list(request.query))
        headers = {**self._headers, **request.headers}
        return await self._open().request(request.method, url, data=request.body or None, headers=headers)

    async def close(self) -> None:
        """Release connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            if self._socket is not None:
                connector: aiohttp.BaseConnector = aiohttp.UnixConnector(str(self._socket), limit=0)
            else:
                connector = aiohttp.TCPConnector(ssl=self._tls or True, limit=0)
            # No total limit: a watch lives for hours. A server that does not answer a connect is told after 10 s.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session


def _headers(answer: aiohttp.ClientResponse) -> list[tuple[str, str]]:
    return [(k.lower(), v) for k, v in answer.headers.items()]


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except aiohttp.ClientError as error:
        raise ConnectionError(str(error)) from error
    finally:
        answer.close()
