"""JSON merge patch (RFC 7386): what the patch holds replaces, objects merge, null removes. It knows no schema."""

from __future__ import annotations

from typing import Any


def apply(current: Any, patch: Any) -> Any:
    """`current` with `patch` merged into it. Neither is changed; the result may share parts with both."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = apply(merged.get(key), value)
    return merged
