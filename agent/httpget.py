"""An httpGet of a probe or a lifecycle hook, sent and judged as the kubelet does.

Every look is a connection of its own (a kept one would say that an old connection works, not that a new one is accepted),
certificates are not verified, no proxy is asked, and redirects are followed only while they stay on the first host. What
goes wrong is told in the words of Go's HTTP client, since people search for them.

A node asks all its containers every few seconds, so this is httptools on a bare connection: there is nothing that a client
library would keep from one look to the next, and it takes half the time.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import ssl
from typing import NamedTuple, cast
from urllib.parse import quote, urljoin, urlsplit

import httptools

from kubeapi.core_v1.types import Container, HTTPGetAction

VERSION = "1.36"
BODY_LIMIT, REDIRECT_LIMIT = 10 * 1024, 10
REDIRECTS = (301, 302, 303, 307, 308)
LATE = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
VERBATIM = "/%:@!$&'()*+,;=~?"


class HttpGetError(Exception):
    """No answer came; the text is Go's."""


class Answer(NamedTuple):
    """What came back: the status, where it points to, and no more of the body than anyone reads."""

    status: int
    location: str
    body: str


class Request(NamedTuple):
    """What is asked: the whole URL, and the lines below the request line but for a Host that follows the URL."""

    url: str
    headers: tuple[tuple[str, str], ...]


def port_of(port: int | str | None, container: Container) -> int:
    """The number of a port that may be named; ValueError in the kubelet's words."""
    number = port or 0
    if isinstance(number, str):
        declared = next((p.container_port for p in container.ports if p.name == number), 0)
        if not declared and not (number.isascii() and number.isdigit()):
            raise ValueError(f'strconv.Atoi: parsing "{number}": invalid syntax')
        number = declared or int(number)
    if not 0 < number < 65536:
        raise ValueError(f"invalid port number: {number}")
    return number


def host_and_port(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def request_of(action: HTTPGetAction, container: Container, ip: str, purpose: str) -> Request:
    """The request of an action; purpose (probe, lifecycle) goes into the User-Agent. ValueError for what can't be sent."""
    authority = host_and_port(action.host or ip, port_of(action.port, container))
    path = quote(action.path.partition("#")[0], safe=VERBATIM)
    url = f"{(action.scheme or 'HTTP').lower()}://{authority}{path if path.startswith('/') else f'/{path}'}"
    own = [(h.name, h.value) for h in action.http_headers]
    for name, value in own:
        if "\r" in value or "\n" in value:
            raise ValueError(f'net/http: invalid header field value for "{name}"')
    given = {name.lower() for name, _ in own}
    usual = (("User-Agent", f"kube-{purpose}/{VERSION}"), ("Accept", "*/*"), ("Connection", "close"))
    kept = [h for h in own if h[1] or h[0].lower() not in ("accept", "user-agent", "host")]  # empty: send none
    return Request(url, (*(h for h in usual if h[0].lower() not in given), *kept))


async def fetch(request: Request, seconds: float | None = None) -> Answer:
    """The answer, redirects within the host followed; HttpGetError if none came (in time)."""
    url, first = request.url, urlsplit(request.url).hostname
    try:
        async with asyncio.timeout(seconds):
            for _ in range(REDIRECT_LIMIT):
                answer = await _exchange(url, request.headers)
                target = urljoin(url, answer.location)
                if answer.status not in REDIRECTS or not answer.location or urlsplit(target).hostname != first:
                    return answer
                url = target
            raise HttpGetError(f'Get "{url}": stopped after {REDIRECT_LIMIT} redirects')
    except TimeoutError as error:
        raise HttpGetError(f'Get "{url}": {LATE}') from error
    except (OSError, EOFError, ValueError, httptools.HttpParserError) as error:
        raise HttpGetError(f'Get "{url}": {_reason(error)}') from error


class DialError(OSError):
    """No connection was made; the text is Go's."""


def dial_error(error: OSError, host: str, port: int) -> DialError:
    """Why no connection was made, in Go's words."""
    if isinstance(error, socket.gaierror):
        return DialError(f"dial tcp: lookup {host}: no such host")
    if isinstance(error, TimeoutError):
        return DialError(f"dial tcp {host_and_port(host, port)}: i/o timeout")
    why = os.strerror(error.errno).lower() if error.errno else str(error)
    return DialError(f"dial tcp {host_and_port(host, port)}: connect: {why}")


def _reason(error: Exception) -> str:
    match error:
        case DialError():
            return str(error)
        case EOFError():
            return "EOF"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE"):
            return "http: server gave HTTP response to HTTPS client"
        case ssl.SSLError():
            return f"tls: {error}"
        case OSError(errno=int(code)):
            return f"read: {os.strerror(code).lower()}"
        case httptools.HttpParserError():
            return "net/http: HTTP/1.x transport connection broken: malformed HTTP response"
    return str(error)


@functools.cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _exchange(url: str, headers: tuple[tuple[str, str], ...]) -> Answer:
    """One request, one answer."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    lines = [f"GET {parts.path or '/'}{f'?{parts.query}' if parts.query else ''} HTTP/1.1"]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append(f"Host: {parts.netloc}")
    lines += [f"{name}: {value}" for name, value in headers]
    head = "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
    loop = asyncio.get_running_loop()
    try:
        connected = loop.create_connection(lambda: _Reading(head), host, port, ssl=_unverified() if secure else None)
        transport, reading = await connected
    except (ssl.SSLError, ConnectionResetError):
        raise
    except OSError as error:
        raise dial_error(error, host, port) from error
    try:
        return await reading.answer
    finally:
        transport.close()


class _Reading(asyncio.Protocol):
    """Sends the request once connected, and reads the answer."""

    def __init__(self, head: bytes) -> None:
        self._head, self._parser = head, httptools.HttpResponseParser(self)
        self._status, self._location, self._body = 0, b"", b""
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.WriteTransport, transport).write(self._head)  # uvloop's own kind is none by its type

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and self._status:  # an answer without a length ends with its connection
            self.on_message_complete()
        self._fail(exc or EOFError())

    def _fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    # What httptools calls

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"location":
            self._location = value

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) >= BODY_LIMIT:
            self.on_message_complete()

    def on_message_complete(self) -> None:
        if self._status >= 200 and not self.answer.done():  # what comes before is no answer yet
            body = self._body[:BODY_LIMIT].decode(errors="replace")
            self.answer.set_result(Answer(self._status, self._location.decode(errors="replace"), body))
