"""HTTP around the API server: its answers, WebSockets, the routes of the page; TLS, and a unix socket beside it.

Who asks, and whether it may, is settled here; what is answered, in `server.py`. The unix socket is for those the file system
lets in (0600).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple, cast

import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi import Request as HttpRequest
from fastapi import Response as HttpResponse
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from controlplane.apiserver import authorization
from controlplane.apiserver.authentication import ANONYMOUS, Anyone, Who, impersonated
from controlplane.apiserver.certs import ensure_certificate
from controlplane.apiserver.connections import Connection, Gate, Limits
from controlplane.apiserver.fairness import Fairness, Lasting, Shares
from controlplane.apiserver.node_proxy import PROTOCOLS, NodeProxy
from controlplane.apiserver.routing import route
from controlplane.apiserver.server import LARGEST_BODY, ApiServer, refusal
from controlplane.dashboard.routes import Dashboard, is_of_page
from controlplane.dashboard.sessions import Either, Sessions
from kubeapi.client.transport import Request, Response
from kubeapi.errors import ApiError, bad_request

OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")
GRACE = 2
IDLE = 20  # seconds that a connection is kept for a next request: a node's heartbeat, each 10 s, needs no new handshake
BACKLOG = 512


class Bounds(NamedTuple):
    """What clients get of the server, by request and by connection."""

    shares: Shares = Shares()
    limits: Limits = Limits()


class ListenError(Exception):
    """An address can't be listened on, for example because it is taken."""


def application(server: ApiServer, nodes: NodeProxy, tokens: Who, sessions: Sessions, fairness: Fairness) -> ASGIApp:
    """The ASGI application: `tokens` and `sessions` say who asks, `nodes` takes the connections that go on to a node, and
    `fairness` says whose turn it is.

    FastAPI has the page and WebSockets. What is the API server's goes to it straight: there is nothing to route or to look
    for in a request, and FastAPI's layers would be a fifth of a GET's processor time.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    who = Either(tokens, sessions)

    async def handle(http: HttpRequest) -> HttpResponse:
        try:
            request = admitted(server, who, http, asked(http, http.method))
            if request.path in OPEN_PATHS:
                return plain(await server.send(request))
            with fairness.holding(request.user) as hold:
                request.body = await read_body(http, hold)
                level = fairness.level_of(request)
                if level is None:
                    with contextlib.ExitStack() as place:
                        place.enter_context(fairness.place(request.user))
                        response = await server.send(request)
                        if response.stream is not None:
                            response.stream = sessions.bound(http.headers, response.stream)
                        return Lasting(plain(response), place.pop_all())
                await level.take(request.user)
                try:
                    return fairness.told(request.user, plain(await server.send(request)))
                finally:
                    level.leave()
        except ApiError as error:
            return plain(refusal(error))
        except ClientDisconnect:  # nobody to answer
            return HttpResponse(status_code=400)

    async def connect(client: WebSocket) -> None:
        try:
            request = admitted(server, who, client, asked(client, "GET"))
            target = route(server.registry, request.path)
            if target is None or target.subresource not in PROTOCOLS:
                raise bad_request("only exec, attach and portforward of pods are served over WebSocket")
            from controlplane.apiserver.tunnel import tunnel  # with the client that agents.py speaks of

            with fairness.place(request.user):
                await tunnel(client, nodes, target, request)
        except ApiError as error:
            await client.send_denial_response(plain(refusal(error)))

    app.router.routes += Dashboard(server, sessions, functools.partial(admitted, server, who), fairness).routes()
    app.add_api_websocket_route("/{path:path}", connect)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_of_page(scope["path"]):
            response = await handle(HttpRequest(scope, receive))
            await response(scope, receive, send)
        else:
            await app(scope, receive, send)

    return answer


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


async def read_body(http: HttpRequest, hold: Callable[[int], None]) -> bytes:
    """The body, counted by `hold`; reading stops one byte past the largest allowed, which the server then refuses."""
    body = bytearray()
    async for chunk in http.stream():
        hold(len(chunk))
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
    server: ApiServer, nodes: NodeProxy, who: Who, data_dir: Path, host: str, port: int, bounds: Bounds
) -> AsyncIterator[None]:
    """Listen on HTTPS at host and port and on DATA_DIR/naru.sock, from the first yield until the block ends."""
    certificate, key = ensure_certificate(data_dir, "apiserver", ["localhost", "kubernetes", "127.0.0.1", host])
    path = data_dir / "naru.sock"
    path.unlink(missing_ok=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(certificate, key)
    sessions, fairness = Sessions(server.clock, port), Fairness(server.registry, bounds.shares)
    with contextlib.ExitStack() as listening:
        try:
            over_tls = listening.enter_context(socket.create_server((host, port), backlog=BACKLOG))
            local = listening.enter_context(unix_socket(path))
        except OSError as error:
            raise ListenError(f"can't listen on {host}:{port} or {path}: {error.strerror}") from error
        listening.callback(path.unlink, missing_ok=True)
        listeners = [
            Listener(application(server, nodes, asking, sessions, fairness), sock, context, bounds.limits)
            for asking, sock, context in ((who, over_tls, tls), (Anyone(), local, None))
        ]
        running = [asyncio.create_task(listener.run_until_stopped()) for listener in listeners]
        try:
            yield
        finally:
            for listener in listeners:
                listener.stop()
            await asyncio.gather(*running)


def unix_socket(path: Path) -> socket.socket:
    """A socket that listens at a path, which is its owner's alone from the first."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    path.chmod(0o600)
    sock.listen(BACKLOG)
    return sock


class Dated(ServerState):
    """What uvicorn's connections share, with the date told when a response wants it: uvicorn's own is kept by a timer."""

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every response."""
        return [(b"date", formatdate(usegmt=True).encode())]

    @default_headers.setter
    def default_headers(self, _: object) -> None:
        pass


class Listener(uvicorn.Server):
    """uvicorn's server inside someone else's loop, behind a gate: signals are left to the process."""

    def __init__(self, app: ASGIApp, sock: socket.socket, tls: ssl.SSLContext | None, limits: Limits) -> None:
        # A client that left while its input was not read is known by its silence; kubectl itself bears 60 s of it.
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws=Sockets,
                lifespan="off",
                proxy_headers=False,
                log_level="error",
                access_log=False,
                server_header=False,
                ws_per_message_deflate=False,
                ws_ping_interval=30,
                ws_ping_timeout=60,
                timeout_keep_alive=IDLE,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._behind, self._ending = (sock, tls, limits), asyncio.Event()
        self.server_state = Dated()

    async def startup(self, sockets: object = None) -> None:
        """Accept connections."""
        sock, tls, limits = self._behind

        def make(gate: Gate) -> Connection:
            return Connection(gate, self.config, self.server_state, self.lifespan.state)

        self.servers = [Gate(sock, make, self.server_state.connections, tls, limits)]  # type: ignore[list-item]
        self.started = True

    async def run_until_stopped(self) -> None:
        """Serve until `stop`."""
        await self._serve()

    def stop(self) -> None:
        """Take no more connections; those that are there have their grace."""
        self._ending.set()

    async def main_loop(self) -> None:
        """Sleep until `stop`; uvicorn's own would look ten times a second."""
        await self._ending.wait()


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
