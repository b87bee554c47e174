"""403 in the words of Kubernetes' admission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta


def forbidden(
    meta: ObjectMeta, why: str, plural: str = "pods", group: str = "", causes: Sequence[dict[str, str]] = ()
) -> ApiError:
    """The refusal of an object. A name to be generated is not there yet where Kubernetes admits: its beginning is told."""
    name = meta.generate_name or meta.name
    details: dict[str, Any] = {"name": name, **({"group": group} if group else {}), "kind": plural}
    if causes:
        details["causes"] = [*causes]
    resource = f"{plural}.{group}" if group else plural
    return ApiError(403, "Forbidden", f'{resource} "{name}" is forbidden: {why}', details=details)
