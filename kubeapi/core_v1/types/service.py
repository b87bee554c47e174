"""Types of core/v1: service.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kubeapi.core_v1.types.references import ObjectReference
from kubeapi.meta_v1.types import Condition, ListMeta, ObjectMeta
from kubeapi.model import AtomicMap, GoType, Int32, IntOrString, ListMap, Model, StrategicMerge, always, empty


class ClientIPConfig(Model):
    timeout_seconds: Int32 = 0


class EndpointAddress(Model):
    atomic: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("ip",)
    hostname: str = ""
    ip: str = always(str)
    node_name: str | None = None
    target_ref: ObjectReference | None = None


class EndpointPort(Model):
    atomic: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("port",)
    app_protocol: str | None = None
    name: str = ""
    port: Int32 = always(int)
    protocol: Annotated[str, GoType("v1.Protocol")] = ""


class EndpointSubset(Model):
    addresses: list[EndpointAddress] = empty(list)
    not_ready_addresses: list[EndpointAddress] = empty(list)
    ports: list[EndpointPort] = empty(list)


class Endpoints(Model):
    kind: str = always(lambda: "Endpoints")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    subsets: list[EndpointSubset] = empty(list)


class EndpointsList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "EndpointsList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[Endpoints] = always(list)


class LoadBalancerIngress(Model):
    hostname: str = ""
    ip: str = ""
    ip_mode: Annotated[str, GoType("v1.LoadBalancerIPMode")] | None = None
    ports: list[PortStatus] = empty(list)


class LoadBalancerStatus(Model):
    ingress: list[LoadBalancerIngress] = empty(list)


class PortStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("port", "protocol")
    error: str | None = None
    port: Int32 = always(int)
    protocol: Annotated[str, GoType("v1.Protocol")] = always(str)


class Service(Model):
    kind: str = always(lambda: "Service")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: ServiceSpec = always(lambda: ServiceSpec())
    status: ServiceStatus = always(lambda: ServiceStatus())


class ServiceList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "ServiceList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[Service] = always(list)


class ServicePort(Model):
    needs: ClassVar[tuple[str, ...]] = ("port",)
    app_protocol: str | None = None
    name: str = ""
    node_port: Int32 = 0
    port: Int32 = always(int)
    protocol: Annotated[str, GoType("v1.Protocol")] = ""
    target_port: IntOrString | None = None


class ServiceSpec(Model):
    allocate_load_balancer_node_ports: bool | None = None
    cluster_ip: str = Field(default="", alias="clusterIP")
    cluster_ips: list[str] = empty(alias="clusterIPs", make=list)
    external_ips: list[str] = empty(alias="externalIPs", make=list)
    external_name: str = ""
    external_traffic_policy: Annotated[str, GoType("v1.ServiceExternalTrafficPolicy")] = ""
    health_check_node_port: Int32 = 0
    internal_traffic_policy: Annotated[str, GoType("v1.ServiceInternalTrafficPolicy")] | None = None
    ip_families: list[Annotated[str, GoType("v1.IPFamily")]] = empty(list)
    ip_family_policy: Annotated[str, GoType("v1.IPFamilyPolicy")] | None = None
    load_balancer_class: str | None = None
    load_balancer_ip: str = Field(default="", alias="loadBalancerIP")
    load_balancer_source_ranges: list[str] = empty(list)
    ports: Annotated[list[ServicePort], ListMap(("port", "protocol")), StrategicMerge(("merge",), "port")] = empty(list)
    publish_not_ready_addresses: bool = False
    selector: Annotated[dict[str, str], AtomicMap()] = empty(dict)
    session_affinity: Annotated[str, GoType("v1.ServiceAffinity")] = ""
    session_affinity_config: SessionAffinityConfig | None = None
    traffic_distribution: str | None = None
    type: Annotated[str, GoType("v1.ServiceType")] = ""


class ServiceStatus(Model):
    conditions: Annotated[list[Condition], ListMap(("type",)), StrategicMerge(("merge",), "type")] = empty(list)
    load_balancer: LoadBalancerStatus = always(lambda: LoadBalancerStatus())


class SessionAffinityConfig(Model):
    client_ip: ClientIPConfig | None = Field(default=None, alias="clientIP")
