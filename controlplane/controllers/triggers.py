"""When the change happened that made a Service's endpoints change: from it, readers work out how long it took to reach them.

Told in an annotation of EndpointSlices and Endpoints. A pod's trigger is the last turn of its Ready condition, a
Service's its creation. Source: Kubernetes' endpointslice trigger time tracker.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from controlplane.controllers.pods import condition
from kubeapi.core_v1.types import Pod, Service

ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"


class Seen(NamedTuple):
    """The triggers that were told already: the Service's, and its pods' by name."""

    service: datetime | None
    pods: dict[str, datetime]


def triggers_of(service: Service, pods: Iterable[Pod]) -> Seen:
    """The triggers as they stand."""
    turned = ((pod.metadata.name, condition(pod, "Ready")) for pod in pods)
    return Seen(
        service.metadata.creation_timestamp,
        {name: ready.last_transition_time for name, ready in turned if ready and ready.last_transition_time},
    )


def earliest_news(before: Seen | None, now: Seen) -> datetime | None:
    """The earliest trigger that was not told yet; None when only something else has changed."""
    known = before or Seen(None, {})
    pairs = [(now.service, known.service), *((at, known.pods.get(name)) for name, at in now.pods.items())]
    return min((at for at, was in pairs if at is not None and (was is None or at > was)), default=None)


def annotated(annotations: dict[str, str], trigger: datetime | None) -> dict[str, str]:
    """The annotations with this trigger in place of any other."""
    rest = {name: text for name, text in annotations.items() if name != ANNOTATION}
    return rest | {ANNOTATION: trigger.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")} if trigger else rest
