"""An httpGet of a probe or a lifecycle hook, sent and judged as the kubelet does.

Every look is a connection of its own (a kept one would say that an old connection works, not that a new one is accepted),
certificates are not verified, no proxy is asked, and redirects are followed only while they stay on the first host. What
goes wrong is told in the words of Go's HTTP client, since people search for them.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import NamedTuple

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from kubeapi.core_v1.types import Container, HTTPGetAction

VERSION = "1.36"
BODY_LIMIT, REDIRECT_LIMIT = 10 * 1024, 10
NEVER = aiohttp.ClientTimeout()  # the time is kept around all redirects together
REDIRECTS = (301, 302, 303, 307, 308)
LATE = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"


class HttpGetError(Exception):
    """No answer came; the text is Go's."""


class Answer(NamedTuple):
    """What came back in the end: the status and no more of the body than anyone reads."""

    status: int
    body: str


class Request(NamedTuple):
    """What is asked: where, and with which headers."""

    url: URL
    headers: CIMultiDict[str]


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
    """The request of an action; purpose (probe, lifecycle) goes into the User-Agent. ValueError for a bad port."""
    authority = host_and_port(action.host or ip, port_of(action.port, container))
    path = action.path if action.path.startswith("/") or not action.path else f"/{action.path}"
    url = URL(f"{(action.scheme or 'HTTP').lower()}://{authority}{path}")
    headers = CIMultiDict((h.name, h.value) for h in action.http_headers)
    headers.setdefault("User-Agent", f"kube-{purpose}/{VERSION}")
    headers.setdefault("Accept", "*/*")
    headers.setdefault("Connection", "close")
    for name in ("Accept", "User-Agent", "Host"):  # an empty one means: send none of mine
        if not headers.get(name, "set"):
            del headers[name]
    return Request(url, headers)


def session() -> aiohttp.ClientSession:
    """What sends requests; to be closed."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=False)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
    )


async def fetch(client: aiohttp.ClientSession, request: Request, seconds: float | None = None) -> Answer:
    """The answer, redirects within the host followed; HttpGetError if none came (in time)."""
    url = request.url
    try:
        async with asyncio.timeout(seconds):
            for _ in range(REDIRECT_LIMIT):
                async with client.get(url, headers=request.headers, allow_redirects=False, timeout=NEVER) as response:
                    location = response.headers.get("Location", "")
                    target = response.url.join(URL(location))
                    if response.status not in REDIRECTS or not location or target.host != request.url.host:
                        body = await response.content.read(BODY_LIMIT)
                        return Answer(response.status, body.decode(errors="replace"))
                    url = target
            raise HttpGetError(f'Get "{url}": stopped after {REDIRECT_LIMIT} redirects')
    except TimeoutError as error:
        raise HttpGetError(f'Get "{url}": {LATE}') from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise HttpGetError(f'Get "{url}": {reason_of(error, url)}') from error


def reason_of(error: Exception, url: URL) -> str:
    """Why, in Go's words."""
    match error:
        case aiohttp.ClientSSLError():
            plain = "WRONG_VERSION_NUMBER" in str(error) or "RECORD_LAYER_FAILURE" in str(error)
            return "http: server gave HTTP response to HTTPS client" if plain else f"tls: {error}"
        case aiohttp.ClientConnectorError():
            return dial_error(error.os_error, url.host or "", url.port or 0)
        case aiohttp.ServerDisconnectedError():
            return "EOF"
        case OSError(errno=int(code)):
            return f"read: {os.strerror(code).lower()}"
    return str(error)


def dial_error(error: OSError, host: str, port: int) -> str:
    """Why no connection was made, in Go's words; no errno means that time ran out."""
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    why = f"connect: {os.strerror(error.errno).lower()}" if error.errno else "i/o timeout"
    return f"dial tcp {host_and_port(host, port)}: {why}"
