"""Environment variables of containers."""

from __future__ import annotations

from kubeapi.core_v1.types import EnvFromSource, EnvVar, EnvVarSource
from kubeapi.core_v1.validation.fields import (
    OF_ENVIRONMENT,
    validate_field,
    validate_key,
    validate_local_path,
    validate_resource,
)
from kubeapi.errors import Cause, invalid, required
from kubeapi.meta_v1.validation import causes_of, dns_label, dns_subdomain

NOT_A_NAME = "a valid environment variable name must consist only of printable ASCII characters other than '='"
SOURCES = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
TOO_MANY = "may not have more than one field specified at a time"


def variable_name(value: str) -> list[str]:
    """The name of a variable: printable, without an equals sign."""
    return [] if all(" " <= char <= "~" and char != "=" for char in value) else [NOT_A_NAME]


def validate_environment(variables: list[EnvVar], path: str) -> list[Cause]:
    """Each has a name and either a value or one source."""
    found: list[Cause] = []
    for i, variable in enumerate(variables):
        at = f"{path}[{i}]"
        found += causes_of(variable_name, variable.name, f"{at}.name") if variable.name else [required(f"{at}.name")]
        if variable.value_from is not None:
            found += _validate_source(variable.value_from, variable.value, f"{at}.valueFrom")
    return found


def _validate_source(source: EnvVarSource, value: str, path: str) -> list[Cause]:
    found: list[Cause] = []
    if source.field_ref is not None:
        found += validate_field(source.field_ref, OF_ENVIRONMENT, f"{path}.fieldRef")
    if source.resource_field_ref is not None:
        found += validate_resource(source.resource_field_ref, f"{path}.resourceFieldRef", of_file=False)
    for field, ref in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
        if ref is not None:
            found += validate_key(ref.name, ref.key, f"{path}.{field}")
    if (file := source.file_key_ref) is not None:
        at = f"{path}.fileKeyRef"
        found += causes_of(variable_name, file.key, f"{at}.key") if file.key else [required(f"{at}.key")]
        found += (
            causes_of(dns_label, file.volume_name, f"{at}.volumeName")
            if file.volume_name
            else [required(f"{at}.volumeName")]
        )
        found += validate_local_path(file.path, f"{at}.path") if file.path else [required(f"{at}.path")]
    given = [
        source.field_ref, source.resource_field_ref, source.config_map_key_ref, source.secret_key_ref,
        source.file_key_ref,
    ]  # fmt: skip
    count = len([ref for ref in given if ref is not None])
    if count == 0:
        found.append(invalid(path, "", SOURCES))
    elif value:
        found.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        found.append(invalid(path, "", TOO_MANY))
    return found


def validate_environment_from(sources: list[EnvFromSource], path: str) -> list[Cause]:
    """Each is one ConfigMap or Secret; how many is told at the list, as Kubernetes does."""
    found: list[Cause] = []
    for i, source in enumerate(sources):
        at = f"{path}[{i}]"
        if source.prefix:
            found += causes_of(variable_name, source.prefix, f"{at}.prefix")
        refs = [("configMapRef", source.config_map_ref), ("secretRef", source.secret_ref)]
        for field, ref in refs:
            if ref is not None:
                where = f"{at}.{field}.name"
                found += causes_of(dns_subdomain, ref.name, where) if ref.name else [required(where)]
        count = len([ref for _, ref in refs if ref is not None])
        if count == 0:
            found.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif count > 1:
            found.append(invalid(path, "", TOO_MANY))
    return found
