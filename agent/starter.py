"""Brings one container of a pod to life: image, environment, mounts, create, start, postStart.

What stands in the way is `NotStartedError` with the reason for the container's status and when to try again; the words and
Events are the kubelet's. What the engine refuses at the start itself it remembers: the next look finds the container dead.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from agent import hooks, hostfiles
from agent.containers import container_spec
from agent.environment import ConfigError, Surroundings, environment, references
from agent.images import ImageMissingError, Say
from agent.parts import Parts
from agent.plan import StartContainer, Waiting
from agent.runtime.protocol import Container, EngineDownError, EngineError, Mount
from agent.termination import TerminationMessages
from kubeapi.core_v1.types import Container as ContainerTemplate
from kubeapi.core_v1.types import LifecycleHandler, Pod
from kubeapi.errors import ApiError

RETRY, LONGEST_HOOK = 10.0, 3600.0
HOSTS, RESOLV = "/etc/hosts", "/etc/resolv.conf"


class NotStartedError(Exception):
    """The container could not be made, or was ended by its postStart hook."""

    def __init__(self, waiting: Waiting, kill: str = "") -> None:
        super().__init__(waiting.message)
        self.waiting, self.kill = waiting, kill


def template_of(pod: Pod, name: str) -> ContainerTemplate:
    """The container's part of the spec."""
    return next(c for c in [*pod.spec.init_containers, *pod.spec.containers] if c.name == name)


def field_path(pod: Pod, name: str) -> str:
    """Where an Event about a container points."""
    where = "initContainers" if any(c.name == name for c in pod.spec.init_containers) else "containers"
    return f"spec.{where}{{{name}}}"


class Starter:
    """Makes and starts the containers of one pod."""

    def __init__(self, parts: Parts, messages: TerminationMessages) -> None:
        self._parts, self._messages = parts, messages

    async def create(self, pod: Pod, sandbox_id: str, ip: str, action: StartContainer) -> str:
        """Make what the plan asks for; its id. NotStartedError when it can't be, EngineDownError when no engine answers."""
        template, say = template_of(pod, action.name), self._teller(pod, action.name)
        failed = "CreateContainerConfigError"
        try:
            image = await self._parts.images.ensure(template, say)
            variables = await self._variables(pod, template, ip)
            message = self._messages.mount(template, action.attempt)
            mounts = (*self._mounts(pod, template, variables, ip), message)
            spec = container_spec(
                pod, template, image, sandbox_id, action.attempt, action.crashes, variables, mounts, message.source
            )
            failed = "CreateContainerError"
            container_id = await self._parts.runtime.create_container(spec)
        except ImageMissingError as e:
            raise NotStartedError(e.waiting) from e
        except EngineDownError:
            raise
        except (ConfigError, EngineError, ApiError, OSError) as e:
            say("Warning", "Failed", f"Error: {e}")
            again = self._parts.clock.now() + timedelta(seconds=RETRY)
            raise NotStartedError(Waiting(failed, str(e), again)) from e
        say("Normal", "Created", "Container created")
        return container_id

    async def start(self, pod: Pod, ip: str, name: str, container_id: str) -> Container | None:
        """Start what `create` has made; as it was when it had begun, or None if the engine can't.

        NotStartedError when it is to be ended again, EngineDownError as there.
        """
        template, say = template_of(pod, name), self._teller(pod, name)
        try:
            started = await self._parts.runtime.start(container_id)
        except EngineDownError:
            raise
        except EngineError as e:
            say("Warning", "Failed", f"Error: {str(e).removeprefix('Error response from daemon: ')}")
            return None
        say("Normal", "Started", "Container started")
        if template.lifecycle and template.lifecycle.post_start:
            await self._post_start(hooks.Scene(pod, ip, template, container_id), template.lifecycle.post_start, say)
        return started

    def _teller(self, pod: Pod, name: str) -> Say:
        path = field_path(pod, name)
        return lambda type_, reason, message: self._parts.say(pod, path, type_, reason, message)

    async def _variables(self, pod: Pod, template: ContainerTemplate, ip: str) -> dict[str, str]:
        namespace, objects = pod.metadata.namespace, self._parts.objects
        needed = sorted(references(template))
        sources = {ref: await objects.data(ref[0], namespace, ref[1]) for ref in needed}
        around = Surroundings(self._parts.host_ip, ip, self._parts.allocatable or {})
        links = objects.services(namespace)
        if pod.spec.enable_service_links is False:
            links = [s for s in links if (s.metadata.namespace, s.metadata.name) == ("default", "kubernetes")]
        return environment(pod, template, sources, links, around)

    def _mounts(self, pod: Pod, template: ContainerTemplate, variables: dict[str, str], ip: str) -> tuple[Mount, ...]:
        """The volumes, and the files that name hosts and resolvers unless a volume lies over them."""
        mounts = self._parts.volumes.mounts(pod, template, variables)
        own = {m.target.rstrip("/") for m in mounts}
        folder = self._parts.directory / pod.metadata.uid
        folder.mkdir(parents=True, exist_ok=True)
        host = Path(HOSTS).read_text() if pod.spec.host_network else ""
        texts = {
            HOSTS: hostfiles.hosts(pod, ip, host=host),
            RESOLV: hostfiles.resolv_conf(pod, self._parts.network.dns_address, self._parts.host_resolv),
        }
        made = []
        for target, text in texts.items():
            if target not in own:
                file = folder / target.removeprefix("/etc/")
                file.write_text(text)
                made.append(Mount(str(file), target))
        return (*mounts, *made)

    async def _post_start(self, scene: hooks.Scene, handler: LifecycleHandler, say: Say) -> None:
        try:
            await hooks.run(handler, self._parts.runtime, scene, LONGEST_HOOK)
        except hooks.HookError as e:
            say("Warning", "FailedPostStartHook", hooks.POST_START_FAILED)
            raise NotStartedError(Waiting("PostStartHookError", str(e)), kill=scene.id) from e
