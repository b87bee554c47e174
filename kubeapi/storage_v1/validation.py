"""What storage/v1 refuses. Source: k8s.io/kubernetes/pkg/apis/storage/validation."""

from __future__ import annotations

from kubeapi.core_v1.validation.scheduling import validate_topologies
from kubeapi.errors import Cause, invalid, required, too_long, too_many
from kubeapi.meta_v1.validation import (
    IMMUTABLE,
    causes_of,
    qualified_name,
    validate_choice,
    validate_meta,
    validate_meta_update,
)
from kubeapi.storage_v1.types import StorageClass

BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
MOST_PARAMETERS, MOST_BYTES = 512, 256 * 1024


def validate_storage_class(obj: StorageClass) -> list[Cause]:
    """A class names its provisioner."""
    return validate_meta(obj.metadata, False) + _validate_rest(obj)


def _validate_rest(obj: StorageClass) -> list[Cause]:
    found: list[Cause] = []
    if not obj.provisioner:
        found.append(required("provisioner"))
    else:
        found += causes_of(lambda name: qualified_name(name.lower()), obj.provisioner, "provisioner")
    found += _validate_parameters(obj.parameters)
    found += validate_choice(obj.reclaim_policy or "", ("Delete", "Retain"), "reclaimPolicy")
    found += validate_choice(obj.volume_binding_mode or "", BINDING_MODES, "volumeBindingMode")
    return found + validate_topologies(obj.allowed_topologies, "allowedTopologies")


def _validate_parameters(parameters: dict[str, str]) -> list[Cause]:
    """Not too many, not too large, none without a name."""
    if len(parameters) > MOST_PARAMETERS:
        return [too_many("parameters", len(parameters), MOST_PARAMETERS)]
    found = [invalid("parameters", key, "field can not be empty.") for key in parameters if not key]
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > MOST_BYTES:
        found.append(too_long("parameters", MOST_BYTES))
    return found


def validate_storage_class_update(new: StorageClass, old: StorageClass) -> list[Cause]:
    """What volumes were made from stays as it was."""
    found = validate_storage_class(new) + validate_meta_update(new.metadata, old.metadata)
    for field, before, after in (
        ("parameters", old.parameters, new.parameters),
        ("provisioner", old.provisioner, new.provisioner),
        ("reclaimPolicy", old.reclaim_policy, new.reclaim_policy),
        ("volumeBindingMode", old.volume_binding_mode, new.volume_binding_mode),
    ):
        if before != after:
            shown = dict(sorted(after.items())) if isinstance(after, dict) else after
            found.append(invalid(field, shown, IMMUTABLE))
    return found + validate_topologies(new.allowed_topologies, "allowedTopologies")
