"""Files that volumes make of objects: keys of ConfigMaps and Secrets, fields of the pod, tokens, projections of all."""

from __future__ import annotations

from typing import Any

from kubeapi.core_v1.types import DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, VolumeProjection
from kubeapi.core_v1.validation.fields import OF_FILES, validate_field, validate_file_path, validate_resource
from kubeapi.errors import Cause, forbidden, invalid, required

FILE_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
TOGETHER, TWICE = "fieldRef and resourceFieldRef can not be specified simultaneously", "conflicting duplicate paths"
LEAST_TOKEN_SECONDS, MOST_TOKEN_SECONDS = 600, 1 << 32


def _validate_mode(mode: int | None, path: str) -> list[Cause]:
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid(path, mode, FILE_MODE)]


def _validate_item(item: KeyToPath, path: str) -> list[Cause]:
    found = [] if item.key else [required(f"{path}.key")]
    if not item.path:
        found.append(required(f"{path}.path"))
    return found + validate_file_path(item.path, f"{path}.path") + _validate_mode(item.mode, f"{path}.mode")


def _validate_items(items: list[KeyToPath], path: str) -> list[Cause]:
    return [cause for i, item in enumerate(items) for cause in _validate_item(item, f"{path}.items[{i}]")]


def validate_keys(source: Any, path: str) -> list[Cause]:
    """A Secret's or ConfigMap's keys as files."""
    field, name = ("secretName", source.secret_name) if hasattr(source, "secret_name") else ("name", source.name)
    found = [] if name else [required(f"{path}.{field}")]
    return found + _validate_mode(source.default_mode, f"{path}.defaultMode") + _validate_items(source.items, path)


def _validate_file(file: DownwardAPIVolumeFile, path: str) -> list[Cause]:
    found = [] if file.path else [required(f"{path}.path")]
    found += validate_file_path(file.path, f"{path}.path")
    if file.field_ref is not None:
        found += validate_field(file.field_ref, OF_FILES, f"{path}.fieldRef")
        if file.resource_field_ref is not None:
            found.append(invalid(path, "resource", TOGETHER))
    elif file.resource_field_ref is not None:
        found += validate_resource(file.resource_field_ref, f"{path}.resourceFieldRef", of_file=True)
    else:
        found.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return found + _validate_mode(file.mode, f"{path}.mode")


def validate_downward(source: Any, path: str) -> list[Cause]:
    found = _validate_mode(source.default_mode, f"{path}.defaultMode")
    return found + [cause for file in source.items for cause in _validate_file(file, path)]


def validate_projected(source: ProjectedVolumeSource, path: str) -> list[Cause]:
    found = _validate_mode(source.default_mode, f"{path}.defaultMode")
    used: set[str] = set()
    for i, projection in enumerate(source.sources):
        at = f"{path}.sources[{i}]"
        found += _validate_projection(projection, at, path)
        for target, shown in _targets(projection):
            if target and target in used:
                found.append(invalid(path, shown, TWICE))
            used.add(target)
        if len([n for n in projection.model_fields_set if getattr(projection, n) is not None]) > 1:
            found.append(forbidden(at, "may not specify more than 1 volume type per source"))
    return found


def _targets(projection: VolumeProjection) -> list[tuple[str, str]]:
    """The files that a projection makes, each with what a conflict shows."""
    found: list[tuple[str, str]] = []
    for source in (projection.secret, projection.config_map):
        if source is not None:
            found += [(item.path, source.name) for item in source.items]
    if projection.downward_api is not None:
        found += [(file.path, file.path) for file in projection.downward_api.items]
    if projection.cluster_trust_bundle is not None:
        found.append((projection.cluster_trust_bundle.path, projection.cluster_trust_bundle.path))
    return found


def _validate_projection(projection: VolumeProjection, path: str, volume: str) -> list[Cause]:
    found: list[Cause] = []
    for field, source in (("secret", projection.secret), ("configMap", projection.config_map)):
        if source is not None:
            found += [] if source.name else [required(f"{path}.{field}.name")]
            found += _validate_items(source.items, f"{path}.{field}")
    if projection.downward_api is not None:
        for file in projection.downward_api.items:
            found += _validate_file(file, f"{path}.downwardAPI")
    if (token := projection.service_account_token) is not None:
        at, seconds = f"{path}.serviceAccountToken.expirationSeconds", token.expiration_seconds or 0
        if seconds < LEAST_TOKEN_SECONDS:
            found.append(invalid(at, seconds, "may not specify a duration less than 10 minutes"))
        if seconds > MOST_TOKEN_SECONDS:
            found.append(invalid(at, seconds, "may not specify a duration larger than 2^32 seconds"))
        at = f"{volume}.path"
        found += validate_file_path(token.path, at) if token.path else [required(at)]
    if (bundle := projection.cluster_trust_bundle) is not None:
        at = f"{path}.clusterTrustBundle"
        if bundle.name is None and bundle.signer_name is None:
            found.append(required(at, "either name or signerName must be specified"))
        if bundle.name == "":
            found.append(required(f"{at}.name", "must be a valid object name"))
        if not bundle.path:
            found.append(required(f"{at}.path"))
        found += validate_file_path(bundle.path, f"{at}.path")
    return found
