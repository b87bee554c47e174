"""Pod statuses on their way to the API: the latest of each pod, written in the background, so that no heal waits for it.

A status that comes while another of the same pod is being written takes its place in the queue: only the newest counts. A
server out of reach, or one that can't write, is tried again; an object that changed meanwhile is read again, and conditions
of others are kept. What another wrote over the node's own (a control plane that had written the node off) is set right.
"""

from __future__ import annotations

import asyncio

import structlog

from agent.status import OWNED
from kubeapi.client.client import Client
from kubeapi.core_v1.types import Pod, PodCondition, PodStatus
from kubeapi.errors import ApiError, passes

log = structlog.get_logger()
PAUSE = 0.5


class Reporter:
    """Writes the statuses of one node's pods."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._latest: dict[str, tuple[Pod, PodStatus]] = {}
        self._writing: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, tuple[int, PodStatus]] = {}  # what was written last, and the revision that this made
        self._shown: dict[str, Pod] = {}  # what the API showed while a status was on its way

    def report(self, pod: Pod, status: PodStatus) -> None:
        """Have this status written soon."""
        uid = pod.metadata.uid
        self._latest[uid] = (pod, status)
        if uid not in self._writing:
            self._writing[uid] = asyncio.create_task(self._write(uid), name=f"status of {pod.metadata.name}")

    def seen(self, pod: Pod) -> None:
        """The pod as the API now shows it: if that is newer than what was written, and says otherwise, write it again."""
        uid = pod.metadata.uid
        if uid in self._writing:  # it may be older than that, or newer: who knows when the answer is there
            self._shown[uid] = pod
            return
        if uid not in self._told:
            return
        revision, status = self._told[uid]
        if int(pod.metadata.resource_version) > revision and _owned(pod.status) != _owned(status):
            self.report(pod, status)

    def forget(self, pod_uid: str) -> None:
        """There is no such pod any more."""
        self._told.pop(pod_uid, None)

    async def written(self, pod_uid: str) -> None:
        """Return once nothing of the pod is left to be written."""
        if task := self._writing.get(pod_uid):
            await asyncio.wait({task})

    async def close(self) -> None:
        """Give up what is not written yet."""
        tasks = [*self._writing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, uid: str) -> None:
        known: Pod | None = None
        try:
            while entry := self._latest.pop(uid, None):
                pod, status = entry
                known = await self._write_one(known or pod, pod, status)
                if known is None:
                    self._latest.pop(uid, None)
                    self._told.pop(uid, None)
                    break
        finally:
            del self._writing[uid]
            shown = self._shown.pop(uid, None)
        if shown:
            self.seen(shown)

    async def _write_one(self, known: Pod, pod: Pod, status: PodStatus) -> Pod | None:
        """Write one status over the newest known version; the object as it then is, None where it is gone."""
        meta = pod.metadata
        while True:
            wanted = known.clone()
            wanted.status = status.clone()
            wanted.status.conditions = merged(status, known)
            wanted.status.observed_generation = known.metadata.generation or 0
            try:
                made = await self._client.update_status(wanted)
                self._told[meta.uid] = int(made.metadata.resource_version), status
                return made
            except (ApiError, OSError) as error:
                if passes(error):
                    if meta.uid in self._latest:  # newer words wait: say those
                        return known
                    await asyncio.sleep(PAUSE)
                    continue
                assert isinstance(error, ApiError)  # an OSError passes
                if error.code == 404:
                    return None
                if error.code != 409:
                    log.warning("status refused", pod=f"{meta.namespace}/{meta.name}", why=error.message)
                    return known
                found = await self._read(pod)
                if found is None:
                    return None
                known = found

    async def _read(self, pod: Pod) -> Pod | None:
        while True:
            try:
                found = await self._client.get(Pod, pod.metadata.name, pod.metadata.namespace)
            except (ApiError, OSError) as error:
                if not passes(error):
                    return None
                await asyncio.sleep(PAUSE)
                continue
            return found if found.metadata.uid == pod.metadata.uid else None


def _owned(status: PodStatus) -> object:
    """What of a status nobody but its node should say, as far as others act on it."""
    containers = [(c.name, c.ready, c.restart_count) for c in status.container_statuses]
    return status.phase, status.pod_ip, containers, {c.type: c.status for c in status.conditions if c.type in OWNED}


def merged(status: PodStatus, known: Pod) -> list[PodCondition]:
    """The node's conditions of `status`, and everybody else's as the API has them."""
    ours = [c for c in status.conditions if c.type in OWNED]
    return [*ours, *(c for c in known.status.conditions if c.type not in OWNED)]
