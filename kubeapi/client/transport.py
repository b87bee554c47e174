"""The seam between a client and an API server: one request in, one answer out.

The API server itself is a Transport, so controllers reach it in process; `http.py` is the other one. Bodies are bytes. A
watch or a log that follows answers with an iterator of chunks instead, which the caller closes (`aclose`) when it leaves.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True)
class Request:
    """method, path (decoded, without query), query pairs in order, lower-case headers, body, and who asks.

    `user` and `groups` are set by the server's authentication (or by who calls in process), never by a client.
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: str = ""
    groups: tuple[str, ...] = ()


@dataclass(slots=True)
class Response:
    """status, headers (pairs, so that Warning may repeat) and body; or `stream` of chunks when it does not end at once."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    stream: AsyncGenerator[bytes, None] | None = None


class Transport(Protocol):
    """Answers requests. Raises OSError when the server can't be reached; refusals are Responses with a Status body."""

    async def send(self, request: Request) -> Response:
        """Answer one request."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
