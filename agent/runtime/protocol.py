"""The seam between a pod and what runs it: sandboxes, containers, images, events, exec, logs, in plain values.

The agent says what it wants (`SandboxSpec`, `ContainerSpec`) and reads back what is (`Sandbox`, `Container`); everything it
must remember about either travels as labels and comes back with it, so a restarted agent knows all it knew. Every call may
raise `EngineError` with the engine's own words; `EngineDownError` when no engine answers.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

Phase = Literal["created", "running", "exited"]


class EngineError(Exception):
    """The engine refused or failed; the text is the engine's."""


class ImageNotFoundError(EngineError):
    """The image is not on this engine."""


class EngineDownError(EngineError):
    """No engine answers."""


@dataclass(frozen=True, slots=True)
class PodRef:
    """Whose sandbox or container it is."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Mount:
    """What the container sees at target: a path of the host, or a named volume of the engine."""

    source: str
    target: str
    read_only: bool = False
    volume: bool = False
    propagation: str = ""


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """The holder of a pod's namespaces. network is `none` (the agent plumbs it) or `host`."""

    pod: PodRef
    attempt: int = 0
    hostname: str = ""
    network: Literal["none", "host"] = "none"
    host_pid: bool = False
    host_ipc: bool = False
    sysctls: Mapping[str, str] = field(default_factory=dict)


CPU_PERIOD = 100_000  # microseconds


@dataclass(frozen=True, slots=True)
class Resources:
    """cpu_shares, cpu_quota in microseconds per CPU_PERIOD, memory in bytes; zero means no limit."""

    cpu_shares: int = 2
    cpu_quota: int = 0
    memory: int = 0
    oom_score_adj: int = 0


@dataclass(frozen=True, slots=True)
class Security:
    """Who the processes are and what they may do."""

    user: str = ""
    groups: tuple[str, ...] = ()
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container of a pod, joined to its sandbox. Empty entrypoint and args mean the image's own.

    stop_seconds is its pod's grace: what whoever stops it without Naru, the engine included, leaves it before SIGKILL.
    """

    pod: PodRef
    name: str
    sandbox_id: str
    image: str
    attempt: int = 0
    crashes: int = 0
    entrypoint: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    resources: Resources = Resources()
    security: Security = Security()
    share_pids: bool = False
    host_pid: bool = False
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    stop_signal: str = ""
    stop_seconds: int = 30
    message_path: str = ""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox as it is. pid is 0 unless it runs."""

    id: str
    pod: PodRef
    attempt: int
    running: bool
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Container:
    """A container as it is. crashes counts its predecessors' ends since the last long run (the back-off's memory).

    error is the engine's word on why it never started; message_path is where its termination message lies on the host.
    """

    id: str
    pod: PodRef
    name: str
    attempt: int
    sandbox_id: str
    phase: Phase
    crashes: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    image: str = ""
    image_id: str = ""
    message_path: str = ""
    stop_seconds: int = 10
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Image:
    """An image on this engine; user is what its configuration runs as (text, may be empty)."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size: int = 0
    user: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something happened to a sandbox or container of this cluster.

    die (with an exit code), destroy; kill: somebody, Naru or not, had the engine send it a signal; oom: the kernel kills one
    of its processes for want of memory, which may be its own (`die` follows, when that process gets to it) or another. The
    first of a stream is `listening`, with empty id and pod_uid: from here on none is missed.
    """

    action: str
    id: str
    pod_uid: str
    signal: int = 0
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """A running container of the engine, whoever made it: its name for people, and for one of this cluster its pod and which
    container of it (empty: the sandbox). A runtime without a cluster knows the pods of all; a sandbox is known whosever it
    is."""

    id: str
    name: str
    image: str = ""
    pod: PodRef | None = None
    container: str = ""
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine is: name and version (`docker`, `20.10.24`), its kernel's operating system, where it keeps data, and
    the versions of what it is made of by name (`containerd`, `runc`)."""

    name: str
    version: str
    os_image: str = ""
    root: str = "/"
    components: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a command inside a container ended, and what it said."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def output(self) -> bytes:
        """Both outputs, as the kubelet joins them."""
        return self.stdout + self.stderr


class ExecSession(Protocol):
    """A command in a container with its streams open (exec), or the container's own (attach)."""

    def chunks(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """(1 standard output, 2 standard error, bytes) until it ends."""
        ...

    async def write(self, data: bytes) -> None:
        """Standard input."""
        ...

    async def close_stdin(self) -> None:
        """End of standard input."""
        ...

    async def resize(self, width: int, height: int) -> None:
        """The terminal's size in characters."""
        ...

    async def exit_code(self) -> int:
        """The command's exit code, once `chunks` has ended."""
        ...

    async def close(self) -> None:
        """Leave; the command may go on."""
        ...


class Runtime(Protocol):
    """What the agent asks of a container engine."""

    async def info(self) -> EngineInfo: ...
    async def ping(self) -> None: ...
    async def image(self, ref: str) -> Image | None: ...
    async def images(self) -> list[Image]: ...
    async def pull(self, ref: str) -> Image: ...
    async def create_sandbox(self, spec: SandboxSpec) -> Sandbox: ...
    async def start_sandbox(self, sandbox: Sandbox) -> Sandbox: ...
    async def create_container(self, spec: ContainerSpec) -> str: ...
    async def start(self, container_id: str) -> Container: ...
    async def stop(self, container_id: str, grace: float, signal: str = "") -> None: ...
    async def remove(self, container_id: str) -> None: ...
    async def listed(self) -> list[Listed]: ...
    async def observe(self, pod_uid: str = "") -> tuple[list[Sandbox], list[Container]]: ...
    def events(self) -> AsyncGenerator[RuntimeEvent, None]: ...
    async def exec(self, container_id: str, command: list[str], seconds: float) -> ExecResult: ...
    async def open_exec(self, container_id: str, command: list[str], tty: bool, stdin: bool) -> ExecSession: ...
    async def attach(self, container_id: str, tty: bool, stdin: bool) -> ExecSession: ...
    def logs(
        self,
        container_id: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float = 0,
        timestamps: bool = False,
    ) -> AsyncGenerator[bytes, None]: ...
    async def stats(self, container_id: str) -> Mapping[str, object]: ...
    async def ensure_volume(self, name: str) -> str: ...
    async def remove_volume(self, name: str) -> None: ...
    async def close(self) -> None: ...
