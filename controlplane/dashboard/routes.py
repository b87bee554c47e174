"""The paths under /dashboard: codes, login, logout, the merged watch, and the page's files.

All but three need a session: asking for a code needs credentials of the API, a login needs the code, and whoever has nothing
is told how to get it. What the page does with the cluster, it does through the API like everybody.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import orjson
from starlette.requests import HTTPConnection
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from controlplane.apiserver.authentication import Identity
from controlplane.apiserver.fairness import Fairness, Lasting
from controlplane.dashboard.files import RULES, File, not_logged_in, static
from controlplane.dashboard.sessions import Sessions
from controlplane.dashboard.watches import together
from kubeapi.client.transport import Request, Transport
from kubeapi.errors import ApiError, bad_request

ROOT = "/dashboard"
WATCHES = 32
Admitted = Callable[[HTTPConnection, Request], Request]
"""A request with the user whom a connection's headers name, if it may make it; ApiError otherwise."""


def is_of_page(path: str) -> bool:
    """Whether a request for the path is the page's to answer."""
    return path == ROOT or path.startswith(f"{ROOT}/")


class Dashboard:
    """Answers below /dashboard. `admitted` settles who asks."""

    def __init__(self, server: Transport, sessions: Sessions, admitted: Admitted, fairness: Fairness) -> None:
        self._server, self._sessions, self._admitted, self._fairness = server, sessions, admitted, fairness

    def routes(self) -> list[BaseRoute]:
        """Its paths, the most particular first."""
        return [
            Route(f"{ROOT}/codes", self._codes, methods=["POST"]),
            Route(f"{ROOT}/login", self._login, methods=["GET"]),
            Route(f"{ROOT}/logout", self._logout, methods=["POST"]),
            Route(f"{ROOT}/watch", self._watch, methods=["GET"]),
            Route(ROOT, self._file, methods=["GET"]),
            Route(f"{ROOT}/{{path:path}}", self._file, methods=["GET"]),
        ]

    async def _codes(self, http: HttpRequest) -> Response:
        try:
            asking = self._admitted(http, Request("POST", http.url.path))
        except ApiError as error:
            return refused(error)
        code, seconds = self._sessions.invite(Identity(asking.user, asking.groups))
        return Response(orjson.dumps({"code": code, "seconds": seconds}), 201, RULES, "application/json")

    async def _login(self, http: HttpRequest) -> Response:
        """HEAD is for those who look and don't come: it takes no code."""
        cookie = self._sessions.open(http.query_params.get("code", "")) if http.method == "GET" else None
        if cookie is None:
            return not_logged_in()
        return RedirectResponse(f"{ROOT}/", 303, {**RULES, "Cache-Control": "no-store", "Set-Cookie": cookie})

    async def _logout(self, http: HttpRequest) -> Response:
        if self._sessions.identity(http.headers) is None:
            return not_logged_in()
        return Response(status_code=204, headers={**RULES, "Set-Cookie": self._sessions.close(http.headers)})

    async def _watch(self, http: HttpRequest) -> Response:
        """`?of=/api/v1/pods%3FresourceVersion=12&of=...`: each is a list's path and query; frames come by its place."""
        try:
            wanted = http.query_params.getlist("of")
            if not 0 < len(wanted) <= WATCHES:
                raise bad_request(f"between 1 and {WATCHES} watches come together")
            requests = [self._admitted(http, watch_of(one)) for one in wanted]
            headers = {**RULES, "Cache-Control": "no-store"}
            shown = self._sessions.bound(http.headers, together(self._server, requests))
            answer = StreamingResponse(shown, 200, headers, "application/x-ndjson")
            with contextlib.ExitStack() as place:
                place.enter_context(self._fairness.place(requests[0].user))
                return Lasting(answer, place.pop_all())
        except ApiError as error:
            return refused(error)

    async def _file(self, http: HttpRequest) -> Response:
        if self._sessions.visitor(http.headers) is None:
            return not_logged_in()
        if http.url.path == ROOT:
            return RedirectResponse(f"{ROOT}/", 308, RULES)
        path = http.path_params["path"]
        found = terms() if path == "terms.json" else static(path)
        if found is None:
            return Response("not found\n", 404, RULES, "text/plain")
        return found.answer(http.headers.get("if-none-match", ""))


def watch_of(address: str) -> Request:
    """The watch of a list at a path with its query."""
    parts = urlsplit(address)
    return Request("GET", parts.path, [*parse_qsl(parts.query), ("watch", "1"), ("allowWatchBookmarks", "true")])


def terms() -> File:
    """The words of both worlds, as the command line has them."""
    from kubeapi.hardware_v1.terms import tables  # only a browser asks for them

    return File(orjson.dumps(tables()), "application/json")


def refused(error: ApiError) -> Response:
    """An error as the API says it."""
    return Response(orjson.dumps(error.status()), error.code, RULES, "application/json")
