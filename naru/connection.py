"""The command line's way to the API: DATA_DIR/naru.sock, or HTTPS with the token of a kubeconfig.

The standard library alone: a command that says one thing to the server should not take longer to start than to be answered.
"""

from __future__ import annotations

import contextlib
import http.client
import pathlib
import socket
import ssl
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from naru.kubeconfig import credentials

CONNECT_SECONDS = 10.0


class NoClusterError(Exception):
    """No cluster answers; the message says what was tried."""


class RefusedError(Exception):
    """The server's Status: its message, one line."""


class _SocketConnection(http.client.HTTPConnection):
    """HTTP through a unix socket."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__("naru", timeout=CONNECT_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_SECONDS)
        self.sock.connect(str(self._path))


class Connection:
    """Sends requests, one after the other, each over a connection of its own."""

    def __init__(self, data_dir: pathlib.Path, kubeconfig: pathlib.Path | None = None) -> None:
        """By `kubeconfig` where it is given, else by the socket in `data_dir`. NoClusterError where there is neither."""
        self._socket = data_dir / "naru.sock"
        self._credentials = credentials(kubeconfig) if kubeconfig else None
        try:
            there = kubeconfig is not None or self._socket.exists()
        except PermissionError:
            raise NoClusterError(f"{data_dir} is its owner's alone: use sudo, or --kubeconfig FILE") from None
        if not there:
            raise NoClusterError(f"no cluster runs in {data_dir}: start one with naru up")

    @contextlib.contextmanager
    def send(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: bytes = b"", accept: str = ""
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask; the answer may be read line by line until the block ends. RefusedError for a refusal."""
        headers = {"Accept": accept or "application/json", "User-Agent": "naru", "Content-Type": "application/json"}
        if self._credentials:
            headers["Authorization"] = f"Bearer {self._credentials.token}"
        connection = self._open()
        try:
            try:
                connection.connect()
            except OSError as error:
                raise NoClusterError(f"the API server does not answer at {self._where()}: {error}") from error
            connection.sock.settimeout(None)  # a wait is as long as the server was told it may be
            asked = urllib.parse.quote(path) + (f"?{urllib.parse.urlencode(query)}" if query else "")
            connection.request(method, asked, body or None, headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise RefusedError(_message(response))
            yield response
        except (http.client.HTTPException, ConnectionError) as error:
            raise NoClusterError(f"the API server hung up: {error or type(error).__name__}") from error
        finally:
            connection.close()

    def get(self, path: str, accept: str = "") -> Any:
        """The JSON at a path."""
        with self.send("GET", path, accept=accept) as response:
            return orjson.loads(response.read())

    def _open(self) -> http.client.HTTPConnection:
        if self._credentials is None:
            return _SocketConnection(self._socket)
        where = urllib.parse.urlsplit(self._credentials.server)
        tls = ssl.create_default_context(cadata=self._credentials.ca or None)
        return http.client.HTTPSConnection(where.netloc, timeout=CONNECT_SECONDS, context=tls)

    def _where(self) -> str:
        return self._credentials.server if self._credentials else str(self._socket)


def _message(response: http.client.HTTPResponse) -> str:
    body = response.read()
    try:
        status = orjson.loads(body)
        return str(status.get("message") or status)
    except (orjson.JSONDecodeError, AttributeError):
        return f"{response.status} {response.reason}: {body[:200].decode(errors='replace')}"
