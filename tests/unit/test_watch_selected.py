"""A watch with a selector: of what is not selected it tells how far it is, and never further than it has told."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from controlplane.apiserver.forms import PLAIN
from controlplane.apiserver.routing import Target
from controlplane.apiserver.watch import BOOKMARK_EVERY, Watcher
from kubeapi import registry
from kubeapi.clock import FakeClock
from kubeapi.core_v1.types import ConfigMap
from naru.simulation.store import MemoryStore
from naru.simulation.virtual import virtually

KIND = registry.load().of(ConfigMap)
QUERY = {"labelSelector": "colour=red", "allowWatchBookmarks": "true", "resourceVersion": "1", "timeoutSeconds": "3000"}
WRITE = st.tuples(st.sampled_from("abc"), st.sampled_from(("red", "blue")))


async def put(store: MemoryStore, name: str, colour: str) -> None:
    target = Target(KIND, "default", name)
    entry = store.get(target.key)
    meta = {"name": name, "namespace": "default", "labels": {"colour": colour}}

    def value(revision: int) -> bytes:
        return orjson.dumps({"metadata": meta | {"resourceVersion": str(revision)}})

    await store.commit(target.key, entry.revision if entry else 0, value)


@given(st.lists(st.one_of(WRITE, st.sampled_from((0.0, BOOKMARK_EVERY / 2, BOOKMARK_EVERY))), max_size=30))
def test_a_bookmark_is_not_ahead_of_what_was_told(steps: list[Any]) -> None:
    async def story() -> None:
        store = MemoryStore()
        await put(store, "first", "blue")
        told: list[tuple[str, int]] = []

        async def follow() -> None:
            stream = Watcher(store, FakeClock(), random.Random(0)).stream(Target(KIND, "default"), PLAIN, QUERY)
            async for line in stream:
                event = orjson.loads(line)
                told.append((event["type"], int(event["object"]["metadata"]["resourceVersion"])))

        following = asyncio.create_task(follow())
        colours, due = dict[str, str](), list[int]()
        for step in steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            name, colour = step
            await put(store, name, colour)
            if "red" in (colour, colours.get(name)):
                due.append(store.revision)
            colours[name] = colour
        await asyncio.sleep(2 * BOOKMARK_EVERY)
        following.cancel()
        assert [revision for kind, revision in told if kind != "BOOKMARK"] == due
        assert [revision for _, revision in told] == sorted(revision for _, revision in told)
        assert told[-1] == ("BOOKMARK", store.revision)

    virtually(story)
