"""The rows of discovery/v1."""

from __future__ import annotations

from kubeapi.core_v1.validation import config
from kubeapi.discovery_v1 import columns, defaults
from kubeapi.discovery_v1 import types as t
from kubeapi.registry import Kind

KINDS = (
    Kind(
        "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", t.EndpointSlice,
        columns=columns.ENDPOINT_SLICE,
        validate=config.validate_namespaced,
        validate_update=config.validate_meta_only_update,
        default=defaults.default_endpoint_slice,
        spec_fields=("addressType", "endpoints", "ports"),
    ),
)  # fmt: skip
