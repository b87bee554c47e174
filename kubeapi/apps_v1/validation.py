"""What apps/v1 refuses. Source: k8s.io/kubernetes/pkg/apis/apps/validation."""

from __future__ import annotations

import re

from kubeapi import selectors
from kubeapi.apps_v1.types import Deployment, DeploymentSpec, DeploymentStrategy, ReplicaSet, ReplicaSetSpec
from kubeapi.core_v1.validation.pod import validate_template
from kubeapi.errors import Cause, forbidden, invalid, not_supported, required
from kubeapi.meta_v1.validation import IMMUTABLE, validate_meta, validate_meta_update, validate_selector

NEGATIVE = "must be greater than or equal to 0"
SHARE = re.compile(r"[0-9]+%")


def validate_deployment(deployment: Deployment) -> list[Cause]:
    """A new Deployment."""
    return validate_meta(deployment.metadata, True) + _validate_deployment_spec(deployment.spec)


def validate_deployment_update(new: Deployment, old: Deployment) -> list[Cause]:
    """As a new one; its selector never changes."""
    found = validate_meta_update(new.metadata, old.metadata) + _validate_deployment_spec(new.spec)
    return found + _unchanged_selector(new.spec, old.spec)


def validate_deployment_status(new: Deployment, old: Deployment) -> list[Cause]:
    """No count is negative, none is greater than that of all replicas."""
    status = new.status
    counts = {
        "replicas": status.replicas,
        "updatedReplicas": status.updated_replicas,
        "readyReplicas": status.ready_replicas,
        "availableReplicas": status.available_replicas,
        "unavailableReplicas": status.unavailable_replicas,
    }
    found = validate_meta_update(new.metadata, old.metadata)
    found += _validate_counts(counts, status.observed_generation, {"unavailableReplicas"})
    count, before = status.collision_count, old.status.collision_count
    if count is not None and count < 0:
        found.append(invalid("status.collisionCount", count, NEGATIVE))
    if before is not None and (count is None or count < before):
        found.append(invalid("status.collisionCount", count, "cannot be decremented"))
    return found


def validate_replica_set(replica_set: ReplicaSet) -> list[Cause]:
    """A new ReplicaSet."""
    return validate_meta(replica_set.metadata, True) + _validate_replica_set_spec(replica_set.spec)


def validate_replica_set_update(new: ReplicaSet, old: ReplicaSet) -> list[Cause]:
    """As a new one; its selector never changes."""
    found = validate_meta_update(new.metadata, old.metadata) + _validate_replica_set_spec(new.spec)
    return found + _unchanged_selector(new.spec, old.spec)


def validate_replica_set_status(new: ReplicaSet, old: ReplicaSet) -> list[Cause]:
    """No count is negative, none is greater than that of all replicas."""
    status = new.status
    counts = {
        "replicas": status.replicas,
        "fullyLabeledReplicas": status.fully_labeled_replicas,
        "readyReplicas": status.ready_replicas,
        "availableReplicas": status.available_replicas,
    }
    found = validate_meta_update(new.metadata, old.metadata)
    return found + _validate_counts(counts, status.observed_generation, set())


def _validate_counts(counts: dict[str, int], generation: int, unbounded: set[str]) -> list[Cause]:
    every = {**counts, "observedGeneration": generation}
    found = [invalid(f"status.{field}", value, NEGATIVE) for field, value in every.items() if value < 0]
    for field, value in counts.items():
        if field not in unbounded and value > counts["replicas"]:
            found.append(invalid(f"status.{field}", value, "cannot be greater than status.replicas"))
    available = counts["availableReplicas"]
    if available > counts["readyReplicas"]:
        found.append(invalid("status.availableReplicas", available, "cannot be greater than readyReplicas"))
    return found


def _unchanged_selector(new: DeploymentSpec | ReplicaSetSpec, old: DeploymentSpec | ReplicaSetSpec) -> list[Cause]:
    if new.selector == old.selector:
        return []
    return [invalid("spec.selector", new.selector.to_dict(), IMMUTABLE)]


def _validate_replica_set_spec(spec: ReplicaSetSpec) -> list[Cause]:
    return (
        validate_not_negative(spec.replicas, "spec.replicas")
        + validate_not_negative(spec.min_ready_seconds, "spec.minReadySeconds")
        + _validate_selector_and_template(spec, "ReplicaSet")
    )


def _validate_selector_and_template(spec: DeploymentSpec | ReplicaSetSpec, kind: str) -> list[Cause]:
    """A selector that selects something, and a template that it selects."""
    found: list[Cause] = []
    selector, template = spec.selector, spec.template
    given = "selector" in spec.model_fields_set
    chosen = bool(selector.match_labels or selector.match_expressions)
    if not given:
        found.append(required("spec.selector"))
    else:
        wrong = validate_selector(selector, "spec.selector")
        found += wrong
        if not chosen:
            found.append(invalid("spec.selector", {}, "empty selector is invalid for deployment"))
        if wrong:
            return [*found, invalid("spec.selector", selector.to_dict(), "invalid label selector")]
    labels = template.metadata.labels
    if not given or (chosen and not selectors.matches(selector, labels)):  # no selector at all matches nothing
        shown = dict(sorted(labels.items())) if "labels" in template.metadata.model_fields_set else None
        found.append(invalid("spec.template.metadata.labels", shown, "`selector` does not match template `labels`"))
    found += validate_template(template, "spec.template")
    policy = template.spec.restart_policy
    if policy != "Always":
        found.append(not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))
    if template.spec.active_deadline_seconds is not None:
        told = f"activeDeadlineSeconds in {kind} is not Supported"
        found.append(forbidden("spec.template.spec.activeDeadlineSeconds", told))
    return found


def _validate_deployment_spec(spec: DeploymentSpec) -> list[Cause]:
    found = validate_not_negative(spec.replicas, "spec.replicas")
    found += _validate_selector_and_template(spec, "ReplicaSet")
    found += _validate_strategy(spec.strategy, "spec.strategy")
    found += validate_not_negative(spec.min_ready_seconds, "spec.minReadySeconds")
    found += validate_not_negative(spec.revision_history_limit, "spec.revisionHistoryLimit")
    deadline = spec.progress_deadline_seconds
    found += validate_not_negative(deadline, "spec.progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.min_ready_seconds:
        found.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return found


def validate_not_negative(value: int | None, path: str) -> list[Cause]:
    """Zero or more."""
    return [invalid(path, value, NEGATIVE)] if value is not None and value < 0 else []


def _validate_strategy(strategy: DeploymentStrategy, path: str) -> list[Cause]:
    rolling = strategy.rolling_update
    if strategy.type == "Recreate":
        told = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden(f"{path}.rollingUpdate", told)] if rolling is not None else []
    if strategy.type != "RollingUpdate":
        share = {"MaxUnavailable": rolling.max_unavailable, "MaxSurge": rolling.max_surge} if rolling else None
        shown = {"Type": strategy.type, "RollingUpdate": share}
        return [not_supported(path, shown, ("Recreate", "RollingUpdate"))]
    if rolling is None:
        return [required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
    at = f"{path}.rollingUpdate.maxUnavailable"
    found = _validate_share(rolling.max_unavailable, at)
    found += _validate_share(rolling.max_surge, f"{path}.rollingUpdate.maxSurge")
    if _amount(rolling.max_unavailable) == 0 and _amount(rolling.max_surge) == 0:
        found.append(invalid(at, rolling.max_unavailable, "may not be 0 when `maxSurge` is 0"))
    if isinstance(rolling.max_unavailable, str) and _amount(rolling.max_unavailable) > 100:
        found.append(invalid(at, rolling.max_unavailable, "must not be greater than 100%"))
    return found


def _amount(value: int | str | None) -> int:
    """The number of a number of pods or of a percentage; none is zero."""
    if isinstance(value, str):
        return int(value[:-1]) if SHARE.fullmatch(value) else 0
    return value or 0


def _validate_share(value: int | str | None, path: str) -> list[Cause]:
    """A number of pods, or a percentage of them."""
    if isinstance(value, int):
        return [invalid(path, value, NEGATIVE)] if value < 0 else []
    if value is not None and not SHARE.fullmatch(value):
        told = (
            "a valid percent string must be a numeric string followed by an ending '%' "
            "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
        )
        return [invalid(path, value, told)]
    return []
