"""The rows of coordination/v1."""

from __future__ import annotations

from kubeapi.coordination_v1 import columns, validation
from kubeapi.coordination_v1 import types as t
from kubeapi.registry import Kind

KINDS = (
    Kind(
        "coordination.k8s.io",
        "v1",
        "Lease",
        "leases",
        t.Lease,
        columns=columns.LEASE,
        validate=validation.validate_lease,
        validate_update=validation.validate_lease_update,
        unconditional_update=False,
    ),
)
