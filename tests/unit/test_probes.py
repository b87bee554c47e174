"""Probes: what they conclude (pure, and in virtual time), and how they look (real servers on loopback)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from agent import prober
from agent.plan import Observed
from agent.prober import Finding, ProbeError, Target
from agent.probes import Kind, Probes, Streak, first_pause, kinds_due
from agent.runtime.protocol import Container, EngineError, ExecResult, PodRef
from controlplane.apiserver.certs import ensure_authority, ensure_certificate
from kubeapi.clock import FakeClock
from kubeapi.core_v1.types import Container as ContainerTemplate
from kubeapi.core_v1.types import ContainerStatus, Pod, Probe
from naru.simulation.virtual import virtually

EXEC = {"exec": {"command": ["check"]}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1}
OCI = b'OCI runtime exec failed: exec failed: exec: "nonesuch": executable file not found in $PATH: unknown\r\n'


def probe(**fields: Any) -> dict[str, Any]:
    return {**EXEC, "failureThreshold": 3, **fields}


# ---- what follows from findings


@pytest.mark.parametrize(
    ("findings", "success", "failure", "verdicts"),
    [
        ([True], 1, 3, [True]),
        ([False, False, False], 1, 3, [None, None, False]),
        ([False, False, True, False, False, False], 1, 3, [None, None, True, None, None, False]),
        ([True, True, False, True, True], 2, 1, [None, True, False, None, True]),
        ([False], 1, 1, [False]),
    ],
)
def test_a_verdict_changes_only_when_its_threshold_is_reached_in_a_row(
    findings: list[bool], success: int, failure: int, verdicts: list[bool | None]
) -> None:
    limits, streak, seen = Probe(success_threshold=success, failure_threshold=failure), Streak(), []
    for finding in findings:
        streak = streak.then(finding)
        seen.append(streak.verdict(limits))
    assert seen == verdicts


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_a_verdict_is_always_that_of_the_last_findings(findings: list[bool], success: int, failure: int) -> None:
    limits, streak = Probe(success_threshold=success, failure_threshold=failure), Streak()
    for count, finding in enumerate(findings, 1):
        streak = streak.then(finding)
        needed = success if finding else failure
        alike = findings[max(count - needed, 0) : count] == [finding] * needed
        assert streak.verdict(limits) == (finding if alike else None)


@pytest.mark.parametrize(
    ("has", "started", "failed", "ending", "due"),
    [
        ("SLR", False, False, False, "S"),
        ("SLR", True, False, False, "LR"),
        ("LR", True, False, False, "LR"),
        ("SLR", True, True, False, "R"),
        ("SLR", False, True, False, ""),
        ("SLR", True, False, True, "R"),
        ("SLR", False, False, True, ""),
        ("S", True, False, False, ""),
        ("", True, False, False, ""),
    ],
)
def test_which_probes_ask(has: str, started: bool, failed: bool, ending: bool, due: str) -> None:
    names = {"S": "startup", "L": "liveness", "R": "readiness"}
    template = ContainerTemplate.model_validate({"name": "c", **{f"{names[k]}Probe": probe() for k in has}})
    asked = kinds_due(template, started=started, failed=failed, ending=ending)
    assert asked == {names[k] for k in due}


@pytest.mark.parametrize(
    ("kind", "ran", "delay", "share", "pause"),
    [
        ("readiness", 0, 0, 0, 0),
        ("readiness", 0, 5, 0, 5),
        ("readiness", 3, 5, 0, 2),
        ("readiness", 60, 5, 0, 0),
        ("readiness", -3600, 5, 0, 5),
        ("readiness", 60, 5, 0.25, 2.5),
        ("startup", 0, 0, 0, 0),
        ("liveness", 0, 0, 0, 10),
        ("liveness", 0, 15, 0, 15),
        ("liveness", 60, 0, 0, 0),
    ],
)
def test_the_first_look_waits_for_the_initial_delay_and_liveness_for_a_period(
    kind: Kind, ran: int, delay: int, share: float, pause: float
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    asked = Probe(initial_delay_seconds=delay, period_seconds=10)
    assert first_pause(kind, asked, now - timedelta(seconds=ran), now, share) == pause


# ---- tasks, in virtual time


class Scripted:
    """A runtime whose commands end as told: at which second of virtual time with which code. It keeps when it was asked."""

    def __init__(self, code_at: Callable[[str, float], int]) -> None:
        self._code_at, self.asked = code_at, []

    async def exec(self, container_id: str, command: list[str], seconds: float) -> ExecResult:
        now = asyncio.get_running_loop().time()
        self.asked.append((command[0], now))
        return ExecResult(self._code_at(command[0], now), b"said so")


class World:
    """One pod of one container, its probes, and what came of them."""

    def __init__(self, runtime: Any, template: dict[str, Any], chance: float = 0.5) -> None:
        self.pod = Pod.model_validate({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", **template}]}})
        self.events: list[tuple[str, ...]] = []
        self.turned = asyncio.Event()
        self.clock = FakeClock()
        self.probes = Probes(runtime, self.clock, self.turned.set, lambda *e: self.events.append(e), lambda: chance)

    def follow(self, *ids: str) -> None:
        pod = PodRef("ns", "p", "u")
        seen = tuple(
            Container(i, pod, "c", n, "s", "running", started_at=self.clock.now()) for n, i in enumerate(ids or ["one"])
        )
        self.probes.follow(self.pod, Observed((), seen), "127.0.0.1")

    async def turn(self) -> float:
        """Until something turned; when."""
        await self.turned.wait()
        self.turned.clear()
        return asyncio.get_running_loop().time()


def test_readiness_turns_with_its_thresholds_and_says_why() -> None:
    async def story() -> None:
        runtime = Scripted(lambda _, now: 0 if now < 15 or now >= 60 else 1)
        world = World(runtime, {"readinessProbe": probe()})
        world.follow()
        assert world.probes.ready == {"one": False}
        assert world.probes.started == {}
        assert (await world.turn(), world.probes.ready) == (0, {"one": True})
        assert (await world.turn(), world.probes.ready) == (40, {"one": False})
        assert (await world.turn(), world.probes.ready) == (60, {"one": True})
        assert world.events == [("c", "Warning", "Unhealthy", "Readiness probe failed: said so")] * 4
        assert world.probes.failed == {}
        await world.probes.stop()

    virtually(story)


def test_liveness_gives_up_once_and_stops_asking() -> None:
    async def story() -> None:
        runtime = Scripted(lambda _, now: 1)
        grace = {"terminationGracePeriodSeconds": 7}
        world = World(runtime, {"livenessProbe": probe(initialDelaySeconds=5, failureThreshold=2, **grace)})
        world.follow()
        assert await world.turn() == 20
        assert (world.probes.failed, world.probes.grace) == ({"one": "liveness"}, {"one": 7})
        world.follow()
        await asyncio.sleep(100)
        assert runtime.asked == [("check", 10), ("check", 20)]
        await world.probes.stop()

    virtually(story)


def test_a_new_container_is_asked_anew_and_the_old_one_forgotten() -> None:
    async def story() -> None:
        world = World(Scripted(lambda _, now: int(now < 35)), {"livenessProbe": probe(), "readinessProbe": probe()})
        world.follow()
        assert await world.turn() == 30
        assert world.probes.failed == {"one": "liveness"}
        world.follow("one", "two")
        assert (world.probes.failed, world.probes.grace, world.probes.ready) == ({}, {}, {"two": False})
        assert (await world.turn(), world.probes.ready) == (40, {"two": True})
        await world.probes.stop()

    virtually(story)


def test_startup_holds_the_others_back_and_they_ask_at_once_when_it_is_done() -> None:
    async def story() -> None:
        runtime = Scripted(lambda _, now: int(now < 20))
        others = {k: probe(exec={"command": [k[0]]}) for k in ("livenessProbe", "readinessProbe")}
        world = World(runtime, {"startupProbe": probe(failureThreshold=30), **others})
        world.follow()
        assert (world.probes.started, world.probes.ready) == ({"one": False}, {"one": False})
        assert (await world.turn(), world.probes.started) == (20, {"one": True})
        world.follow()
        assert (await world.turn(), world.probes.ready) == (20, {"one": True})
        assert [name for name, now in runtime.asked if now < 20] == ["check", "check"]
        await asyncio.sleep(11)
        assert sorted(name for name, now in runtime.asked if now > 20) == ["l", "r"]
        await world.probes.stop()

    virtually(story)


def test_startup_that_gives_up_ends_the_container() -> None:
    async def story() -> None:
        world = World(Scripted(lambda _, now: 1), {"startupProbe": probe(), "livenessProbe": probe()})
        world.follow()
        assert await world.turn() == 20
        assert (world.probes.failed, world.probes.started) == ({"one": "startup"}, {"one": False})
        assert {message for *_, message in world.events} == {"Startup probe failed: said so"}
        await world.probes.stop()

    virtually(story)


def test_a_pod_that_ends_is_asked_for_its_readiness_only() -> None:
    async def story() -> None:
        runtime = Scripted(lambda name, now: int(now > 15))
        live, ready = probe(exec={"command": ["live"]}), probe(exec={"command": ["ready"]}, failureThreshold=1)
        world = World(runtime, {"livenessProbe": live, "readinessProbe": ready})
        world.follow()
        await asyncio.sleep(11)
        world.turned.clear()
        world.pod.metadata.deletion_timestamp = world.clock.now()
        world.follow()
        assert (await world.turn(), world.probes.ready) == (20, {"one": False})
        await asyncio.sleep(30)
        assert [now for name, now in runtime.asked if name == "live"] == [10]
        assert world.probes.failed == {}
        await world.probes.stop()

    virtually(story)


def test_an_adopted_container_keeps_what_the_status_says_and_is_asked_at_a_random_moment() -> None:
    async def story() -> None:
        runtime = Scripted(lambda _, now: 1)
        world = World(runtime, {k: probe() for k in ("startupProbe", "readinessProbe")}, chance=0.7)
        told = ContainerStatus(name="c", container_id="docker://one", ready=True, started=True)
        world.pod.status.container_statuses = [told]
        world.follow()
        assert (world.probes.started, world.probes.ready) == ({"one": True}, {"one": True})
        assert (await world.turn(), world.probes.ready) == (27, {"one": False})
        await world.probes.stop()

    virtually(story)


def test_what_could_not_be_asked_says_nothing_of_the_container() -> None:
    class Refusing:
        async def exec(self, *_: object) -> ExecResult:
            raise EngineError("no such command")

    async def story() -> None:
        world = World(Refusing(), {"livenessProbe": probe(failureThreshold=1)})
        world.follow()
        await asyncio.sleep(25)
        assert world.probes.failed == {}
        told = "Liveness probe errored and resulted in unknown state: no such command"
        assert world.events == [("c", "Warning", "Unhealthy", told)] * 2
        await world.probes.stop()

    virtually(story)


def test_a_look_that_outlasts_its_period_is_followed_by_the_next_at_once() -> None:
    class Slow(Scripted):
        async def exec(self, *asked: Any) -> ExecResult:
            ended = await super().exec(*asked)
            await asyncio.sleep(25 if len(self.asked) == 1 else 0)
            return ended

    async def story() -> None:
        runtime = Slow(lambda _, now: 0)
        world = World(runtime, {"livenessProbe": probe(timeoutSeconds=30)})
        world.follow()
        await asyncio.sleep(60)
        assert [now for _, now in runtime.asked] == [10, 35, 45, 55]
        await world.probes.stop()

    virtually(story)


# ---- looking


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
    runtime, asked = Ending(result), Probe.model_validate(probe())
    target = Target(ContainerTemplate(name="c"), "one", "")
    if isinstance(finding, Finding):
        assert await prober.look(runtime, asked, target)  # type: ignore[arg-type] == finding
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
