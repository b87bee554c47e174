"""Which container's output a request for logs means, and how much of it: the kubelet's rules and words. Pure.

A pod's status says which container is the current one and which ended last; a request names one of them by `previous`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from kubeapi.core_v1.types import ContainerStatus, Pod

WAITING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class NoLogsError(Exception):
    """There is no output to show; the text says why, as the kubelet does."""


class LogOptions(NamedTuple):
    """What of a container's output is wanted. since is a moment in seconds since 1970, 0 for all; limit is in bytes."""

    follow: bool = False
    previous: bool = False
    tail: int | None = None
    since: float = 0
    timestamps: bool = False
    limit: int | None = None


def log_options(query: Mapping[str, str], now: datetime) -> LogOptions:
    """The options of a query with PodLogOptions' names. ValueError for numbers and times that are none."""
    since = 0.0
    if seconds := query.get("sinceSeconds"):
        since = (now - timedelta(seconds=int(seconds))).timestamp()
    elif moment := query.get("sinceTime"):
        since = datetime.fromisoformat(moment).timestamp()
    tail, limit = query.get("tailLines"), query.get("limitBytes")
    flags = {name: query.get(name) in ("true", "1") for name in ("follow", "previous", "timestamps")}
    return LogOptions(tail=int(tail) if tail else None, limit=int(limit) if limit else None, since=since, **flags)


def container_of_logs(pod: Pod, name: str, previous: bool) -> str:
    """The id of the container whose output is meant (kubelet's validateContainerLogStatus); NoLogsError if none."""
    where = f'container "{name}" in pod "{pod.metadata.name}"'
    status = status_named(pod, name)
    if status is None:
        raise NoLogsError(f"{where} is not available")
    ended, last = status.state.terminated, status.last_state.terminated
    last_id = last.container_id if last else ""
    if previous:
        if not last_id:
            raise NoLogsError(f"previous terminated {where} not found")
        return bare(last_id)
    if status.state.running:
        return bare(status.container_id)
    if ended or last:
        found = (ended.container_id if ended else "") or last_id
        if not found:
            raise NoLogsError(f"{where} is terminated")
        return bare(found)
    if waiting := status.state.waiting:
        raise NoLogsError(f"{where} is waiting to start: {WAITING.get(waiting.reason, waiting.reason)}")
    raise NoLogsError(f"{where} is waiting to start - no logs yet")


def status_named(pod: Pod, name: str) -> ContainerStatus | None:
    """The status of the container of that name, among apps, inits and ephemeral ones."""
    s = pod.status
    for status in (*s.container_statuses, *s.init_container_statuses, *s.ephemeral_container_statuses):
        if status.name == name:
            return status
    return None


def bare(container_id: str) -> str:
    """`docker://ID` without its scheme."""
    return container_id.partition("://")[2]


async def limited(chunks: AsyncIterable[bytes], limit: int | None) -> AsyncGenerator[bytes, None]:
    """The chunks, cut after so many bytes."""
    async for chunk in chunks:
        if limit is None:
            yield chunk
            continue
        yield chunk[:limit]
        limit -= len(chunk)
        if limit <= 0:
            return
