"""The query of a request, checked: what CreateOptions, PatchOptions, ListOptions and DeleteOptions carry in Kubernetes."""

from __future__ import annotations

from dataclasses import dataclass

from kubeapi.client.transport import Request
from kubeapi.errors import ApiError, Cause, bad_request, invalid_object, not_supported, required

BOOLEANS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False, "": True}


@dataclass(frozen=True, slots=True)
class Options:
    """What a writer asks beside its body. `manager` is the fieldManager, or the user agent's first word."""

    dry_run: bool = False
    manager: str = ""
    validation: str = "Warn"
    force: bool = False


def query_of(request: Request) -> dict[str, str]:
    """The query; the first of repeated values counts, as in Go."""
    return {k: v for k, v in reversed(request.query)}


def flag(query: dict[str, str], name: str) -> bool:
    """A boolean of the query; absent is false."""
    return BOOLEANS.get(query[name].lower(), True) if name in query else False


def integer(query: dict[str, str], name: str) -> int | None:
    """A whole number of the query; 400 with Go's words when it is none."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def revision(query: dict[str, str], name: str = "resourceVersion") -> int | None:
    """A resourceVersion of the query; None when absent."""
    text = query.get(name, "")
    if not text:
        return None
    if not text.isdigit():
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise bad_request(f"invalid resource version: {why}")
    return int(text)


def write_options(request: Request, kind: str) -> Options:
    """The options of a write; `kind` (CreateOptions, ...) shows in the refusal."""
    query = query_of(request)
    causes: list[Cause] = []
    dry_runs = [v for k, v in request.query if k == "dryRun"]
    if any(v != "All" for v in dry_runs):
        causes.append(not_supported("dryRun", dry_runs, ["All"]))
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Ignore", "Warn", "Strict"):
        causes.append(not_supported("fieldValidation", validation, ["", "Ignore", "Strict", "Warn"]))
    applying = request.headers.get("content-type", "").startswith("application/apply-patch")
    if applying and not query.get("fieldManager"):
        causes.append(required("fieldManager", "is required for apply patch"))
    if causes:
        error = invalid_object(kind, "meta.k8s.io", "", causes)
        raise ApiError(422, error.reason, error.message, details={k: v for k, v in (error.details or {}).items() if v})
    agent = request.headers.get("user-agent", "").split("/")[0]
    return Options(bool(dry_runs), query.get("fieldManager") or agent or "unknown", validation, flag(query, "force"))
