"""ConfigMaps and Secrets. Source: k8s.io/kubernetes/pkg/apis/core/validation."""

from __future__ import annotations

import json

from kubeapi.core_v1.types import ConfigMap, Secret
from kubeapi.errors import Cause, forbidden, invalid, required, too_long
from kubeapi.meta_v1.validation import IMMUTABLE, causes_of, config_key, validate_meta, validate_meta_update

MOST_BYTES = 1024 * 1024
FROZEN = "field is immutable when `immutable` is set"
ACCOUNT = "kubernetes.io/service-account.name"
DOCKER_CONFIG = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}


def validate_config_map(obj: ConfigMap) -> list[Cause]:
    """Keys are file names, none stands in both maps, and all fits in 1 MiB."""
    found = validate_meta(obj.metadata, True)
    for key in obj.data:
        found += causes_of(config_key, key, f"data[{key}]")
        if key in obj.binary_data:
            found.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    for key in obj.binary_data:
        found += causes_of(config_key, key, f"binaryData[{key}]")
    size = sum(len(v.encode()) for v in obj.data.values()) + sum(len(v) for v in obj.binary_data.values())
    if size > MOST_BYTES:
        found.append(too_long("", MOST_BYTES))
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
    return found + validate_config_map(new)


def validate_secret(obj: Secret) -> list[Cause]:
    """Keys are file names, and those that the type needs are there."""
    found = validate_meta(obj.metadata, True)
    for key in obj.data:
        found += causes_of(config_key, key, f"data[{key}]")
    if sum(len(v) for v in obj.data.values()) > MOST_BYTES:
        found.append(too_long("data", MOST_BYTES))
    return found + _validate_type(obj)


def _validate_type(obj: Secret) -> list[Cause]:
    match obj.type:
        case "kubernetes.io/service-account-token":
            at = f"metadata.annotations[{ACCOUNT}]"
            return [] if obj.metadata.annotations.get(ACCOUNT) else [required(at)]
        case "kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson":
            return _validate_docker_config(obj.data, DOCKER_CONFIG[obj.type])
        case "kubernetes.io/basic-auth" if not obj.data.keys() & {"username", "password"}:
            return [required("data[username]"), required("data[password]")]
        case "kubernetes.io/ssh-auth" if not obj.data.get("ssh-privatekey"):
            return [required("data[ssh-privatekey]")]
        case "kubernetes.io/tls":
            return [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in obj.data]
    return []


def _validate_docker_config(data: dict[str, bytes], key: str) -> list[Cause]:
    """A JSON object; what is wrong with it is told in the words of Go's parser as far as they are known."""
    at, hidden = f"data[{key}]", "<secret contents redacted>"
    if key not in data:
        return [required(at)]
    try:
        value = json.loads(data[key])
    except (ValueError, RecursionError):
        text = data[key].decode(errors="replace").lstrip()
        told = (
            f"invalid character '{text[0]}' looking for beginning of value" if text else "unexpected end of JSON input"
        )
        return [invalid(at, hidden, told)]
    if isinstance(value, dict) or value is None:
        return []
    kind = "array" if isinstance(value, list) else "string" if isinstance(value, str) else "number"
    kind = "bool" if isinstance(value, bool) else kind
    return [invalid(at, hidden, f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")]


def validate_secret_update(new: Secret, old: Secret) -> list[Cause]:
    """The type never changes; what is immutable stays so, with its data."""
    found = validate_meta_update(new.metadata, old.metadata)
    if new.type != old.type:
        found.append(invalid("type", new.type, IMMUTABLE))
    if old.immutable:
        if not new.immutable:
            found.append(forbidden("immutable", FROZEN))
        if new.data != old.data:
            found.append(forbidden("data", FROZEN))
    return found + validate_secret(new)
