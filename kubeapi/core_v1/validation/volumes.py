"""Volumes: their sources, those that only pods have and those that PersistentVolumes have as well.

A source's rules stand in a table: the fields it needs, and a check for what a table can't say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from kubeapi import quantity
from kubeapi.core_v1.types import (
    HostPathVolumeSource,
    PersistentVolumeClaimTemplate,
    Volume,
)
from kubeapi.core_v1.validation.claims import validate_claim_spec
from kubeapi.core_v1.validation.fields import (
    validate_local_path,
    validate_no_backsteps,
)
from kubeapi.core_v1.validation.projected import validate_downward, validate_keys, validate_projected
from kubeapi.errors import Cause, duplicate, forbidden, invalid, not_supported, required, too_long
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.meta_v1.validation import (
    causes_of,
    dns_label,
    dns_subdomain,
    validate_annotations,
    validate_choice,
    validate_labels,
)
from kubeapi.model import Model

Check = Callable[[Any, str], list[Cause]]
POD_SOURCES = (
    "empty_dir", "host_path", "git_repo", "gce_persistent_disk", "aws_elastic_block_store", "secret", "nfs", "iscsi",
    "glusterfs", "flocker", "persistent_volume_claim", "rbd", "cinder", "cephfs", "quobyte", "downward_api", "fc",
    "flex_volume", "config_map", "azure_file", "vsphere_volume", "photon_persistent_disk", "portworx_volume",
    "azure_disk", "storageos", "projected", "scale_io", "csi", "ephemeral", "image",
)  # fmt: skip
HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
NEEDED = {
    "git_repo": ("repository",),
    "gce_persistent_disk": ("pd_name",),
    "aws_elastic_block_store": ("volume_id",),
    "nfs": ("server", "path"),
    "glusterfs": ("endpoints", "path"),
    "persistent_volume_claim": ("claim_name",),
    "rbd": ("monitors", "image"),
    "cinder": ("volume_id",),
    "cephfs": ("monitors",),
    "flex_volume": ("driver",),
    "azure_file": ("secret_name", "share_name"),
    "vsphere_volume": ("volume_path",),
    "photon_persistent_disk": ("pd_id",),
    "portworx_volume": ("volume_id",),
    "azure_disk": ("disk_name", "disk_uri"),
    "scale_io": ("gateway", "system", "volume_name"),
}
# Where Kubernetes names a field otherwise than the API does.
SHOWN_AS, FORBIDDEN_AS = {"gce_persistent_disk": "persistentDisk"}, {"cephfs": "cephFS", "downward_api": "downwarAPI"}
ONE_TYPE = "may not specify more than 1 volume type"
INITIATOR = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)"),
    "eui": re.compile(r"eui.[A-Za-z0-9]{16}"),
    "naa": re.compile(r"naa.[A-Za-z0-9]{32}"),
}
PAIRS = "must be a host:port pair or multiple pairs separated by commas"
MANAGED = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
BLOB = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"


def validate_volumes(volumes: list[Volume], pod: ObjectMeta | None, path: str) -> tuple[dict[str, Volume], list[Cause]]:
    """The volumes that containers may mount, by name, and what is wrong with the others."""
    good: dict[str, Volume] = {}
    found: list[Cause] = []
    made = {f"{pod.name}-{v.name}" for v in volumes if v.ephemeral} if pod is not None and pod.name else set()
    for i, volume in enumerate(volumes):
        at = f"{path}[{i}]"
        wrong = validate_source(volume, POD_SOURCES, at)
        if volume.ephemeral is not None and pod is not None and pod.name and volume.name:
            claim = f"{pod.name}-{volume.name}"
            wrong += [
                invalid(f"{at}.name", volume.name, f'PVC name "{claim}": {told}') for told in dns_subdomain(claim)
            ]
        wrong += causes_of(dns_label, volume.name, f"{at}.name") if volume.name else [required(f"{at}.name")]
        if volume.name in good:
            wrong.append(duplicate(f"{at}.name", volume.name))
        if not wrong:
            good[volume.name] = volume
        found += wrong
        if volume.persistent_volume_claim and volume.persistent_volume_claim.claim_name in made:
            told = "must not reference a PVC that gets created for an ephemeral volume"
            name = volume.persistent_volume_claim.claim_name
            found.append(invalid(f"{at}.persistentVolumeClaim.claimName", name, told))
    return good, found


def sources_of(holder: Model, order: Iterable[str]) -> list[str]:
    """The names of the sources that are set, in Kubernetes' order."""
    given = holder.model_fields_set
    return [name for name in order if name in given and getattr(holder, name) is not None]


def validate_source(holder: Model, order: Iterable[str], path: str) -> list[Cause]:
    """Exactly one source, as it should be."""
    found: list[Cause] = []
    sources = sources_of(holder, order)
    for i, name in enumerate(sources):
        source, wire = getattr(holder, name), type(holder).model_fields[name].alias or name
        if i:
            found.append(forbidden(f"{path}.{FORBIDDEN_AS.get(name, wire)}", ONE_TYPE))
            continue
        at, fields = f"{path}.{SHOWN_AS.get(name, wire)}", type(source).model_fields
        for field in NEEDED.get(name, ()):
            if not getattr(source, field):
                found.append(required(f"{at}.{fields[field].alias}"))
        if name in CHECKS:
            found += CHECKS[name](source, at)
    return found or ([] if sources else [required(path, "must specify a volume type")])


def validate_host_path(source: HostPathVolumeSource, path: str) -> list[Cause]:
    """A path of the node."""
    if not source.path:
        return [required(f"{path}.path")]
    found = validate_no_backsteps(source.path, f"{path}.path")
    if source.type is not None and source.type not in HOST_PATH_TYPES:
        found.append(not_supported(f"{path}.type", source.type, HOST_PATH_TYPES))
    return found


def _validate_empty_dir(source: Any, path: str) -> list[Cause]:
    if source.size_limit is None or quantity.parse(source.size_limit) >= 0:
        return []
    return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]


def _validate_partition(source: Any, path: str) -> list[Cause]:
    if 0 <= source.partition <= 255:
        return []
    return [invalid(f"{path}.partition", source.partition, "must be between 1 and 255, inclusive")]


def _validate_nfs(source: Any, path: str) -> list[Cause]:
    absolute = source.path.startswith("/")
    return [] if absolute else [invalid(f"{path}.path", source.path, "must be an absolute path")]


def _validate_initiator(name: str, path: str, otherwise: str) -> list[Cause]:
    shape = next((shape for prefix, shape in INITIATOR.items() if name.startswith(prefix)), None)
    if shape is None:
        return [invalid(path, name, otherwise)]
    return [] if shape.fullmatch(name) else [invalid(path, name, "must be valid format")]


def _validate_iscsi(source: Any, path: str) -> list[Cause]:
    started = "must be valid format starting with iqn, eui, or naa"
    found = [] if source.target_portal else [required(f"{path}.targetPortal")]
    found += _validate_initiator(source.iqn, f"{path}.iqn", started) if source.iqn else [required(f"{path}.iqn")]
    if not 0 <= source.lun <= 255:
        found.append(invalid(f"{path}.lun", source.lun, "must be between 0 and 255, inclusive"))
    if (source.chap_auth_discovery or source.chap_auth_session) and source.secret_ref is None:
        found.append(required(f"{path}.secretRef"))
    if source.initiator_name is not None:
        found += _validate_initiator(source.initiator_name, f"{path}.initiatorname", started)
    return found


def _validate_fc(source: Any, path: str) -> list[Cause]:
    found: list[Cause] = []
    if not source.target_wwns and not source.wwids:
        found.append(required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both"))
    if source.target_wwns and source.wwids:
        told = "targetWWNs and wwids can not be specified simultaneously"
        found.append(invalid(f"{path}.targetWWNs", source.target_wwns, told))
    if source.target_wwns and source.lun is None:
        found.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif source.target_wwns and not 0 <= source.lun <= 255:
        found.append(invalid(f"{path}.lun", source.lun, "must be between 0 and 255, inclusive"))
    return found


def _validate_flocker(source: Any, path: str) -> list[Cause]:
    found: list[Cause] = []
    if not source.dataset_name and not source.dataset_uuid:
        found.append(required(path, "one of datasetName and datasetUUID is required"))
    if source.dataset_name and source.dataset_uuid:
        told = "datasetName and datasetUUID can not be specified simultaneously"
        found.append(invalid(path, "resource", told))
    if "/" in source.dataset_name:
        found.append(invalid(f"{path}.datasetName", source.dataset_name, "must not contain '/'"))
    return found


def _validate_quobyte(source: Any, path: str) -> list[Cause]:
    found: list[Cause] = []
    if not source.registry:
        found.append(required(f"{path}.registry", PAIRS))
    elif len(source.tenant) >= 65:
        told = "must be a UUID and may not exceed a length of 64 characters"
        found.append(required(f"{path}.tenant", told))
    elif any(pair.count(":") != 1 for pair in source.registry.split(",")):
        found.append(invalid(f"{path}.registry", source.registry, PAIRS))
    return found + ([] if source.volume else [required(f"{path}.volume")])


def _validate_flex(source: Any, path: str) -> list[Cause]:
    found: list[Cause] = []
    for key in source.options:
        domain = "." + key.partition("/")[0].lower()
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            told = "kubernetes.io and k8s.io namespaces are reserved"
            found.append(invalid(f"{path}.options[{key}]", key, told))
    return found


def _validate_azure_disk(source: Any, path: str) -> list[Cause]:
    found: list[Cause] = []
    for field, value, choices in (
        ("cachingMode", source.caching_mode, ("None", "ReadOnly", "ReadWrite")),
        ("kind", source.kind, ("Dedicated", "Managed", "Shared")),
    ):
        if value is not None and value not in choices:
            found.append(not_supported(f"{path}.{field}", value, choices))
    prefix, example = ("/subscriptions/", MANAGED) if source.kind == "Managed" else ("https://", BLOB)
    if source.kind is not None and not source.disk_uri.startswith(prefix):
        found.append(not_supported(f"{path}.diskURI", source.disk_uri, (example,)))
    return found


def _validate_secret_ref(ref: Any, path: str) -> list[Cause]:
    """A Secret by name, and by namespace where it is not the pod's own."""
    if ref is None:
        return []
    found = [] if ref.name else [required(f"{path}.name")]
    return found + ([required(f"{path}.namespace")] if getattr(ref, "namespace", "-") == "" else [])


def _validate_storage_os(source: Any, path: str) -> list[Cause]:
    name, namespace = source.volume_name, source.volume_namespace
    found = causes_of(dns_label, name, f"{path}.volumeName") if name else [required(f"{path}.volumeName")]
    if namespace:
        found += causes_of(dns_label, namespace, f"{path}.volumeNamespace")
    return found + _validate_secret_ref(source.secret_ref, f"{path}.secretRef")


def validate_driver(name: str, path: str) -> list[Cause]:
    """The name of a CSI driver."""
    found = [] if name else [required(path)]
    if len(name) > 63:
        found.append(too_long(path, 63))
    return found + [invalid(path, name, told) for told in dns_subdomain(name.lower())]


def _validate_csi(source: Any, path: str) -> list[Cause]:
    found = validate_driver(source.driver, f"{path}.driver")
    ref = source.node_publish_secret_ref
    if ref is not None and not ref.name:
        found.append(required(f"{path}.nodePublishSecretRef.name"))
    elif ref is not None:
        found += causes_of(dns_subdomain, ref.name, f"{path}.name")
    return found


def _validate_ephemeral(source: Any, path: str) -> list[Cause]:
    template: PersistentVolumeClaimTemplate | None = source.volume_claim_template
    at = f"{path}.volumeClaimTemplate"
    if template is None:
        return [required(at)]
    found = validate_annotations(template.metadata.annotations, f"{at}.metadata.annotations")
    found += validate_labels(template.metadata.labels, f"{at}.metadata.labels")
    given = template.metadata.to_dict().keys() - {"annotations", "labels", "creationTimestamp"}
    found += [forbidden(f"{at}.metadata.{field}", "cannot be set") for field in sorted(given)]
    return found + validate_claim_spec(template.spec, f"{at}.spec")


def _validate_image(source: Any, path: str) -> list[Cause]:
    return validate_choice(source.pull_policy, ("Always", "IfNotPresent", "Never"), f"{path}.pullPolicy")


CHECKS: dict[str, Check] = {
    "empty_dir": _validate_empty_dir,
    "host_path": validate_host_path,
    "git_repo": lambda source, path: validate_local_path(source.directory, f"{path}.directory"),
    "gce_persistent_disk": _validate_partition,
    "aws_elastic_block_store": _validate_partition,
    "secret": validate_keys,
    "config_map": validate_keys,
    "nfs": _validate_nfs,
    "iscsi": _validate_iscsi,
    "flocker": _validate_flocker,
    "quobyte": _validate_quobyte,
    "downward_api": validate_downward,
    "fc": _validate_fc,
    "flex_volume": _validate_flex,
    "azure_disk": _validate_azure_disk,
    "cinder": lambda source, path: _validate_secret_ref(source.secret_ref, f"{path}.secretRef"),
    "storageos": _validate_storage_os,
    "projected": validate_projected,
    "csi": _validate_csi,
    "ephemeral": _validate_ephemeral,
    "image": _validate_image,
}
