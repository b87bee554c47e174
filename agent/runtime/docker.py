"""The Docker Engine as a runtime: the only module that knows Docker.

Calls of the low-level APIClient block, so each goes through a thread. All that Naru makes carries `naru.dev/*` labels with
its cluster's id; nothing without them is ever looked at. A sandbox is a pause container without a network of its own making
(`none` or `host`); the pod's containers join its network and IPC namespaces by id.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import requests
from docker.errors import APIError, DockerException, NotFound
from docker.errors import ImageNotFound as NoSuchImage

from agent.runtime import docker_images, pause
from agent.runtime.docker_client import connect
from agent.runtime.docker_exec import Attached, hijack
from agent.runtime.docker_images import DockerImages
from agent.runtime.docker_logs import read_logs
from agent.runtime.docker_options import container_options, sandbox_options
from agent.runtime.inspections import LABEL, Inspections, is_ours, listed_of, shares_due
from agent.runtime.protocol import (
    Container,
    ContainerSpec,
    EngineDownError,
    EngineError,
    EngineInfo,
    ExecResult,
    ExecSession,
    ImageNotFoundError,
    Listed,
    RuntimeEvent,
    Sandbox,
    SandboxSpec,
)
from agent.runtime.weights import Weights

CONFLICT = 409
EVENTS = ("die", "kill", "oom", "destroy")
T = TypeVar("T")


AT_ONCE = max(6, 3 * (os.cpu_count() or 1))  # calls: more make nothing faster, and starve the pods that run meanwhile


class DockerRuntime:
    """A Runtime on one Docker Engine; cluster is the id that keeps clusters on one engine apart."""

    def __init__(self, cluster: str, base_url: str | None = None, timeout: int = 120) -> None:
        self.cluster = cluster
        self._url = base_url or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        self._timeout = timeout
        self._client: Any = None
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="docker")
        self._slow_pool = ThreadPoolExecutor(256, thread_name_prefix="docker-slow")  # calls that wait for a container
        self._inspections = Inspections()
        self._images = DockerImages(self._call)
        self.image, self.images, self.pull = self._images.image, self._images.images, self._images.pull
        self._weights = Weights(self._weigh)
        self._beside: set[asyncio.Task[None]] = set()  # what nobody waits for

    def _connect(self) -> Any:
        if self._client is None:
            self._client = connect(self._url, self._timeout)
        return self._client

    async def _call(self, do: Callable[[Any], T], slow: bool = False) -> T:
        """Run do(client) in a thread; the engine's complaints become the seam's. Slow calls never hold up quick ones."""

        def guarded() -> T:
            try:
                return do(self._connect())
            except NoSuchImage as e:
                raise ImageNotFoundError(e.explanation or str(e)) from e
            except APIError as e:
                raise EngineError(f"Error response from daemon: {e.explanation or e}") from e
            except (DockerException, requests.exceptions.RequestException) as e:
                raise EngineDownError(str(e)) from e

        pool = self._slow_pool if slow else self._pool
        return await asyncio.get_running_loop().run_in_executor(pool, guarded)

    def _do_beside(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task

    async def info(self) -> EngineInfo:
        """The engine's version, or EngineDownError."""
        info, version = await self._call(lambda c: (c.info(), c.version()))
        return EngineInfo(
            "docker",
            info["ServerVersion"],
            info.get("OperatingSystem", ""),
            info.get("DockerRootDir", "/"),
            {part["Name"]: part["Version"] for part in version.get("Components") or ()},
        )

    async def ping(self) -> None:
        """Return when the engine answers, or EngineDownError."""
        await self._call(lambda c: c.ping())

    # Sandboxes and containers

    async def create_sandbox(self, spec: SandboxSpec) -> Sandbox:
        """Create a sandbox; containers may be created in it at once. One of the same attempt left half made is replaced."""
        await self._images.ensure_pause()

        def make(c: Any) -> str:
            options = sandbox_options(self.cluster, spec, c.create_host_config)
            try:
                made = c.create_container(pause.IMAGE, **options)
            except APIError as e:
                if e.status_code != CONFLICT:
                    raise
                c.remove_container(options["name"], force=True, v=True)
                made = c.create_container(pause.IMAGE, **options)
            return str(made["Id"])

        return Sandbox(await self._undone_if_cancelled(make), spec.pod, spec.attempt, running=False)

    async def start_sandbox(self, sandbox: Sandbox) -> Sandbox:
        """Start what `create_sandbox` has made; as it is then."""
        started = await self._started(sandbox.id)
        assert isinstance(started, Sandbox)
        return started

    async def _started(self, id_: str) -> Sandbox | Container:
        turn = self._inspections.turn

        def start(c: Any) -> Any:
            c.start(id_)
            return c.inspect_container(id_)

        return self._learn(await self._call(start), turn)

    def _learn(self, seen: Mapping[str, Any], turn: int) -> Sandbox | Container:
        if shares := shares_due(seen):
            self._weights.due(seen["Id"], shares)
        return self._inspections.learn(seen, turn)

    async def _undone_if_cancelled(self, make: Callable[[Any], str]) -> str:
        """Have something made; its id. If nobody waits for that any more, it is removed again."""
        making = asyncio.create_task(self._call(make))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            await asyncio.wait({self._do_beside(self._undo(making))})
            raise

    async def _undo(self, making: asyncio.Task[str]) -> None:
        with contextlib.suppress(EngineError):
            await self.remove(await making)

    async def create_container(self, spec: ContainerSpec) -> str:
        """Create a container in its pod's sandbox; start it with `start`."""

        def make(c: Any) -> str:
            return str(
                c.create_container(spec.image, **container_options(self.cluster, spec, c.create_host_config))["Id"]
            )

        return await self._undone_if_cancelled(make)

    async def start(self, container_id: str) -> Container:
        """Start; as it is then. EngineError with the engine's words if its process can't be made."""
        self._weights.starting()
        started = await self._started(container_id)
        assert isinstance(started, Container)
        return started

    async def _weigh(self, container_id: str, shares: int) -> None:
        await self._call(lambda c: c.update_container(container_id, cpu_shares=shares))

    async def stop(self, container_id: str, grace: float, signal: str = "") -> None:
        """Ask to end, and after grace seconds end it. Returns when it is dead; one that is gone is no error."""

        def stop(c: Any) -> None:
            with contextlib.suppress(NotFound):
                if signal:
                    c.kill(container_id, signal)
                if grace <= 0:
                    with contextlib.suppress(APIError):  # it is not running: what we want
                        c.kill(container_id)
                    return
                c.stop(container_id, timeout=int(grace))

        await self._call(stop, slow=grace > 0)

    async def remove(self, container_id: str) -> None:
        """Remove, running or not; returns when it is gone."""

        def remove(c: Any) -> None:
            with contextlib.suppress(NotFound):
                try:
                    c.remove_container(container_id, force=True, v=True)
                except APIError as e:
                    if e.status_code != CONFLICT:
                        raise
                    c.wait(container_id, condition="removed")  # somebody else removes it already

        await self._call(remove)

    async def listed(self) -> list[Listed]:
        """All that runs on the engine, also what is not ours: to be shown, never to be touched."""
        return [listed_of(row, self.cluster) for row in await self._call(lambda c: c.containers())]

    async def observe(self, pod_uid: str = "") -> tuple[list[Sandbox], list[Container]]:
        """All sandboxes and containers of the cluster, or of one pod, as they are now."""
        labels = [f"{LABEL}cluster={self.cluster}", *([f"{LABEL}pod.uid={pod_uid}"] if pod_uid else [])]

        turn = self._inspections.turn
        listed = await self._call(lambda c: c.containers(all=True, filters={"label": labels}))
        rows = [row for row in listed if is_ours(row.get("Labels") or {})]
        found = self._inspections.known(rows)
        new = [row["Id"] for row in rows if row["Id"] not in found]

        def inspect(c: Any) -> list[dict[str, Any]]:
            inspected = []
            for container_id in new:
                with contextlib.suppress(NotFound):  # removed since the list was made
                    inspected.append(c.inspect_container(container_id))
            return inspected

        for seen in await self._call(inspect) if new else ():
            found[seen["Id"]] = self._learn(seen, turn)
        sandboxes = [s for s in found.values() if isinstance(s, Sandbox)]
        return sandboxes, [c for c in found.values() if isinstance(c, Container)]

    async def events(self) -> AsyncGenerator[RuntimeEvent, None]:
        """What happens to this cluster's containers from now on; raises EngineDownError when the engine goes."""
        filters = {"type": ["container", "image"], "event": [*EVENTS, *docker_images.EVENTS]}
        stream = await self._call(lambda c: c.events(decode=True, filters=filters))
        self._inspections.opened()
        self._images.changed()
        try:
            yield RuntimeEvent("listening", "", "")
            async for event in _threaded(stream, stream.close):
                action, id_, told = event["Action"], event["Actor"]["ID"], event["Actor"]["Attributes"]
                if event["Type"] == "image":
                    self._images.changed()
                    continue
                if told.get(LABEL + "cluster") != self.cluster:
                    continue
                if action != "kill":  # whether it ends by that, `die` will tell
                    self._inspections.turned(id_)
                signal, code = int(told.get("signal", 0)), int(told.get("exitCode", 0))
                yield RuntimeEvent(action, id_, told.get(LABEL + "pod.uid", ""), signal, code)
        finally:
            self._inspections.closed()
            self._images.changed(told=False)
        raise EngineDownError("the engine's event stream ended")

    # Inside containers

    async def exec(self, container_id: str, command: list[str], seconds: float) -> ExecResult:
        """Run a command to its end; TimeoutError after so many seconds, and the command's process is ended."""
        said, session, ended = {1: b"", 2: b""}, None, False
        try:
            async with asyncio.timeout(seconds):
                session = await self.open_exec(container_id, command, tty=False, stdin=False)
                async for stream, data in session.chunks():
                    said[stream] += data
                code = await session.exit_code()
            ended = True
            return ExecResult(code, said[1], said[2])
        finally:
            if session:
                self._do_beside(session.close() if ended else session.kill())  # the engine may take its time over that

    async def open_exec(self, container_id: str, command: list[str], tty: bool, stdin: bool) -> Attached:
        """A command with its streams open."""
        made = await self._call(lambda c: c.exec_create(container_id, command, stdin=stdin, tty=tty))
        body = b'{"Detach": false, "Tty": %s}' % (b"true" if tty else b"false")
        streams = await hijack(self._url, await self._path(f"/exec/{made['Id']}/start"), body)
        return Attached(self._call, streams, tty, exec_id=made["Id"])

    async def attach(self, container_id: str, tty: bool, stdin: bool) -> ExecSession:
        """The container's own streams, from now on."""
        query = f"stream=1&stdout=1&stderr=1&stdin={int(stdin)}"
        streams = await hijack(self._url, await self._path(f"/containers/{container_id}/attach?{query}"))
        return Attached(self._call, streams, tty, container_id=container_id)

    async def _path(self, path: str) -> str:
        version: str = await self._call(lambda c: c.api_version)
        return f"/v{version}{path}"

    async def logs(
        self,
        container_id: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float = 0,
        timestamps: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        """What the container wrote, standard output and error in order."""
        seen = await self._call(lambda c: c.inspect_container(container_id))
        query = {"stdout": "1", "stderr": "1", "follow": str(int(follow)), "timestamps": str(int(timestamps))}
        query |= {"tail": "all" if tail is None else str(tail), "since": f"{since:f}"}
        path = await self._path(f"/containers/{container_id}/logs")
        async with contextlib.aclosing(read_logs(self._url, path, query, seen["Config"]["Tty"])) as chunks:
            async for chunk in chunks:
                yield chunk

    async def stats(self, container_id: str) -> Mapping[str, object]:
        """One sample of what the container uses, as the engine gives it."""
        sample: Mapping[str, object] = await self._call(lambda c: c.stats(container_id, stream=False, one_shot=True))
        return sample

    async def ensure_volume(self, name: str) -> str:
        """A named volume that outlives every pod, made if it is not there; the path of its data on the host."""
        made = await self._call(lambda c: c.create_volume(name, labels={LABEL + "cluster": self.cluster}))
        return str(made["Mountpoint"])

    async def remove_volume(self, name: str) -> None:
        """Remove a volume with its data. None is there, or this cluster did not make it: nothing happens."""

        def remove(c: Any) -> None:
            with contextlib.suppress(NotFound):
                if (c.inspect_volume(name).get("Labels") or {}).get(LABEL + "cluster") == self.cluster:
                    c.remove_volume(name)

        await self._call(remove)

    async def volumes(self) -> list[str]:
        """The names of the volumes that were made for this cluster."""
        ours = {"label": f"{LABEL}cluster={self.cluster}"}
        found = await self._call(lambda c: c.volumes(filters=ours).get("Volumes") or [])
        return sorted(str(volume["Name"]) for volume in found)

    async def close(self) -> None:
        """Let go of the engine; what runs goes on."""
        self._weights.close()
        await asyncio.gather(*self._beside, return_exceptions=True)
        if self._client is not None:
            self._client.close()
        for pool in (self._pool, self._slow_pool):
            pool.shutdown(wait=False, cancel_futures=True)


async def _threaded(stream: Any, close: Callable[[], None]) -> AsyncGenerator[Any, None]:
    """A blocking iterator as an async one: a thread reads ahead into a queue; leaving closes the stream under it."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[tuple[bool, Any]]()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            try:
                for item in stream:
                    loop.call_soon_threadsafe(queue.put_nowait, (True, item))
            except (OSError, ValueError, DockerException, AttributeError, requests.exceptions.RequestException):
                pass  # the connection was closed, by us or by the engine: either way the end
            loop.call_soon_threadsafe(queue.put_nowait, (False, None))

    threading.Thread(target=read, name="docker-stream", daemon=True).start()
    try:
        while (got := await queue.get())[0]:
            yield got[1]
    finally:
        with contextlib.suppress(OSError, DockerException, AttributeError):  # it may be closed already
            close()
