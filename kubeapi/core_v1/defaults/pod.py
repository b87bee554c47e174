"""Defaults of a pod and its containers, alone and inside of templates."""

from __future__ import annotations

import re
from itertools import chain

from kubeapi.core_v1.defaults.storage import default_pod_volume
from kubeapi.core_v1.types import (
    Container,
    EphemeralContainer,
    Lifecycle,
    Pod,
    PodIP,
    PodSecurityContext,
    PodSpec,
    Probe,
    ResourceRequirements,
)

_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
# Source: github.com/distribution/reference. A name without a domain is one of Docker's, which are all in lower case.
REFERENCE = re.compile(
    rf"(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*(?::(?P<tag>\w[\w.-]{{0,127}}))?"
    r"(?P<digest>@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
UNNAMED = re.compile(r"[a-f0-9]{64}")  # an image's number, which is no name


def default_pod(pod: Pod) -> None:
    """A pod: what its template would get, and what a template leaves to the pod: requests from limits, host ports."""
    spec = pod.spec
    default_pod_spec(spec)
    for container in chain(spec.containers, spec.init_containers):
        _requests_from_limits(container.resources)
        if spec.host_network:
            for port in container.ports:
                port.host_port = port.host_port or port.container_port
    if spec.resources is not None:
        _requests_from_limits(spec.resources)
    if spec.enable_service_links is None:
        spec.enable_service_links = True
    status = pod.status  # its address has two names, of which the older counts
    if status.pod_ip and [address.ip for address in status.pod_ips[:1]] != [status.pod_ip]:
        status.pod_ips = [PodIP(ip=status.pod_ip)]
    elif status.pod_ips and not status.pod_ip:
        status.pod_ip = status.pod_ips[0].ip


def default_pod_spec(spec: PodSpec) -> None:
    """The spec of a pod or of a template."""
    spec.restart_policy = spec.restart_policy or "Always"
    spec.dns_policy = spec.dns_policy or "ClusterFirst"
    spec.scheduler_name = spec.scheduler_name or "default-scheduler"
    if spec.termination_grace_period_seconds is None:
        spec.termination_grace_period_seconds = 30
    if spec.security_context is None:
        spec.security_context = PodSecurityContext()
    # The deprecated name is kept beside the one that counts.
    spec.service_account = spec.service_account_name = spec.service_account_name or spec.service_account
    for volume in spec.volumes:
        default_pod_volume(volume)
    containers: list[Container | EphemeralContainer] = [
        *spec.init_containers,
        *spec.containers,
        *spec.ephemeral_containers,
    ]
    for container in containers:
        _default_container(container)


def _default_container(container: Container | EphemeralContainer) -> None:
    if not container.image_pull_policy:
        container.image_pull_policy = "Always" if tag_of(container.image) == "latest" else "IfNotPresent"
    container.termination_message_path = container.termination_message_path or "/dev/termination-log"
    container.termination_message_policy = container.termination_message_policy or "File"
    for port in container.ports:
        port.protocol = port.protocol or "TCP"
    for env in container.env:
        if source := env.value_from:
            if source.field_ref and not source.field_ref.api_version:
                source.field_ref.api_version = "v1"
            if source.resource_field_ref and source.resource_field_ref.divisor is None:
                source.resource_field_ref.divisor = "0"
    for probe in (container.liveness_probe, container.readiness_probe, container.startup_probe):
        if probe:
            _default_probe(probe)
    if container.lifecycle:
        _default_lifecycle(container.lifecycle)


def _requests_from_limits(resources: ResourceRequirements) -> None:
    """What is limited is requested, unless a request says otherwise."""
    if resources.limits:
        resources.requests = resources.limits | resources.requests


def _default_probe(probe: Probe) -> None:
    probe.timeout_seconds = probe.timeout_seconds or 1
    probe.period_seconds = probe.period_seconds or 10
    probe.success_threshold = probe.success_threshold or 1
    probe.failure_threshold = probe.failure_threshold or 3
    if probe.http_get:
        probe.http_get.path = probe.http_get.path or "/"
        probe.http_get.scheme = probe.http_get.scheme or "HTTP"


def _default_lifecycle(lifecycle: Lifecycle) -> None:
    for hook in (lifecycle.post_start, lifecycle.pre_stop):
        if hook and hook.http_get:
            hook.http_get.path = hook.http_get.path or "/"
            hook.http_get.scheme = hook.http_get.scheme or "HTTP"


def tag_of(image: str) -> str:
    """The tag of an image reference: `latest` when it has neither tag nor digest; nothing for a digest or no reference."""
    found = REFERENCE.fullmatch(image)
    if found is None or UNNAMED.fullmatch(image):
        return ""
    return found["tag"] or ("" if found["digest"] else "latest")
