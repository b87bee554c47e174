"""References to fields, resources and keys: what environment variables and downward API files share."""

from __future__ import annotations

from collections.abc import Collection

from kubeapi.core_v1.types import ObjectFieldSelector, ResourceFieldSelector
from kubeapi.errors import Cause, invalid, not_supported, required
from kubeapi.meta_v1.validation import causes_of, config_key, dns_subdomain, qualified_name

LABELLED = ("metadata.annotations", "metadata.labels")
KNOWN = {
    *LABELLED, "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.restartPolicy",
    "spec.serviceAccountName", "spec.schedulerName", "status.phase", "status.hostIP", "status.hostIPs", "status.podIP",
    "status.podIPs",
}  # fmt: skip
OF_ENVIRONMENT = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
OF_FILES = ("metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid")
RESOURCES = tuple(f"{k}.{n}" for k in ("limits", "requests") for n in ("cpu", "memory", "ephemeral-storage"))
BYTES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
DIVISORS = {  # of a resource: the values allowed, as they are listed, and what it is called
    "cpu": (("1m", "1"), "1m and 1", "cpu"),
    "memory": (BYTES, ", ".join(BYTES), "memory"),
    "ephemeral-storage": (BYTES, ", ".join(BYTES), "local ephemeral storage"),
    "hugepages": (BYTES, ", ".join(BYTES), "hugepages"),
}


def split_subscript(path: str) -> tuple[str, str | None]:
    """`metadata.labels['app']` as (`metadata.labels`, `app`); None where there is no subscript."""
    name, found, rest = path.partition("['")
    return (name, rest[:-2]) if found and name and rest.endswith("']") else (path, None)


def validate_field(ref: ObjectFieldSelector, allowed: Collection[str], path: str) -> list[Cause]:
    """A reference to a field of the pod."""
    if not ref.api_version:
        return [required(f"{path}.apiVersion")]
    if not ref.field_path:
        return [required(f"{path}.fieldPath")]
    name, key = split_subscript(ref.field_path)
    broken = ""
    if ref.api_version != "v1":
        broken = f"unsupported pod version: {ref.api_version}"
    elif key is not None and name not in LABELLED:
        broken = f"field label does not support subscript: {ref.field_path}"
    elif key is None and name not in KNOWN and name != "spec.host":
        broken = f"field label not supported: {name}"
    if broken:
        return [invalid(f"{path}.fieldPath", ref.field_path, f"error converting fieldPath: {broken}")]
    if key is not None:
        key = key.lower() if name == "metadata.annotations" else key
        return causes_of(qualified_name, key, path)
    name = "spec.nodeName" if name == "spec.host" else name
    return [] if name in allowed else [not_supported(f"{path}.fieldPath", name, tuple(allowed))]


def validate_resource(ref: ResourceFieldSelector, path: str, of_file: bool) -> list[Cause]:
    """A reference to a limit or request of a container; of a file the container is named."""
    found: list[Cause] = []
    kind = ref.resource.partition(".")[2].partition("-")[0] if "hugepages-" in ref.resource else ""
    if of_file and not ref.container_name:
        found.append(required(f"{path}.containerName"))
    elif not ref.resource:
        found.append(required(f"{path}.resource"))
    elif ref.resource not in RESOURCES and kind != "hugepages":
        found.append(not_supported(f"{path}.resource", ref.resource, RESOURCES))
    rule = DIVISORS.get(kind or ref.resource.partition(".")[2])
    if ref.divisor not in (None, "0") and rule is not None and ref.divisor not in rule[0]:
        told = f"only divisor's values {rule[1]} are supported with the {rule[2]} resource"
        found.append(invalid(f"{path}.divisor", ref.resource, told))
    return found


def validate_key(name: str, key: str, path: str) -> list[Cause]:
    """A key of a ConfigMap or Secret."""
    found = causes_of(dns_subdomain, name, f"{path}.name")
    return found + (causes_of(config_key, key, f"{path}.key") if key else [required(f"{path}.key")])


def validate_local_path(value: str, path: str) -> list[Cause]:
    """A relative path that does not leave its directory."""
    found = [invalid(path, value, "must be a relative path")] if value.startswith("/") else []
    return found + validate_no_backsteps(value, path)


def validate_file_path(value: str, path: str) -> list[Cause]:
    """A relative path whose first part is not kept for the writer of the volume."""
    found = validate_local_path(value, path)
    if value.startswith("..") and not value.startswith("../") and value != "..":
        found.append(invalid(path, value, "must not start with '..'"))
    return found


def validate_no_backsteps(value: str, path: str) -> list[Cause]:
    """A path without `..`."""
    return [invalid(path, value, "must not contain '..'")] if ".." in value.split("/") else []
