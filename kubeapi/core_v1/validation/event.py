"""Events of core/v1, whose rules are those of old: a name and its namespace suffice."""

from __future__ import annotations

from kubeapi.core_v1.types import Event
from kubeapi.errors import Cause, invalid, required
from kubeapi.meta_v1.validation import causes_of, dns_subdomain, qualified_name

SHORT, LONG = 128, 1024
ELSEWHERE = "does not match event.namespace"


def validate_event(event: Event) -> list[Cause]:
    """An Event is about something in its own namespace; one with an eventTime says who reports what."""
    about, own, found = event.involved_object.namespace, event.metadata.namespace, []
    at = "involvedObject.namespace"
    if event.event_time is None:
        fits = about == own if about else own == "default"
    else:
        fits = bool(about) or own in ("default", "kube-system")
    if not fits:
        found.append(invalid(at, about, ELSEWHERE))
    if event.event_time is not None:
        found += _validate_report(event)
    return found + causes_of(dns_subdomain, own, "namespace")


def _validate_report(event: Event) -> list[Cause]:
    who, found = event.reporting_component, []
    if not who:
        found.append(required("reportingController"))
    found += causes_of(qualified_name, who, "reportingController")
    for field, value, most, needed in (
        ("reportingInstance", event.reporting_instance, SHORT, True),
        ("action", event.action, SHORT, True),
        ("reason", event.reason, SHORT, True),
        ("message", event.message, LONG, False),
    ):
        if needed and not value:
            found.append(required(field))
        if len(value.encode()) > most:
            found.append(invalid(field, "", f"can have at most {most} characters"))
    return found


def validate_event_update(new: Event, _old: Event) -> list[Cause]:
    """As when it is made."""
    return validate_event(new)
