"""Types of core/v1: volumes.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kubeapi.core_v1.types.claims import PersistentVolumeClaimSpec
from kubeapi.core_v1.types.references import LocalObjectReference, ObjectFieldSelector, ResourceFieldSelector
from kubeapi.meta_v1.types import LabelSelector, ObjectMeta
from kubeapi.model import GoType, Int32, Int64, Model, Quantity, always, empty


class AWSElasticBlockStoreVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("volumeID",)
    fs_type: str = ""
    partition: Int32 = 0
    read_only: bool = False
    volume_id: str = always(alias="volumeID", make=str)


class AzureDiskVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("diskName", "diskURI")
    kind: Annotated[str, GoType("v1.AzureDataDiskKind")] | None = None
    caching_mode: Annotated[str, GoType("v1.AzureDataDiskCachingMode")] | None = None
    disk_name: str = always(str)
    disk_uri: str = always(alias="diskURI", make=str)
    fs_type: str | None = None
    read_only: bool | None = None


class AzureFileVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("secretName", "shareName")
    read_only: bool = False
    secret_name: str = always(str)
    share_name: str = always(str)


class CSIVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("driver",)
    driver: str = always(str)
    fs_type: str | None = None
    node_publish_secret_ref: LocalObjectReference | None = None
    read_only: bool | None = None
    volume_attributes: dict[str, str] = empty(dict)


class CephFSVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("monitors",)
    monitors: list[str] = always(list)
    path: str = ""
    read_only: bool = False
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class CinderVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("volumeID",)
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    volume_id: str = always(alias="volumeID", make=str)


class ClusterTrustBundleProjection(Model):
    needs: ClassVar[tuple[str, ...]] = ("path",)
    label_selector: LabelSelector | None = None
    name: str | None = None
    optional: bool | None = None
    path: str = always(str)
    signer_name: str | None = None


class ConfigMapProjection(Model):
    items: list[KeyToPath] = empty(list)
    name: str = always(str)
    optional: bool | None = None


class ConfigMapVolumeSource(Model):
    default_mode: Int32 | None = None
    items: list[KeyToPath] = empty(list)
    name: str = always(str)
    optional: bool | None = None


class DownwardAPIProjection(Model):
    items: list[DownwardAPIVolumeFile] = empty(list)


class DownwardAPIVolumeFile(Model):
    needs: ClassVar[tuple[str, ...]] = ("path",)
    field_ref: ObjectFieldSelector | None = None
    mode: Int32 | None = None
    path: str = always(str)
    resource_field_ref: ResourceFieldSelector | None = None


class DownwardAPIVolumeSource(Model):
    default_mode: Int32 | None = None
    items: list[DownwardAPIVolumeFile] = empty(list)


class EmptyDirVolumeSource(Model):
    medium: Annotated[str, GoType("v1.StorageMedium")] = ""
    size_limit: Quantity | None = None


class EphemeralVolumeSource(Model):
    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class FCVolumeSource(Model):
    fs_type: str = ""
    lun: Int32 | None = None
    read_only: bool = False
    target_wwns: list[str] = empty(alias="targetWWNs", make=list)
    wwids: list[str] = empty(list)


class FlexVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("driver",)
    driver: str = always(str)
    fs_type: str = ""
    options: dict[str, str] = empty(dict)
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class FlockerVolumeSource(Model):
    dataset_name: str = ""
    dataset_uuid: str = Field(default="", alias="datasetUUID")


class GCEPersistentDiskVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("pdName",)
    fs_type: str = ""
    partition: Int32 = 0
    pd_name: str = always(str)
    read_only: bool = False


class GitRepoVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("repository",)
    directory: str = ""
    repository: str = always(str)
    revision: str = ""


class GlusterfsVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("endpoints", "path")
    endpoints: str = always(str)
    path: str = always(str)
    read_only: bool = False


class HostPathVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("path",)
    path: str = always(str)
    type: Annotated[str, GoType("v1.HostPathType")] | None = None


class ISCSIVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("targetPortal", "iqn", "lun")
    chap_auth_discovery: bool = False
    chap_auth_session: bool = False
    fs_type: str = ""
    initiator_name: str | None = None
    iqn: str = always(str)
    iscsi_interface: str = ""
    lun: Int32 = always(int)
    portals: list[str] = empty(list)
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    target_portal: str = always(str)


class ImageVolumeSource(Model):
    pull_policy: Annotated[str, GoType("v1.PullPolicy")] = ""
    reference: str = ""


class KeyToPath(Model):
    needs: ClassVar[tuple[str, ...]] = ("key", "path")
    key: str = always(str)
    mode: Int32 | None = None
    path: str = always(str)


class NFSVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("server", "path")
    path: str = always(str)
    read_only: bool = False
    server: str = always(str)


class PersistentVolumeClaimTemplate(Model):
    needs: ClassVar[tuple[str, ...]] = ("spec",)
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: PersistentVolumeClaimSpec = always(lambda: PersistentVolumeClaimSpec())


class PersistentVolumeClaimVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("claimName",)
    claim_name: str = always(str)
    read_only: bool = False


class PhotonPersistentDiskVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("pdID",)
    fs_type: str = ""
    pd_id: str = always(alias="pdID", make=str)


class PodCertificateProjection(Model):
    needs: ClassVar[tuple[str, ...]] = ("signerName", "keyType")
    certificate_chain_path: str = ""
    credential_bundle_path: str = ""
    key_path: str = ""
    key_type: str = always(str)
    max_expiration_seconds: Int32 | None = None
    signer_name: str = always(str)
    user_annotations: dict[str, str] = empty(dict)


class PortworxVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("volumeID",)
    fs_type: str = ""
    read_only: bool = False
    volume_id: str = always(alias="volumeID", make=str)


class ProjectedVolumeSource(Model):
    default_mode: Int32 | None = None
    sources: list[VolumeProjection] = empty(list)


class QuobyteVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("registry", "volume")
    group: str = ""
    read_only: bool = False
    registry: str = always(str)
    tenant: str = ""
    user: str = ""
    volume: str = always(str)


class RBDVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("monitors", "image")
    fs_type: str = ""
    image: str = always(str)
    keyring: str = ""
    monitors: list[str] = always(list)
    pool: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class ScaleIOVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("gateway", "system", "secretRef")
    fs_type: str = ""
    gateway: str = always(str)
    protection_domain: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference = always(lambda: LocalObjectReference())
    ssl_enabled: bool = False
    storage_mode: str = ""
    storage_pool: str = ""
    system: str = always(str)
    volume_name: str = ""


class SecretProjection(Model):
    items: list[KeyToPath] = empty(list)
    name: str = always(str)
    optional: bool | None = None


class SecretVolumeSource(Model):
    default_mode: Int32 | None = None
    items: list[KeyToPath] = empty(list)
    optional: bool | None = None
    secret_name: str = ""


class ServiceAccountTokenProjection(Model):
    needs: ClassVar[tuple[str, ...]] = ("path",)
    audience: str = ""
    expiration_seconds: Int64 | None = None
    path: str = always(str)


class StorageOSVolumeSource(Model):
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class Volume(Model):
    needs: ClassVar[tuple[str, ...]] = ("name",)
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFileVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = Field(default=None, alias="downwardAPI")
    empty_dir: EmptyDirVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    git_repo: GitRepoVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    image: ImageVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    name: str = always(str)
    nfs: NFSVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = Field(default=None, alias="scaleIO")
    secret: SecretVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None


class VolumeProjection(Model):
    cluster_trust_bundle: ClusterTrustBundleProjection | None = None
    config_map: ConfigMapProjection | None = None
    downward_api: DownwardAPIProjection | None = Field(default=None, alias="downwardAPI")
    pod_certificate: PodCertificateProjection | None = None
    secret: SecretProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None


class VsphereVirtualDiskVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("volumePath",)
    fs_type: str = ""
    storage_policy_id: str = Field(default="", alias="storagePolicyID")
    storage_policy_name: str = ""
    volume_path: str = always(str)
