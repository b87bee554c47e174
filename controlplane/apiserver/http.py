"""HTTP around the API server: one catch-all route of FastAPI, TLS, bearer tokens, and a unix socket that needs none.

Who asks is decided here; what is answered, in `server.py`. The unix socket is for those the file system lets in (0600).
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi import Response as HttpResponse
from fastapi.responses import StreamingResponse

from controlplane.apiserver.certs import ensure_certificate, ensure_token
from controlplane.apiserver.server import LARGEST_BODY, ApiServer, refusal
from kubeapi.client.transport import Request, Response
from kubeapi.errors import ApiError

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
ADMIN = ("admin", ("system:masters", "system:authenticated"))
OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")
GRACE = 2


class ListenError(Exception):
    """A server ended before it was asked to, for example because its port is taken."""


def who_asks(headers: Mapping[str, str], token: str) -> tuple[str, tuple[str, ...]] | None:
    """The user and groups of a request by its bearer token, or None."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    good = scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
    return ADMIN if good else None


def application(server: ApiServer, token: str | None) -> FastAPI:
    """The ASGI application. Without a token every caller is the administrator (the unix socket)."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    async def handle(http: HttpRequest) -> HttpResponse:
        asking = ADMIN if token is None else who_asks(http.headers, token)
        if asking is None and http.url.path not in OPEN_PATHS:
            return plain(refusal(ApiError(401, "Unauthorized", "Unauthorized")))
        user, groups = asking or ("system:anonymous", ("system:unauthenticated",))
        body = await read_body(http)
        query = tuple(http.query_params.multi_items())
        request = Request(http.method, http.url.path, query, http.headers, body, user, groups)
        return plain(await server.send(request))

    app.add_api_route("/{path:path}", handle, methods=METHODS, include_in_schema=False, response_model=None)
    return app


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
async def serving(server: ApiServer, data_dir: Path, host: str, port: int) -> AsyncIterator[None]:
    """Listen on HTTPS at host and port and on DATA_DIR/naru.sock, from the first yield until the block ends."""
    certificate, key = ensure_certificate(data_dir, "apiserver", ["localhost", "kubernetes", "127.0.0.1", host])
    token, socket = ensure_token(data_dir / "token"), data_dir / "naru.sock"
    socket.unlink(missing_ok=True)
    common = {"loop": "uvloop", "http": "httptools", "log_level": "warning", "access_log": False, "lifespan": "off"}
    tls = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key), "host": host, "port": port}
    configs = [
        uvicorn.Config(application(server, token), timeout_graceful_shutdown=GRACE, **common, **tls),  # type: ignore[arg-type]
        uvicorn.Config(application(server, None), timeout_graceful_shutdown=GRACE, uds=str(socket), **common),  # type: ignore[arg-type]
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
