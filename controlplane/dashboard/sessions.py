"""Who may see the page: a code that is good once and for a minute, and the session that it opens.

    naru dashboard ── POST /dashboard/codes, with its own credentials ──▶ code ──▶ GET /dashboard/login?code=… ──▶ cookie

Both are random words that stand for a user until a time. They are kept in memory only, and only as digests: an API server
that starts anew knows none, and who reads its memory can use none.

A cookie comes along with every request of a browser, whoever's page made it, and cookies know no ports: another server on
this machine is the same *site*. So a session counts only for requests that our own page can make: they carry a header that
a form, an image or a link can't set (and a script elsewhere only after asking us, which is refused), and the browser itself
says that they come from this origin.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from controlplane.apiserver.authentication import Identity, Who
from kubeapi.clock import Clock

CODE_LIFE, SESSION_LIFE = timedelta(minutes=1), timedelta(hours=12)
MOST = 256  # words of a kind that are kept; the oldest go first
PAGE_HEADER = "x-naru-page"


class Grant(NamedTuple):
    """The digest of a word, whom it stands for and until when."""

    digest: bytes
    identity: Identity
    until: datetime


class Words:
    """Random words, each of which stands for a user for a while."""

    def __init__(self, clock: Clock, life: timedelta) -> None:
        self.life = life
        self._clock = clock
        self._grants: list[Grant] = []

    def issue(self, identity: Identity) -> str:
        """A new word for a user."""
        word, now = secrets.token_urlsafe(32), self._clock.now()
        living = [grant for grant in self._grants if grant.until > now]
        self._grants = [*living[-MOST + 1 :], Grant(_digest(word), identity, now + self.life)]
        return word

    def owner(self, word: str) -> Identity | None:
        """Whom a word stands for; None for one that is not good, or no longer."""
        grant = self._find(word)
        return grant.identity if grant else None

    def take(self, word: str) -> Identity | None:
        """Whom a word stood for: it is good no more."""
        grant = self._find(word)
        if grant is None:
            return None
        self._grants.remove(grant)
        return grant.identity

    def _find(self, word: str) -> Grant | None:
        """All are compared, each in constant time: how long it takes tells nothing."""
        digest, now = _digest(word), self._clock.now()
        found = [grant for grant in self._grants if hmac.compare_digest(grant.digest, digest)]
        return next((grant for grant in found if grant.until > now), None)


class Sessions:
    """Opens, knows and ends the sessions of browsers. `cookie` is the name: one per port, as cookies know no ports."""

    def __init__(self, clock: Clock, port: int) -> None:
        self.cookie = f"__Host-naru-{port}"  # the prefix: this host's alone, secure, no other host can set it
        self._codes, self._sessions = Words(clock, CODE_LIFE), Words(clock, SESSION_LIFE)

    def invite(self, identity: Identity) -> tuple[str, int]:
        """A login code for a user, and the seconds it is good for."""
        return self._codes.issue(identity), int(self._codes.life.total_seconds())

    def open(self, code: str) -> str | None:
        """A code becomes the Set-Cookie of a new session, once; None for one that is not good."""
        identity = self._codes.take(code)
        return self._set_cookie(self._sessions.issue(identity)) if identity else None

    def close(self, headers: Mapping[str, str]) -> str:
        """End the session of these headers; the Set-Cookie that makes the browser forget it."""
        self._sessions.take(self._word(headers))
        return self._set_cookie("", age=0)

    def visitor(self, headers: Mapping[str, str]) -> Identity | None:
        """Whose browser sent these headers (lower case): enough to be shown files, which do nothing by themselves."""
        return self._sessions.owner(self._word(headers))

    def identity(self, headers: Mapping[str, str]) -> Identity | None:
        """Whose page, and no other, sent these headers (lower case); None for nobody's."""
        return self.visitor(headers) if from_our_page(headers) else None

    def bound(self, headers: Mapping[str, str], chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """What lasts, for as long as the session of these headers does: until a logout in another tab, or its time. As it is
        where it was not a session that asked."""
        return self._while_open(headers, chunks) if self.identity(headers) else chunks

    async def _while_open(
        self, headers: Mapping[str, str], chunks: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                if self.identity(headers) is None:
                    return
                yield chunk

    def _word(self, headers: Mapping[str, str]) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found else ""

    def _set_cookie(self, word: str, age: int = int(SESSION_LIFE.total_seconds())) -> str:
        return f"{self.cookie}={word}; Path=/; Max-Age={age}; HttpOnly; Secure; SameSite=Strict"


class Either:
    """A token says who asks; where none is shown, the session does."""

    def __init__(self, tokens: Who, sessions: Sessions) -> None:
        self._tokens, self._sessions = tokens, sessions

    def identity(self, headers: Mapping[str, str]) -> Identity | None:
        """Who sent these headers (lower case)."""
        known = self._tokens.identity(headers)
        return known if known or "authorization" in headers else self._sessions.identity(headers)


def from_our_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page of this origin made the request, and the page says so too.

    Browsers tell by Sec-Fetch-Site, by Origin or by both; what is told must be right, and one must be.
    """
    if PAGE_HEADER not in headers:
        return False
    told = [headers["sec-fetch-site"] == "same-origin"] if "sec-fetch-site" in headers else []
    told += [headers["origin"] == f"https://{headers.get('host', '')}"] if "origin" in headers else []
    return bool(told) and all(told)


def _digest(word: str) -> bytes:
    return hashlib.sha256(word.encode(errors="replace")).digest()
