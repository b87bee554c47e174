"""The rows of apps/v1: one per kind, naming its strategy."""

from __future__ import annotations

from kubeapi.apps_v1 import defaults
from kubeapi.apps_v1 import types as t
from kubeapi.registry import Kind

KINDS = (
    Kind(
        "apps", "v1", "Deployment", "deployments", t.Deployment,
        default=defaults.default_deployment,
        short_names=("deploy",),
        categories=("all",),
        has_status=True,
        has_scale=True,
        spec_fields=("spec",),
    ),
    Kind(
        "apps", "v1", "ReplicaSet", "replicasets", t.ReplicaSet,
        default=defaults.default_replica_set,
        short_names=("rs",),
        categories=("all",),
        has_status=True,
        has_scale=True,
        spec_fields=("spec",),
        fields={"status.replicas": lambda rs: str(rs.status.replicas)},
    ),
)  # fmt: skip
