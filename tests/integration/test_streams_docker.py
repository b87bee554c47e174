"""Logs, exec and attach of a real container, through the agent's server and its mutual TLS."""

import asyncio
import hashlib
import ssl
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import aiohttp
import orjson
import pytest

from agent import server, spdy
from agent.portforward import PROTOCOL
from agent.runtime.docker import DockerRuntime
from agent.runtime.protocol import ContainerSpec, PodRef, SandboxSpec
from agent.server import AgentServer
from controlplane.apiserver import certs
from kubeapi.core_v1.types import Pod

pytestmark = pytest.mark.docker
IMAGE = "naru/base"
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
T = TypeVar("T")
STREAMS = {"input": "1", "output": "1", "error": "1"}


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext, ssl.SSLContext]:
    """TLS of the server, of the API server, and of somebody else with a certificate of the same authority."""
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certs.ensure_authority(folder))
    served.verify_mode = ssl.CERT_REQUIRED
    served.load_cert_chain(*certs.ensure_certificate(folder, "agent", ["127.0.0.1"]))
    clients = []
    for pair in (certs.ensure_agent_client(folder), certs.ensure_certificate(folder, "somebody")):
        clients.append(ssl.create_default_context(cafile=folder / "ca.crt"))
        clients[-1].load_cert_chain(*pair)
    return served, clients[0], clients[1]


class World:
    """A pod of one container on the engine, the agent's server before it, and a client that is let in."""

    def __init__(self, runtime: DockerRuntime, folder: Path) -> None:
        self.runtime = runtime
        self.pod = Pod.model_validate({"metadata": {"name": "p", "namespace": "ns", "uid": str(uuid.uuid4())}})
        self.served, self.let_in, self.somebody = contexts(folder)
        self.server = AgentServer(
            runtime, lambda ns, name: self.pod if (ns, name) == ("ns", "p") else None, self.served
        )
        self.session = aiohttp.ClientSession()

    async def run(self, *command: str, **more: bool) -> str:
        """Start the container `c`; its id."""
        ref = PodRef("ns", "p", self.pod.metadata.uid)
        sandbox = await self.runtime.start_sandbox(await self.runtime.create_sandbox(SandboxSpec(ref)))
        spec = ContainerSpec(ref, "c", sandbox.id, IMAGE, entrypoint=command, **more)
        made = await self.runtime.create_container(spec)
        await self.runtime.start(made)
        template = {"name": "c", "image": IMAGE, **{k: v for k, v in more.items() if k in ("stdin", "tty")}}
        status = {"name": "c", "image": IMAGE, "imageID": "", "ready": True, "restartCount": 0}
        status |= {"containerID": f"docker://{made}", "state": {"running": {}}}
        body = {"metadata": {"name": "p", "namespace": "ns", "uid": ref.uid}, "spec": {"containers": [template]}}
        self.pod = Pod.from_json(orjson.dumps(body | {"status": {"containerStatuses": [status]}}))
        self.url = f"https://127.0.0.1:{await self.server.start()}"
        return made

    def exec(self, *command: str, protocol: str = V5, **query: str) -> "aiohttp.client._WSRequestContextManager":
        pairs = [*(STREAMS | query).items(), *(("command", word) for word in command)]
        return self.connect("exec", pairs, protocol)

    def connect(self, verb: str, query: list[tuple[str, str]], protocol: str = V5):  # type: ignore[no-untyped-def]
        url = f"{self.url}/{verb}/ns/p/c"
        return self.session.ws_connect(url, params=query, protocols=[protocol], ssl=self.let_in)

    async def logs(self, **query: str) -> tuple[int, str]:
        async with self.session.get(f"{self.url}/containerLogs/ns/p/c", params=query, ssl=self.let_in) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    runtime = DockerRuntime("test-" + uuid.uuid4().hex[:8])
    if await runtime.image(IMAGE) is None:
        pytest.skip(f"image {IMAGE} is not on this engine")
    world = World(runtime, tmp_path)
    try:
        async with asyncio.timeout(60):
            yield world
    finally:
        await world.session.close()
        await world.server.stop()
        sandboxes, containers = await runtime.observe()
        for made in [*containers, *sandboxes]:
            await runtime.remove(made.id)
        await runtime.close()


async def settles(holds: Callable[[], T]) -> T:
    """Wait until it holds; no event tells when a thread has ended or a descriptor is closed."""
    async with asyncio.timeout(10):
        while True:
            if found := holds():
                return found
            await asyncio.sleep(0.02)


class Held:
    """What this process holds now: threads, less those of the engine's pool, and open files."""

    def __init__(self) -> None:
        self.threads = len([t for t in threading.enumerate() if not t.name.startswith("docker_")])
        self.files = len(list(Path("/proc/self/fd").iterdir()))

    def is_all(self) -> bool:
        """Whether no more than that is held now."""
        now = Held()
        return now.threads <= self.threads and now.files <= self.files


async def said(socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """All that the server says until it closes, by channel; the status decoded."""
    got: dict[int, bytes] = {}
    async for message in socket:
        got[message.data[0]] = got.get(message.data[0], b"") + message.data[1:]
    return got


def code_of(status: bytes) -> int:
    told = orjson.loads(status)
    if told["status"] == "Success":
        return 0
    assert told["reason"] == "NonZeroExitCode"
    return int(told["details"]["causes"][0]["message"])


async def test_exec_keeps_outputs_apart_and_tells_the_exit_code(world: World) -> None:
    await world.run("sleep", "999")
    async with world.exec("sh", "-c", "echo out; echo err >&2; exit 3") as socket:
        got = await said(socket)
    assert (got[1], got[2], code_of(got[3])) == (b"out\n", b"err\n", 3)


async def test_the_exit_code_is_right_however_quick_the_command_is(world: World) -> None:
    await world.run("sleep", "999")

    async def once(code: int) -> int:
        async with world.exec("sh", "-c", f"exit {code}") as socket:
            return code_of((await said(socket))[3])

    assert await asyncio.gather(*(once(code) for code in range(12))) == list(range(12))


async def test_the_end_of_standard_input_reaches_the_command(world: World) -> None:
    await world.run("sleep", "999")
    payload = bytes(range(256)) * 4096
    async with world.exec("sha256sum") as socket:
        for start in range(0, len(payload), 32768):
            await socket.send_bytes(b"\0" + payload[start : start + 32768])
        await socket.send_bytes(bytes([255, 0]))
        got = await said(socket)
    assert got[1].split()[0].decode() == hashlib.sha256(payload).hexdigest()
    assert code_of(got[3]) == 0


async def test_a_command_that_reads_no_input_still_tells_what_it_has_to(world: World) -> None:
    await world.run("sleep", "999")
    async with world.exec("sh", "-c", "exec <&-; echo done") as socket:
        for _ in range(64):
            await socket.send_bytes(b"\0" + b"x" * 32768)
        got = await said(socket)
    assert got[1] == b"done\n" and code_of(got[3]) == 0


async def test_a_terminal_has_the_size_it_is_told(world: World) -> None:
    await world.run("sleep", "999")
    async with world.exec("sh", "-c", "read line; stty size", tty="1") as socket:
        await socket.send_bytes(b"\4" + orjson.dumps({"Width": 101, "Height": 37}))
        await socket.send_bytes(b"\0go\n")
        got = await said(socket)
    assert b"37 101" in got[1] and 2 not in got


async def test_the_older_protocol_is_spoken_too(world: World) -> None:
    await world.run("sleep", "999")
    async with world.exec("echo", "old", protocol=V4) as socket:
        assert socket.protocol == V4
        assert (await said(socket))[1] == b"old\n"


async def test_a_client_that_hangs_up_leaves_nothing_behind(world: World) -> None:
    await world.run("sleep", "999")
    async with world.exec("true") as socket:
        await said(socket)
    before = Held()
    for _ in range(20):
        async with world.exec("sleep", "998") as socket:
            await socket.receive()
    await settles(before.is_all)


async def test_a_client_that_has_gone_silent_is_let_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEARTBEAT", 0.2)
    await world.run("sleep", "999")
    url, query = f"{world.url}/exec/ns/p/c", [*STREAMS.items(), ("command", "sleep"), ("command", "998")]
    async with world.session.ws_connect(url, params=query, protocols=[V5], ssl=world.let_in, autoping=False) as socket:
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(10):
                while True:  # sleep reads nothing: at some point no more is taken, and nothing else is heard
                    await socket.send_bytes(b"\0" + bytes(32768))


async def test_attach_follows_the_container_and_feeds_it(world: World) -> None:
    await world.run("sh", "-c", "while read line; do echo got $line; done", stdin=True, stdin_once=True)
    async with world.connect("attach", [*STREAMS.items()]) as socket:
        await socket.send_bytes(b"\0one\n")
        await socket.send_bytes(bytes([255, 0]))
        got = await said(socket)
    assert got[1] == b"got one\n" and code_of(got[3]) == 0


async def test_logs_tail_times_limits_and_the_previous_container(world: World) -> None:
    await world.run("sh", "-c", "echo one; echo two; echo three; sleep 999")
    async with world.session.get(f"{world.url}/containerLogs/ns/p/c?follow=1", ssl=world.let_in) as answer:
        assert [await answer.content.readline() for _ in range(3)] == [b"one\n", b"two\n", b"three\n"]
    assert await world.logs() == (200, "one\ntwo\nthree\n")
    assert await world.logs(tailLines="1") == (200, "three\n")
    assert await world.logs(tailLines="0") == (200, "")
    assert await world.logs(limitBytes="5") == (200, "one\nt")
    assert await world.logs(sinceSeconds="60") == (200, "one\ntwo\nthree\n")
    assert await world.logs(sinceTime="2100-01-01T00:00:00Z") == (200, "")
    stamp, word = (await world.logs(timestamps="true", tailLines="1"))[1].split()
    assert stamp.endswith("Z") and "T" in stamp and word == "three"
    refused = (400, 'previous terminated container "c" in pod "p" not found')
    assert await world.logs(previous="true") == refused


async def test_followed_logs_end_with_their_container(world: World) -> None:
    container = await world.run("sh", "-c", "echo begun; exec sleep 999")
    url = f"{world.url}/containerLogs/ns/p/c"
    async with world.session.get(url, params={"follow": "true"}, ssl=world.let_in) as answer:
        assert await answer.content.readline() == b"begun\n"
        await world.runtime.stop(container, 0)
        assert await answer.content.read() == b""


async def test_a_client_that_leaves_a_quiet_log_is_noticed(world: World) -> None:
    await world.run("sleep", "999")
    await world.logs()
    before = Held()
    followed = {"follow": "true"}
    answers = [
        await world.session.get(f"{world.url}/containerLogs/ns/p/c", params=followed, ssl=world.let_in) for _ in "123"
    ]
    await settles(lambda: Held().files >= before.files + 2 * len(answers))  # each holds two or three
    for answer in answers:
        answer.close()
    await settles(before.is_all)


async def test_a_port_on_the_pods_own_loopback_is_reached(world: World) -> None:
    listen = """use IO::Socket; $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8000, Listen => 1);
        $| = 1; print "listening\n"; while ($c = $s->accept) { print $c "from inside: ", scalar <$c>; close $c }"""
    await world.run("perl", "-e", listen)
    async with world.session.get(f"{world.url}/containerLogs/ns/p/c?follow=1", ssl=world.let_in) as answer:
        assert await answer.content.readline() == b"listening\n"
    url = f"{world.url}/portForward/ns/p"
    writer, reader, said = spdy.Writer(), spdy.Reader(), {}
    async with world.session.ws_connect(url, protocols=[PROTOCOL], ssl=world.let_in) as socket:
        for data, port in ((3, "8000"), (7, "8001")):
            for stream, kind in ((data - 2, "error"), (data, "data")):
                await socket.send_bytes(writer.open(stream, {"streamtype": kind, "port": port, "requestid": port}))
            await socket.send_bytes(spdy.data(data, b"hello\n"))
        closed = set()
        while closed < {1, 3, 5, 7}:
            for frame in reader.feed((await socket.receive()).data):
                if isinstance(frame, spdy.Data):
                    said[frame.stream] = said.get(frame.stream, b"") + frame.data
                    closed |= {frame.stream} if frame.fin else set()
    assert (said[3], said[1]) == (b"from inside: hello\n", b"")
    assert b"failed to connect to localhost:8001" in said[5] and b"Connection refused" in said[5]


async def test_what_is_not_there_is_refused_in_the_kubelets_words(world: World) -> None:
    container = await world.run("sleep", "999")

    async def logs_of(path: str) -> tuple[int, str]:
        async with world.session.get(f"{world.url}/containerLogs/{path}", ssl=world.let_in) as answer:
            return answer.status, await answer.text()

    async def refusal(**query: str) -> str:
        async with world.exec("true", **query) as socket:
            return orjson.loads((await said(socket))[3])["message"]

    assert await logs_of("ns/q/c") == (404, 'pod "q" does not exist')
    assert await logs_of("ns/p/d") == (404, 'container "d" not found in pod "p"')
    assert "at least one of stdin, stdout, stderr" in await refusal(input="0", output="0", error="0")
    await world.runtime.stop(container, 0)
    assert await refusal() == 'Internal error occurred: unable to upgrade connection: container not found ("c")'


async def kill(world: World, path: str, tls: ssl.SSLContext) -> tuple[int, str]:
    async with world.session.post(f"{world.url}/kill/{path}", ssl=tls) as answer:
        return answer.status, await answer.text()


async def test_a_container_is_killed_as_if_it_had_crashed_and_nothing_else_can_be(world: World) -> None:
    made = await world.run("sleep", "999")
    assert (await kill(world, "ns/p/c", world.somebody))[0] == 403
    assert await kill(world, "ns/p/d", world.let_in) == (404, 'container "d" not found in pod "p"')
    assert await kill(world, "ns/q/c", world.let_in) == (404, 'pod "q" does not exist')
    status, told = await kill(world, "ns/p/c", world.let_in)
    assert (status, orjson.loads(told)) == (200, {"killed": f"docker://{made}"})
    _, containers = await world.runtime.observe(world.pod.metadata.uid)
    assert [(c.phase, c.exit_code) for c in containers] == [("exited", 137)]
    assert await kill(world, "ns/p/c", world.let_in) == (500, 'container "c" does not run')


async def test_only_the_api_server_is_let_in(world: World) -> None:
    await world.run("sleep", "999")
    url = f"{world.url}/containerLogs/ns/p/c"
    async with world.session.get(url, ssl=world.somebody) as answer:
        assert answer.status == 403
    nobody = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(world.let_in.get_ca_certs(True)[0]))
    with pytest.raises((aiohttp.ClientError, OSError)):
        async with world.session.get(url, ssl=nobody):
            pass
