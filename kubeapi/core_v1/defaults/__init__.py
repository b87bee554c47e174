"""What core/v1 fills in where a user said nothing. Source: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go.

Each function changes its object in place and may be repeated: a second call changes nothing.
"""

from kubeapi.core_v1.defaults.misc import default_endpoints, default_namespace, default_node, default_secret
from kubeapi.core_v1.defaults.pod import default_pod, default_pod_spec
from kubeapi.core_v1.defaults.service import default_service
from kubeapi.core_v1.defaults.storage import default_claim, default_claim_spec, default_volume

__all__ = [
    "default_claim",
    "default_claim_spec",
    "default_endpoints",
    "default_namespace",
    "default_node",
    "default_pod",
    "default_pod_spec",
    "default_secret",
    "default_service",
    "default_volume",
]
