"""How a probe looks: commands on an engine that ends them so, HTTP on real servers on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from agent import prober
from agent.prober import Finding, ProbeError, Target
from agent.runtime.protocol import EngineError, ExecResult
from controlplane.apiserver.certs import ensure_authority, ensure_certificate
from kubeapi.core_v1.types import Container as ContainerTemplate
from kubeapi.core_v1.types import Probe

EXEC = {"exec": {"command": ["check"]}, "timeoutSeconds": 1}
OCI = b'OCI runtime exec failed: exec failed: exec: "nonesuch": executable file not found in $PATH: unknown\r\n'


class Ending:
    """A runtime whose every command ends so."""

    def __init__(self, result: ExecResult | Exception) -> None:
        self._result = result

    async def exec(self, *_: object) -> ExecResult:
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


@pytest.mark.parametrize(
    ("result", "finding"),
    [
        (ExecResult(0, b"fine\n"), Finding(True, "")),
        (ExecResult(3, b"no\n"), Finding(False, "no\n")),
        (ExecResult(127, b"sh: 1: nonesuch: not found\n"), Finding(False, "sh: 1: nonesuch: not found\n")),
        (ExecResult(1, b"x" * 20000), Finding(False, "x" * 10240)),
        (TimeoutError(), Finding(False, 'command timed out: "check" timed out after 1s')),
        (EngineError("Container 1 is paused, unpause"), Finding(False, "Container 1 is paused, unpause")),
        (ExecResult(126, OCI), ProbeError(OCI.decode().strip())),
        (EngineError("Container 1 is not running"), ProbeError("Container 1 is not running")),
    ],
)
async def test_commands(result: ExecResult | Exception, finding: Finding | ProbeError) -> None:
    runtime, asked = Ending(result), Probe.model_validate(EXEC)
    target = Target(ContainerTemplate(name="c"), "one", "")
    if isinstance(finding, Finding):
        assert await prober.look(runtime, asked, target) == finding  # type: ignore[arg-type]
    else:
        with pytest.raises(ProbeError) as refused:
            await prober.look(runtime, asked, target)  # type: ignore[arg-type]
        assert str(refused.value) == str(finding)


async def test_grpc_is_refused_loudly() -> None:
    asked, target = Probe.model_validate({"grpc": {"port": 1}}), Target(ContainerTemplate(name="c"), "one", "")
    with pytest.raises(ProbeError, match="grpc probes are not supported"):
        await prober.look(Ending(ExecResult(0)), asked, target)  # type: ignore[arg-type]


RAW = {
    "early": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "open": b"HTTP/1.0 500 Broken\r\n\r\nas long as the connection",
    "broken": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
}


class Server:
    """A server that keeps what it was asked and answers by path."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers, self.asked, self.port = answers, [], 0
        self.hold = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method = await reader.read(3)
        if method != b"GET":  # somebody who speaks TLS, or who only wanted to know that this is open
            writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            writer.close()
            return
        head = (method + await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        answer = self.answers[head.split(" ")[1]]
        if answer == "wait":
            await self.hold.wait()
        elif answer in RAW:
            writer.write(RAW[answer])
        elif answer != "close":
            status, _, rest = answer.partition("|")
            location, _, body = rest.partition("|")
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n"
            head += f"Location: {location.replace('PORT', str(self.port))}\r\n" if location else ""
            writer.write(f"{head}\r\n{body}".encode())
        writer.close()


@asynccontextmanager
async def serving(answers: dict[str, str], tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.hold.set()
        listening.close()
        await listening.wait_closed()


async def look(action: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> Finding:
    container = ContainerTemplate.model_validate({"name": "c", "ports": ports or []})
    asked, target = Probe.model_validate({"timeoutSeconds": 1, **action}), Target(container, "1", "127.0.0.1")
    return await prober.look(Ending(ExecResult(0)), asked, target)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "finding"),
    [
        ("/ok", Finding(True)),
        ("/no?x=%20y", Finding(False, "HTTP probe failed with statuscode: 503")),
        ("here", Finding(True)),
        ("/a b%25?c=d#e", Finding(True)),
        ("/early", Finding(True)),
        ("/open", Finding(False, "HTTP probe failed with statuscode: 500")),
        (
            "/broken",
            Finding(
                False,
                'Get "http://127.0.0.1:PORT/broken": net/http: HTTP/1.x transport connection broken: '
                "malformed HTTP response",
            ),
        ),
        ("/away", Finding(True, "Probe terminated redirects, Response body: bye")),
        ("/same", Finding(True, "Probe terminated redirects, Response body: ")),
        ("/round", Finding(False, 'Get "http://127.0.0.1:PORT/round": stopped after 10 redirects')),
        ("/close", Finding(False, 'Get "http://127.0.0.1:PORT/close": EOF')),
        (
            "/wait",
            Finding(
                False,
                'Get "http://127.0.0.1:PORT/wait": context deadline exceeded '
                "(Client.Timeout exceeded while awaiting headers)",
            ),
        ),
    ],
)
async def test_http(path: str, finding: Finding) -> None:
    answers = {
        "/ok": "200||hi",
        "/no?x=%20y": "503||broken",
        "/here": "302|/ok|",
        "/away": "302|http://example.invalid/ok|bye",
        "/same": "304||",
        "/round": "301|http://127.0.0.1:PORT/round|",
        "/early": "early",
        "/open": "open",
        "/broken": "broken",
        "/a%20b%25?c=d": "200||",
        "/close": "close",
        "/wait": "wait",
    }
    async with serving(answers) as server:
        seen = await look({"httpGet": {"path": path, "port": server.port, "scheme": "HTTP"}})
        assert seen == finding._replace(message=finding.message.replace("PORT", str(server.port)))


def test_the_agents_event_loop_asks_as_well() -> None:
    async def story() -> None:
        async with serving({"/": "200||"}) as server:
            assert await look({"httpGet": {"path": "/", "port": server.port}}) == Finding(True)
            assert await look({"tcpSocket": {"port": server.port}}) == Finding(True)
        refused = f"dial tcp 127.0.0.1:{server.port}: connect: connection refused"
        assert await look({"tcpSocket": {"port": server.port}}) == Finding(False, refused)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


async def test_http_asks_as_the_kubelet_does() -> None:
    async with serving({"/": "200||"}) as server:
        await look({"httpGet": {"path": "/", "port": server.port}})
        headers = [{"name": "X-A", "value": "1"}, {"name": "X-A", "value": "2"}, {"name": "Host", "value": "shop"}]
        headers += [{"name": "User-Agent", "value": "mine"}, {"name": "Accept", "value": ""}]
        await look({"httpGet": {"path": "/", "port": server.port, "httpHeaders": headers}})
        plain, own = ([line for line in head.split("\r\n") if line] for head in server.asked)
        assert plain[0] == own[0] == "GET / HTTP/1.1"
        common = {"Connection: close"}
        assert (
            set(plain[1:]) == {f"Host: 127.0.0.1:{server.port}", "User-Agent: kube-probe/1.36", "Accept: */*"} | common
        )
        assert set(own[1:]) == {"Host: shop", "User-Agent: mine", "X-A: 1", "X-A: 2"} | common


async def test_a_named_port_and_another_host() -> None:
    async with serving({"/": "200||"}) as server:
        ports = [{"name": "web", "containerPort": server.port}]
        assert (await look({"httpGet": {"path": "/", "port": "web"}}, ports)).healthy
        assert (await look({"tcpSocket": {"port": "web"}}, ports)).healthy
        assert (await look({"tcpSocket": {"port": str(server.port), "host": "localhost"}})).healthy
        with pytest.raises(ProbeError, match=r'strconv.Atoi: parsing "admin": invalid syntax'):
            await look({"httpGet": {"path": "/", "port": "admin"}}, ports)
        with pytest.raises(ProbeError, match="invalid port number: 70000"):
            await look({"tcpSocket": {"port": 70000}})


async def test_https_asks_without_verifying(tmp_path: Path) -> None:
    ensure_authority(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*ensure_certificate(tmp_path, "elsewhere", ["elsewhere"]))
    async with serving({"/": "200||"}, tls) as server:
        assert (await look({"httpGet": {"path": "/", "port": server.port, "scheme": "HTTPS"}})).healthy
    async with serving({"/": "200||"}) as server:
        seen = await look({"httpGet": {"path": "/", "port": server.port, "scheme": "HTTPS"}})
        url = f"https://127.0.0.1:{server.port}/"
        assert seen == Finding(False, f'Get "{url}": http: server gave HTTP response to HTTPS client')


async def test_nobody_listens() -> None:
    async with serving({}) as server:
        port = server.port
    refused = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert await look({"tcpSocket": {"port": port}}) == Finding(False, refused)
    assert await look({"httpGet": {"path": "/", "port": port}}) == Finding(
        False, f'Get "http://127.0.0.1:{port}/": {refused}'
    )
