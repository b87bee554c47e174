"""Namespaces, Nodes and ServiceAccounts."""

from __future__ import annotations

import re

from kubeapi.core_v1.types import Namespace, Node, ServiceAccount
from kubeapi.core_v1.validation.network import one_of_each_family, validate_range
from kubeapi.core_v1.validation.resources import validate_amount
from kubeapi.core_v1.validation.scheduling import validate_taints
from kubeapi.errors import Cause, duplicate, forbidden, invalid
from kubeapi.meta_v1.validation import (
    causes_of,
    dns_label,
    qualified_name,
    validate_meta,
    validate_meta_update,
    validate_own_finalizer,
)

POD_SECURITY = "pod-security.kubernetes.io/"
LEVELS, MODES = ("privileged", "baseline", "restricted"), ("enforce", "audit", "warn")
VERSION = re.compile(r"latest|v1\.(0|[1-9][0-9]*)")
FIXED = 'node updates may not change {} except from "" to valid'


def validate_namespace(obj: Namespace) -> list[Cause]:
    """A namespace's name is part of DNS names; its finalizers are known by whole names."""
    found = validate_meta(obj.metadata, False, dns_label) + _validate_finalizers(obj)
    return found or _validate_pod_security(obj.metadata.labels)  # an admission plugin's: it sees valid objects only


def _validate_finalizers(obj: Namespace) -> list[Cause]:
    at, found = "spec.finalizers", []
    for finalizer in obj.spec.finalizers:
        found += causes_of(qualified_name, finalizer, at) + validate_own_finalizer(finalizer, at)
    return found


def _validate_pod_security(labels: dict[str, str]) -> list[Cause]:
    """PodSecurity's labels say a level it knows (KEP-2579)."""
    found: list[Cause] = []
    for mode in MODES:
        level, version = f"{POD_SECURITY}{mode}", f"{POD_SECURITY}{mode}-version"
        if labels.get(level, "") not in ("", *LEVELS):
            told = f"must be one of {', '.join(LEVELS)}"
            found.append(invalid(f"metadata.labels[{level}]", labels[level], told))
        if version in labels and not VERSION.fullmatch(labels[version]):
            found.append(invalid(f"metadata.labels[{version}]", labels[version], 'must be "latest" or "v1.x"'))
    return found


def validate_namespace_update(new: Namespace, old: Namespace) -> list[Cause]:
    """The rules of metadata, and PodSecurity's labels where they change."""
    found = validate_meta_update(new.metadata, old.metadata)
    changed = new.metadata.labels != old.metadata.labels
    return found or (_validate_pod_security(new.metadata.labels) if changed else [])


def validate_namespace_status(new: Namespace, old: Namespace) -> list[Cause]:
    """A namespace is Active until it is deleted, and Terminating from then on."""
    found = validate_meta_update(new.metadata, old.metadata)
    deleted, phase = new.metadata.deletion_timestamp is not None, new.status.phase
    if phase != ("Terminating" if deleted else "Active"):
        told = "may only be 'Terminating' if `deletionTimestamp` is not empty"
        told = told if deleted else "may only be 'Active' if `deletionTimestamp` is empty"
        found.append(invalid("status.Phase", phase, told))
    return found


def validate_service_account(obj: ServiceAccount) -> list[Cause]:
    """The rules of metadata."""
    return validate_meta(obj.metadata, True)


def validate_service_account_update(new: ServiceAccount, old: ServiceAccount) -> list[Cause]:
    """As when it is made."""
    return validate_meta_update(new.metadata, old.metadata) + validate_service_account(new)


def validate_node(node: Node) -> list[Cause]:
    """Taints, amounts and ranges of addresses."""
    found = validate_meta(node.metadata, False)
    found += validate_taints(node.spec.taints, "metadata.taints") + _validate_amounts(node)
    ranges, at = node.spec.pod_cidrs, "spec.podCIDRs"
    for i, value in enumerate(ranges):
        found += validate_range(value, f"{at}[{i}]")
    if len(ranges) > 2 or not one_of_each_family([value.partition("/")[0] for value in ranges]):
        found.append(invalid(at, ranges, "may specify no more than one CIDR for each IP family"))
    return found + [duplicate(f"{at}[{i}]", value) for i, value in enumerate(ranges) if value in ranges[:i]]


def _validate_amounts(node: Node) -> list[Cause]:
    found: list[Cause] = []
    for field, amounts in (("capacity", node.status.capacity), ("allocatable", node.status.allocatable)):
        for name, value in amounts.items():
            found += validate_amount(name, value, f"status.{field}.{name}")
    return found


def validate_node_update(new: Node, old: Node) -> list[Cause]:
    """What a node was given once stays: its range of pod addresses, its provider's name of it."""
    found = validate_node(new) + validate_meta_update(new.metadata, old.metadata) + _validate_amounts(new)
    addresses = [(a.type, a.address) for a in new.status.addresses]
    for i, (kind, address) in enumerate(addresses):
        if (kind, address) in addresses[:i]:
            found.append(duplicate(f"status.addresses[{i}]", {"Type": kind, "Address": address}))
    if old.spec.pod_cidrs and new.spec.pod_cidrs != old.spec.pod_cidrs:
        found.append(forbidden("spec.podCIDRs", FIXED.format("podCIDR")))
    if old.spec.provider_id and new.spec.provider_id != old.spec.provider_id:
        found.append(forbidden("spec.providerID", FIXED.format("providerID")))
    found += validate_taints(new.spec.taints, "metadata.taints")
    if new.spec.external_id != old.spec.external_id:
        found.append(forbidden("spec.externalID", "may not be updated"))
    return found
