"""One worker per pod: look, plan, act, report, wait. A thin shell around `agent.plan` and `agent.status`.

It wakes by `wake()` (the pod changed in the API, the engine said something, a kill ended) and by the plan's own clock. Each
round reads the whole truth of its pod from the engine, so a lost event costs nothing but time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from agent import plan as planner
from agent.containers import container_spec, ref_of, sandbox_spec
from agent.environment import ConfigError, Surroundings, environment, references
from agent.images import ImageMissingError, Images
from agent.network.protocol import Network, NetworkError
from agent.plan import Known, Observed, Waiting
from agent.runtime.protocol import EngineDownError, EngineError, Mount, Runtime
from agent.status import Facts, full_name, status_of
from kubeapi.core_v1.types import Container, Pod, PodStatus

if TYPE_CHECKING:
    from kubeapi.clock import Clock

log = structlog.get_logger()
RETRY, MESSAGE_LIMIT = 10.0, 4096
Say = Callable[[Pod, str, str, str], None]
Lookup = Callable[[str, str, str], Awaitable[Mapping[str, bytes] | None]]
Report = Callable[[Pod, PodStatus], Awaitable[None]]


class PodWorker:
    """Brings one pod to what its spec says. say records an Event; report writes a status; finish lets the API forget it.

    lookup(kind, namespace, name) gives the data of a ConfigMap or Secret, or None if there is none.
    """

    def __init__(
        self,
        pod: Pod,
        runtime: Runtime,
        network: Network,
        images: Images,
        clock: Clock,
        directory: Path,
        host_ip: str,
        lookup: Lookup,
        say: Say,
        report: Report,
        finish: Callable[[Pod], Awaitable[None]],
    ) -> None:
        self.pod, self.gone = pod, False
        self._runtime, self._network, self._images, self._clock = runtime, network, images, clock
        self._directory, self._host_ip = directory, host_ip
        self._lookup = lookup
        self._say, self._report, self._finish = say, report, finish
        self._wake = asyncio.Event()
        self._waiting: dict[str, Waiting] = {}
        self._kills: dict[str, asyncio.Task[None]] = {}
        self._messages: dict[str, str] = {}
        self._ip, self._start_time, self._told = "", pod.status.start_time or clock.now(), PodStatus()

    def update(self, pod: Pod) -> None:
        """The object as the API now has it."""
        self.pod = pod
        self._wake.set()

    def wake(self) -> None:
        """Something may have changed."""
        self._wake.set()

    async def run(self) -> None:
        """Until nothing of the pod is left. An engine that is away is waited for."""
        while True:
            self._wake.clear()
            pod = self.pod.clone()
            pod.status.start_time = pod.status.start_time or self._start_time
            try:
                sandboxes, containers = await self._runtime.observe(pod.metadata.uid)
                observed = Observed(tuple(sandboxes), tuple(containers))
                now = self._clock.now()
                known = await self._known(pod, observed)
                planned = planner.plan(pod, observed, known, now)
                await self._tell(pod, observed, known)
                if planned.actions == (planner.Finish(),):
                    await self._network.detach(pod.metadata.uid)
                    await self._finish(pod)
                    return
                acted = [await self._act(pod, observed, action) for action in planned.actions]
            except EngineDownError as e:
                log.warning("engine down", pod=full_name(pod), error=str(e))
                await self._sleep(1.0)
                continue
            if not any(acted):
                left = (planned.wake_at - self._clock.now()).total_seconds() if planned.wake_at else None
                await self._sleep(left)

    async def _sleep(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):  # the plan's own time has come
            await asyncio.wait_for(self._wake.wait(), None if seconds is None else max(seconds, 0))

    async def _known(self, pod: Pod, observed: Observed) -> Known:
        sandbox = observed.sandbox()
        if sandbox and sandbox.running and not self._ip and not pod.spec.host_network:
            self._ip = await self._network.attach(ref_of(pod), sandbox.pid)  # adoption: the same address again
        return Known(waiting=dict(self._waiting), pod_ip=self._ip, volumes_ready=True, gone=self.gone)

    async def _tell(self, pod: Pod, observed: Observed, known: Known) -> None:
        status = status_of(pod, observed, known, Facts(self._host_ip, self._read_messages(observed)), self._clock.now())
        for seen in status.container_statuses + status.init_container_statuses:
            before = next((c for c in self._told.container_statuses if c.name == seen.name), None)
            waits = seen.state.waiting and seen.state.waiting.reason == "CrashLoopBackOff"
            if waits and not (before and before.state.waiting):
                why = f"Back-off restarting failed container {seen.name} in pod {full_name(pod)}"
                self._say(pod, "Warning", "BackOff", why)
        if status != self._told:
            await self._report(pod, status)
            self._told = status

    def _read_messages(self, observed: Observed) -> dict[str, str]:
        for c in observed.containers:
            if c.phase == "exited" and c.message_path and c.id not in self._messages:
                path = Path(c.message_path)
                text = path.read_bytes()[:MESSAGE_LIMIT] if path.exists() else b""
                self._messages[c.id] = text.decode(errors="replace")
        return self._messages

    async def _act(self, pod: Pod, observed: Observed, action: planner.Action) -> bool:
        """Carry one action out; whether another look is due at once."""
        match action:
            case planner.CreateSandbox(attempt):
                return await self._create_sandbox(pod, attempt)
            case planner.StartContainer(name, attempt, crashes):
                sandbox = observed.sandbox()
                assert sandbox is not None  # the plan starts containers in a living sandbox only
                return await self._start(pod, _template(pod, name), sandbox.id, attempt, crashes)
            case planner.KillContainer(container_id, _, why):
                self._kill(pod, container_id, why)
                return False
            case planner.StopSandbox(sandbox_id):
                await self._runtime.stop(sandbox_id, 0)
            case planner.Remove(container_id):
                await self._runtime.remove(container_id)
        return True

    async def _create_sandbox(self, pod: Pod, attempt: int) -> bool:
        try:
            sandbox = await self._runtime.create_sandbox(sandbox_spec(pod, attempt))
            if not pod.spec.host_network:
                self._ip = await self._network.attach(ref_of(pod), sandbox.pid)
        except (EngineError, NetworkError) as e:
            if isinstance(e, EngineDownError):
                raise
            self._say(pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {e}")
            await self._sleep(1.0)
        return True

    async def _start(self, pod: Pod, template: Container, sandbox_id: str, attempt: int, crashes: int) -> bool:
        def say(type_: str, reason: str, message: str) -> None:
            self._say(pod, type_, reason, message)

        failed = "CreateContainerConfigError"
        try:
            image = await self._images.ensure(template, say)
            if template.volume_mounts:
                raise ConfigError("this node does not mount volumes yet: remove volumeMounts")
            needed = sorted(references(template))
            sources = {r: await self._lookup(r[0], pod.metadata.namespace, r[1]) for r in needed}
            variables = environment(pod, template, sources, (), Surroundings(self._host_ip, self._ip))
            message = self._message_file(template.name, attempt)
            mounts = (Mount(str(message), template.termination_message_path or "/dev/termination-log"),)
            spec = container_spec(pod, template, image, sandbox_id, attempt, crashes, variables, mounts, str(message))
            failed = "CreateContainerError"
            container_id = await self._runtime.create_container(spec)
            say("Normal", "Created", "Container created")
        except ImageMissingError as e:
            self._waiting[template.name] = e.waiting
            return True
        except (ConfigError, EngineError) as e:
            if isinstance(e, EngineDownError):
                raise
            say("Warning", "Failed", f"Error: {e}")
            again = self._clock.now() + timedelta(seconds=RETRY)
            self._waiting[template.name] = Waiting(failed, str(e), again)
            return True
        self._waiting.pop(template.name, None)
        try:
            await self._runtime.start(container_id)
            say("Normal", "Started", "Container started")
        except EngineDownError:
            raise
        except EngineError as e:  # the engine remembers why: the next look finds it dead
            say("Warning", "Failed", f"Error: {str(e).removeprefix('Error response from daemon: ')}")
        return True

    def _message_file(self, name: str, attempt: int) -> Path:
        path = self._directory / "messages" / f"{name}-{attempt}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        path.chmod(0o666)
        return path

    def _kill(self, pod: Pod, container_id: str, why: str) -> None:
        grace = pod.metadata.deletion_grace_period_seconds
        if grace is None:
            grace = pod.spec.termination_grace_period_seconds
        if container_id in self._kills and grace != 0:
            return  # under way
        if container_id not in self._kills:
            self._say(pod, "Normal", "Killing", why)
        task = asyncio.create_task(self._runtime.stop(container_id, 30 if grace is None else grace))
        self._kills[container_id] = task
        task.add_done_callback(lambda _: self._killed(container_id, task))

    def _killed(self, container_id: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.warning("kill failed", container=container_id, error=str(error))
        if self._kills.get(container_id) is task:
            del self._kills[container_id]
        self._wake.set()


def _template(pod: Pod, name: str) -> Container:
    return next(c for c in [*pod.spec.init_containers, *pod.spec.containers] if c.name == name)
