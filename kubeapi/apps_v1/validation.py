"""What apps/v1 refuses. Source: k8s.io/kubernetes/pkg/apis/apps/validation."""

from __future__ import annotations

from kubeapi import selectors
from kubeapi.apps_v1.types import Deployment, DeploymentSpec, ReplicaSet, ReplicaSetSpec
from kubeapi.core_v1.validation.pod import validate_template
from kubeapi.errors import Cause, invalid, not_supported, required
from kubeapi.meta_v1.validation import IMMUTABLE, validate_meta, validate_meta_update, validate_selector

NEGATIVE = "must be greater than or equal to 0"


def validate_deployment(deployment: Deployment) -> list[Cause]:
    """A new Deployment."""
    return validate_meta(deployment.metadata, True) + _validate_deployment_spec(deployment.spec)


def validate_deployment_update(new: Deployment, old: Deployment) -> list[Cause]:
    """As a new one; its selector never changes."""
    found = validate_meta_update(new.metadata, old.metadata) + _validate_deployment_spec(new.spec)
    return found + _unchanged_selector(new.spec, old.spec)


def validate_replica_set(replica_set: ReplicaSet) -> list[Cause]:
    """A new ReplicaSet."""
    return validate_meta(replica_set.metadata, True) + _validate_workload(replica_set.spec, "replica set")


def validate_replica_set_update(new: ReplicaSet, old: ReplicaSet) -> list[Cause]:
    """As a new one; its selector never changes."""
    found = validate_meta_update(new.metadata, old.metadata) + _validate_workload(new.spec, "replica set")
    return found + _unchanged_selector(new.spec, old.spec)


def _unchanged_selector(new: DeploymentSpec | ReplicaSetSpec, old: DeploymentSpec | ReplicaSetSpec) -> list[Cause]:
    if new.selector == old.selector:
        return []
    return [invalid("spec.selector", new.selector.to_dict(), IMMUTABLE)]


def _validate_workload(spec: DeploymentSpec | ReplicaSetSpec, kind: str) -> list[Cause]:
    """Replicas, selector and template, which must fit each other."""
    found: list[Cause] = []
    if spec.replicas is not None and spec.replicas < 0:
        found.append(invalid("spec.replicas", spec.replicas, NEGATIVE))
    if spec.min_ready_seconds < 0:
        found.append(invalid("spec.minReadySeconds", spec.min_ready_seconds, NEGATIVE))
    selector = spec.selector
    wrong: list[Cause] = []
    if "selector" not in spec.model_fields_set:
        found.append(required("spec.selector"))
    else:
        wrong = validate_selector(selector, "spec.selector")
        found += wrong
        if not selector.match_labels and not selector.match_expressions:
            found.append(invalid("spec.selector", {}, f"empty selector is invalid for {kind}"))
    chosen = bool(selector.match_labels or selector.match_expressions)
    labels = spec.template.metadata.labels
    if chosen and not wrong and not selectors.matches(selector, labels):
        given = dict(sorted(labels.items())) if "labels" in spec.template.metadata.model_fields_set else None
        found.append(invalid("spec.template.metadata.labels", given, "`selector` does not match template `labels`"))
    found += validate_template(spec.template, "spec.template")
    policy = spec.template.spec.restart_policy
    if policy in ("OnFailure", "Never"):
        found.append(not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))
    return found


def _validate_deployment_spec(spec: DeploymentSpec) -> list[Cause]:
    found = _validate_workload(spec, "deployment")
    strategy = spec.strategy
    if strategy.type == "Recreate" and strategy.rolling_update:
        told = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        found.append(Cause("FieldValueForbidden", told, "spec.strategy.rollingUpdate"))
    elif strategy.type not in ("Recreate", "RollingUpdate"):
        found.append(not_supported("spec.strategy.type", strategy.type, ("Recreate", "RollingUpdate")))
    rolling = strategy.rolling_update
    if strategy.type == "RollingUpdate" and rolling:
        for field, value in (("maxUnavailable", rolling.max_unavailable), ("maxSurge", rolling.max_surge)):
            found += _validate_share(value, f"spec.strategy.rollingUpdate.{field}")
        if rolling.max_unavailable in (0, "0%") and rolling.max_surge in (0, "0%"):
            told = "may not be 0 when `maxSurge` is 0"
            found.append(invalid("spec.strategy.rollingUpdate.maxUnavailable", rolling.max_unavailable, told))
    if spec.revision_history_limit is not None and spec.revision_history_limit < 0:
        found.append(invalid("spec.revisionHistoryLimit", spec.revision_history_limit, NEGATIVE))
    deadline = spec.progress_deadline_seconds
    if deadline is not None and deadline < 0:
        found.append(invalid("spec.progressDeadlineSeconds", deadline, NEGATIVE))
    if deadline is not None and deadline <= spec.min_ready_seconds:
        found.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return found


def _validate_share(value: int | str | None, path: str) -> list[Cause]:
    """A number of pods, or a percentage of them."""
    if isinstance(value, int):
        return [invalid(path, value, NEGATIVE)] if value < 0 else []
    if value is not None and not (value.endswith("%") and value[:-1].isdigit()):
        told = (
            "a valid percent string must be a numeric string followed by an ending '%' "
            "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
        )
        return [invalid(path, value, told)]
    return []
