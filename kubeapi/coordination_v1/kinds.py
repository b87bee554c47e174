"""The rows of coordination/v1."""

from __future__ import annotations

from kubeapi.coordination_v1 import columns
from kubeapi.coordination_v1 import types as t
from kubeapi.core_v1.validation import config
from kubeapi.registry import Kind

KINDS = (
    Kind(
        "coordination.k8s.io",
        "v1",
        "Lease",
        "leases",
        t.Lease,
        columns=columns.LEASE,
        validate=config.validate_namespaced,
        validate_update=config.validate_meta_only_update,
    ),
)
