"""The query of a request to /apply, checked: nothing in it is passed over in silence. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar, get_args

from controlplane.apiserver.options import flag, query_of
from kubeapi import codec, selectors
from kubeapi.client.transport import Request
from kubeapi.errors import bad_request

MANAGER = "naru-apply"
TIMEOUT = 300.0
SHARED = ("dryRun", "namespace", "wait", "timeout")
PARAMETERS = {
    "POST": (*SHARED, "force", "fieldManager", "fieldValidation", "prune", "selector"),
    "DELETE": (*SHARED, "propagationPolicy"),
}
VALIDATIONS: tuple[codec.Validation, ...] = get_args(codec.Validation)
V = TypeVar("V", bound=str)
WAITS = {"POST": "ready", "DELETE": "deleted"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The query of a request, checked. `selector` is empty unless it is pruned."""

    dry_run: bool
    force: bool
    namespace: str
    manager: str
    validation: codec.Validation
    selector: str
    propagation: str
    wait: bool
    seconds: float


def asked_of(request: Request) -> Asked:
    """Read the query; 400 for a parameter that is unknown or says nothing sensible."""
    query, waits = query_of(request), WAITS[request.method]
    for name in query:
        if name not in PARAMETERS[request.method]:
            known = ", ".join(PARAMETERS[request.method])
            raise bad_request(f'unknown parameter "{name}" of {request.method} /apply; known are {known}')
    _one_of(query, "wait", ("", waits))
    _one_of(query, "dryRun", ("", "All", "true", "false", "1", "0"))
    validation = _one_of(query, "fieldValidation", VALIDATIONS)
    prune, selector = flag(query, "prune"), query.get("selector", "")
    if prune != bool(selectors.parse_labels(selector).requirements):
        raise bad_request("prune=true and selector=LABEL=VALUE go together: what is pruned must carry the label")
    return Asked(
        dry_run=flag(query, "dryRun"),
        force=flag(query, "force"),
        namespace=query.get("namespace") or "default",
        manager=query.get("fieldManager") or MANAGER,
        validation=validation,
        selector=selector,
        # Foreground, so that what an object made is gone as well when the wait for it is over.
        propagation=query.get("propagationPolicy") or ("Foreground" if query.get("wait") else ""),
        wait=bool(query.get("wait")) and not flag(query, "dryRun"),
        seconds=_seconds(query.get("timeout", "")),
    )


def _one_of(query: dict[str, str], name: str, supported: tuple[V, ...]) -> V:
    value = query.get(name, supported[0])
    for one in supported:
        if one == value:
            return one
    listed = ", ".join(f'"{s}"' for s in supported if s)
    raise bad_request(f'{name}: Unsupported value: "{value}": supported values: {listed}')


def _seconds(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s") or TIMEOUT)
    except ValueError:
        seconds = -1
    if not (seconds > 0 and math.isfinite(seconds)):
        raise bad_request(f'timeout: Invalid value: "{text}": must be a number of seconds above 0')
    return seconds
