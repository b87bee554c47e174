"""The API server's doors: TLS, tokens, files, sockets, and what is told of a Secret that could not be written."""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import ssl
import stat
from pathlib import Path

import orjson
import pytest

from controlplane.apiserver import authentication
from controlplane.apiserver.authentication import ADMIN, Authenticator
from tests.security.served import serving

SECRETS = "/api/v1/namespaces/default/secrets"
CANARY = "canary-4d1f7a"
CODED = base64.b64encode(CANARY.encode()).decode()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_client_older_than_tls_1_2_is_turned_away(tmp_path: Path, version: ssl.TLSVersion) -> None:
    async with serving(tmp_path) as served:
        old = served.tls
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version, old.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, version
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", served.port, ssl=old, server_hostname="localhost")
        new = served.tls
        new.maximum_version = ssl.TLSVersion.TLSv1_2
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=new, server_hostname="localhost")
        writer.close()


def test_a_token_is_compared_with_every_known_one_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def watched(a: bytes, b: bytes) -> bool:
        compared.append(b)
        return hmac_compare(a, b)

    class Nobody:
        def identity(self, token: str) -> None:
            return None

    hmac_compare = hmac.compare_digest
    monkeypatch.setattr(authentication.hmac, "compare_digest", watched)
    known = Authenticator({"one": ADMIN, "two": ADMIN}, Nobody())
    for wrong in ("", "on", "one ", "onee", "é", "\0", "x" * 100_000):
        compared.clear()
        assert known.identity({"authorization": f"Bearer {wrong}x"}) is None
        assert compared == [b"one", b"two"]
    assert known.identity({"authorization": "Bearer two"}) == ADMIN


def modes(folder: Path) -> dict[str, int]:
    """The files of a folder, and who may what with each."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_keys_tokens_and_the_socket_are_their_owners_alone(tmp_path: Path) -> None:
    async with serving(tmp_path):
        mode = modes(tmp_path)
        secret = {n for n in mode if n.endswith((".key", ".token", ".sock")) or n == "token"}
        assert secret >= {"ca.key", "service-account.key", "token", "agent.token", "naru.sock", "apiserver.key"}
        assert {name: mode[name] for name in secret} == dict.fromkeys(secret, 0o600)


async def test_no_answer_says_which_version_of_what_it_comes_from(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert "server" not in (await served.ask("GET", "/livez")).headers


async def test_what_is_refused_about_a_secret_does_not_repeat_it_and_nothing_of_it_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    whole = {"metadata": {"name": "s"}, "data": {"k": CODED}, "type": "Opaque", "immutable": True}
    strategic = {"content-type": "application/strategic-merge-patch+json"}
    json_patch = {"content-type": "application/json-patch+json"}
    async with serving(tmp_path) as served:

        async def ask(method: str, path: str, value: object, **headers: str) -> bytes:
            answer = await served.ask(method, SECRETS + path, orjson.dumps(value), headers)
            if answer.status < 400:
                return b""
            return answer.body

        assert (await served.ask("POST", SECRETS, orjson.dumps(whole))).status == 201
        refused = [
            await ask("POST", "", whole),
            await ask("POST", "", {"metadata": {"name": "B A D"}, "stringData": {"k": CANARY}}),
            await ask("POST", "", {"metadata": {"name": "t"}, "stringData": {"not a key!": CANARY}}),
            await ask("POST", "", {"metadata": {"name": "t"}, "data": {"k": CANARY + "!"}}),
            await ask("POST", "", {"metadata": {"name": "t"}, "type": "kubernetes.io/tls", "stringData": {"k": CANARY}}),
            await ask("POST", "", {"metadata": {"name": "t"}, "type": "kubernetes.io/dockerconfigjson",
                                   "stringData": {".dockerconfigjson": CANARY}}),
            await ask("PUT", "/s", {**whole, "data": {"k": base64.b64encode(b"other").decode()}}),
            await ask("PUT", "/s", {**whole, "type": "other"}),
            await ask("PATCH", "/s", {"stringData": {"k": CANARY}, "immutable": False}, **strategic),
            await ask("PATCH", "/s", [{"op": "test", "path": "/data/k", "value": "guess"}], **json_patch),
            await ask("PATCH", "/s", [{"op": "add", "path": "/data/k/x", "value": CANARY}], **json_patch),
        ]  # fmt: skip
    assert all(refused)
    told = b"".join(refused).decode() + caplog.text
    assert CANARY not in told and CODED not in told
