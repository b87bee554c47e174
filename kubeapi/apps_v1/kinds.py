"""The rows of apps/v1: one per kind, naming its strategy."""

from __future__ import annotations

from kubeapi.apps_v1 import columns, defaults, validation
from kubeapi.apps_v1 import types as t
from kubeapi.core_v1 import inert, strategy, warnings
from kubeapi.registry import Kind


def _without_status(obj: t.Deployment | t.ReplicaSet) -> None:
    obj.status = type(obj.status)()


def _warn(new: t.Deployment | t.ReplicaSet, old: t.Deployment | t.ReplicaSet | None) -> list[str]:
    """Of a new workload and its template, and of a template that changes."""
    if old is not None and new.spec == old.spec:
        return []
    template = new.spec.template
    found = warnings.warn_of_pod_spec(template.spec, template.metadata, "spec.template.")
    return warnings.warn_of_workload_name(new.metadata.name) + found if old is None else found


INERT = tuple(field.under("spec") for field in inert.TEMPLATE)

KINDS = (
    Kind(
        "apps", "v1", "Deployment", "deployments", t.Deployment,
        inert=INERT,
        warn=_warn,
        columns=columns.DEPLOYMENT,
        validate=validation.validate_deployment,
        validate_update=validation.validate_deployment_update,
        validate_status=validation.validate_deployment_status,
        prepare_create=_without_status,
        prepare_update=strategy.keep_status,
        prepare_status=strategy.keep_all_but_status_and_labels,
        default=defaults.default_deployment,
        short_names=("deploy",),
        categories=("all",),
        has_status=True,
        has_scale=True,
        spec_fields=("spec", "metadata.annotations"),
    ),
    Kind(
        "apps", "v1", "ReplicaSet", "replicasets", t.ReplicaSet,
        inert=INERT,
        warn=_warn,
        columns=columns.REPLICA_SET,
        validate=validation.validate_replica_set,
        validate_update=validation.validate_replica_set_update,
        validate_status=validation.validate_replica_set_status,
        prepare_create=_without_status,
        prepare_update=strategy.keep_status,
        prepare_status=strategy.keep_all_but_status,
        default=defaults.default_replica_set,
        short_names=("rs",),
        categories=("all",),
        has_status=True,
        has_scale=True,
        spec_fields=("spec",),
    ),
)  # fmt: skip
