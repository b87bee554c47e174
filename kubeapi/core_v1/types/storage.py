"""Types of core/v1: storage.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kubeapi.core_v1.types.references import NodeSelector, ObjectReference, SecretReference
from kubeapi.core_v1.types.volumes import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    FCVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    HostPathVolumeSource,
    NFSVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from kubeapi.meta_v1.types import ListMeta, ObjectMeta
from kubeapi.model import GoType, Int32, Model, Quantity, Time, always, empty, null


class AzureFilePersistentVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("secretName", "shareName")
    read_only: bool = False
    secret_name: str = always(str)
    secret_namespace: str | None = null()
    share_name: str = always(str)


class CSIPersistentVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("driver", "volumeHandle")
    controller_expand_secret_ref: SecretReference | None = None
    controller_publish_secret_ref: SecretReference | None = None
    driver: str = always(str)
    fs_type: str = ""
    node_expand_secret_ref: SecretReference | None = None
    node_publish_secret_ref: SecretReference | None = None
    node_stage_secret_ref: SecretReference | None = None
    read_only: bool = False
    volume_attributes: dict[str, str] = empty(dict)
    volume_handle: str = always(str)


class CephFSPersistentVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("monitors",)
    monitors: list[str] = always(list)
    path: str = ""
    read_only: bool = False
    secret_file: str = ""
    secret_ref: SecretReference | None = None
    user: str = ""


class CinderPersistentVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("volumeID",)
    fs_type: str = ""
    read_only: bool = False
    secret_ref: SecretReference | None = None
    volume_id: str = always(alias="volumeID", make=str)


class FlexPersistentVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("driver",)
    driver: str = always(str)
    fs_type: str = ""
    options: dict[str, str] = empty(dict)
    read_only: bool = False
    secret_ref: SecretReference | None = None


class GlusterfsPersistentVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("endpoints", "path")
    endpoints: str = always(str)
    endpoints_namespace: str = ""
    path: str = always(str)
    read_only: bool = False


class ISCSIPersistentVolumeSource(Model):
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
    secret_ref: SecretReference | None = None
    target_portal: str = always(str)


class LocalVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("path",)
    fs_type: str | None = None
    path: str = always(str)


class PersistentVolume(Model):
    kind: str = always(lambda: "PersistentVolume")
    api_version: str = always(lambda: "v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: PersistentVolumeSpec = always(lambda: PersistentVolumeSpec())
    status: PersistentVolumeStatus = always(lambda: PersistentVolumeStatus())


class PersistentVolumeList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "PersistentVolumeList")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[PersistentVolume] = always(list)


class PersistentVolumeSpec(Model):
    access_modes: list[Annotated[str, GoType("v1.PersistentVolumeAccessMode")]] = empty(list)
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFilePersistentVolumeSource | None = None
    capacity: dict[str, Quantity] = empty(dict)
    cephfs: CephFSPersistentVolumeSource | None = None
    cinder: CinderPersistentVolumeSource | None = None
    claim_ref: ObjectReference | None = None
    csi: CSIPersistentVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexPersistentVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    glusterfs: GlusterfsPersistentVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    iscsi: ISCSIPersistentVolumeSource | None = None
    local: LocalVolumeSource | None = None
    mount_options: list[str] = empty(list)
    nfs: NFSVolumeSource | None = None
    node_affinity: VolumeNodeAffinity | None = None
    persistent_volume_reclaim_policy: Annotated[str, GoType("v1.PersistentVolumeReclaimPolicy")] = ""
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDPersistentVolumeSource | None = None
    scale_io: ScaleIOPersistentVolumeSource | None = Field(default=None, alias="scaleIO")
    storage_class_name: str = ""
    storageos: StorageOSPersistentVolumeSource | None = None
    volume_attributes_class_name: str | None = None
    volume_mode: Annotated[str, GoType("v1.PersistentVolumeMode")] | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None


class PersistentVolumeStatus(Model):
    last_phase_transition_time: Time | None = None
    message: str = ""
    phase: Annotated[str, GoType("v1.PersistentVolumePhase")] = ""
    reason: str = ""


class RBDPersistentVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("monitors", "image")
    fs_type: str = ""
    image: str = always(str)
    keyring: str = ""
    monitors: list[str] = always(list)
    pool: str = ""
    read_only: bool = False
    secret_ref: SecretReference | None = None
    user: str = ""


class ScaleIOPersistentVolumeSource(Model):
    needs: ClassVar[tuple[str, ...]] = ("gateway", "system", "secretRef")
    fs_type: str = ""
    gateway: str = always(str)
    protection_domain: str = ""
    read_only: bool = False
    secret_ref: SecretReference = always(lambda: SecretReference())
    ssl_enabled: bool = False
    storage_mode: str = ""
    storage_pool: str = ""
    system: str = always(str)
    volume_name: str = ""


class StorageOSPersistentVolumeSource(Model):
    fs_type: str = ""
    read_only: bool = False
    secret_ref: ObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class VolumeNodeAffinity(Model):
    required: NodeSelector | None = None
