"""Probes and lifecycle hooks: what is asked of a container, and how."""

from __future__ import annotations

import re
from typing import Any

from kubeapi.core_v1.types import Container, HTTPGetAction, Lifecycle, LifecycleHandler, Probe
from kubeapi.core_v1.validation.network import validate_port, validate_port_or_name
from kubeapi.errors import Cause, forbidden, invalid, not_supported, required

HEADER = re.compile(r"[-A-Za-z0-9]+")
NOT_A_HEADER = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
    "validation is '[-A-Za-z0-9]+')"
)
SCHEMES = ("HTTP", "HTTPS")
NEGATIVE, ONE_TYPE = "must be greater than or equal to 0", "may not specify more than 1 handler type"


def validate_probes(container: Container, path: str) -> list[Cause]:
    """The three probes; two of them succeed at once."""
    found: list[Cause] = []
    for field, probe in (
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    ):
        if probe is None:
            continue
        at = f"{path}.{field}"
        found += _validate_probe(probe, at)
        if field != "readinessProbe" and probe.success_threshold != 1:
            found.append(invalid(f"{at}.successThreshold", probe.success_threshold, "must be 1"))
        if field == "readinessProbe" and probe.termination_grace_period_seconds is not None:
            told, value = "must not be set for readinessProbes", probe.termination_grace_period_seconds
            found.append(invalid(f"{at}.terminationGracePeriodSeconds", value, told))
    return found


def _validate_probe(probe: Probe, path: str) -> list[Cause]:
    found = _validate_handler(probe, None, path)
    for field, value in (
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        if value < 0:
            found.append(invalid(f"{path}.{field}", value, NEGATIVE))
    grace = probe.termination_grace_period_seconds
    if grace is not None and grace <= 0:
        found.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    return found


def validate_lifecycle(lifecycle: Lifecycle, grace: int | None, path: str) -> list[Cause]:
    """Hooks, whose sleep fits into the pod's grace period."""
    found: list[Cause] = []
    for field, hook in (("postStart", lifecycle.post_start), ("preStop", lifecycle.pre_stop)):
        if hook is not None:
            found += _validate_handler(hook, grace, f"{path}.{field}")
    return found


def _validate_handler(handler: Probe | LifecycleHandler, grace: int | None, path: str) -> list[Cause]:
    """Exactly one way to ask."""
    ways: tuple[tuple[str, Any], ...] = (
        ("exec", handler.exec),
        ("httpGet", handler.http_get),
        ("tcpSocket", handler.tcp_socket),
        ("grpc", getattr(handler, "grpc", None)),
        ("sleep", getattr(handler, "sleep", None)),
    )
    given = [(field, action) for field, action in ways if action is not None]
    if not given:
        return [required(path, "must specify a handler type")]
    field, action = given[0]
    at, found = f"{path}.{field}", []
    match field:
        case "exec" if not action.command:
            found.append(required(f"{at}.command"))
        case "httpGet":
            found += _validate_http(action, at)
        case "tcpSocket":
            found += validate_port_or_name(action.port, f"{at}.port")
        case "grpc":
            found += validate_port(action.port, f"{at}.port")
        case "sleep" if grace is not None and not 0 <= action.seconds <= grace:
            told = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            found.append(invalid(at, action.seconds, told))
    return found + [forbidden(f"{path}.{other}", ONE_TYPE) for other, _ in given[1:]]


def _validate_http(action: HTTPGetAction, path: str) -> list[Cause]:
    found = [] if action.path else [required(f"{path}.path")]
    found += validate_port_or_name(action.port, f"{path}.port")
    if action.scheme not in SCHEMES:
        found.append(not_supported(f"{path}.scheme", action.scheme, SCHEMES))
    for header in action.http_headers:
        if not HEADER.fullmatch(header.name):
            found.append(invalid(f"{path}.httpHeaders", header.name, NOT_A_HEADER))
    return found
