"""What columns share: ages, lists, texts for nothing. Source: k8s.io/kubernetes/pkg/printers, apimachinery's duration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from kubeapi.registry import Column

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"


def short_duration(seconds: float) -> str:
    """A length of time as kubectl shows it: two units at most, fewer the longer it is."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 120:
        return f"{total}s"
    minutes, hours, days, years = total // 60, total // 3600, total // 86400, total // 86400 // 365
    if minutes < 10:
        return f"{minutes}m{total % 60}s" if total % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    if years < 8:
        return f"{years}y{days % 365}d" if days % 365 else f"{years}y"
    return f"{years}y"


def since(moment: datetime | None, now: datetime) -> str:
    """How long ago, or <unknown>."""
    return UNKNOWN if moment is None else short_duration((now - moment).total_seconds())


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels as one text, sorted."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or NONE


def joined(words: Iterable[str]) -> str:
    """Words in a row, or <none>."""
    return ",".join(words) or NONE


def column(name: str, cell: Callable[[Any], Any], type: str = "string", wide: bool = False) -> Column:
    """A column whose cell needs no clock."""
    return Column(name, lambda obj, _now: cell(obj), type, priority=int(wide), description=f"{name} of the object.")


NAME = Column("Name", lambda obj, _now: obj.metadata.name, format="name", description="Name, unique among its like.")
AGE = Column(
    "Age", lambda obj, now: since(obj.metadata.creation_timestamp, now), description="Time since the object was made."
)
