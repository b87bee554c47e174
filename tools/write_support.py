"""Write docs/support.md from the registry: the kinds that are served, and the fields that nothing acts on yet.

    python tools/write_support.py [--check]

With --check nothing is written; the exit status says whether the page is up to date.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterable

from controlplane.apiserver.routing import subresources
from kubeapi.inert import Inert, fields_of
from kubeapi.registry import Kind, load

PAGE = pathlib.Path(__file__).parent.parent / "docs/support.md"
HEAD = """# What is supported

Written by `tools/write_support.py` from the registry; change that (`kubeapi/*/kinds.py`, `kubeapi/*/inert.py`), not this.

Every field of these kinds is accepted, defaulted and validated as Kubernetes 1.36 does. A field that nothing acts on yet is
answered with a Warning that names it, which kubectl prints.

## Kinds

| kind | API | short | scope | subresources |
|---|---|---|---|---|
"""
FIELDS = """
## Fields that nothing acts on yet

The fields of pods are those of the templates of Deployments and ReplicaSets as well, below `spec.template`.

| kind | fields | values | what happens instead |
|---|---|---|---|
"""


def page(kinds: Iterable[Kind]) -> str:
    """The whole page."""
    rows = sorted(kinds, key=lambda kind: (kind.group, kind.kind))
    return HEAD + "".join(map(_kind, rows)) + FIELDS + "".join(_fields(rows))


def _kind(kind: Kind) -> str:
    parts = sorted(subresources(kind))
    scope = "namespace" if kind.namespaced else "cluster"
    cells = (kind.kind, kind.api_version, " ".join(kind.short_names), scope, " ".join(parts))
    return f"| {' | '.join(cells)} |\n"


def _fields(kinds: Iterable[Kind]) -> Iterable[str]:
    """A row for all fields of a kind for which the same happens."""
    for kind in kinds:
        if kind.group == "apps":  # a pod's, below spec.template
            continue
        rows: dict[tuple[str, str], list[str]] = {}
        for field in fields_of([kind.inert]):
            rows.setdefault((_values(field), field.instead), []).append(f"`{field.path}`")
        for (values, instead), paths in rows.items():
            yield f"| {kind.kind} | {', '.join(paths)} | {values} | {instead} |\n"


def _values(field: Inert) -> str:
    told = "all"
    if field.only:
        told = ", ".join(f"`{_yaml(value)}`" for value in field.only)
    elif field.unless:
        told = "all but " + ", ".join(f"`{value}`" for value in field.unless)
    name, values = field.beside
    beside = " or ".join(f"`{value}`" for value in values if value)
    return f"{told}, where `{name}` is {beside or 'unset'}" if name else told


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def main() -> int:
    """Write the page, or say whether it is as it should be."""
    text = page(load())
    if "--check" in sys.argv:
        return 0 if PAGE.exists() and PAGE.read_text() == text else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
