"""Events as people read them: repeats counted, floods dammed, series lengthened."""

from __future__ import annotations

from kubeapi.client.recorder import Recorder
from kubeapi.core_v1.types import ConfigMap, Event
from naru.simulation.virtual import virtually
from tests.plane import Plane


def test_the_same_again_raises_the_count() -> None:
    async def story() -> None:
        async with Plane.running() as plane:
            about, recorder = await plane.make(ConfigMap, "x"), Recorder(plane.client, "me", clock=plane.context.clock)
            for _ in range(3):
                recorder.event(about, "Warning", "Bad", "it is bad")
            recorder.event(about, "Warning", "Bad", "it is worse")
            await recorder.flush()
            first, second = await plane.events("Bad")
            assert (first.count, first.message, second.count) == (3, "it is bad", 1)
            assert first.source.component == "me" and first.involved_object.uid == about.metadata.uid
            await recorder.close()

    virtually(story)


def test_many_words_for_one_reason_are_combined() -> None:
    async def story() -> None:
        async with Plane.running() as plane:
            about, recorder = await plane.make(ConfigMap, "x"), Recorder(plane.client, "me", clock=plane.context.clock)
            for number in range(15):
                recorder.event(about, "Normal", "Made", f"made {number}")
            await recorder.flush()
            told = await plane.events("Made")
            assert len(told) == 11
            assert told[-1].message == "(combined from similar events): made 14" and told[-1].count == 5
            await recorder.close()

    virtually(story)


def test_who_says_too_much_about_one_object_is_not_heard_and_others_are() -> None:
    async def story() -> None:
        async with Plane.running() as plane:
            first, second = await plane.make(ConfigMap, "x"), await plane.make(ConfigMap, "y")
            recorder = Recorder(plane.client, "me", clock=plane.context.clock)
            for _ in range(100):
                recorder.event(first, "Normal", "Noise", "again")
            recorder.event(second, "Normal", "Noise", "once")
            await recorder.flush()
            told = await plane.events("Noise")
            assert {(e.involved_object.name, e.count) for e in told} == {("x", 25), ("y", 1)}
            await recorder.close()

    virtually(story)


def test_in_a_series_the_first_words_stand_and_only_the_count_grows() -> None:
    async def story() -> None:
        async with Plane.running() as plane:
            about = await plane.make(ConfigMap, "x")
            recorder = Recorder(plane.client, "me", "host", clock=plane.context.clock, series=True)
            recorder.event(about, "Warning", "FailedScheduling", "no node", "Scheduling")
            recorder.event(about, "Warning", "FailedScheduling", "no node either", "Scheduling")
            await recorder.flush()
            (event,) = await plane.events("FailedScheduling")
            assert event.message == "no node" and event.series is not None and event.series.count == 2
            assert event.event_time is not None and event.count == 0 and event.action == "Scheduling"
            await recorder.close()

    virtually(story)


def test_an_event_that_expired_is_begun_anew() -> None:
    async def story() -> None:
        async with Plane.running() as plane:
            about, recorder = await plane.make(ConfigMap, "x"), Recorder(plane.client, "me", clock=plane.context.clock)
            recorder.event(about, "Normal", "Told", "it")
            await recorder.flush()
            (event,) = await plane.events("Told")
            await plane.client.delete(Event, event.metadata.name, "default")
            recorder.event(about, "Normal", "Told", "it")
            await recorder.flush()
            (event,) = await plane.events("Told")
            assert event.count == 1
            await recorder.close()

    virtually(story)


def test_what_the_server_refuses_is_given_up_and_what_follows_is_told() -> None:
    async def story() -> None:
        async with Plane.running() as plane:
            about, recorder = await plane.make(ConfigMap, "x"), Recorder(plane.client, "me", clock=plane.context.clock)
            gone = about.clone()
            gone.metadata.namespace = "nowhere"
            recorder.event(gone, "Normal", "Lost", "nobody hears it")
            recorder.event(about, "Normal", "Heard", "this one")
            await recorder.flush()
            assert [e.reason for e in await plane.events("Lost", "Heard")] == ["Heard"]
            await recorder.close()

    virtually(story)
