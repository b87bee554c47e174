"""The columns of apps/v1. Source: k8s.io/kubernetes/pkg/printers/internalversion."""

from __future__ import annotations

from kubeapi.meta_v1.columns import AGE, NAME, NONE, column
from kubeapi.selectors import text_of

TEMPLATE = (
    column("Containers", lambda o: ",".join(c.name for c in o.spec.template.spec.containers), wide=True),
    column("Images", lambda o: ",".join(c.image for c in o.spec.template.spec.containers), wide=True),
    column("Selector", lambda o: text_of(o.spec.selector) or NONE, wide=True),
)
DEPLOYMENT = (
    NAME,
    column("Ready", lambda o: f"{o.status.ready_replicas}/{o.spec.replicas}"),
    column("Up-to-date", lambda o: o.status.updated_replicas),
    column("Available", lambda o: o.status.available_replicas),
    AGE,
    *TEMPLATE,
)
REPLICA_SET = (
    NAME,
    column("Desired", lambda o: o.spec.replicas, "integer"),
    column("Current", lambda o: o.status.replicas, "integer"),
    column("Ready", lambda o: o.status.ready_replicas, "integer"),
    AGE,
    *TEMPLATE,
)
