"""Types of core/v1: pod.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kubeapi.core_v1.types.node import NodeAllocatableResourceClaimStatus
from kubeapi.core_v1.types.references import (
    ConfigMapKeySelector,
    FileKeySelector,
    LocalObjectReference,
    NodeSelector,
    NodeSelectorTerm,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from kubeapi.core_v1.types.volumes import Volume
from kubeapi.meta_v1.types import LabelSelector, ListMeta, ObjectMeta
from kubeapi.model import (
    AtomicMap,
    GoType,
    Int32,
    Int64,
    IntOrString,
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


class Affinity(Model):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None


class AppArmorProfile(Model):
    needs: ClassVar[tuple[str, ...]] = ("type",)
    localhost_profile: str | None = None
    type: Annotated[str, GoType("v1.AppArmorProfileType")] = always(str)


class Capabilities(Model):
    add: list[Annotated[str, GoType("v1.Capability")]] = empty(list)
    drop: list[Annotated[str, GoType("v1.Capability")]] = empty(list)


class ConfigMapEnvSource(Model):
    name: str = always(str)
    optional: bool | None = None


class Container(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    args: list[str] = empty(list)
    command: list[str] = empty(list)
    env: Annotated[list[EnvVar], ListMap(("name",)), StrategicMerge(("merge",), "name")] = empty(list)
    env_from: list[EnvFromSource] = empty(list)
    image: str = ""
    image_pull_policy: Annotated[str, GoType("v1.PullPolicy")] = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    name: str = always(str)
    ports: Annotated[
        list[ContainerPort], ListMap(("containerPort", "protocol")), StrategicMerge(("merge",), "containerPort")
    ] = empty(list)
    readiness_probe: Probe | None = None
    resize_policy: list[ContainerResizePolicy] = empty(list)
    resources: ResourceRequirements = always(lambda: ResourceRequirements())
    restart_policy: Annotated[str, GoType("v1.ContainerRestartPolicy")] | None = None
    restart_policy_rules: list[ContainerRestartRule] = empty(list)
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool = False
    stdin_once: bool = False
    termination_message_path: str = ""
    termination_message_policy: Annotated[str, GoType("v1.TerminationMessagePolicy")] = ""
    tty: bool = False
    volume_devices: Annotated[
        list[VolumeDevice], ListMap(("devicePath",)), StrategicMerge(("merge",), "devicePath")
    ] = empty(list)
    volume_mounts: Annotated[list[VolumeMount], ListMap(("mountPath",)), StrategicMerge(("merge",), "mountPath")] = (
        empty(list)
    )
    working_dir: str = ""


class ContainerExtendedResourceRequest(Model):
    needs: ClassVar[tuple[str, ...]] = ("containerName", "resourceName", "requestName")
    container_name: str = always(str)
    request_name: str = always(str)
    resource_name: str = always(str)


class ContainerPort(Model):
    needs: ClassVar[tuple[str, ...]] = ("containerPort",)
    container_port: Int32 = always(int)
    host_ip: str = Field(default="", alias="hostIP")
    host_port: Int32 = 0
    name: str = ""
    protocol: Annotated[str, GoType("v1.Protocol")] = ""


class ContainerResizePolicy(Model):
    needs: ClassVar[tuple[str, ...]] = ("resourceName", "restartPolicy")
    resource_name: Annotated[str, GoType("v1.ResourceName")] = always(str)
    restart_policy: Annotated[str, GoType("v1.ResourceResizeRestartPolicy")] = always(str)


class ContainerRestartRule(Model):
    needs: ClassVar[tuple[str, ...]] = ("action",)
    action: Annotated[str, GoType("v1.ContainerRestartRuleAction")] = always(str)
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class ContainerRestartRuleOnExitCodes(Model):
    needs: ClassVar[tuple[str, ...]] = ("operator",)
    operator: Annotated[str, GoType("v1.ContainerRestartRuleOnExitCodesOperator")] = always(str)
    values: Annotated[list[Int32], ListSet()] = empty(list)


class ContainerState(Model):
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class ContainerStateRunning(Model):
    started_at: Time | None = null()


class ContainerStateTerminated(Model):
    needs: ClassVar[tuple[str, ...]] = ("exitCode",)
    container_id: str = Field(default="", alias="containerID")
    exit_code: Int32 = always(int)
    finished_at: Time | None = null()
    message: str = ""
    reason: str = ""
    signal: Int32 = 0
    started_at: Time | None = null()


class ContainerStateWaiting(Model):
    message: str = ""
    reason: str = ""


class ContainerStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("name", "ready", "restartCount", "image", "imageID")
    allocated_resources: dict[str, Quantity] = empty(dict)
    allocated_resources_status: Annotated[
        list[ResourceStatus], ListMap(("name",)), StrategicMerge(("merge",), "name")
    ] = empty(list)
    container_id: str = Field(default="", alias="containerID")
    image: str = always(str)
    image_id: str = always(alias="imageID", make=str)
    last_state: ContainerState = always(lambda: ContainerState())
    name: str = always(str)
    ready: bool = always(bool)
    resources: ResourceRequirements | None = None
    restart_count: Int32 = always(int)
    started: bool | None = None
    state: ContainerState = always(lambda: ContainerState())
    stop_signal: Annotated[str, GoType("v1.Signal")] | None = None
    user: ContainerUser | None = None
    volume_mounts: Annotated[
        list[VolumeMountStatus], ListMap(("mountPath",)), StrategicMerge(("merge",), "mountPath")
    ] = empty(list)


class ContainerUser(Model):
    linux: LinuxContainerUser | None = None


class EnvFromSource(Model):
    config_map_ref: ConfigMapEnvSource | None = None
    prefix: str = ""
    secret_ref: SecretEnvSource | None = None


class EnvVar(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: str = always(str)
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvVarSource(Model):
    config_map_key_ref: ConfigMapKeySelector | None = None
    field_ref: ObjectFieldSelector | None = None
    file_key_ref: FileKeySelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class EphemeralContainer(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    args: list[str] = empty(list)
    command: list[str] = empty(list)
    env: Annotated[list[EnvVar], ListMap(("name",)), StrategicMerge(("merge",), "name")] = empty(list)
    env_from: list[EnvFromSource] = empty(list)
    image: str = ""
    image_pull_policy: Annotated[str, GoType("v1.PullPolicy")] = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    name: str = always(str)
    ports: Annotated[
        list[ContainerPort], ListMap(("containerPort", "protocol")), StrategicMerge(("merge",), "containerPort")
    ] = empty(list)
    readiness_probe: Probe | None = None
    resize_policy: list[ContainerResizePolicy] = empty(list)
    resources: ResourceRequirements = always(lambda: ResourceRequirements())
    restart_policy: Annotated[str, GoType("v1.ContainerRestartPolicy")] | None = None
    restart_policy_rules: list[ContainerRestartRule] = empty(list)
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool = False
    stdin_once: bool = False
    target_container_name: str = ""
    termination_message_path: str = ""
    termination_message_policy: Annotated[str, GoType("v1.TerminationMessagePolicy")] = ""
    tty: bool = False
    volume_devices: Annotated[
        list[VolumeDevice], ListMap(("devicePath",)), StrategicMerge(("merge",), "devicePath")
    ] = empty(list)
    volume_mounts: Annotated[list[VolumeMount], ListMap(("mountPath",)), StrategicMerge(("merge",), "mountPath")] = (
        empty(list)
    )
    working_dir: str = ""


class ExecAction(Model):
    command: list[str] = empty(list)


class GRPCAction(Model):
    needs: ClassVar[tuple[str, ...]] = ("port",)
    port: Int32 = always(int)
    service: str = always(str)


class HTTPGetAction(Model):
    needs: ClassVar[tuple[str, ...]] = ("port",)
    host: str = ""
    http_headers: list[HTTPHeader] = empty(list)
    path: str = ""
    port: IntOrString | None = None
    scheme: Annotated[str, GoType("v1.URIScheme")] = ""


class HTTPHeader(Model):
    needs: ClassVar[tuple[str, ...]] = ("name", "value")
    name: str = always(str)
    value: str = always(str)


class HostAlias(Model):
    needs: ClassVar[tuple[str, ...]] = ("ip",)
    hostnames: list[str] = empty(list)
    ip: str = always(str)


class HostIP(Model):
    needs: ClassVar[tuple[str, ...]] = ("ip",)
    ip: str = always(str)


class ImageVolumeStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("imageRef",)
    image_ref: str = always(str)


class Lifecycle(Model):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: Annotated[str, GoType("v1.Signal")] | None = None


class LifecycleHandler(Model):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = None


class LinuxContainerUser(Model):
    needs: ClassVar[tuple[str, ...]] = ("uid", "gid")
    gid: Int64 = always(int)
    supplemental_groups: list[Int64] = empty(list)
    uid: Int64 = always(int)


class NodeAffinity(Model):
    preferred_during_scheduling_ignored_during_execution: list[PreferredSchedulingTerm] = empty(list)
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class Pod(Model):
    kind: str = always(lambda: "Pod")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: PodSpec = always(lambda: PodSpec())
    status: PodStatus = always(lambda: PodStatus())


class PodAffinity(Model):
    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = empty(list)
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = empty(list)


class PodAffinityTerm(Model):
    needs: ClassVar[tuple[str, ...]] = ("topologyKey",)
    label_selector: LabelSelector | None = None
    match_label_keys: list[str] = empty(list)
    mismatch_label_keys: list[str] = empty(list)
    namespace_selector: LabelSelector | None = None
    namespaces: list[str] = empty(list)
    topology_key: str = always(str)


class PodAntiAffinity(Model):
    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = empty(list)
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = empty(list)


class PodCondition(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "status")
    status: Annotated[str, GoType("v1.ConditionStatus")] = always(str)
    last_probe_time: Time | None = null()
    last_transition_time: Time | None = null()
    message: str = ""
    observed_generation: Int64 = 0
    reason: str = ""
    type: Annotated[str, GoType("v1.PodConditionType")] = always(str)


class PodDNSConfig(Model):
    nameservers: list[str] = empty(list)
    options: list[PodDNSConfigOption] = empty(list)
    searches: list[str] = empty(list)


class PodDNSConfigOption(Model):
    name: str = ""
    value: str | None = None


class PodExtendedResourceClaimStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("requestMappings", "resourceClaimName")
    request_mappings: list[ContainerExtendedResourceRequest] = always(list)
    resource_claim_name: str = always(str)


class PodIP(Model):
    needs: ClassVar[tuple[str, ...]] = ("ip",)
    ip: str = always(str)


class PodList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "PodList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[Pod] = always(list)


class PodOS(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: Annotated[str, GoType("v1.OSName")] = always(str)


class PodReadinessGate(Model):
    needs: ClassVar[tuple[str, ...]] = ("conditionType",)
    condition_type: Annotated[str, GoType("v1.PodConditionType")] = always(str)


class PodResourceClaim(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: str = always(str)
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodResourceClaimStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: str = always(str)
    resource_claim_name: str | None = None


class PodSchedulingGate(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: str = always(str)


class PodSchedulingGroup(Model):
    pod_group_name: str | None = None


class PodSecurityContext(Model):
    app_armor_profile: AppArmorProfile | None = None
    fs_group: Int64 | None = None
    fs_group_change_policy: Annotated[str, GoType("v1.PodFSGroupChangePolicy")] | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: bool | None = None
    run_as_user: Int64 | None = None
    se_linux_change_policy: Annotated[str, GoType("v1.PodSELinuxChangePolicy")] | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    supplemental_groups: list[Int64] = empty(list)
    supplemental_groups_policy: Annotated[str, GoType("v1.SupplementalGroupsPolicy")] | None = None
    sysctls: list[Sysctl] = empty(list)
    windows_options: WindowsSecurityContextOptions | None = None


class PodSpec(Model):
    needs: ClassVar[tuple[str, ...]] = ("containers",)
    active_deadline_seconds: Int64 | None = None
    affinity: Affinity | None = None
    automount_service_account_token: bool | None = None
    containers: Annotated[list[Container], ListMap(("name",)), StrategicMerge(("merge",), "name")] = always(list)
    dns_config: PodDNSConfig | None = None
    dns_policy: Annotated[str, GoType("v1.DNSPolicy")] = ""
    enable_service_links: bool | None = None
    ephemeral_containers: Annotated[
        list[EphemeralContainer], ListMap(("name",)), StrategicMerge(("merge",), "name")
    ] = empty(list)
    host_aliases: Annotated[list[HostAlias], ListMap(("ip",)), StrategicMerge(("merge",), "ip")] = empty(list)
    host_ipc: bool = Field(default=False, alias="hostIPC")
    host_network: bool = False
    host_pid: bool = Field(default=False, alias="hostPID")
    host_users: bool | None = None
    hostname: str = ""
    hostname_override: str | None = None
    image_pull_secrets: Annotated[
        list[LocalObjectReference], ListMap(("name",)), StrategicMerge(("merge",), "name")
    ] = empty(list)
    init_containers: Annotated[list[Container], ListMap(("name",)), StrategicMerge(("merge",), "name")] = empty(list)
    node_name: str = ""
    node_selector: Annotated[dict[str, str], AtomicMap()] = empty(dict)
    os: PodOS | None = None
    overhead: dict[str, Quantity] = empty(dict)
    preemption_policy: Annotated[str, GoType("v1.PreemptionPolicy")] | None = None
    priority: Int32 | None = None
    priority_class_name: str = ""
    readiness_gates: list[PodReadinessGate] = empty(list)
    resource_claims: Annotated[
        list[PodResourceClaim], ListMap(("name",)), StrategicMerge(("merge", "retainKeys"), "name")
    ] = empty(list)
    resources: ResourceRequirements | None = None
    restart_policy: Annotated[str, GoType("v1.RestartPolicy")] = ""
    runtime_class_name: str | None = None
    scheduler_name: str = ""
    scheduling_gates: Annotated[list[PodSchedulingGate], ListMap(("name",)), StrategicMerge(("merge",), "name")] = (
        empty(list)
    )
    scheduling_group: PodSchedulingGroup | None = None
    security_context: PodSecurityContext | None = None
    service_account: str = ""
    service_account_name: str = ""
    set_hostname_as_fqdn: bool | None = Field(default=None, alias="setHostnameAsFQDN")
    share_process_namespace: bool | None = None
    subdomain: str = ""
    termination_grace_period_seconds: Int64 | None = None
    tolerations: list[Toleration] = empty(list)
    topology_spread_constraints: Annotated[
        list[TopologySpreadConstraint],
        ListMap(("topologyKey", "whenUnsatisfiable")),
        StrategicMerge(("merge",), "topologyKey"),
    ] = empty(list)
    volumes: Annotated[list[Volume], ListMap(("name",)), StrategicMerge(("merge", "retainKeys"), "name")] = empty(list)


class PodStatus(Model):
    allocated_resources: dict[str, Quantity] = empty(dict)
    conditions: Annotated[list[PodCondition], ListMap(("type",)), StrategicMerge(("merge",), "type")] = empty(list)
    container_statuses: list[ContainerStatus] = empty(list)
    ephemeral_container_statuses: list[ContainerStatus] = empty(list)
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None
    host_ip: str = Field(default="", alias="hostIP")
    host_ips: Annotated[list[HostIP], StrategicMerge(("merge",), "ip")] = empty(alias="hostIPs", make=list)
    init_container_statuses: list[ContainerStatus] = empty(list)
    message: str = ""
    node_allocatable_resource_claim_statuses: list[NodeAllocatableResourceClaimStatus] = empty(list)
    nominated_node_name: str = ""
    observed_generation: Int64 = 0
    phase: Annotated[str, GoType("v1.PodPhase")] = ""
    pod_ip: str = Field(default="", alias="podIP")
    pod_ips: Annotated[list[PodIP], ListMap(("ip",)), StrategicMerge(("merge",), "ip")] = empty(
        alias="podIPs", make=list
    )
    qos_class: Annotated[str, GoType("v1.PodQOSClass")] = ""
    reason: str = ""
    resize: str = ""
    resource_claim_statuses: Annotated[
        list[PodResourceClaimStatus], ListMap(("name",)), StrategicMerge(("merge", "retainKeys"), "name")
    ] = empty(list)
    resources: ResourceRequirements | None = None
    start_time: Time | None = None


class PodTemplate(Model):
    kind: str = always(lambda: "PodTemplate")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    template: PodTemplateSpec = always(lambda: PodTemplateSpec())


class PodTemplateList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "PodTemplateList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[PodTemplate] = always(list)


class PodTemplateSpec(Model):
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: PodSpec = always(lambda: PodSpec())


class PreferredSchedulingTerm(Model):
    needs: ClassVar[tuple[str, ...]] = ("weight", "preference")
    preference: NodeSelectorTerm = always(lambda: NodeSelectorTerm())
    weight: Int32 = always(int)


class Probe(Model):
    exec: ExecAction | None = None
    failure_threshold: Int32 = 0
    grpc: GRPCAction | None = None
    http_get: HTTPGetAction | None = None
    initial_delay_seconds: Int32 = 0
    period_seconds: Int32 = 0
    success_threshold: Int32 = 0
    tcp_socket: TCPSocketAction | None = None
    termination_grace_period_seconds: Int64 | None = None
    timeout_seconds: Int32 = 0


class ReplicationController(Model):
    kind: str = always(lambda: "ReplicationController")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: ReplicationControllerSpec = always(lambda: ReplicationControllerSpec())
    status: ReplicationControllerStatus = always(lambda: ReplicationControllerStatus())


class ReplicationControllerCondition(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "status")
    status: str = always(str)
    last_transition_time: Time | None = null()
    message: str = ""
    reason: str = ""
    type: str = always(str)


class ReplicationControllerList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "ReplicationControllerList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[ReplicationController] = always(list)


class ReplicationControllerSpec(Model):
    min_ready_seconds: Int32 = 0
    replicas: Int32 | None = None
    selector: Annotated[dict[str, str], AtomicMap()] = empty(dict)
    template: PodTemplateSpec | None = None


class ReplicationControllerStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("replicas",)
    available_replicas: Int32 = 0
    conditions: Annotated[
        list[ReplicationControllerCondition], ListMap(("type",)), StrategicMerge(("merge",), "type")
    ] = empty(list)
    fully_labeled_replicas: Int32 = 0
    observed_generation: Int64 = 0
    ready_replicas: Int32 = 0
    replicas: Int32 = always(int)


class ResourceClaim(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: str = always(str)
    request: str = ""


class ResourceHealth(Model):
    needs: ClassVar[tuple[str, ...]] = ("resourceID",)
    health: str = ""
    message: str = ""
    resource_id: str = always(alias="resourceID", make=str)


class ResourceRequirements(Model):
    claims: Annotated[list[ResourceClaim], ListMap(("name",))] = empty(list)
    limits: dict[str, Quantity] = empty(dict)
    requests: dict[str, Quantity] = empty(dict)


class ResourceStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: Annotated[str, GoType("v1.ResourceName")] = always(str)
    resources: Annotated[list[ResourceHealth], ListMap(("resourceID",))] = empty(list)


class SELinuxOptions(Model):
    level: str = ""
    role: str = ""
    type: str = ""
    user: str = ""


class SeccompProfile(Model):
    needs: ClassVar[tuple[str, ...]] = ("type",)
    localhost_profile: str | None = None
    type: Annotated[str, GoType("v1.SeccompProfileType")] = always(str)


class SecretEnvSource(Model):
    name: str = always(str)
    optional: bool | None = None


class SecurityContext(Model):
    allow_privilege_escalation: bool | None = None
    app_armor_profile: AppArmorProfile | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    proc_mount: Annotated[str, GoType("v1.ProcMountType")] | None = None
    read_only_root_filesystem: bool | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: bool | None = None
    run_as_user: Int64 | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    windows_options: WindowsSecurityContextOptions | None = None


class SleepAction(Model):
    needs: ClassVar[tuple[str, ...]] = ("seconds",)
    seconds: Int64 = always(int)


class Sysctl(Model):
    needs: ClassVar[tuple[str, ...]] = ("name", "value")
    name: str = always(str)
    value: str = always(str)


class TCPSocketAction(Model):
    needs: ClassVar[tuple[str, ...]] = ("port",)
    host: str = ""
    port: IntOrString | None = None


class Toleration(Model):
    effect: Annotated[str, GoType("v1.TaintEffect")] = ""
    key: str = ""
    operator: Annotated[str, GoType("v1.TolerationOperator")] = ""
    toleration_seconds: Int64 | None = None
    value: str = ""


class TopologySpreadConstraint(Model):
    needs: ClassVar[tuple[str, ...]] = ("maxSkew", "topologyKey", "whenUnsatisfiable")
    label_selector: LabelSelector | None = None
    match_label_keys: list[str] = empty(list)
    max_skew: Int32 = always(int)
    min_domains: Int32 | None = None
    node_affinity_policy: Annotated[str, GoType("v1.NodeInclusionPolicy")] | None = None
    node_taints_policy: Annotated[str, GoType("v1.NodeInclusionPolicy")] | None = None
    topology_key: str = always(str)
    when_unsatisfiable: Annotated[str, GoType("v1.UnsatisfiableConstraintAction")] = always(str)


class VolumeDevice(Model):
    needs: ClassVar[tuple[str, ...]] = ("name", "devicePath")
    device_path: str = always(str)
    name: str = always(str)


class VolumeMount(Model):
    needs: ClassVar[tuple[str, ...]] = ("name", "mountPath")
    mount_path: str = always(str)
    mount_propagation: Annotated[str, GoType("v1.MountPropagationMode")] | None = None
    name: str = always(str)
    read_only: bool = False
    recursive_read_only: Annotated[str, GoType("v1.RecursiveReadOnlyMode")] | None = None
    sub_path: str = ""
    sub_path_expr: str = ""


class VolumeMountStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("name", "mountPath")
    mount_path: str = always(str)
    name: str = always(str)
    read_only: bool = False
    recursive_read_only: Annotated[str, GoType("v1.RecursiveReadOnlyMode")] | None = None
    volume_status: VolumeStatus | None = None


class VolumeStatus(Model):
    image: ImageVolumeStatus | None = None


class WeightedPodAffinityTerm(Model):
    needs: ClassVar[tuple[str, ...]] = ("weight", "podAffinityTerm")
    pod_affinity_term: PodAffinityTerm = always(lambda: PodAffinityTerm())
    weight: Int32 = always(int)


class WindowsSecurityContextOptions(Model):
    gmsa_credential_spec: str | None = None
    gmsa_credential_spec_name: str | None = None
    host_process: bool | None = None
    run_as_user_name: str | None = None
