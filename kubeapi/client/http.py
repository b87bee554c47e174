"""The Transport over HTTP: HTTPS with the cluster's CA and a bearer token or client certificate, or a unix socket.

One pool of connections is kept; a watch or a followed log holds its own connection until its stream is closed.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import yarl

from kubeapi.client.transport import Request, Response

STREAMED = ("watch", "follow")


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

    async def send(self, request: Request) -> Response:
        """Answer one request; OSError when the server can't be reached or hangs up."""
        url = self._server.with_path(request.path).with_query(list(request.query))
        headers = {**self._headers, **request.headers}
        session = self._open()
        try:
            answer = await session.request(request.method, url, data=request.body or None, headers=headers)
            found = [(k.lower(), v) for k, v in answer.headers.items()]
            if answer.status < 300 and any(k in STREAMED and v in ("1", "true") for k, v in request.query):
                return Response(answer.status, found, stream=_chunks(answer))
            async with answer:
                return Response(answer.status, found, await answer.read())
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from error

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


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except aiohttp.ClientError as error:
        raise ConnectionError(str(error)) from error
    finally:
        answer.close()
