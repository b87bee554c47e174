"""The query of a request, checked: what CreateOptions, PatchOptions, ListOptions and DeleteOptions carry in Kubernetes."""

from __future__ import annotations

from dataclasses import dataclass

from kubeapi.client.transport import Request
from kubeapi.errors import (
    ApiError,
    Cause,
    bad_request,
    forbidden,
    invalid,
    invalid_object,
    not_supported,
    required,
    too_long,
)
from kubeapi.go_numbers import parse_int, parse_uint
from kubeapi.names import CONTROLLERS

BOOLEANS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False, "": True}

LONGEST_MANAGER = 128


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
        return parse_int(text)
    except ValueError as error:
        raise bad_request(str(error)) from None


def revision(query: dict[str, str], name: str = "resourceVersion") -> int | None:
    """A resourceVersion of the query; None when absent."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return parse_uint(text)
    except ValueError as error:
        raise bad_request(f'invalid resource version: resourceVersion: Invalid value: "{text}": {error}') from None


def write_options(request: Request, kind: str) -> Options:
    """The options of a write; `kind` (CreateOptions, ...) shows in the refusal."""
    query = query_of(request)
    dry_runs = [v for k, v in request.query if k == "dryRun"]
    causes = dry_run_causes(dry_runs)
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Ignore", "Warn", "Strict"):
        causes.append(not_supported("fieldValidation", validation, ["", "Ignore", "Strict", "Warn"]))
    applying = request.headers.get("content-type", "").startswith("application/apply-patch")
    if kind == "PatchOptions" and applying and not query.get("fieldManager"):
        causes.append(required("fieldManager", "is required for apply patch"))
    if kind == "PatchOptions" and not applying and "force" in query:
        causes.append(forbidden("force", "may not be specified for non-apply patch"))
    causes += _manager_causes(query.get("fieldManager", ""))
    if causes:
        raise refused_options(kind, causes)
    manager = query.get("fieldManager") or program_of(request)
    return Options(bool(dry_runs), manager, validation, flag(query, "force"))


def program_of(request: Request) -> str:
    """The program that asks, by its User-Agent."""
    agent = request.headers.get("user-agent", "").split("/")[0][:LONGEST_MANAGER]
    return "".join(filter(str.isprintable, agent)) or "unknown"


def asker_of(request: Request) -> str:
    """`USER with PROGRAM`; nothing for the control plane's own controllers."""
    program = program_of(request)
    return "" if program == CONTROLLERS else f"{request.user} with {program}"


def dry_run_causes(asked: list[str]) -> list[Cause]:
    """Why values of dryRun are refused: `All` is the only one there is."""
    return [not_supported("dryRun", asked, ["All"])] if any(v != "All" for v in asked) else []


def _manager_causes(manager: str) -> list[Cause]:
    if len(manager.encode()) > LONGEST_MANAGER:
        return [too_long("fieldManager", LONGEST_MANAGER)]
    unprintable = next((i for i, char in enumerate(manager) if not char.isprintable()), None)
    if unprintable is None:
        return []
    return [invalid("fieldManager", manager, "should only contain printable characters")]


def refused_options(kind: str, causes: list[Cause]) -> ApiError:
    """422 for options that are at fault: it names their kind and no object."""
    error = invalid_object(kind, "meta.k8s.io", "", causes)
    return ApiError(422, error.reason, error.message, details={k: v for k, v in (error.details or {}).items() if v})
