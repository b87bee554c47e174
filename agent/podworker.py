"""One worker per pod: look, plan, act, report, wait. A thin shell around `agent.plan` and `agent.status`.

It wakes by `wake()` (the engine said something, a probe turned, a kill ended), by `update()` and `forget()` (the pod changed
in the API, or is no longer there) and by the plan's own clock. A round reads the whole truth of its pod from the engine, or
goes on with what the engine has just answered, so a lost event costs nothing but time. What takes long (ending a container)
runs beside it, and wakes it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from agent import hooks
from agent import plan as planner
from agent.ahead import Ahead
from agent.causes import Causes
from agent.containers import ref_of, sandbox_spec
from agent.kills import Kills
from agent.network.protocol import NetworkError, host_ports_of
from agent.parts import Parts
from agent.plan import Known, Observed, Waiting, grace_of
from agent.probes import Probes
from agent.runtime.protocol import Container, EngineDownError, EngineError, RuntimeEvent, Sandbox
from agent.starter import NotStartedError, Starter, field_path, template_of
from agent.status import Facts, as_told, full_name, status_of
from agent.termination import TerminationMessages
from agent.volumes import VolumeError
from kubeapi.clock import Steps
from kubeapi.core_v1.types import Pod, PodStatus
from kubeapi.names import DELETED_BY

log = structlog.get_logger()
ENGINE_PAUSE, FAULT_PAUSE, SANDBOX_PAUSE, LONGEST_PAUSE = 0.5, 5.0, 1.0, 60.0
VOLUME_PAUSE = 2.0


class PodWorker:
    """Brings one pod to what its spec says. report has a status written; finish lets the API forget the pod."""

    def __init__(
        self, pod: Pod, parts: Parts, report: Callable[[Pod, PodStatus], None], finish: Callable[[Pod], Awaitable[None]]
    ) -> None:
        self.pod, self._gone = pod, False
        self._parts, self._report, self._finish = parts, report, finish
        self._wake = asyncio.Event()
        self._messages = TerminationMessages(parts.runtime, parts.directory / pod.metadata.uid)
        self._starter = Starter(parts, self._messages)
        self._probes = Probes(parts.runtime, parts.clock, self.wake, self._say_of)
        self._causes = Causes(pod)
        self._waiting: dict[str, Waiting] = {}
        self._kills = Kills(parts, self.wake)
        self._starting: asyncio.Task[Container | None] | None = None
        self._ahead = Ahead(parts.runtime.remove)
        self._observed = Observed()
        self._answered: Observed | None = None  # what the engine's answers have made of that, if they tell all
        self._heard = 0  # events of the engine
        self._sandbox_failures = 0
        self._volume_troubles: tuple[str, ...] = ()
        self._known = Known()
        self._start_time = pod.status.start_time or parts.clock.now().replace(microsecond=0)  # as the API will keep it
        self._told = PodStatus()
        self._steps = Steps(parts.clock)
        self._serving: frozenset[int] | None = None  # what takes the pod's connections; None while nobody was told

    def update(self, pod: Pod) -> None:
        """The object as the API now has it."""
        ends = pod.metadata.deletion_timestamp and not self.pod.metadata.deletion_timestamp
        self.pod = pod
        if ends:
            self._interrupt()
            if by := pod.metadata.annotations.get(DELETED_BY):
                grace = pod.metadata.deletion_grace_period_seconds
                self._parts.say(pod, "", "Normal", "Deleting", f"Deletion asked by {by}, with {grace} s to end")
        self._wake.set()

    def forget(self) -> None:
        """The API has no such pod any more: bring it to its end."""
        self._gone = True
        self._interrupt()
        self._wake.set()

    def wake(self) -> None:
        """Something may have changed."""
        self._wake.set()

    def hear(self, event: RuntimeEvent) -> None:
        """The engine spoke of one of the pod's containers."""
        self._causes.hear(event, self._parts.clock.now())
        self._heard += 1
        if event.action == "die":
            self._foresee(event)
        if event.action != "kill":  # its end, if it is one, is told by itself
            self._wake.set()

    def resync(self, observed: Observed) -> None:
        """What the engine has of the pod, seen beside the rounds: if that is news, an event was lost."""
        if not observed.same_as(self._observed):
            self._wake.set()

    def asked_to_kill(self, container_id: str) -> None:
        """Somebody asked the agent to kill one of the pod's containers."""
        self._causes.asked(container_id)

    def lose_engine(self) -> None:
        """The engine went away: what it would have said is not heard."""
        self._heard += 1
        self._causes.lose_engine()

    def unplugged(self) -> None:
        """The pod's device is gone from the kernel: the next round attaches it anew, if its sandbox still runs."""
        self._known = replace(self._known, pod_ip="")
        self._wake.set()

    def _interrupt(self) -> None:
        self._ahead.cancel()
        if self._starting:  # a postStart hook, say, of a pod that is to end
            self._starting.cancel()

    async def run(self) -> None:
        """Until nothing of the pod is left. An engine that is away is waited for; a fault of ours is logged and retried."""
        try:
            while True:
                self._wake.clear()
                try:
                    if await self._round():
                        return
                except EngineDownError:
                    await self._sleep(ENGINE_PAUSE)
                except Exception:  # one pod's trouble must not end its worker: the next round sees the truth anew
                    log.exception("pod worker failed", pod=full_name(self.pod))
                    await self._sleep(FAULT_PAUSE)
        finally:
            await self._probes.stop()
            self._ahead.cancel()
            self._kills.cancel()

    async def _round(self) -> bool:
        """Look, plan, tell, act; then wait if there is nothing to do. True when the pod is at its end."""
        if step := self._steps.taken():
            self._postpone(step)
        pod = self._as_known()
        observed = self._observed = self._answered or await self._look(pod)
        self._answered = None
        known = await self._learn(pod, observed)
        planned = planner.plan(pod, observed, known, self._parts.clock.now())
        await self._tell(pod, observed, known)
        if planned.actions[-1:] == (planner.Finish(),):
            await self._clear(pod, observed, planned.actions[:-1])
            return True
        answered: Observed | None = observed
        changed = self._changes()
        for action in planned.actions:
            answer = await self._act(pod, observed, action)
            answered = answered.having(answer) if answered and answer else None
        if all(isinstance(action, planner.KillContainer) for action in planned.actions):
            due = [at for at in (planned.wake_at, self._retry_at, self._causes.due) if at]
            left = (min(due) - self._parts.clock.now()).total_seconds() if due else None
            await self._sleep(left)
        elif changed == self._changes():
            self._answered = answered
        return False

    def _changes(self) -> tuple[int, int]:
        """What else has changed on the engine so far, beside what it was asked to do."""
        return self._heard, self._ahead.undone

    async def _look(self, pod: Pod) -> Observed:
        sandboxes, containers = await self._parts.runtime.observe(pod.metadata.uid)
        return Observed(tuple(sandboxes), tuple(containers))

    def _as_known(self) -> Pod:
        """The pod with the status that was told of it last."""
        pod = as_told(self.pod, self._told)
        if pod.status.start_time:
            return pod
        return pod.model_copy(update={"status": pod.status.model_copy(update={"start_time": self._start_time})})

    def _postpone(self, step: timedelta) -> None:
        """Move what is to be tried again with the clock that was set."""
        waiting = self._waiting.items()
        self._waiting = {name: replace(w, retry_at=w.retry_at and w.retry_at + step) for name, w in waiting}
        at = self._known.sandbox_at
        self._known = replace(self._known, sandbox_at=at and at + step)

    async def _sleep(self, seconds: float | None) -> None:
        left = None if seconds is None else max(seconds, 0)
        with contextlib.suppress(TimeoutError):  # the plan's own time has come
            async with asyncio.timeout(left):  # not wait_for: on Python 3.11 that may swallow the worker's end
                await self._wake.wait()

    async def _learn(self, pod: Pod, observed: Observed) -> Known:
        """What the engine can't tell: addresses, volumes, probes."""
        sandbox, ip, retry = observed.sandbox(), self._known.pod_ip, None
        living = not (self._gone or pod.metadata.deletion_timestamp)
        if sandbox and sandbox.running and not ip and not pod.spec.host_network and living:
            try:  # adoption: the same address again
                ip = await self._parts.network.attach(ref_of(pod), sandbox.pid, host_ports_of(pod))
            except NetworkError as e:
                log.warning("pod not attached", pod=full_name(pod), why=str(e))
                retry = self._parts.clock.now() + timedelta(seconds=SANDBOX_PAUSE)
        ended = bool(planner.finished(pod, observed))
        if ended and not any(c.phase == "running" for c in observed.containers):
            await self._parts.volumes.release(pod.metadata.uid)
        hoped = not (observed.sandboxes or self._volume_troubles)  # they are prepared while the sandbox is created
        ready = ended or not living or hoped or await self._prepare_volumes(pod)
        if not ready:
            retry = self._parts.clock.now() + timedelta(seconds=VOLUME_PAUSE)
        self._retry_at = retry
        self._probes.follow(pod, observed, self._parts.host_ip if pod.spec.host_network else ip)
        self._known = Known(
            waiting=dict(self._waiting),
            started=dict(self._probes.started),
            ready=dict(self._probes.ready),
            failed=dict(self._probes.failed),
            pod_ip=ip,
            volumes_ready=ready,
            sandbox_at=self._known.sandbox_at,
            gone=self._gone,
            ahead=self._ahead.names,
        )
        return self._known

    async def _prepare_volumes(self, pod: Pod) -> bool:
        try:
            await self._parts.volumes.prepare(pod)
        except VolumeError as e:
            for message in e.args:
                if message not in self._volume_troubles:
                    self._parts.say(pod, "", "Warning", "FailedMount", message)
            self._volume_troubles = e.args
            return False
        self._volume_troubles = ()
        return True

    def _say_of(self, name: str, type_: str, reason: str, message: str) -> None:
        self._parts.say(self.pod, field_path(self.pod, name), type_, reason, message)

    async def _tell(self, pod: Pod, observed: Observed, known: Known) -> None:
        facts = Facts(self._parts.host_ip, await self._messages.of(pod, observed))
        status = status_of(pod, observed, known, facts, self._parts.clock.now())
        tellings = self._causes.look(pod, observed, self._parts.clock.now())
        for name, reason, message in tellings if not self._gone else ():
            self._parts.say(pod, field_path(pod, name) if name else "", "Warning", reason, message)
        earlier = self._told.container_statuses + self._told.init_container_statuses
        looping = {c.name for c in earlier if c.state.waiting and c.state.waiting.reason == "CrashLoopBackOff"}
        for seen in status.container_statuses + status.init_container_statuses:
            waits = seen.state.waiting and seen.state.waiting.reason == "CrashLoopBackOff"
            if waits and seen.name not in looping:
                why = f"Back-off restarting failed container {seen.name} in pod {full_name(pod)}"
                self._parts.say(pod, field_path(pod, seen.name), "Warning", "BackOff", why)
        if status.reason == "DeadlineExceeded" and "DeadlineExceeded" not in (self._told.reason, pod.status.reason):
            self._parts.say(pod, "", "Normal", status.reason, status.message)
        if status != self._told and not self._gone:
            self._report(pod, status)
            self._told = status
        self._lead(pod, observed, status)

    def _lead(self, pod: Pod, observed: Observed, status: PodStatus) -> None:
        """Have the Service rules follow what is known here: the API's word takes longer to come round."""
        ready = any(c.type == "Ready" and c.status == "True" for c in status.conditions)
        pids = frozenset(c.pid for c in observed.containers if ready and c.phase == "running")
        if pids == self._serving or self._gone or pod.metadata.deletion_timestamp:
            return
        self._serving = pids
        self._parts.network.serve(pod.metadata.uid, pids)

    async def _act(self, pod: Pod, observed: Observed, action: planner.Action) -> Sandbox | Container | None:
        """Carry one action out; what it has started, if the engine's answer tells all that there is to see of it."""
        match action:
            case planner.CreateSandbox(attempt):
                return await self._create_sandbox(pod, observed, attempt)
            case planner.StartContainer():
                sandbox = observed.sandbox()
                assert sandbox is not None  # the plan starts containers in a living sandbox only
                return await self._start(pod, sandbox.id, action)
            case planner.KillContainer(container_id, name, why):
                self._kill(pod, container_id, name, why)
            case planner.StopSandbox(sandbox_id):
                self._causes.ours(sandbox_id)
                await self._parts.runtime.stop(sandbox_id, 0)
                await self._parts.network.detach(pod.metadata.uid)
                self._known = Known(sandbox_at=self._known.sandbox_at)
            case planner.Remove(container_id):
                self._causes.ours(container_id)
                await self._parts.runtime.remove(container_id)
        return None

    async def _clear(self, pod: Pod, observed: Observed, removals: Sequence[planner.Action]) -> None:
        """Have nothing of the pod left, here and then, if it is still there, in the API."""
        running = [container.name for container in observed.containers if container.phase == "running"]
        for name in running:
            self._say_of(name, "Normal", "Killing", f"Stopping container {name}")
        if running:
            await self._parts.network.drain(pod.metadata.uid)
        removing = (self._act(pod, observed, action) for action in removals)
        await asyncio.gather(*removing, self._parts.network.detach(pod.metadata.uid))
        await self._parts.volumes.remove(pod.metadata.uid)
        if not self._gone:
            await self._finish(pod)

    async def _create_sandbox(self, pod: Pod, observed: Observed, attempt: int) -> Sandbox | None:
        ip, retry, running = "", None, None
        if attempt:
            self._parts.say(pod, "", "Normal", "SandboxChanged", planner.CHANGED)
        try:
            sandbox, has_volumes = await asyncio.gather(
                self._parts.runtime.create_sandbox(sandbox_spec(pod, attempt)), self._prepare_volumes(pod)
            )
            if not has_volumes:
                await self._parts.runtime.remove(sandbox.id)
                return None
            host_ip = self._parts.host_ip if pod.spec.host_network else ""
            address = host_ip or await self._parts.network.reserve(ref_of(pod))
            if not await self._ahead.clear():  # else of a sandbox that did not start, or that died: one has to look
                self._create_ahead(pod, observed.having(replace(sandbox, running=True)), sandbox, address)
            started = await self._parts.runtime.start_sandbox(sandbox)
            if not pod.spec.host_network:
                ip = await self._parts.network.attach(ref_of(pod), started.pid, host_ports_of(pod))
            running = started
            self._sandbox_failures = 0
        except EngineDownError:
            raise
        except (EngineError, NetworkError) as e:
            self._parts.say(pod, "", "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {e}")
            pause = min(SANDBOX_PAUSE * 2**self._sandbox_failures, LONGEST_PAUSE)
            self._sandbox_failures += 1
            retry = self._parts.clock.now() + timedelta(seconds=pause)
        self._known = Known(pod_ip=ip, sandbox_at=retry)
        return running

    def _ip_of(self, pod: Pod) -> str:
        return self._parts.host_ip if pod.spec.host_network else self._known.pod_ip

    def _create_ahead(self, pod: Pod, imagined: Observed, sandbox: Sandbox, ip: str) -> None:
        """Create what the plan will start in a sandbox once things are as imagined."""
        planned = planner.plan(pod, imagined, replace(self._known, gone=self._gone), self._parts.clock.now())
        new = [a for a in planned.actions if isinstance(a, planner.StartContainer) and not imagined.has_created(a.name)]
        self._ahead.create(sandbox.id, new, lambda id_, action: self._starter.create(pod, id_, ip, action))

    def _foresee(self, death: RuntimeEvent) -> None:
        """A container has died: create its successor while the engine is asked for all that there is to know of it."""
        dead = next((c for c in self._observed.containers if c.id == death.id and c.phase == "running"), None)
        sandbox = self._observed.sandbox()
        if dead is None or sandbox is None or not sandbox.running:
            return
        now = self._parts.clock.now()
        ended = replace(dead, phase="exited", exit_code=death.exit_code, finished_at=now, pid=0)
        self._observed = self._observed.having(ended)
        pod = self._as_known()
        self._create_ahead(pod, self._observed, sandbox, self._ip_of(pod))

    async def _start(self, pod: Pod, sandbox_id: str, action: planner.StartContainer) -> Container | None:
        self._waiting.pop(action.name, None)
        self._starting = asyncio.create_task(self._bring_up(pod, sandbox_id, action))
        try:
            await asyncio.wait({self._starting})
            return None if self._starting.cancelled() else self._starting.result()
        except NotStartedError as e:
            self._waiting[action.name] = e.waiting
            if e.kill:
                self._kill(pod, e.kill, action.name, "FailedPostStartHook")
            return None
        finally:
            self._starting.cancel()
            self._starting = None

    async def _bring_up(self, pod: Pod, sandbox_id: str, action: planner.StartContainer) -> Container | None:
        ip = self._ip_of(pod)
        container_id = await self._ahead.take(
            sandbox_id, action, lambda id_, asked: self._starter.create(pod, id_, ip, asked)
        )
        return await self._starter.start(pod, ip, action.name, container_id)

    def _kill(self, pod: Pod, container_id: str, name: str, why: str) -> None:
        asked = None
        if pod.metadata.deletion_grace_period_seconds is None and container_id in self._probes.failed:
            asked = self._probes.grace.get(container_id)
        scene = hooks.Scene(pod, self._ip_of(pod), template_of(pod, name), container_id)
        if self._kills.kill(scene, float(grace_of(pod) if asked is None else asked), why):
            self._causes.ours(container_id)
