"""Waiting until objects are ready, or gone: informers say what changes, rules judge it, changed verdicts are told.

Nothing is polled: an informer per object (and one for what its rule needs beside it) lives as long as the wait.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any, NamedTuple

from controlplane.apiserver.apply_outcome import Key, State
from controlplane.apiserver.apply_set import Item, claims_used
from controlplane.apiserver.readiness import RULES, UNUSED_CLAIM, Rule, Verdict
from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.model import Model


class Judged(NamedTuple):
    """An object that is waited for, and how it is now, from what is cached."""

    item: Item
    state: Callable[[], State]


async def until_ready(client: Client, items: list[Item], seconds: float) -> AsyncGenerator[State, None]:
    """Tell each step of the objects that have a rule, until none is waiting or the time is over."""
    used = claims_used(items)
    async with contextlib.AsyncExitStack() as stack:
        changed = asyncio.Event()
        judged = []
        for item in items:
            rule = RULES.get(item.kind.model)
            if rule is None:
                continue
            if item.kind.plural == "persistentvolumeclaims" and (item.namespace, item.name) not in used:
                rule = UNUSED_CLAIM
            judged.append(await _follow(client, stack, item, rule, changed))
        async for state in _told(judged, changed, seconds):
            yield state


async def until_gone(client: Client, items: list[Item], seconds: float) -> AsyncGenerator[State, None]:
    """Tell of each object when it is gone, until all are or the time is over."""
    async with contextlib.AsyncExitStack() as stack:
        changed = asyncio.Event()
        judged = []
        for item in items:
            there = await _informer(client, stack, item.kind.model, _place(item), "", changed)
            judged.append(Judged(item, _gone(item, there)))
        async for state in _told(judged, changed, seconds):
            yield state


async def until_there(client: Client, item: Item, seconds: float) -> None:
    """Return when the object exists, or the time is over: who needs it will say that it is missing."""
    async with contextlib.AsyncExitStack() as stack:
        changed = asyncio.Event()
        there = await _informer(client, stack, item.kind.model, _place(item), "", changed)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while there.get(item.namespace, item.name) is None:
                    await changed.wait()
                    changed.clear()


async def _told(judged: list[Judged], changed: asyncio.Event, seconds: float) -> AsyncGenerator[State, None]:
    """Each state as it comes to differ from the last one told."""
    told: dict[Key, State] = {}
    with contextlib.suppress(TimeoutError):
        ends = asyncio.get_running_loop().time() + seconds
        while True:
            changed.clear()
            for one in judged:
                state = one.state()
                if told.get(one.item.key) != state:
                    told[one.item.key] = state
                    yield state
            if all(s.state != "waiting" for s in told.values()):
                return
            async with asyncio.timeout_at(ends):
                await changed.wait()


async def _follow(
    client: Client, stack: contextlib.AsyncExitStack, item: Item, rule: Rule, changed: asyncio.Event
) -> Judged:
    there = await _informer(client, stack, item.kind.model, _place(item), "", changed)
    obj = there.get(item.namespace, item.name)
    beside = None
    if obj is not None and (related := rule.related(obj)):
        fields = [related.fields] if related.fields else []
        if client.registry.of(related.model).namespaced:
            fields.append(f"metadata.namespace={item.namespace}")
        beside = await _informer(client, stack, related.model, ",".join(fields), related.labels, changed)

    def state() -> State:
        obj: Any = there.get(item.namespace, item.name)
        verdict = (
            Verdict("failed", "it was deleted") if obj is None else rule.judge(obj, beside.list() if beside else ())
        )
        return State(*item.key, verdict.state, verdict.message)

    return Judged(item, state)


def _gone(item: Item, there: Informer[Any]) -> Callable[[], State]:
    def state() -> State:
        obj = there.get(item.namespace, item.name)
        if obj is None:
            return State(*item.key, "gone")
        return State(*item.key, "waiting", what_holds(obj))

    return state


def what_holds(obj: Any) -> str:
    """Why an object that was deleted is still there."""
    conditions: Iterable[Any] = getattr(getattr(obj, "status", None), "conditions", ())
    told = [c.message for c in conditions if c.type == "NamespaceContentRemaining" and c.status == "True"]
    if told:
        return str(told[0])
    if obj.metadata.finalizers:
        return "finalizers " + ", ".join(obj.metadata.finalizers)
    return "to end"


def _place(item: Item) -> str:
    within = [f"metadata.namespace={item.namespace}"] if item.namespace else []
    return ",".join([f"metadata.name={item.name}", *within])


async def _informer(
    client: Client,
    stack: contextlib.AsyncExitStack,
    model: type[Model],
    fields: str,
    labels: str,
    changed: asyncio.Event,
) -> Informer[Any]:
    """A synced informer that lives as long as the stack and sets `changed`."""
    informer: Informer[Any] = Informer(client, model, fields=fields, labels=labels)
    informer.on_change(lambda _old, _new: changed.set())
    await informer.start()
    stack.push_async_callback(informer.stop)
    await informer.synced()
    return informer
