"""What coordination/v1 refuses. Source: k8s.io/kubernetes/pkg/apis/coordination/validation."""

from __future__ import annotations

from kubeapi.coordination_v1.types import Lease, LeaseSpec
from kubeapi.errors import Cause, forbidden, invalid, not_supported
from kubeapi.meta_v1.validation import causes_of, qualified_name, validate_meta, validate_meta_update

STRATEGIES = ("OldestEmulationVersion",)


def validate_lease(lease: Lease) -> list[Cause]:
    """A lease lasts, and its turns only become more."""
    return validate_meta(lease.metadata, True) + _validate_spec(lease.spec)


def validate_lease_update(new: Lease, old: Lease) -> list[Cause]:
    """As when it is made."""
    return validate_meta_update(new.metadata, old.metadata) + _validate_spec(new.spec)


def _validate_spec(spec: LeaseSpec) -> list[Cause]:
    found: list[Cause] = []
    seconds, transitions, strategy = spec.lease_duration_seconds, spec.lease_transitions, spec.strategy
    if seconds is not None and seconds <= 0:
        found.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        found.append(invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
    if strategy is not None and "/" in strategy:
        found += causes_of(qualified_name, strategy, "spec.strategy")
    elif strategy is not None and strategy not in STRATEGIES:
        found.append(not_supported("spec.strategy", strategy, STRATEGIES))
    if spec.preferred_holder and not strategy:
        told = "may only be specified if `strategy` is defined"
        found.append(forbidden("spec.preferredHolder", told))
    return found
