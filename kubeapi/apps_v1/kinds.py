"""The rows of apps/v1: one per kind, naming its strategy."""

from __future__ import annotations

from kubeapi.apps_v1 import columns, defaults, validation
from kubeapi.apps_v1 import types as t
from kubeapi.core_v1 import strategy
from kubeapi.core_v1.kinds import POD_INERT
from kubeapi.registry import Kind


def _without_status(obj: t.Deployment | t.ReplicaSet) -> None:
    obj.status = type(obj.status)()


TEMPLATE_INERT = tuple(f"spec.template.spec.{path}" for path in POD_INERT)

KINDS = (
    Kind(
        "apps", "v1", "Deployment", "deployments", t.Deployment,
        inert=TEMPLATE_INERT,
        columns=columns.DEPLOYMENT,
        validate=validation.validate_deployment,
        validate_update=validation.validate_deployment_update,
        validate_status=validation.validate_deployment_status,
        prepare_create=_without_status,
        prepare_update=strategy.keep_status,
        prepare_status=strategy.keep_all_but_status,
        default=defaults.default_deployment,
        short_names=("deploy",),
        categories=("all",),
        has_status=True,
        has_scale=True,
        spec_fields=("spec",),
    ),
    Kind(
        "apps", "v1", "ReplicaSet", "replicasets", t.ReplicaSet,
        inert=TEMPLATE_INERT,
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
        fields={"status.replicas": lambda rs: str(rs.status.replicas)},
    ),
)  # fmt: skip
