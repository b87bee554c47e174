"""HTTP around the API server: a catch-all route, one for WebSockets, those of the page; TLS, and a unix socket beside it.

Who asks, and whether it may, is settled here; what is answered, in `server.py`. The unix socket is for those the file system
lets in (0600).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi import Request as HttpRequest
from fastapi import Response as HttpResponse
from fastapi.responses import StreamingResponse
from starlette.requests import HTTPConnection
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from controlplane.apiserver import authorization
from controlplane.apiserver.authentication import ANONYMOUS, Anyone, Who, impersonated
from controlplane.apiserver.certs import ensure_certificate
from controlplane.apiserver.node_proxy import PROTOCOLS, NodeProxy
from controlplane.apiserver.routing import route
from controlplane.apiserver.server import LARGEST_BODY, ApiServer, refusal
from controlplane.dashboard.routes import Dashboard
from controlplane.dashboard.sessions import Either, Sessions
from kubeapi.client.transport import Request, Response
from kubeapi.errors import ApiError, bad_request

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")
GRACE = 2


class ListenError(Exception):
    """A server ended before it was asked to, for example because its port is taken."""


def application(server: ApiServer, nodes: NodeProxy, tokens: Who, sessions: Sessions) -> FastAPI:
    """The ASGI application: `tokens` and `sessions` say who asks, `nodes` takes the connections that go on to a node."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    who = Either(tokens, sessions)

    async def handle(http: HttpRequest) -> HttpResponse:
        try:
            request = admitted(server, who, http, asked(http, http.method))
        except ApiError as error:
            return plain(refusal(error))
        request.body = await read_body(http)
        return plain(await server.send(request))

    async def connect(socket: WebSocket) -> None:
        try:
            request = admitted(server, who, socket, asked(socket, "GET"))
            target = route(server.registry, request.path)
            if target is None or target.subresource not in PROTOCOLS:
                raise bad_request("only exec, attach and portforward of pods are served over WebSocket")
            from controlplane.apiserver.tunnel import tunnel  # with the client that agents.py speaks of

            await tunnel(socket, nodes, target, request)
        except ApiError as error:
            await socket.send_denial_response(plain(refusal(error)))

    app.router.routes += Dashboard(server, sessions, functools.partial(admitted, server, who)).routes()
    app.add_api_route("/{path:path}", handle, methods=METHODS, include_in_schema=False, response_model=None)
    app.add_api_websocket_route("/{path:path}", connect)
    return app


def asked(connection: HTTPConnection, method: str) -> Request:
    """The request that a connection begins, without its body."""
    query = tuple(connection.query_params.multi_items())
    return Request(method, connection.url.path, query, connection.headers)


def admitted(server: ApiServer, who: Who, connection: HTTPConnection, request: Request) -> Request:
    """The request with its user, whom the connection's headers name, if that one may make it; 401 and 403 otherwise."""
    identity = who.identity(connection.headers)
    if identity is None and (request.path not in OPEN_PATHS or "authorization" in connection.headers):
        raise ApiError(401, "Unauthorized", "Unauthorized")
    asking = identity or ANONYMOUS
    user, groups = connection.headers.get("impersonate-user", ""), connection.headers.getlist("impersonate-group")
    if user or groups:
        asking = impersonated(asking, user, groups)
    if request.path not in OPEN_PATHS:
        authorization.check(asking, server.registry, request)
    request.user, request.groups = asking
    return request


async def read_body(http: HttpRequest) -> bytes:
    """The body; reading stops one byte past the largest allowed, which the server then refuses."""
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return bytes(body[: LARGEST_BODY + 1])
    return bytes(body)


def plain(response: Response) -> HttpResponse:
    """A transport's response as Starlette's."""
    stream = response.stream
    if stream is not None:

        async def chunks() -> AsyncIterator[bytes]:
            async with contextlib.aclosing(stream):
                async for chunk in stream:
                    yield chunk

        answer: HttpResponse = StreamingResponse(chunks(), response.status)
    else:
        answer = HttpResponse(response.body, response.status)
    for name, value in response.headers:
        answer.headers.append(name, value)
    return answer


@contextlib.asynccontextmanager
async def serving(
    server: ApiServer, nodes: NodeProxy, who: Who, data_dir: Path, host: str, port: int
) -> AsyncIterator[None]:
    """Listen on HTTPS at host and port and on DATA_DIR/naru.sock, from the first yield until the block ends."""
    certificate, key = ensure_certificate(data_dir, "apiserver", ["localhost", "kubernetes", "127.0.0.1", host])
    socket = data_dir / "naru.sock"
    socket.unlink(missing_ok=True)
    common: dict[str, Any] = {"loop": "uvloop", "http": "httptools", "log_level": "warning", "access_log": False}
    common |= {"lifespan": "off", "ws": Sockets, "ws_per_message_deflate": False, "timeout_graceful_shutdown": GRACE}
    tls: dict[str, Any] = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key), "host": host, "port": port}
    # A client that left while its input was not read is known by its silence; kubectl itself bears 60 s of it.
    common |= {"ws_ping_interval": 30, "ws_ping_timeout": 60}
    sessions = Sessions(server.clock, port)
    configs = [
        uvicorn.Config(application(server, nodes, who, sessions), **common, **tls),
        uvicorn.Config(application(server, nodes, Anyone(), sessions), uds=str(socket), **common),
    ]
    listeners = [Listener(config) for config in configs]
    running = [asyncio.create_task(listener.run_until_stopped()) for listener in listeners]
    try:
        for listener, task in zip(listeners, running, strict=True):
            started = asyncio.create_task(listener.listening.wait())
            await asyncio.wait({started, task}, return_when=asyncio.FIRST_COMPLETED)
            started.cancel()
            if not listener.listening.is_set():
                raise ListenError(f"can't listen on {host}:{port} or {socket}")
        socket.chmod(0o600)
        yield
    finally:
        for listener in listeners:
            listener.should_exit = True
        await asyncio.gather(*running, return_exceptions=True)
        socket.unlink(missing_ok=True)


class Listener(uvicorn.Server):
    """uvicorn's server inside someone else's loop: says when it listens, and leaves signals to the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: object = None) -> None:
        """Listen, then say so."""
        await super().startup()
        self.listening.set()

    async def run_until_stopped(self) -> None:
        """Serve until should_exit; uvicorn's SystemExit for a taken port becomes ListenError."""
        try:
            await self._serve()
        except SystemExit as error:
            raise ListenError("the address is taken") from error


class Sockets(WebSocketsSansIOProtocol):
    """uvicorn's WebSockets, less what stands in kubectl's way; the scope's `gone` is set once the client has left."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.gone = asyncio.Event()
        # The name of port-forward's protocol has a slash, which RFC 6455 does not allow: the choice is the application's.
        self.conn.process_subprotocol = lambda headers: None  # type: ignore[method-assign]

    def handle_connect(self, event: Any) -> None:
        """Begin the application, which runs from the next turn of the loop on."""
        super().handle_connect(event)
        if hasattr(self, "scope"):  # else the handshake was refused
            cast(dict[str, Any], self.scope)["gone"] = self.gone

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left: an application that is busy with what it said will not ask for more."""
        super().connection_lost(exc)
        self.gone.set()

    async def send(self, message: Any) -> None:
        """Send; a refusal completes the handshake as well, or uvicorn would log it as a fault."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True
