"""Types of discovery/v1.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from kubeapi.core_v1.types.references import ObjectReference
from kubeapi.meta_v1.types import ListMeta, ObjectMeta
from kubeapi.model import GoType, Int32, ListSet, Model, NilList, always, empty


class Endpoint(Model):
    needs: ClassVar[tuple[str, ...]] = ("addresses",)
    addresses: Annotated[list[str], ListSet()] = always(list)
    conditions: EndpointConditions = always(lambda: EndpointConditions())
    deprecated_topology: dict[str, str] = empty(dict)
    hints: EndpointHints | None = None
    hostname: str | None = None
    node_name: str | None = None
    target_ref: ObjectReference | None = None
    zone: str | None = None


class EndpointConditions(Model):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class EndpointHints(Model):
    for_nodes: list[ForNode] = empty(list)
    for_zones: list[ForZone] = empty(list)


class EndpointPort(Model):
    atomic: ClassVar[bool] = True
    app_protocol: str | None = None
    name: str | None = None
    port: Int32 | None = None
    protocol: Annotated[str, GoType("v1.Protocol")] | None = None


class EndpointSlice(Model):
    needs: ClassVar[tuple[str, ...]] = ("addressType",)
    kind: str = always(lambda: "EndpointSlice")
    api_version: str = always(lambda: "discovery.k8s.io/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    address_type: Annotated[str, GoType("v1.AddressType")] = always(str)
    endpoints: NilList[Endpoint] = always(list)
    ports: NilList[EndpointPort] = always(list)


class EndpointSliceList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "EndpointSliceList")
    api_version: str = always(lambda: "discovery.k8s.io/v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[EndpointSlice] = always(list)


class ForNode(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: str = always(str)


class ForZone(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: str = always(str)
