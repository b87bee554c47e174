"""The rows of discovery/v1."""

from __future__ import annotations

from kubeapi.discovery_v1 import columns, defaults, validation
from kubeapi.discovery_v1 import types as t
from kubeapi.registry import Kind

KINDS = (
    Kind(
        "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", t.EndpointSlice,
        columns=columns.ENDPOINT_SLICE,
        validate=validation.validate_endpoint_slice,
        validate_update=validation.validate_endpoint_slice_update,
        default=defaults.default_endpoint_slice,
        spec_fields=("addressType", "endpoints", "ports", "metadata.labels"),
    ),
)  # fmt: skip
