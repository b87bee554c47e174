"""ConfigMaps and Secrets, and the kinds whose only rules are those of metadata."""

from __future__ import annotations

from typing import Any

from kubeapi.core_v1.types import ConfigMap, Secret
from kubeapi.errors import Cause, forbidden, invalid, required
from kubeapi.meta_v1.validation import causes_of, config_key, dns_label, validate_meta, validate_meta_update

MOST_BYTES = 1024 * 1024
KEYS_OF_TYPE = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
FROZEN = "field is immutable when `immutable` is set"


def validate_namespaced(obj: Any) -> list[Cause]:
    """A namespaced kind that has rules for its metadata only (ServiceAccount, Event, Lease)."""
    return validate_meta(obj.metadata, True)


def validate_cluster(obj: Any) -> list[Cause]:
    """A kind outside of namespaces that has rules for its metadata only (Node)."""
    return validate_meta(obj.metadata, False)


def validate_namespace(obj: Any) -> list[Cause]:
    """A namespace's name is part of DNS names."""
    return validate_meta(obj.metadata, False, dns_label)


def validate_meta_only_update(new: Any, old: Any) -> list[Cause]:
    """The rules of metadata."""
    return validate_meta_update(new.metadata, old.metadata)


def validate_config_map(obj: ConfigMap) -> list[Cause]:
    """Keys are file names, none stands in both maps, and all fits in 1 MiB."""
    return validate_meta(obj.metadata, True) + _validate_data(obj)


def _validate_data(obj: ConfigMap) -> list[Cause]:
    found: list[Cause] = []
    for key in obj.data:
        found += causes_of(config_key, key, f"data[{key}]")
        if key in obj.binary_data:
            found.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    for key in obj.binary_data:
        found += causes_of(config_key, key, f"binaryData[{key}]")
    size = sum(len(v.encode()) for v in obj.data.values()) + sum(len(v) for v in obj.binary_data.values())
    if size > MOST_BYTES:
        found.append(Cause("FieldValueTooLong", f"Too long: may not be more than {MOST_BYTES} bytes", ""))
    return found


def validate_config_map_update(new: ConfigMap, old: ConfigMap) -> list[Cause]:
    """What is immutable stays so, with its data."""
    found = validate_meta_update(new.metadata, old.metadata)
    if old.immutable:
        if not new.immutable:
            found.append(forbidden("immutable", FROZEN))
        if new.data != old.data:
            found.append(forbidden("data", FROZEN))
        if new.binary_data != old.binary_data:
            found.append(forbidden("binaryData", FROZEN))
    return found + _validate_data(new)


def validate_secret(obj: Secret) -> list[Cause]:
    """Keys are file names, and those that the type needs are there."""
    return validate_meta(obj.metadata, True) + _validate_secret(obj)


def _validate_secret(obj: Secret) -> list[Cause]:
    found: list[Cause] = []
    for key in obj.data:
        found += causes_of(config_key, key, f"data[{key}]")
    if sum(len(v) for v in obj.data.values()) > MOST_BYTES:
        found.append(Cause("FieldValueTooLong", f"Too long: may not be more than {MOST_BYTES} bytes", "data"))
    found += [required(f"data[{key}]") for key in KEYS_OF_TYPE.get(obj.type, ()) if key not in obj.data]
    if obj.type == "kubernetes.io/basic-auth" and not obj.data.keys() & {"username", "password"}:
        found += [required("data[username]"), required("data[password]")]
    return found


def validate_secret_update(new: Secret, old: Secret) -> list[Cause]:
    """The type never changes; what is immutable stays so, with its data."""
    found = validate_meta_update(new.metadata, old.metadata)
    if new.type != old.type:
        found.append(invalid("type", new.type, "field is immutable"))
    if old.immutable:
        if not new.immutable:
            found.append(forbidden("immutable", FROZEN))
        if new.data != old.data:
            found.append(forbidden("data", FROZEN))
    return found + _validate_secret(new)
