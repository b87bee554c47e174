"""What apps/v1 fills in. Source: k8s.io/kubernetes/pkg/apis/apps/v1/defaults.go."""

from __future__ import annotations

from kubeapi.apps_v1.types import Deployment, ReplicaSet, RollingUpdateDeployment
from kubeapi.core_v1.defaults import default_pod_spec


def default_deployment(deployment: Deployment) -> None:
    """One replica, rolled a quarter at a time, ten old revisions kept, ten minutes to make progress."""
    spec = deployment.spec
    default_pod_spec(spec.template.spec)
    if spec.replicas is None:
        spec.replicas = 1
    spec.strategy.type = spec.strategy.type or "RollingUpdate"
    if spec.strategy.type == "RollingUpdate":
        rolling = spec.strategy.rolling_update = spec.strategy.rolling_update or RollingUpdateDeployment()
        if rolling.max_unavailable is None:
            rolling.max_unavailable = "25%"
        if rolling.max_surge is None:
            rolling.max_surge = "25%"
    if spec.revision_history_limit is None:
        spec.revision_history_limit = 10
    if spec.progress_deadline_seconds is None:
        spec.progress_deadline_seconds = 600


def default_replica_set(replica_set: ReplicaSet) -> None:
    """One replica."""
    default_pod_spec(replica_set.spec.template.spec)
    if replica_set.spec.replicas is None:
        replica_set.spec.replicas = 1
