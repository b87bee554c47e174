"""Events: what a component did to an object, for people. The same Event again raises its count instead of making another.

Recording never waits and never fails the caller: Events are written in order by one task in the background. As client-go
does, more than ten similar Events of one object within ten minutes (same reason, other words) are combined into one, and
who says more than 25 about one object is heard once in five minutes from then on.

There are two shapes of an Event, and a component keeps to one: counted (the older), and in series, the scheduler's: there
the same reason again, in whatever words, only lengthens the series of the first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import structlog

from kubeapi.client.client import Client
from kubeapi.clock import Clock
from kubeapi.core_v1.types import Event, EventSource, ObjectReference
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta

V = TypeVar("V")
log = structlog.get_logger()
_REMEMBERED = 4096
_SIMILAR = 10
_WINDOW = 600.0
_TRIES = 3
_BURST, _REFILL = 25.0, 300.0  # Events about one object: so many at once, then one in so many seconds


class _Said(NamedTuple):
    reference: ObjectReference
    type: str
    reason: str
    message: str
    action: str
    at: datetime


class _Written(NamedTuple):
    name: str
    times: int


class Recorder:
    """Records Events of one component, on one host; `series` chooses the shape."""

    def __init__(self, client: Client, component: str, host: str = "", *, clock: Clock, series: bool = False) -> None:
        self._client, self._component, self._host, self._clock = client, component, host, clock
        self._series, self._stamp = series, 0
        self._queue: asyncio.Queue[_Said] = asyncio.Queue()
        self._written: OrderedDict[tuple[str, ...], _Written] = OrderedDict()
        self._similar: OrderedDict[tuple[str, ...], tuple[set[str], datetime]] = OrderedDict()
        self._allowances: OrderedDict[tuple[str, ...], tuple[float, datetime]] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def event(self, obj: Any, type: str, reason: str, message: str, action: str = "") -> None:
        """Record an Event (type Normal or Warning) about an object, or about an ObjectReference to one.

        `action` is what was being done (Binding, Scheduling); an Event in series must say it.
        """
        reference = obj if isinstance(obj, ObjectReference) else reference_of(obj)
        self._queue.put_nowait(_Said(reference, type, reason, message, action, self._clock.now()))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write_all())

    async def flush(self) -> None:
        """Wait until everything recorded so far is written."""
        await self._queue.join()

    async def close(self) -> None:
        """Stop writing; what is not written yet is given up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _write_all(self) -> None:
        while True:
            said = await self._queue.get()
            try:
                if self._allowed(said):
                    await self._write(self._combined(said))
            except (ApiError, OSError) as error:
                # An Event is told once and never owed: the namespace may be going, or the server may be away.
                log.debug("event not recorded", reason=said.reason, error=str(error))
            finally:
                self._queue.task_done()

    def _allowed(self, said: _Said) -> bool:
        if self._series:
            return True
        ref = said.reference
        key = (ref.uid, ref.namespace, ref.name, ref.kind)
        left, last = self._allowances.pop(key, (_BURST, said.at))
        left = min(_BURST, left + (said.at - last).total_seconds() / _REFILL)
        allowed = left >= 1
        _remember(self._allowances, key, (left - allowed, said.at))
        return allowed

    def _combined(self, said: _Said) -> _Said:
        if self._series:
            return said
        ref = said.reference
        group = (ref.uid, ref.namespace, ref.name, ref.field_path, said.type, said.reason)
        messages, last = self._similar.pop(group, (set(), said.at))
        if (said.at - last).total_seconds() > _WINDOW:
            messages = set()
        familiar = said.message in messages or len(messages) < _SIMILAR
        if familiar:
            messages.add(said.message)
        _remember(self._similar, group, (messages, said.at))
        if familiar:
            return said
        return said._replace(message=f"(combined from similar events): {said.message}")

    async def _write(self, said: _Said) -> None:
        ref = said.reference
        combined = self._series or said.message.startswith("(combined from similar events)")
        words = "" if combined else said.message
        key = (ref.uid, ref.namespace, ref.name, ref.field_path, said.type, said.reason, words)
        known = self._written.pop(key, None)
        if known is not None and (await self._again(said, known, key)):
            return
        event = Event(
            metadata=ObjectMeta(name=self._name(said), namespace=ref.namespace or "default"),
            involved_object=ref,
            type=said.type,
            reason=said.reason,
            message=said.message,
            action=said.action,
            reporting_component=self._component,
            reporting_instance=self._host,
        )
        if self._series:
            event.event_time = said.at
        else:
            event.source = EventSource(component=self._component, host=self._host)
            event.first_timestamp, event.last_timestamp, event.count = said.at, said.at, 1
        for _ in range(_TRIES):
            try:
                await self._client.create(event)
                break
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise
                event.metadata.name = self._name(said)
        _remember(self._written, key, _Written(event.metadata.name, 1))

    def _name(self, said: _Said) -> str:
        """A name that this recorder has not given yet: the object's and the time in nanoseconds."""
        self._stamp = max(int(said.at.timestamp() * 1e9), self._stamp + 1)
        return f"{said.reference.name}.{self._stamp:x}"

    async def _again(self, said: _Said, known: _Written, key: tuple[str, ...]) -> bool:
        times = known.times + 1
        patch: dict[str, Any] = {
            "count": times,
            "lastTimestamp": said.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "message": said.message,
        }
        if self._series:
            patch = {"series": {"count": times, "lastObservedTime": said.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}}
        try:
            await self._client.patch(Event, known.name, patch, namespace=said.reference.namespace or "default")
        except ApiError as error:
            if error.code != 404:
                raise
            return False  # expired in the meantime: a new one begins
        _remember(self._written, key, _Written(known.name, times))
        return True


def _remember(known: OrderedDict[tuple[str, ...], V], key: tuple[str, ...], value: V) -> None:
    """Keep the newest, and not too many."""
    known[key] = value
    while len(known) > _REMEMBERED:
        known.popitem(last=False)


def reference_of(obj: Any, field_path: str = "") -> ObjectReference:
    """The reference by which an Event finds its object."""
    return ObjectReference(
        api_version=obj.api_version,
        kind=obj.kind,
        namespace=obj.metadata.namespace,
        name=obj.metadata.name,
        uid=obj.metadata.uid,
        resource_version=obj.metadata.resource_version,
        field_path=field_path,
    )
