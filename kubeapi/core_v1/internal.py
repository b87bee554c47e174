"""The objects as Kubernetes' server has them inside: shown only in the differences that it tells of what must not change.

Its own structs are written without names for JSON, so each field has its Go name, in the order of the struct, and what is
unset is written as null or zero. The table has those structs; all others have names for JSON and are written as ever.
"""

from __future__ import annotations

import difflib
import json
from functools import lru_cache
from typing import Any

from kubeapi.core_v1.types import PodSecurityContext, PodSpec
from kubeapi.model import Model

# a line per struct: its name, and its fields (with the name on the wire where it is not the same but for upper case)
TABLE = """
Affinity: NodeAffinity PodAffinity PodAntiAffinity
AppArmorProfile: Type LocalhostProfile
AWSElasticBlockStoreVolumeSource: VolumeID FSType Partition ReadOnly
AzureDiskVolumeSource: DiskName DataDiskURI=diskURI CachingMode FSType ReadOnly Kind
AzureFilePersistentVolumeSource: SecretName ShareName ReadOnly SecretNamespace
AzureFileVolumeSource: SecretName ShareName ReadOnly
CSIPersistentVolumeSource: Driver VolumeHandle ReadOnly FSType VolumeAttributes ControllerPublishSecretRef NodeStageSecretRef
 NodePublishSecretRef ControllerExpandSecretRef NodeExpandSecretRef
CSIVolumeSource: Driver ReadOnly FSType VolumeAttributes NodePublishSecretRef
Capabilities: Add Drop
CephFSPersistentVolumeSource: Monitors Path User SecretFile SecretRef ReadOnly
CephFSVolumeSource: Monitors Path User SecretFile SecretRef ReadOnly
CinderPersistentVolumeSource: VolumeID FSType ReadOnly SecretRef
CinderVolumeSource: VolumeID FSType ReadOnly SecretRef
ClusterTrustBundleProjection: Name SignerName LabelSelector Optional Path
ConfigMapEnvSource: Name Optional
ConfigMapKeySelector: Name Key Optional
ConfigMapProjection: Name Items Optional
ConfigMapVolumeSource: Name Items DefaultMode Optional
Container: Name Image Command Args WorkingDir Ports EnvFrom Env Resources ResizePolicy RestartPolicy RestartPolicyRules
 VolumeMounts VolumeDevices LivenessProbe ReadinessProbe StartupProbe Lifecycle TerminationMessagePath
 TerminationMessagePolicy ImagePullPolicy SecurityContext Stdin StdinOnce TTY
ContainerPort: Name HostPort ContainerPort Protocol HostIP
ContainerResizePolicy: ResourceName RestartPolicy
ContainerRestartRule: Action ExitCodes
ContainerRestartRuleOnExitCodes: Operator Values
DownwardAPIProjection: Items
DownwardAPIVolumeFile: Path FieldRef ResourceFieldRef Mode
DownwardAPIVolumeSource: Items DefaultMode
EmptyDirVolumeSource: Medium SizeLimit
EnvFromSource: Prefix ConfigMapRef SecretRef
EnvVar: Name Value ValueFrom
EnvVarSource: FieldRef ResourceFieldRef ConfigMapKeyRef SecretKeyRef FileKeyRef
ExecAction: Command
FCVolumeSource: TargetWWNs Lun FSType ReadOnly WWIDs
FileKeySelector: VolumeName Path Key Optional
FlexPersistentVolumeSource: Driver FSType SecretRef ReadOnly Options
FlexVolumeSource: Driver FSType SecretRef ReadOnly Options
FlockerVolumeSource: DatasetName DatasetUUID
GCEPersistentDiskVolumeSource: PDName FSType Partition ReadOnly
GRPCAction: Port Service
GitRepoVolumeSource: Repository Revision Directory
GlusterfsPersistentVolumeSource: EndpointsName=endpoints Path ReadOnly EndpointsNamespace
GlusterfsVolumeSource: EndpointsName=endpoints Path ReadOnly
HTTPGetAction: Path Port Host Scheme HTTPHeaders
HTTPHeader: Name Value
HostAlias: IP Hostnames
HostPathVolumeSource: Path Type
ISCSIPersistentVolumeSource: TargetPortal IQN Lun ISCSIInterface FSType ReadOnly Portals DiscoveryCHAPAuth=chapAuthDiscovery
 SessionCHAPAuth=chapAuthSession SecretRef InitiatorName
ISCSIVolumeSource: TargetPortal IQN Lun ISCSIInterface FSType ReadOnly Portals DiscoveryCHAPAuth=chapAuthDiscovery
 SessionCHAPAuth=chapAuthSession SecretRef InitiatorName
ImageVolumeSource: Reference PullPolicy
KeyToPath: Key Path Mode
Lifecycle: PostStart PreStop StopSignal
LifecycleHandler: Exec HTTPGet TCPSocket Sleep
LocalObjectReference: Name
LocalVolumeSource: Path FSType
NFSVolumeSource: Server Path ReadOnly
NodeAffinity: RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution
NodeSelector: NodeSelectorTerms
NodeSelectorRequirement: Key Operator Values
NodeSelectorTerm: MatchExpressions MatchFields
ObjectFieldSelector: APIVersion FieldPath
PersistentVolumeClaimSpec: AccessModes Selector Resources VolumeName StorageClassName VolumeMode DataSource DataSourceRef
 VolumeAttributesClassName
PersistentVolumeClaimVolumeSource: ClaimName ReadOnly
PersistentVolumeSpec: GCEPersistentDisk AWSElasticBlockStore HostPath Glusterfs NFS RBD Quobyte ISCSI FlexVolume Cinder
 CephFS FC Flocker AzureFile VsphereVolume AzureDisk PhotonPersistentDisk PortworxVolume ScaleIO Local StorageOS CSI
PhotonPersistentDiskVolumeSource: PdID FSType
PodAffinity: RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution
PodAffinityTerm: LabelSelector Namespaces TopologyKey NamespaceSelector MatchLabelKeys MismatchLabelKeys
PodAntiAffinity: RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution
PodCertificateProjection: SignerName KeyType MaxExpirationSeconds CredentialBundlePath KeyPath CertificateChainPath
 UserAnnotations
PodDNSConfig: Nameservers Searches Options
PodDNSConfigOption: Name Value
PodOS: Name
PodReadinessGate: ConditionType
PodResourceClaim: Name ResourceClaimName ResourceClaimTemplateName
PodSchedulingGate: Name
PodSecurityContext: SELinuxOptions WindowsOptions RunAsUser RunAsGroup RunAsNonRoot SupplementalGroups
 SupplementalGroupsPolicy FSGroup FSGroupChangePolicy Sysctls SeccompProfile AppArmorProfile SELinuxChangePolicy
PodSpec: Volumes InitContainers Containers EphemeralContainers RestartPolicy TerminationGracePeriodSeconds
 ActiveDeadlineSeconds DNSPolicy NodeSelector ServiceAccountName AutomountServiceAccountToken NodeName SecurityContext
 ImagePullSecrets Hostname Subdomain SetHostnameAsFQDN Affinity SchedulerName Tolerations HostAliases PriorityClassName
 Priority PreemptionPolicy DNSConfig ReadinessGates RuntimeClassName Overhead EnableServiceLinks TopologySpreadConstraints
 OS SchedulingGates ResourceClaims Resources HostnameOverride SchedulingGroup
PortworxVolumeSource: VolumeID FSType ReadOnly
PreferredSchedulingTerm: Weight Preference
Probe: Exec HTTPGet TCPSocket GRPC InitialDelaySeconds TimeoutSeconds PeriodSeconds SuccessThreshold FailureThreshold
 TerminationGracePeriodSeconds
ProjectedVolumeSource: Sources DefaultMode
QuobyteVolumeSource: Registry Volume ReadOnly User Group Tenant
RBDPersistentVolumeSource: CephMonitors=monitors RBDImage=image FSType RBDPool=pool RadosUser=user Keyring SecretRef ReadOnly
RBDVolumeSource: CephMonitors=monitors RBDImage=image FSType RBDPool=pool RadosUser=user Keyring SecretRef ReadOnly
ResourceClaim: Name Request
ResourceFieldSelector: ContainerName Resource Divisor
ResourceRequirements: Limits Requests Claims
SELinuxOptions: User Role Type Level
ScaleIOPersistentVolumeSource: Gateway System SecretRef SSLEnabled ProtectionDomain StoragePool StorageMode VolumeName FSType
 ReadOnly
ScaleIOVolumeSource: Gateway System SecretRef SSLEnabled ProtectionDomain StoragePool StorageMode VolumeName FSType ReadOnly
SeccompProfile: Type LocalhostProfile
SecretEnvSource: Name Optional
SecretKeySelector: Name Key Optional
SecretProjection: Name Items Optional
SecretReference: Name Namespace
SecretVolumeSource: SecretName Items DefaultMode Optional
SecurityContext: Capabilities Privileged SELinuxOptions WindowsOptions RunAsUser RunAsGroup RunAsNonRoot
 ReadOnlyRootFilesystem AllowPrivilegeEscalation ProcMount SeccompProfile AppArmorProfile
ServiceAccountTokenProjection: Audience ExpirationSeconds Path
SleepAction: Seconds
StorageOSPersistentVolumeSource: VolumeName VolumeNamespace FSType ReadOnly SecretRef
StorageOSVolumeSource: VolumeName VolumeNamespace FSType ReadOnly SecretRef
Sysctl: Name Value
TCPSocketAction: Port Host
Toleration: Key Operator Value Effect TolerationSeconds
TopologySpreadConstraint: MaxSkew TopologyKey WhenUnsatisfiable LabelSelector MinDomains NodeAffinityPolicy NodeTaintsPolicy
 MatchLabelKeys
TypedLocalObjectReference: APIGroup Kind Name
TypedObjectReference: APIGroup Kind Name Namespace
Volume: Name HostPath EmptyDir GCEPersistentDisk AWSElasticBlockStore GitRepo Secret NFS ISCSI Glusterfs
 PersistentVolumeClaim RBD Quobyte FlexVolume Cinder CephFS Flocker DownwardAPI FC AzureFile ConfigMap VsphereVolume
 AzureDisk PhotonPersistentDisk Projected PortworxVolume ScaleIO StorageOS CSI Ephemeral Image
VolumeDevice: Name DevicePath
VolumeMount: Name ReadOnly RecursiveReadOnly MountPath SubPath MountPropagation SubPathExpr
VolumeProjection: Secret DownwardAPI ConfigMap ServiceAccountToken ClusterTrustBundle PodCertificate
VolumeResourceRequirements: Limits Requests
VsphereVirtualDiskVolumeSource: VolumePath FSType StoragePolicyName StoragePolicyID
WeightedPodAffinityTerm: Weight PodAffinityTerm
WindowsSecurityContextOptions: GMSACredentialSpecName GMSACredentialSpec RunAsUserName HostProcess
"""
STRUCTS = dict(line.split(": ") for line in TABLE.replace("\n ", " ").strip().splitlines())
STRUCTS["EphemeralContainer"] = f"{STRUCTS['Container']} TargetContainerName"
SHARED = (
    ("HostNetwork", "host_network"), ("HostPID", "host_pid"), ("HostIPC", "host_ipc"),
    ("ShareProcessNamespace", "share_process_namespace"), ("HostUsers", "host_users"),
)  # fmt: skip
ZERO = {"Divisor": "0"}  # a value, where null is no text of it
ESCAPED = {"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"}  # as Go writes them in JSON


def difference(old: Model, new: Model) -> str:
    """What is not the same, as lines of a unified diff."""
    lines = list(difflib.unified_diff(_lines(old), _lines(new), lineterm=""))
    return "".join(f"{line}\n" for line in lines[2:])


def _lines(value: Model) -> list[str]:
    text = json.dumps(inside(value), indent=1, ensure_ascii=False)
    for char, escaped in ESCAPED.items():
        text = text.replace(char, escaped)
    return text.split("\n")


def inside(value: Any) -> Any:
    """A value of the API as JSON of what the server has for it."""
    if isinstance(value, list):
        return [inside(item) for item in value] or None
    if isinstance(value, dict):
        return {key: inside(value[key]) for key in sorted(value)} or None
    if not isinstance(value, Model):
        return value
    if type(value).__name__ not in STRUCTS:
        return value.to_dict()
    fields = {name: inside(getattr(value, field)) for name, field in _fields(type(value))}
    if isinstance(value, PodSpec):  # what pods share with their node is kept with their security
        own = {name: getattr(value, field) for name, field in SHARED}
        fields["SecurityContext"] = own | inside(value.security_context or PodSecurityContext())
    return {name: ZERO.get(name) if field is None else field for name, field in fields.items()}


@lru_cache
def _fields(model: type[Model]) -> tuple[tuple[str, str], ...]:
    """The fields of a struct: the name in Go and the one in Python."""
    model.model_rebuild()
    wire = {(field.alias or name).lower(): name for name, field in model.model_fields.items()}
    named = (name.partition("=") for name in STRUCTS[model.__name__].split())
    return tuple((name, wire[(other or name).lower()]) for name, _, other in named)
