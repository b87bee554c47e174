"""What the API knows that a trace needs, gathered once: Services, their slices, pods, who owns pods, declared Machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubeapi.apps_v1.types import Deployment
from kubeapi.core_v1.types import Pod, Service, ServicePort
from kubeapi.discovery_v1.types import EndpointSlice
from kubeapi.hardware_v1.types import Machine


@dataclass(frozen=True)
class Cluster:
    """Objects as the API has them. pods may be of every node."""

    node: str = ""
    services: Sequence[Service] = ()
    slices: Sequence[EndpointSlice] = ()
    pods: Sequence[Pod] = ()
    deployments: Sequence[Deployment] = ()
    machines: Sequence[Machine] = ()

    def service(self, namespace: str, name: str) -> Service | None:
        """The Service of that name."""
        return next((s for s in self.services if (s.metadata.namespace, s.metadata.name) == (namespace, name)), None)

    def pod(self, namespace: str, name: str) -> Pod | None:
        """The pod of that name."""
        return next((p for p in self.pods if (p.metadata.namespace, p.metadata.name) == (namespace, name)), None)

    def selected(self, service: Service) -> list[Pod]:
        """The pods that a Service's selector means. None means none."""
        return [p for p in self.pods if _selects(service, p.metadata.namespace, p.metadata.labels)]

    def makers(self, service: Service) -> list[Deployment]:
        """The Deployments that make such pods."""
        return [d for d in self.deployments if _selects(service, d.metadata.namespace, d.spec.template.metadata.labels)]


def port_index(service: Service, port: int, protocol: str) -> int | None:
    """Which of its ports that is, counted from 0."""
    return next((i for i, p in enumerate(service.spec.ports) if _same(p, port, protocol)), None)


def _same(port: ServicePort, number: int, protocol: str) -> bool:
    return port.port == number and (port.protocol or "TCP").lower() == protocol


def _selects(service: Service, namespace: str, labels: dict[str, str]) -> bool:
    wanted = service.spec.selector
    return bool(wanted) and namespace == service.metadata.namespace and wanted.items() <= labels.items()
