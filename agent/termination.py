"""Termination messages: a file per container, mounted where its terminationMessagePath says, read once when it has ended.

With the policy FallbackToLogsOnError, a container that failed without a word there is quoted from the end of its log.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agent.plan import Observed
from agent.runtime.protocol import Container, EngineError, Mount, Runtime
from kubeapi.core_v1.types import Container as ContainerTemplate
from kubeapi.core_v1.types import Pod

FILE_LIMIT, LOG_LIMIT, LOG_LINES = 4096, 2048, 80


class TerminationMessages:
    """The messages of one pod's containers, by container id."""

    def __init__(self, runtime: Runtime, directory: Path) -> None:
        self._runtime, self._directory = runtime, directory / "messages"
        self._read: dict[str, str] = {}

    def mount(self, template: ContainerTemplate, attempt: int) -> Mount:
        """A fresh empty file, and where the container finds it."""
        path = self._directory / f"{template.name}-{attempt}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        path.chmod(0o666)
        return Mount(str(path), template.termination_message_path or "/dev/termination-log")

    async def of(self, pod: Pod, observed: Observed) -> Mapping[str, str]:
        """The messages of all that have ended."""
        policies = {t.name: t.termination_message_policy for t in [*pod.spec.init_containers, *pod.spec.containers]}
        for container in observed.containers:
            if container.phase == "exited" and container.id not in self._read:
                fallback = policies.get(container.name) == "FallbackToLogsOnError"
                self._read[container.id] = self._file(container) or await self._log(container, fallback)
        return self._read

    def _file(self, container: Container) -> str:
        path = self._directory / Path(container.message_path).name  # a label says it: it may say what it likes
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(FILE_LIMIT).decode(errors="replace")

    async def _log(self, container: Container, fallback: bool) -> str:
        if not fallback or container.exit_code == 0 or container.started_at is None:
            return ""
        try:
            said = b"".join([chunk async for chunk in self._runtime.logs(container.id, tail=LOG_LINES)])
        except EngineError:
            return ""
        return said[-LOG_LIMIT:].decode(errors="replace")
