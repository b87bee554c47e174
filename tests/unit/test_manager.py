"""Which controllers run, and the slow clockwork beside them."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from controlplane.controllers.controller import Context, Controller, itself
from controlplane.controllers.manager import EVENT_LIFETIME, Manager, chosen, expired
from kubeapi.core_v1.types import ConfigMap, Event
from naru.simulation.virtual import MACHINE, START, VirtualClock, virtually
from tests.plane import Plane


@pytest.mark.parametrize(
    ("asked", "running"),
    [
        ("*", ["a", "b", "c"]),
        ("", []),
        ("b", ["b"]),
        ("*,-b", ["a", "c"]),
        ("c, a", ["a", "c"]),
        ("-a", []),
    ],
)
def test_controllers_are_chosen_as_kube_controller_manager_does(asked: str, running: list[str]) -> None:
    assert chosen(asked, ["a", "b", "c"]) == running


def test_a_controller_that_nobody_has_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no controller named x; there are a, b"):
        chosen("*,-x", ["a", "b"])


def test_an_event_expires_an_hour_after_it_was_last_seen() -> None:
    old, now = START - EVENT_LIFETIME - timedelta(seconds=1), START
    meta = {"name": "e", "namespace": "n", "creationTimestamp": old}
    assert expired(Event.model_validate({"metadata": meta}), now)
    assert expired(Event.model_validate({"metadata": meta, "lastTimestamp": old}), now)
    assert not expired(Event.model_validate({"metadata": meta, "lastTimestamp": now}), now)
    assert not expired(Event.model_validate({"metadata": meta, "eventTime": now}), now)
    series = {"count": 2, "lastObservedTime": now}
    assert not expired(Event.model_validate({"metadata": meta, "eventTime": old, "series": series}), now)
    assert expired(Event.model_validate({"metadata": meta, "lastTimestamp": now + EVENT_LIFETIME * 2}), now)


@pytest.mark.parametrize("step", [-7200.0, 7200.0])
def test_events_stay_for_an_hour_after_the_clock_was_set(step: float) -> None:
    async def story() -> None:
        clock = VirtualClock()
        MACHINE.set(clock)
        async with Plane.running(clock=clock) as plane:
            context = plane.context
            manager = Manager(plane.client, context.registry, clock, context.rng, "namespace-controller")
            await manager.start()
            await asyncio.sleep(1800)
            fields = {"involvedObject": {"namespace": "default"}, "reason": "R", "lastTimestamp": plane.now()}
            await plane.make(Event, "e", **fields)
            await asyncio.sleep(600)
            clock.skew += step
            await asyncio.sleep(3500)
            assert await plane.events("R")
            await plane.until_gone(Event, "e", seconds=4 * 3600)
            await manager.stop()

    virtually(story)


class Seeing(Controller):
    """Notes what it is asked to reconcile."""

    name = component = "seeing"

    def setup(self) -> None:
        self.seen: list[str] = []
        self.watch(ConfigMap, itself, facts=lambda obj: obj.data)

    async def reconcile(self, key: str) -> None:
        self.seen.append(key)


def test_a_change_of_what_nobody_looks_at_is_no_news_and_a_resync_brings_everything_again() -> None:
    async def story() -> None:
        async with Plane.running() as plane:
            context = Context(plane.client, plane.context.registry, VirtualClock(), random.Random(1))
            seeing = Seeing(context)
            await context.start()
            await seeing.start()
            await plane.make(ConfigMap, "x", data={"k": "1"})
            await plane.client.patch(ConfigMap, "x", {"metadata": {"labels": {"l": "1"}}}, "default")
            await asyncio.sleep(1)  # virtual
            assert seeing.seen == ["default/x"]
            await plane.client.patch(ConfigMap, "x", {"data": {"k": "2"}}, "default")
            await asyncio.sleep(1)  # virtual
            assert seeing.seen == ["default/x"] * 2
            seeing.resync()
            await asyncio.sleep(1)  # virtual
            assert seeing.seen == ["default/x"] * 3
            await seeing.stop()
            await context.stop()

    virtually(story)
