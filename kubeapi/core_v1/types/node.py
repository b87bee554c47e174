"""Types of core/v1: node.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kubeapi.meta_v1.types import ListMeta, ObjectMeta
from kubeapi.model import (
    GoType,
    Int32,
    Int64,
    ListMap,
    ListSet,
    Model,
    Quantity,
    StrategicMerge,
    Time,
    always,
    empty,
    null,
)


class AttachedVolume(Model):
    needs: ClassVar[tuple[str, ...]] = ("name", "devicePath")
    device_path: str = always(str)
    name: str = always(str)


class ConfigMapNodeConfigSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("namespace", "name", "kubeletConfigKey")
    kubelet_config_key: str = always(str)
    name: str = always(str)
    namespace: str = always(str)
    resource_version: str = ""
    uid: str = ""


class ContainerImage(Model):
    names: list[str] = empty(list)
    size_bytes: Int64 = 0


class DaemonEndpoint(Model):
    needs: ClassVar[tuple[str, ...]] = ("Port",)
    port: Int32 = always(alias="Port", make=int)


class Node(Model):
    kind: str = always(lambda: "Node")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: NodeSpec = always(lambda: NodeSpec())
    status: NodeStatus = always(lambda: NodeStatus())


class NodeAddress(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "address")
    address: str = always(str)
    type: Annotated[str, GoType("v1.NodeAddressType")] = always(str)


class NodeAllocatableResourceClaimStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("resourceClaimName", "resources")
    containers: Annotated[list[str], ListSet()] = empty(list)
    resource_claim_name: str = always(str)
    resources: dict[str, Quantity] = always(dict)


class NodeCondition(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "status")
    status: Annotated[str, GoType("v1.ConditionStatus")] = always(str)
    last_heartbeat_time: Time | None = null()
    last_transition_time: Time | None = null()
    message: str = ""
    reason: str = ""
    type: Annotated[str, GoType("v1.NodeConditionType")] = always(str)


class NodeConfigSource(Model):
    config_map: ConfigMapNodeConfigSource | None = None


class NodeConfigStatus(Model):
    active: NodeConfigSource | None = None
    assigned: NodeConfigSource | None = None
    error: str = ""
    last_known_good: NodeConfigSource | None = None


class NodeDaemonEndpoints(Model):
    kubelet_endpoint: DaemonEndpoint = always(lambda: DaemonEndpoint())


class NodeFeatures(Model):
    supplemental_groups_policy: bool | None = None


class NodeList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "NodeList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[Node] = always(list)


class NodeRuntimeHandler(Model):
    features: NodeRuntimeHandlerFeatures | None = None
    name: str = always(str)


class NodeRuntimeHandlerFeatures(Model):
    recursive_read_only_mounts: bool | None = None
    user_namespaces: bool | None = None


class NodeSpec(Model):
    config_source: NodeConfigSource | None = None
    external_id: str = Field(default="", alias="externalID")
    pod_cidr: str = Field(default="", alias="podCIDR")
    pod_cidrs: Annotated[list[str], ListSet(), StrategicMerge(("merge",), "")] = empty(alias="podCIDRs", make=list)
    provider_id: str = Field(default="", alias="providerID")
    taints: list[Taint] = empty(list)
    unschedulable: bool = False


class NodeStatus(Model):
    addresses: Annotated[list[NodeAddress], ListMap(("type",)), StrategicMerge(("merge",), "type")] = empty(list)
    allocatable: dict[str, Quantity] = empty(dict)
    capacity: dict[str, Quantity] = empty(dict)
    conditions: Annotated[list[NodeCondition], ListMap(("type",)), StrategicMerge(("merge",), "type")] = empty(list)
    config: NodeConfigStatus | None = None
    daemon_endpoints: NodeDaemonEndpoints = always(lambda: NodeDaemonEndpoints())
    declared_features: list[str] = empty(list)
    features: NodeFeatures | None = None
    images: list[ContainerImage] = empty(list)
    node_info: NodeSystemInfo = always(lambda: NodeSystemInfo())
    phase: Annotated[str, GoType("v1.NodePhase")] = ""
    runtime_handlers: list[NodeRuntimeHandler] = empty(list)
    volumes_attached: list[AttachedVolume] = empty(list)
    volumes_in_use: list[str] = empty(list)


class NodeSwapStatus(Model):
    capacity: Int64 | None = None


class NodeSystemInfo(Model):
    needs: ClassVar[tuple[str, ...]] = (
        "machineID",
        "systemUUID",
        "bootID",
        "kernelVersion",
        "osImage",
        "containerRuntimeVersion",
        "kubeletVersion",
        "kubeProxyVersion",
        "operatingSystem",
        "architecture",
    )
    architecture: str = always(str)
    boot_id: str = always(alias="bootID", make=str)
    container_runtime_version: str = always(str)
    kernel_version: str = always(str)
    kube_proxy_version: str = always(str)
    kubelet_version: str = always(str)
    machine_id: str = always(alias="machineID", make=str)
    operating_system: str = always(str)
    os_image: str = always(str)
    swap: NodeSwapStatus | None = None
    system_uuid: str = always(alias="systemUUID", make=str)


class Taint(Model):
    needs: ClassVar[tuple[str, ...]] = ("key", "effect")
    effect: Annotated[str, GoType("v1.TaintEffect")] = always(str)
    key: str = always(str)
    time_added: Time | None = None
    value: str = ""
