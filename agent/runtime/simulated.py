"""A container engine in memory: images, sandboxes, containers and events without a Docker Engine.

For tests of what stands above, and for nodes of simulated clusters. Time comes from a clock and the event loop, chance from
an rng, so that a virtual loop and a seed give the same story every time. What a container does with its life is told by a
function of its spec (`life_of` reads the commands that people write into examples); what goes wrong is told by `fail` and
`go_down`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agent.runtime.protocol import (
    Container,
    ContainerSpec,
    EngineDownError,
    EngineError,
    EngineInfo,
    ExecResult,
    ExecSession,
    Image,
    ImageNotFoundError,
    Listed,
    RuntimeEvent,
    Sandbox,
    SandboxSpec,
)

if TYPE_CHECKING:
    from kubeapi.clock import Clock

KILLED, TERMINATED, UNSTARTABLE = 137, 143, 128


@dataclass(frozen=True, slots=True)
class Life:
    """What a container does: ends by itself after so many seconds (None: never), and within so many once asked to (None: it
    does not listen). error is why its process can't be made at all."""

    seconds: float | None = None
    exit_code: int = 0
    oom_killed: bool = False
    obeys_after: float | None = 0.0
    output: bytes = b""
    error: str = ""


def life_of(spec: ContainerSpec) -> Life:
    """A life after the command: `true`, `false`, `sleep SECONDS`, `exit CODE`; anything else runs for ever."""
    match (*spec.entrypoint, *spec.args):
        case ("true",):
            return Life(0.0)
        case ("false",):
            return Life(0.0, 1)
        case ("sleep", seconds) if seconds.replace(".", "", 1).isdigit():
            return Life(float(seconds))
        case ("exit", code) if code.isdigit():
            return Life(0.0, int(code))
    return Life()


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds; a start takes half as much more or less, by chance. pull is bytes per second."""

    create: float = 0.01
    start: float = 0.09
    pull: float = 50e6


@dataclass(slots=True)
class _Made:
    """A sandbox or container, its life, when that ends by itself, and who waits for it."""

    value: Sandbox | Container
    life: Life
    end: asyncio.TimerHandle | None = None
    dead: asyncio.Event = field(default_factory=asyncio.Event)


class SimulatedRuntime:
    """A Runtime. registry has the sizes of the images that can be pulled; present those that need not be."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        lives: Callable[[ContainerSpec], Life] = life_of,
        registry: Mapping[str, int] | None = None,
        pace: Pace = Pace(),
        commands: Callable[[Container, list[str]], ExecResult] = lambda container, command: ExecResult(0),
    ) -> None:
        self._clock, self._rng, self._lives, self._pace, self._commands = clock, rng, lives, pace, commands
        self.registry = dict(registry or {})
        self.present: dict[str, Image] = {}
        self._made: dict[str, _Made] = {}
        self._volumes: set[str] = set()
        self._listeners: set[asyncio.Queue[RuntimeEvent | None]] = set()
        self._failures: dict[str, deque[EngineError]] = {}
        self._down = False

    # What tests and scenarios do to it

    def fail(self, call: str, *errors: EngineError) -> None:
        """The next calls of that name end so."""
        self._failures.setdefault(call, deque()).extend(errors)

    def go_down(self) -> None:
        """No engine answers any more; what runs goes on."""
        self._down = True
        for queue in self._listeners:
            queue.put_nowait(None)

    def come_up(self) -> None:
        """The engine answers again."""
        self._down = False

    def kill(self, container_id: str, exit_code: int = KILLED, *, oom: bool = False, signal: int = 0) -> None:
        """End a sandbox's or container's process from outside; with a signal, through the engine."""
        if signal:
            self._tell("kill", self._get(container_id).value, signal)
        self._end(container_id, exit_code, oom)

    def starve(self, container_id: str) -> None:
        """The kernel kills a process of the container, which lives on."""
        self._tell("oom", self._get(container_id).value)

    def _enter(self, call: str) -> None:
        if self._down:
            raise EngineDownError("no engine answers")
        if errors := self._failures.get(call):
            raise errors.popleft()

    def _tell(self, action: str, made: Sandbox | Container, signal: int = 0) -> None:
        if not self._down:
            for queue in self._listeners:
                code = made.exit_code if action == "die" and isinstance(made, Container) else 0
                queue.put_nowait(RuntimeEvent(action, made.id, made.pod.uid, signal, code))

    def _get(self, container_id: str) -> _Made:
        if container_id not in self._made:
            raise EngineError(f"Error response from daemon: No such container: {container_id}")
        return self._made[container_id]

    def _unharmed(self, container_id: str) -> _Made:
        """What is just being started, if nothing ended it meanwhile."""
        made = self._get(container_id)
        if made.dead.is_set():
            raise EngineError(f"Error response from daemon: container {container_id} was killed while it started")
        return made

    def _id(self) -> str:
        return f"{self._rng.getrandbits(256):064x}"

    async def _take(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._rng.uniform(0.5, 1.5))

    # Images

    async def info(self) -> EngineInfo:
        """As `Runtime` says."""
        self._enter("info")
        return EngineInfo("simulated", "1")

    async def ping(self) -> None:
        """As `Runtime` says."""
        self._enter("ping")

    async def image(self, ref: str) -> Image | None:
        """As `Runtime` says."""
        self._enter("image")
        return self.present.get(ref)

    async def images(self) -> list[Image]:
        """As `Runtime` says."""
        self._enter("images")
        return list({image.id: image for image in self.present.values()}.values())

    async def pull(self, ref: str) -> Image:
        """As `Runtime` says; it takes its size's time."""
        self._enter("pull")
        size = self.registry.get(ref)
        if size is None:
            raise EngineError(f"Error response from daemon: pull access denied for {ref}, repository does not exist")
        await self._take(size / self._pace.pull)
        self.present[ref] = Image(f"sha256:{self._id()}", (ref,), size=size)
        return self.present[ref]

    # Sandboxes and containers

    async def create_sandbox(self, spec: SandboxSpec) -> Sandbox:
        """As `Runtime` says."""
        self._enter("create_sandbox")
        await self._take(self._pace.create)
        sandbox = Sandbox(self._id(), spec.pod, spec.attempt, running=False)
        self._made[sandbox.id] = _Made(sandbox, Life())
        return sandbox

    async def start_sandbox(self, sandbox: Sandbox) -> Sandbox:
        """As `Runtime` says."""
        self._enter("start_sandbox")
        await self._take(self._pace.start)
        made = self._unharmed(sandbox.id)
        made.value = replace(sandbox, running=True, pid=self._pid())
        return made.value

    async def create_container(self, spec: ContainerSpec) -> str:
        """As `Runtime` says."""
        self._enter("create_container")
        await self._take(self._pace.create)
        image = self.present.get(spec.image)
        if image is None:
            raise ImageNotFoundError(f"No such image: {spec.image}")
        container = Container(
            id=self._id(),
            pod=spec.pod,
            name=spec.name,
            attempt=spec.attempt,
            sandbox_id=spec.sandbox_id,
            phase="created",
            crashes=spec.crashes,
            image=spec.image,
            image_id=image.id,
            message_path=spec.message_path,
            stop_seconds=spec.stop_seconds,
        )
        self._made[container.id] = _Made(container, self._lives(spec))
        return container.id

    def _pid(self) -> int:
        return self._rng.randrange(2, 1 << 22)

    async def start(self, container_id: str) -> Container:
        """As `Runtime` says. A container whose sandbox is dead can't join it."""
        self._enter("start")
        await self._take(self._pace.start)
        made = self._unharmed(container_id)
        container, life = made.value, made.life
        assert isinstance(container, Container)  # sandboxes have `start_sandbox`
        home = self._made.get(container.sandbox_id)
        error = life.error
        if home is None or home.dead.is_set():
            error = f"cannot join network of a non running container: {container.sandbox_id}"
        now = self._clock.now()
        if error:
            made.value = replace(container, phase="exited", exit_code=UNSTARTABLE, error=error, finished_at=now)
            made.dead.set()
            raise EngineError(f"Error response from daemon: {error}")
        made.value = begun = replace(container, phase="running", started_at=now, pid=self._pid())
        if life.seconds is not None:
            loop = asyncio.get_running_loop()
            made.end = loop.call_later(life.seconds, self._end, container_id, life.exit_code, life.oom_killed)
        return begun

    def _end(self, container_id: str, exit_code: int, oom: bool = False) -> None:
        made = self._made.get(container_id)
        if made is None or made.dead.is_set():
            return
        if made.end:
            made.end.cancel()
        made.dead.set()
        if isinstance(made.value, Sandbox):
            made.value = replace(made.value, running=False, pid=0)
        else:
            now = self._clock.now()
            made.value = replace(
                made.value, phase="exited", exit_code=exit_code, oom_killed=oom, finished_at=now, pid=0
            )
        if oom:
            self._tell("oom", made.value)
        self._tell("die", made.value)

    async def stop(self, container_id: str, grace: float, signal: str = "") -> None:
        """As `Runtime` says: a life that listens ends in its time, another when the grace is over."""
        self._enter("stop")
        made = self._made.get(container_id)
        if made is None:
            return
        asked = made.life.obeys_after
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace if asked is None else min(asked, grace)):
                await made.dead.wait()
        self._end(container_id, TERMINATED if asked is not None and asked <= grace and grace > 0 else KILLED)

    async def remove(self, container_id: str) -> None:
        """As `Runtime` says."""
        self._enter("remove")
        self._end(container_id, KILLED)
        if made := self._made.pop(container_id, None):
            self._tell("destroy", made.value)

    async def listed(self) -> list[Listed]:
        """As `Runtime` says."""
        self._enter("listed")
        found = [made.value for made in self._made.values()]
        sandboxes = [
            Listed(s.id, s.pod.name, pod=s.pod, sandbox=True) for s in found if isinstance(s, Sandbox) and s.running
        ]
        running = [c for c in found if isinstance(c, Container) and c.phase == "running"]
        return sandboxes + [Listed(c.id, c.name, c.image, c.pod, c.name) for c in running]

    async def observe(self, pod_uid: str = "") -> tuple[list[Sandbox], list[Container]]:
        """As `Runtime` says."""
        self._enter("observe")
        found = [made.value for made in self._made.values() if pod_uid in ("", made.value.pod.uid)]
        sandboxes = [value for value in found if isinstance(value, Sandbox)]
        return sandboxes, [value for value in found if isinstance(value, Container)]

    async def events(self) -> AsyncGenerator[RuntimeEvent, None]:
        """As `Runtime` says."""
        self._enter("events")
        queue: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield RuntimeEvent("listening", "", "")
            while event := await queue.get():
                yield event
        finally:
            self._listeners.discard(queue)
        raise EngineDownError("the engine's event stream ended")

    # Inside containers

    async def exec(self, container_id: str, command: list[str], seconds: float) -> ExecResult:
        """As `Runtime` says; what comes of it is told by `commands`."""
        self._enter("exec")
        container = self._get(container_id).value
        if not isinstance(container, Container) or container.phase != "running":
            raise EngineError(f"Error response from daemon: Container {container_id} is not running")
        return self._commands(container, command)

    async def open_exec(self, container_id: str, command: list[str], tty: bool, stdin: bool) -> ExecSession:
        """As `Runtime` says: all that the command says, and its code."""
        return _Session(await self.exec(container_id, command, 0.0))

    async def attach(self, container_id: str, tty: bool, stdin: bool) -> ExecSession:
        """As `Runtime` says: the container's output, until it ends."""
        self._enter("attach")
        made = self._get(container_id)
        return _Session(ExecResult(0, made.life.output), made.dead)

    async def logs(
        self,
        container_id: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float = 0,
        timestamps: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        """As `Runtime` says: all is written at the start, so only tail and follow matter."""
        self._enter("logs")
        made = self._get(container_id)
        lines = made.life.output.splitlines(keepends=True)
        yield b"".join(lines if tail is None else lines[max(len(lines) - tail, 0) :])
        if follow:
            await made.dead.wait()

    async def stats(self, container_id: str) -> Mapping[str, object]:
        """As `Runtime` says: nothing is used."""
        self._enter("stats")
        self._get(container_id)
        return {"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {"usage": 0}}

    async def ensure_volume(self, name: str) -> str:
        """As `Runtime` says."""
        self._enter("ensure_volume")
        self._volumes.add(name)
        return f"/volumes/{name}"

    async def remove_volume(self, name: str) -> None:
        """As `Runtime` says."""
        self._enter("remove_volume")
        self._volumes.discard(name)

    async def close(self) -> None:
        """As `Runtime` says."""
        self.go_down()


class _Session:
    """What was said already; it stays open until `ends`, if that is given. Input goes nowhere."""

    def __init__(self, said: ExecResult, ends: asyncio.Event | None = None) -> None:
        self._said, self._ends = said, ends

    async def chunks(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """As `ExecSession` says."""
        for stream, data in ((1, self._said.stdout), (2, self._said.stderr)):
            if data:
                yield stream, data
        if self._ends:
            await self._ends.wait()

    async def write(self, data: bytes) -> None:
        """As `ExecSession` says."""

    async def close_stdin(self) -> None:
        """As `ExecSession` says."""

    async def resize(self, width: int, height: int) -> None:
        """As `ExecSession` says."""

    async def exit_code(self) -> int:
        """As `ExecSession` says."""
        return self._said.exit_code

    async def close(self) -> None:
        """As `ExecSession` says."""
