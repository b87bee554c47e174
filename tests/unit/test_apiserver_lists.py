"""Collections that are asked for again and again: what is remembered of them is what they are."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.apiserver import reads
from controlplane.apiserver.forms import PLAIN
from controlplane.apiserver.reads import Reader
from controlplane.apiserver.routing import Target
from kubeapi import registry
from kubeapi.clock import FakeClock
from kubeapi.core_v1.types import ConfigMap
from naru.simulation.store import MemoryStore
from naru.simulation.virtual import virtually

KIND = registry.load().of(ConfigMap)
NAMES, COLOURS, NAMESPACES = "abc", ("red", "blue"), ("", "one", "two")
QUERIES: tuple[dict[str, str], ...] = ({}, {"labelSelector": "colour=red"}, {"fieldSelector": "metadata.name=a"})


class Objects:
    """ConfigMaps in a store, and what they are beside it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.reader = Reader(self.store, FakeClock())
        self.there: dict[tuple[str, str], str] = {}

    async def put(self, namespace: str, name: str, colour: str | None) -> None:
        """Make it, change it, or (no colour) remove it."""
        target = Target(KIND, namespace, name)
        entry = self.store.get(target.key)
        if entry is None and colour is None:
            return
        meta = {"name": name, "namespace": namespace, "labels": {"colour": colour}}
        value = orjson.dumps({"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta}) if colour else None
        await self.store.commit(target.key, entry.revision if entry else 0, value)
        self.there.pop((namespace, name), None)
        if colour:
            self.there[namespace, name] = colour

    async def list(self, namespace: str, query: dict[str, str]) -> Any:
        return orjson.loads(await self.reader.list(Target(KIND, namespace), PLAIN, query))

    def expected(self, namespace: str, query: dict[str, str]) -> list[tuple[str, str, str]]:
        return sorted(
            (ns, name, colour)
            for (ns, name), colour in self.there.items()
            if namespace in ("", ns)
            and (colour == "red" or "labelSelector" not in query)
            and (name == "a" or "fieldSelector" not in query)
        )


CHANGE = st.tuples(st.sampled_from(NAMESPACES[1:]), st.sampled_from(NAMES), st.sampled_from((*COLOURS, None)))
QUESTION = st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(QUERIES), st.integers(1, 4))


@given(st.lists(st.one_of(CHANGE, QUESTION), max_size=40))
def test_a_list_is_what_is_there_however_often_it_is_asked_for(steps: list[Any]) -> None:
    async def story() -> None:
        objects = Objects()
        for first, second, third in steps:
            if not isinstance(third, int):
                await objects.put(first, second, third)
                continue
            for _ in range(third):
                told = await objects.list(first, second)
                metas = [item["metadata"] for item in told["items"]]
                seen = [(m["namespace"], m["name"], m["labels"]["colour"]) for m in metas]
                assert seen == objects.expected(first, second)
                assert told["metadata"] == {"resourceVersion": str(objects.store.revision)}

    virtually(story)


def test_from_the_third_time_on_nothing_is_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    look = reads._selected_by
    monkeypatch.setattr(reads, "_selected_by", lambda value: looked.append(value) or look(value))

    async def story() -> None:
        objects = Objects()
        await objects.put("one", "a", "red")
        for _ in range(5):
            await objects.list("one", QUERIES[1])
        assert len(looked) == 2
        await objects.put("two", "a", "red")  # another namespace, and another kind's objects, change nothing here
        await objects.list("one", QUERIES[1])
        assert len(looked) == 2
        await objects.put("one", "a", "blue")
        assert (await objects.list("one", QUERIES[1]))["items"] == []

    virtually(story)


def test_little_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "KEPT_BYTES", 10)

    async def story() -> None:
        objects = Objects()
        await objects.put("one", "a", "red")
        for number in range(20):
            for _ in range(3):
                await objects.list("", {"labelSelector": f"colour!={number}"})
        kept = objects.reader._repeats._kept
        assert len(kept) == reads.KEPT and all(items == b"" for _, items in kept.values())

    virtually(story)
