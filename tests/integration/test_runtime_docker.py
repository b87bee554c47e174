"""The runtime on a real Docker Engine: how it sees containers end, how little it asks, and an engine that goes."""

from __future__ import annotations

import asyncio
import subprocess
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from docker import APIClient

from agent.runtime.docker import DockerRuntime
from agent.runtime.docker_options import sandbox_options
from agent.runtime.protocol import (
    Container,
    ContainerSpec,
    EngineDownError,
    EngineError,
    PodRef,
    Resources,
    RuntimeEvent,
    SandboxSpec,
)
from tests.integration.engine_door import EngineDoor

pytestmark = pytest.mark.docker
IMAGE = "naru/base"
FOREVER = ("sh", "-c", "trap 'exit 0' TERM; sleep 999 & wait")
MEMORY = 16 << 20
GREEDY = ("sh", "-c", "head -c 64m /dev/zero | tail")


class Engine:
    """A runtime behind a door, with its event stream followed."""

    def __init__(self, door: EngineDoor) -> None:
        self.door, self.runtime = door, DockerRuntime("test-" + uuid.uuid4().hex[:8], door.url)
        self.pod = PodRef("ns", "p", str(uuid.uuid4()))
        self.events: asyncio.Queue[RuntimeEvent | EngineDownError] = asyncio.Queue()
        self._listening: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Follow the events; returns once none is missed."""
        self._listening = asyncio.create_task(self._follow())
        await self.until("listening")

    async def _follow(self) -> None:
        try:
            async for event in self.runtime.events():
                self.events.put_nowait(event)
        except EngineDownError as error:
            self.events.put_nowait(error)

    async def until(self, action: str) -> RuntimeEvent:
        """The next event of that action."""
        async with asyncio.timeout(20):
            while True:
                event = await self.events.get()
                if isinstance(event, EngineDownError):
                    raise event
                if event.action == action:
                    return event

    async def run(self, command: tuple[str, ...] = FOREVER, **more: object) -> str:
        """A container in a sandbox of its own pod, started; its id."""
        sandbox = await self.runtime.start_sandbox(await self.runtime.create_sandbox(SandboxSpec(self.pod)))
        spec = ContainerSpec(self.pod, "c", sandbox.id, IMAGE, entrypoint=command, **more)  # type: ignore[arg-type]
        made = await self.runtime.create_container(spec)
        await self.runtime.start(made)
        return made

    async def container(self) -> Container:
        """The only container, as the pod's worker sees it."""
        _, (found,) = await self.runtime.observe(self.pod.uid)
        return found

    async def asked(self) -> list[str]:
        """What one look asks of the engine."""
        self.door.asked.clear()
        await self.runtime.observe(self.pod.uid)
        return list(self.door.asked)

    async def close(self) -> None:
        if self._listening:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self.runtime.close()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with EngineDoor(tmp_path / "engine.sock") as door:
        engine = Engine(door)
        if await engine.runtime.image(IMAGE) is None:
            pytest.skip(f"image {IMAGE} is not on this engine")
        try:
            yield engine
        finally:
            sandboxes, containers = await engine.runtime.observe()
            for made in [*containers, *sandboxes]:
                await engine.runtime.remove(made.id)
            await engine.close()


def docker(*arguments: str) -> None:
    """What somebody else does to a container."""
    subprocess.run(["docker", *arguments], check=True, capture_output=True, timeout=60)


def told_of(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


async def test_second_look_costs_one_call(engine: Engine) -> None:
    await engine.listen()
    await engine.run()
    before = await engine.runtime.observe(engine.pod.uid)
    assert await engine.asked() == ["GET /containers/json"]
    assert await engine.runtime.observe(engine.pod.uid) == before


async def test_that_an_image_is_there_is_asked_once_until_the_engine_says_that_images_have_changed(
    engine: Engine,
) -> None:
    name = f"naru/test-{uuid.uuid4().hex[:8]}"
    docker("tag", IMAGE, name)
    try:
        await engine.listen()
        found = await engine.runtime.image(name)
        engine.door.asked.clear()
        assert found is not None and await engine.runtime.image(name) == found
        assert engine.door.asked == []
    finally:
        docker("rmi", name)
    async with asyncio.timeout(20):
        while await engine.runtime.image(name) is not None:  # noqa: ASYNC110 - the engine tells, in its time
            await asyncio.sleep(0.01)


async def test_without_an_event_stream_every_image_is_asked_for(engine: Engine) -> None:
    await engine.runtime.image(IMAGE)
    engine.door.asked.clear()
    await engine.runtime.image(IMAGE)
    assert engine.door.asked == [f"GET /images/{IMAGE}/json"]


async def test_nothing_is_heard_of_others_containers(engine: Engine) -> None:
    await engine.listen()
    docker("run", "--rm", IMAGE, "true")
    made = await engine.run()
    await engine.runtime.remove(made)
    assert (await engine.events.get()).id == made


async def test_who_takes_a_sandbox_over_may_do_less_than_a_container(engine: Engine) -> None:
    sandbox = await engine.runtime.start_sandbox(await engine.runtime.create_sandbox(SandboxSpec(engine.pod)))
    told = told_of(sandbox.pid)
    assert (told["Seccomp"], int(told["CapBnd"], 16), told["NoNewPrivs"]) == ("2", 0, "1")


@pytest.mark.parametrize(
    ("command", "code"),
    [("unshare --user true", 1), ("perl -e 'socket(S, 2, 1, 0) or exit 5'", 5), ("perl -e 'fork // exit 5'", 0)],
)
def test_a_sandbox_s_filter_denies_what_would_give_more_than_it_has(engine: Engine, command: str, code: int) -> None:
    client = APIClient()
    options = sandbox_options(engine.runtime.cluster, SandboxSpec(engine.pod), client.create_host_config)
    made = client.create_container(IMAGE, ["sh", "-c", command], **options)["Id"]
    try:
        client.start(made)
        assert client.wait(made)["StatusCode"] == code
    finally:
        client.remove_container(made, force=True)


async def test_dead_container_is_asked_about_once(engine: Engine) -> None:
    await engine.listen()
    made = await engine.run()
    await engine.container()
    await engine.runtime.stop(made, 0)
    await engine.until("die")
    assert await engine.asked() == ["GET /containers/json", f"GET /containers/{made}/json"]
    assert await engine.asked() == ["GET /containers/json"]
    dead = await engine.container()
    assert (dead.phase, dead.exit_code, dead.oom_killed, dead.pid) == ("exited", 137, False, 0)
    assert dead.started_at and dead.finished_at and dead.started_at < dead.finished_at


async def test_container_that_others_restarted_is_seen_anew(engine: Engine) -> None:
    await engine.listen()
    made = await engine.run()
    before = await engine.container()
    docker("restart", "-t", "0", made)
    await engine.until("die")
    after = await engine.container()
    assert after.phase == before.phase == "running"
    assert (after.pid, after.started_at) != (before.pid, before.started_at)


async def test_whoever_stops_a_container_without_naru_leaves_it_its_pods_grace(engine: Engine) -> None:
    made = await engine.run(("sleep", "999"), stop_seconds=2)
    assert (await engine.container()).stop_seconds == 2
    docker("stop", made)  # it does not listen: 10 s, had the engine its own way
    dead = await engine.container()
    assert dead.started_at is not None and dead.finished_at is not None
    assert 2 <= (dead.finished_at - dead.started_at).total_seconds() < 10


async def test_without_events_nothing_is_remembered(engine: Engine) -> None:
    made = await engine.run()
    before = await engine.container()
    docker("restart", "-t", "0", made)
    assert (await engine.container()).pid != before.pid


async def test_paused_container_counts_as_running(engine: Engine) -> None:
    await engine.listen()
    made = await engine.run()
    docker("pause", made)
    assert (await engine.container()).phase == "running"
    await engine.runtime.stop(made, 0)
    await engine.until("die")
    dead = await engine.container()
    assert (dead.phase, dead.exit_code) == ("exited", 137)


async def test_container_out_of_memory_says_so(engine: Engine) -> None:
    await engine.listen()
    await engine.run(GREEDY, resources=Resources(memory=MEMORY))
    await engine.until("oom")
    while (dead := await engine.container()).phase == "running":
        await engine.until("die")
    assert (dead.exit_code, dead.oom_killed) == (137, True)


async def test_command_that_can_not_start_is_a_dead_container(engine: Engine) -> None:
    await engine.listen()
    with pytest.raises(EngineError, match="/nonexistent"):
        await engine.run(("/nonexistent",))
    dead = await engine.container()
    assert (dead.phase, dead.exit_code, dead.started_at) == ("exited", 128, None)
    assert "/nonexistent" in dead.error


async def test_created_container_turns_running(engine: Engine) -> None:
    await engine.listen()
    sandbox = await engine.runtime.start_sandbox(await engine.runtime.create_sandbox(SandboxSpec(engine.pod)))
    made = await engine.runtime.create_container(ContainerSpec(engine.pod, "c", sandbox.id, IMAGE, entrypoint=FOREVER))
    assert (await engine.container()).phase == "created"
    await engine.runtime.start(made)
    assert (await engine.container()).phase == "running"


async def test_a_container_that_nobody_waits_for_any_more_is_not_left_behind(engine: Engine) -> None:
    await engine.listen()
    sandbox = await engine.runtime.create_sandbox(SandboxSpec(engine.pod))
    spec = ContainerSpec(engine.pod, "c", sandbox.id, IMAGE, entrypoint=FOREVER)
    making = asyncio.create_task(engine.runtime.create_container(spec))
    await asyncio.sleep(0)  # it begins
    await asyncio.sleep(0)  # and so does the engine's call
    making.cancel()
    await engine.until("destroy")
    assert await engine.runtime.observe(engine.pod.uid) == ([sandbox], [])


async def test_a_container_that_somebody_removes_already_is_waited_for(engine: Engine) -> None:
    made = await engine.run()
    await asyncio.gather(*(engine.runtime.remove(made) for _ in range(4)))
    assert (await engine.runtime.observe(engine.pod.uid))[1] == []


async def test_removed_container_is_gone(engine: Engine) -> None:
    await engine.listen()
    made = await engine.run()
    await engine.container()
    docker("rm", "--force", made)
    gone = await engine.until("destroy")
    assert (gone.id, gone.pod_uid) == (made, engine.pod.uid)
    _, containers = await engine.runtime.observe(engine.pod.uid)
    assert containers == []


async def test_half_made_sandbox_of_the_same_attempt_is_replaced(engine: Engine) -> None:
    first = await engine.runtime.start_sandbox(await engine.runtime.create_sandbox(SandboxSpec(engine.pod)))
    second = await engine.runtime.start_sandbox(await engine.runtime.create_sandbox(SandboxSpec(engine.pod)))
    assert first.id != second.id
    assert await engine.runtime.observe() == ([second], [])


async def test_engine_that_goes_ends_the_events_and_comes_back(engine: Engine) -> None:
    await engine.listen()
    made = await engine.run()
    await engine.door.shut()
    with pytest.raises(EngineDownError):
        await engine.until("die")
    with pytest.raises(EngineDownError):
        await engine.runtime.observe()
    docker("restart", "-t", "0", made)  # while nobody listened
    await engine.door.open()
    await engine.listen()
    assert (await engine.container()).phase == "running"
    assert await engine.asked() == ["GET /containers/json"]


async def test_cpu_shares_come_once_the_container_runs_and_is_seen(engine: Engine) -> None:
    begun = int(time.time())
    made = await engine.run(resources=Resources(cpu_shares=2))
    api = APIClient()
    assert api.inspect_container(made)["HostConfig"]["CpuShares"] == 0
    await engine.container()
    updates = api.events(since=begun, decode=True, filters={"event": "update", "container": made})
    await asyncio.to_thread(next, updates)
    assert api.inspect_container(made)["HostConfig"]["CpuShares"] == 2
