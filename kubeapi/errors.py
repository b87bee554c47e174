"""The one exception of the API side, and the causes inside it, in Kubernetes' own words (metav1.Status, field.Error).

Validation returns a list of `Cause`; whoever answers a request wraps them with `invalid_object`. Every other refusal is an
`ApiError` with a code and a reason that clients branch on. `ApiError.status()` is the body that travels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson


class Cause(NamedTuple):
    """Why one field is refused: reason (FieldValueInvalid, ...), message, and the field's path (spec.ports[0].port)."""

    reason: str
    message: str
    field: str


class ApiError(Exception):
    """A refusal: HTTP code, reason (NotFound, Conflict, Invalid, ...), message, and details for metav1.Status.

    `warnings` are what there was to say before it came to the refusal.
    """

    def __init__(self, code: int, reason: str, message: str, *, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details
        self.warnings: list[str] = []

    def status(self) -> dict[str, Any]:
        """The error as a metav1.Status object."""
        body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body |= {"message": self.message, "reason": self.reason}
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}


def passes(error: ApiError | OSError) -> bool:
    """Whether a failure says nothing against what was asked, only that it can't be done just now (no way to the server, a
    full disk, too many requests): worth another try."""
    return isinstance(error, OSError) or error.code >= 500 or error.code == 429


def shown(value: Any) -> str:
    """A value as Go prints it in field errors: text quoted, everything else as JSON."""
    return orjson.dumps(value).decode()


def invalid(field: str, value: Any, detail: str) -> Cause:
    """The value is of the right type but breaks a rule."""
    return Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}", field)


def required(field: str, detail: str = "") -> Cause:
    """The value is missing."""
    return Cause("FieldValueRequired", "Required value" + (f": {detail}" if detail else ""), field)


def not_supported(field: str, value: Any, supported: list[str] | tuple[str, ...]) -> Cause:
    """The value is none of the few allowed (listed sorted, as Go does)."""
    listed = ", ".join(shown(s) for s in sorted(supported))
    return Cause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}", field)


def duplicate(field: str, value: Any) -> Cause:
    """The value stands twice where it must be unique."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", field)


def forbidden(field: str, detail: str) -> Cause:
    """The field may not be set here."""
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", field)


def not_found_cause(field: str, value: Any) -> Cause:
    """The value names something that is not there."""
    return Cause("FieldValueNotFound", f"Not found: {shown(value)}", field)


def too_many(field: str, actual: int, most: int) -> Cause:
    """The list is longer than it may be."""
    items = "items" if most != 1 else "item"
    return Cause("FieldValueTooMany", f"Too many: {actual}: must have at most {most} {items}", field)


def too_long(field: str, most: int) -> Cause:
    """The value is longer than it may be."""
    return Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", field)


def invalid_object(kind: str, group: str, name: str, causes: list[Cause]) -> ApiError:
    """422 Invalid with its causes. The message joins them as Go's aggregate does: one plain, several in brackets."""
    told = [f"{c.field}: {c.message}" for c in causes]
    text = told[0] if len(told) == 1 else "[" + ", ".join(dict.fromkeys(told)) + "]"
    details: dict[str, Any] = {"name": name, "kind": kind}
    if group:
        details["group"] = group
    details["causes"] = [c._asdict() for c in causes]
    full = f"{kind}.{group}" if group else kind
    return ApiError(422, "Invalid", f'{full} "{name}" is invalid: {text}', details=details)


def not_found(plural: str, group: str, name: str) -> ApiError:
    """404 for an object that does not exist."""
    full = f"{plural}.{group}" if group else plural
    details = {"name": name, **({"group": group} if group else {}), "kind": plural}
    return ApiError(404, "NotFound", f'{full} "{name}" not found', details=details)


def bad_request(message: str) -> ApiError:
    """400: the request can't be understood."""
    return ApiError(400, "BadRequest", message)


def internal_error(message: str) -> ApiError:
    """500: something behind the API failed; the message is its own."""
    return ApiError(
        500, "InternalError", f"Internal error occurred: {message}", details={"causes": [{"message": message}]}
    )


def conflict(plural: str, group: str, name: str, why: str) -> ApiError:
    """409: the object is not as the request says."""
    full = f"{plural}.{group}" if group else plural
    details = {"name": name, **({"group": group} if group else {}), "kind": plural}
    message = f'Operation cannot be fulfilled on {full} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=details)
