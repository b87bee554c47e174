"""The columns of discovery/v1."""

from __future__ import annotations

from collections.abc import Sequence

from kubeapi.discovery_v1.types import EndpointSlice
from kubeapi.meta_v1.columns import AGE, NAME, UNSET, column


def _few(words: Sequence[str]) -> str:
    more = f" + {len(words) - 3} more..." if len(words) > 3 else ""
    return (",".join(words[:3]) + more) or UNSET


def _ports(endpoint_slice: EndpointSlice) -> str:
    return _few([str(p.port) if p.port is not None else "*" for p in endpoint_slice.ports])


def _addresses(endpoint_slice: EndpointSlice) -> str:
    return _few([address for endpoint in endpoint_slice.endpoints for address in endpoint.addresses])


ENDPOINT_SLICE = (
    NAME,
    column("AddressType", lambda o: o.address_type),
    column("Ports", _ports),
    column("Endpoints", _addresses),
    AGE,
)
