"""What endpoints tell of the change that made them change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controlplane.controllers.endpoints import EndpointsController
from controlplane.controllers.triggers import ANNOTATION, Seen, annotated, earliest_news
from kubeapi.core_v1.types import Endpoints, Pod, Service
from kubeapi.discovery_v1.types import EndpointSlice
from naru.simulation.virtual import virtually
from tests.plane import Plane

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)


def test_the_earliest_change_that_was_not_told_is_the_news() -> None:
    assert earliest_news(None, Seen(NOW, {"p": LATER})) == NOW
    assert earliest_news(Seen(NOW, {}), Seen(NOW, {"p": LATER, "q": LATER + timedelta(1)})) == LATER
    assert earliest_news(Seen(NOW, {"p": NOW}), Seen(NOW, {"p": LATER})) == LATER
    assert earliest_news(Seen(NOW, {"p": LATER}), Seen(NOW, {"p": LATER})) is None
    assert earliest_news(Seen(NOW, {"p": LATER}), Seen(NOW, {})) is None


def test_without_news_the_old_annotation_goes_and_others_stay() -> None:
    assert annotated({ANNOTATION: "x", "mine": "y"}, None) == {"mine": "y"}
    assert annotated({"mine": "y"}, NOW) == {"mine": "y", ANNOTATION: "2026-01-01T00:00:00Z"}


def test_slices_and_endpoints_tell_when_their_pod_turned_ready() -> None:
    async def story() -> None:
        async with Plane.running(EndpointsController) as plane:
            service = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
            await plane.make(Service, "web", spec=service)
            spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
            pod = await plane.make(Pod, "p", metadata={"labels": {"app": "web"}}, spec=spec)
            await plane.report(pod)
            turned = plane.now().strftime("%Y-%m-%dT%H:%M:%SZ")

            def is_told(objects: list[EndpointSlice] | list[Endpoints]) -> bool:
                return any(o.metadata.annotations.get(ANNOTATION) == turned for o in objects)

            await plane.until(EndpointSlice, is_told, 5)
            await plane.until(Endpoints, is_told, 5)

    virtually(story)
