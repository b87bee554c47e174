"""The page's door: who gets in, what a browser may do with its cookie, and what nobody is shown without one."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
import yarl

from controlplane.admission.chain import Admission
from controlplane.apiserver.authentication import ADMIN, Authenticator, Identity, account_identity
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.connections import Limits
from controlplane.apiserver.fairness import Fairness
from controlplane.apiserver.http import Listener, application
from controlplane.apiserver.server import ApiServer
from controlplane.dashboard import files
from controlplane.dashboard.sessions import PAGE_HEADER, Sessions, from_our_page
from kubeapi.registry import load
from naru.simulation.store import MemoryStore

OURS = {PAGE_HEADER: "1", "sec-fetch-site": "same-origin"}
ASSETS = ["", "index.html", "app.js", "app.css", "api.js", "i18n.js", "terms.json", "nothing.js"]


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = datetime.fromisoformat("2030-01-01T00:00:00Z")

    def now(self) -> datetime:
        return self.time


class Signed:
    """One ServiceAccount's token."""

    def identity(self, token: str) -> Identity | None:
        return account_identity("ns", "app") if token == "account" else None


class Served:
    """An API server with the page, over HTTP on loopback, and a client without cookies of its own."""

    def __init__(self, url: str, clock: HandClock, client: aiohttp.ClientSession) -> None:
        self.url, self.clock, self.client = url, clock, client

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> aiohttp.ClientResponse:
        answer = await self.client.request(
            method, yarl.URL(self.url + path, encoded=True), headers=headers, allow_redirects=False
        )
        await answer.read()
        return answer

    async def code(self) -> str:
        answer = await self.ask("POST", "/dashboard/codes", {"authorization": "Bearer admin"})
        assert answer.status == 201
        return str((await answer.json())["code"])

    async def cookie(self) -> dict[str, str]:
        """The cookie of a new session, as a browser sends it back."""
        answer = await self.ask("GET", f"/dashboard/login?code={await self.code()}")
        assert (answer.status, answer.headers["location"]) == (303, "/dashboard/")
        return {"cookie": answer.headers["set-cookie"].split(";")[0]}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    store, clock, rng, registry = MemoryStore(), HandClock(), random.Random(1), load()
    admission = Admission(store, rng)
    server = ApiServer(store, registry, clock, rng, admission)
    await bootstrap(server, admission.ranges.addresses, "127.0.0.1", 6443)
    nodes: Any = None  # no connection goes on to a node here
    fairness = Fairness(registry)
    app = application(server, nodes, Authenticator({"admin": ADMIN}, Signed()), Sessions(clock, 6443), fairness)
    sock = socket.create_server(("127.0.0.1", 0))
    listener = Listener(app, sock, None, Limits())
    task = asyncio.create_task(listener.run_until_stopped())
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield Served(f"http://127.0.0.1:{sock.getsockname()[1]}", clock, client)
    listener.stop()
    await task


@pytest.mark.parametrize("path", ASSETS)
async def test_without_a_session_every_path_says_how_to_get_one_and_shows_nothing(served: Served, path: str) -> None:
    for cookie in ({}, {"cookie": "__Host-naru-6443=guess"}, {"cookie": '; ="'}):
        answer = await served.ask("GET", f"/dashboard/{path}", cookie)
        assert answer.status == 401
        assert await answer.text() == files.LOGIN
        told = parsedate_to_datetime(answer.headers["date"])
        assert abs((datetime.now(UTC) - told).total_seconds()) < 60


@pytest.mark.parametrize("path", ["/api/v1/pods", "/dashboard/watch?of=/api/v1/pods", "/dashboard/codes", "/apis"])
async def test_without_a_session_the_api_answers_nothing_to_a_page(served: Served, path: str) -> None:
    method = "POST" if path.endswith("codes") else "GET"
    assert (await served.ask(method, path, OURS)).status == 401
    assert (await served.ask(method, path, OURS | {"cookie": "__Host-naru-6443=guess"})).status == 401


async def test_a_code_opens_one_session_with_a_cookie_that_scripts_and_other_sites_do_not_get(served: Served) -> None:
    code = await served.code()
    assert (await served.ask("HEAD", f"/dashboard/login?code={code}")).status in (
        401,
        405,
    )  # who only looks takes nothing
    first = await served.ask("GET", f"/dashboard/login?code={code}")
    name, *rules = first.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-naru-6443=") and {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= {*rules}
    assert first.headers["referrer-policy"] == "no-referrer"
    again = await served.ask("GET", f"/dashboard/login?code={code}")
    assert again.status == 401 and "set-cookie" not in again.headers


@pytest.mark.parametrize("code", ["", "guess", "na%C3%AFve", "%FF"])
async def test_a_guessed_code_opens_nothing(served: Served, code: str) -> None:
    await served.code()
    answer = await served.ask("GET", f"/dashboard/login?code={code}")
    assert answer.status == 401 and "set-cookie" not in answer.headers


async def test_a_code_is_good_for_a_minute_and_a_session_for_twelve_hours(served: Served) -> None:
    code = await served.code()
    cookie = await served.cookie()
    served.clock.time += timedelta(seconds=61)
    assert (await served.ask("GET", f"/dashboard/login?code={code}")).status == 401
    assert (await served.ask("GET", "/dashboard/", cookie)).status == 200
    assert (await served.ask("GET", "/api/v1/pods", cookie | OURS)).status == 200
    served.clock.time += timedelta(hours=12)
    assert (await served.ask("GET", "/dashboard/", cookie)).status == 401
    assert (await served.ask("GET", "/api/v1/pods", cookie | OURS)).status == 401


async def test_only_who_may_do_all_gets_a_code(served: Served) -> None:
    assert (await served.ask("POST", "/dashboard/codes", {"authorization": "Bearer account"})).status == 403
    assert (await served.ask("POST", "/dashboard/codes", {"authorization": "Bearer guess"})).status == 401


async def test_the_page_acts_as_the_user_who_asked_for_the_code(served: Served) -> None:
    cookie = await served.cookie()
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = await served.ask("GET", "/api/v1/namespaces/default", cookie | OURS)
    assert (await answer.json())["metadata"]["name"] == "default"
    assert (await served.ask("POST", path, cookie | OURS)).status != 401


FORGED = {
    "a form or an image": {"sec-fetch-site": "same-origin"},
    "another port of this host": {PAGE_HEADER: "1", "sec-fetch-site": "same-site"},
    "another site": {PAGE_HEADER: "1", "sec-fetch-site": "cross-site", "origin": "https://elsewhere"},
    "another origin that is believed by half": {
        PAGE_HEADER: "1",
        "sec-fetch-site": "same-origin",
        "origin": "https://x",
    },
    "who says nothing": {PAGE_HEADER: "1"},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/pods"), ("DELETE", "/api/v1/namespaces/default"), ("POST", "/dashboard/logout")],
)
async def test_a_cookie_counts_only_for_requests_of_our_own_page(
    served: Served, method: str, path: str, headers: dict[str, str]
) -> None:
    cookie = await served.cookie()
    assert (await served.ask(method, path, cookie | headers)).status == 401
    assert (await served.ask("GET", "/api/v1/namespaces/default", cookie | OURS)).status == 200  # and nothing happened


def test_browsers_tell_the_origin_by_either_header() -> None:
    there = {PAGE_HEADER: "1", "host": "127.0.0.1:6443"}
    assert from_our_page(there | {"origin": "https://127.0.0.1:6443"})
    assert from_our_page(there | {"sec-fetch-site": "same-origin"})
    assert not from_our_page(there | {"origin": "https://127.0.0.1:30080"})
    assert not from_our_page(there | {"origin": "null"})


async def test_a_bad_token_is_not_mended_by_a_cookie(served: Served) -> None:
    cookie = await served.cookie()
    assert (await served.ask("GET", "/api/v1/pods", cookie | OURS | {"authorization": "Bearer guess"})).status == 401


async def test_logout_ends_the_session_for_whoever_has_the_cookie(served: Served) -> None:
    cookie, other = await served.cookie(), await served.cookie()
    answer = await served.ask("POST", "/dashboard/logout", cookie | OURS)
    assert answer.status == 204 and "Max-Age=0" in answer.headers["set-cookie"]
    assert (await served.ask("GET", "/dashboard/", cookie)).status == 401
    assert (await served.ask("GET", "/api/v1/pods", cookie | OURS)).status == 401
    assert (await served.ask("GET", "/dashboard/", other)).status == 200


async def test_files_come_with_their_tag_and_the_rules_for_browsers(served: Served) -> None:
    cookie = await served.cookie()
    first = await served.ask("GET", "/dashboard/app.js", cookie)
    assert first.status == 200 and first.content_type == "text/javascript"
    for name, value in files.RULES.items():
        assert first.headers[name] == value
    policy = first.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    again = await served.ask("GET", "/dashboard/app.js", cookie | {"if-none-match": first.headers["etag"]})
    assert (again.status, await again.read()) == (304, b"")
    assert (await served.ask("GET", "/dashboard/app.js", cookie | {"if-none-match": '"other"'})).status == 200


@pytest.mark.parametrize(
    "path", ["../routes.py", "..%2froutes.py", "%2e%2e/files.py", ".js", "views", "a\\b.js", "x%00.js"]
)
async def test_nothing_but_the_page_s_files_is_served(served: Served, path: str) -> None:
    answer = await served.ask("GET", f"/dashboard/{path}", await served.cookie())
    assert answer.status == 404, await answer.text()
    assert files.static(path) is None


async def test_the_words_of_both_worlds_are_a_file(served: Served) -> None:
    answer = await served.ask("GET", "/dashboard/terms.json", await served.cookie())
    told = json.loads(await answer.text())
    assert told["terms"]["kind/bridge"]["vmware"]["en"] == "VMnet switch"


async def frames_of(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    async for line in answer.content:
        number, _, frame = line.partition(b" ")
        yield int(number), json.loads(frame)


async def test_watches_come_together(served: Served) -> None:
    of = "&".join(f"of=/api/v1/{kind}" for kind in ("namespaces", "services", "pods%3FresourceVersion=1"))
    async with served.client.get(
        yarl.URL(f"{served.url}/dashboard/watch?{of}", encoded=True), headers=await served.cookie() | OURS
    ) as answer:
        seen = frames_of(answer)
        first = {number: frame["object"]["kind"] async for number, frame in until(seen, lambda n: n == 1)}
        assert first == {0: "Namespace", 1: "Service"}
        auth = {"authorization": "Bearer admin"}
        namespace = {"metadata": {"name": "made"}}
        made = await served.client.post(f"{served.url}/api/v1/namespaces", headers=auth, json=namespace)
        assert made.status == 201
        number, frame = await anext(seen)
        assert (number, frame["type"], frame["object"]["metadata"]["name"]) == (0, "ADDED", "made")


@pytest.mark.parametrize("path", ["/dashboard/watch?of=/api/v1/namespaces", "/api/v1/namespaces?watch=1"])
async def test_what_lasts_tells_nothing_more_once_its_session_has_ended(served: Served, path: str) -> None:
    cookie, auth = await served.cookie() | OURS, {"authorization": "Bearer admin"}
    watch = yarl.URL(f"{served.url}{path}", encoded=True)
    async with served.client.get(watch, headers=cookie) as answer, asyncio.timeout(5):
        assert b"ADDED" in await answer.content.readline()
        await served.ask("POST", "/dashboard/logout", cookie)
        made = await served.client.post(
            f"{served.url}/api/v1/namespaces", headers=auth, json={"metadata": {"name": "secret"}}
        )
        assert made.status == 201
        assert b"secret" not in await answer.content.read()


async def until(
    seen: AsyncIterator[tuple[int, dict[str, Any]]], last: Callable[[int], bool]
) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    async for number, frame in seen:
        yield number, frame
        if last(number):
            return


async def test_a_watch_that_is_refused_says_so_and_ends_all(served: Served) -> None:
    of = "of=/api/v1/pods%3FresourceVersion=1&of=/api/v1/services%3FresourceVersion=nonsense"
    async with asyncio.timeout(5):
        answer = await served.ask("GET", f"/dashboard/watch?{of}", await served.cookie() | OURS)
    number, _, frame = (await answer.read()).partition(b" ")
    told = json.loads(frame)
    assert (number, told["type"], told["object"]["kind"]) == (b"1", "ERROR", "Status")


async def test_watches_are_for_who_may_watch(served: Served) -> None:
    answer = await served.ask("GET", "/dashboard/watch?of=/api/v1/pods", {"authorization": "Bearer account"})
    assert answer.status == 403
    assert (await served.ask("GET", "/dashboard/watch", {"authorization": "Bearer admin"})).status == 400
