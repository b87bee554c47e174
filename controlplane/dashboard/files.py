"""The page's files as answers: each with the tag of its content, and with the rules that a browser is to keep.

There is no build: what lies in `static/` is what the browser gets. It asks each time whether its copy is still good, which
costs a hash; so a page and the server behind it never differ in age.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import NamedTuple

from starlette.responses import Response

MEDIA = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}
SELF = ("script-src", "style-src", "img-src", "connect-src", "manifest-src")
CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
POLICY = "; ".join([CLOSED, *(f"{what} 'self'" for what in SELF)])
INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
RULES = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-cache, private",
}


class File(NamedTuple):
    """What a browser gets, and its media type."""

    body: bytes
    media: str

    @property
    def rules(self) -> dict[str, str]:
        """RULES, with leave for the scripts that stand in the document itself: for these, by their hashes, and no others."""
        inline = [hashed(script) for script in INLINE.findall(self.body)] if self.media == MEDIA["html"] else []
        policy = POLICY.replace("script-src 'self'", " ".join(["script-src 'self'", *inline]))
        return {**RULES, "Content-Security-Policy": policy}

    def answer(self, known: str = "") -> Response:
        """The file, or 304 when the browser's copy (`known`: its If-None-Match) is this one."""
        tag = f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'
        headers = {**self.rules, "ETag": tag}
        if tag in (part.strip().removeprefix("W/") for part in known.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.media, headers=headers)


def static(path: str) -> File | None:
    """A file of `static/`; None for one that is not there. No name with a dot before it, none that leaves the folder."""
    names = (path or "index.html").split("/")
    media = MEDIA.get(names[-1].rpartition(".")[2])
    if media is None or not all(names) or any(name.startswith(".") or "\\" in name or "\0" in name for name in names):
        return None
    found = resources.files(__package__).joinpath("static", *names)
    return File(found.read_bytes(), media) if found.is_file() else None


def hashed(text: bytes) -> str:
    """How a policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"


STYLE = """
:root { color-scheme: light dark; font: 1rem/1.6 system-ui, "Noto Sans KR", sans-serif }
body { margin: 0; min-height: 100vh; display: grid; place-content: center; padding: 1.5rem; box-sizing: border-box }
main { max-width: 34rem } h1 { font-size: 1.375rem; font-weight: 600 }
code { font: 600 1em ui-monospace, monospace; border: 1px solid; border-radius: .375rem; padding: .125rem .5rem }
"""
LOGIN = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Naru: not logged in</title>
<style>{STYLE}</style>
<main>
<h1>Nothing is shown without a login</h1>
<p>Run <code>naru dashboard</code> on the machine of the cluster:
it opens this page with a code that is good once, for a minute.</p>
<p lang="ko">클러스터가 있는 컴퓨터에서 <code>naru dashboard</code>를 실행하세요.
한 번, 1분 동안만 쓸 수 있는 코드로 이 페이지를 엽니다.</p>
</main>
</html>
"""


def not_logged_in() -> Response:
    """The one page for those who are not: how to become so. Its only style is known by its hash."""
    policy = f"{CLOSED}; style-src {hashed(STYLE.encode())}"
    headers = {**RULES, "Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return Response(LOGIN, 401, headers, MEDIA["html"])
