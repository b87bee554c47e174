"""Documents of the layers in Korean: a catalogue of all that discovery, witnesses, trace and comparison can say.

A document carries its sentences in English, as everything of an API does, and facts by names that programs know. English is
the message's id, as in gettext; the numbers and names of a machine stand where the id has `{}`, and may be sentences of the
catalogue themselves. So a snapshot of yesterday, of another machine, is told in Korean as well as this one.

    agent ──English document──▶ `told_in_korean` ──▶ tree, picture, page

What a renderer looks up itself (`kubeapi.hardware_v1.terms`) is left as it is: kinds, states, the names of facts and their
values. So is evidence, which is the kernel's own text, and every command.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from kubeapi.hardware_v1.check import Check
from kubeapi.hardware_v1.korean import layers, trace, vms, witnesses
from kubeapi.hardware_v1.layers import Conflict, Layers, Part
from kubeapi.hardware_v1.memory import Memory
from kubeapi.hardware_v1.trace import Hop, Trace
from kubeapi.hardware_v1.vms import Hypervisor, Vms
from kubeapi.model import Model

SENTENCES: dict[str, str] = layers.SENTENCES | witnesses.SENTENCES | trace.SENTENCES | vms.SENTENCES
HOLE = "{}"
M = TypeVar("M", bound=Model)


class Pattern(NamedTuple):
    """A sentence with holes: what it looks like, and the same in Korean."""

    shape: re.Pattern[str]
    korean: str


@functools.cache
def _patterns() -> list[Pattern]:
    """Those that say the most themselves first, so that what is general takes no sentence from what is exact."""
    holed = sorted((english for english in SENTENCES if HOLE in english), key=lambda e: -len(e.replace(HOLE, "")))
    shapes = ("(.*?)".join(map(re.escape, english.split(HOLE))) for english in holed)
    return [Pattern(re.compile(shape, re.DOTALL), SENTENCES[e]) for shape, e in zip(shapes, holed, strict=True)]


@functools.lru_cache(4096)
def korean(sentence: str) -> str:
    """A sentence in Korean; as it is where the catalogue does not have it: a name, a number, a command."""
    if (known := SENTENCES.get(sentence)) is not None:
        return known
    for pattern in _patterns():
        if found := pattern.shape.fullmatch(sentence):
            return pattern.korean.format(*map(korean, found.groups()))
    return sentence


def told_in_korean(document: M) -> M:
    """Layers, Memory, Check, Trace or Vms with its sentences in Korean; any other document as it is."""
    copy = document.model_copy()
    match copy:
        case Layers():
            copy.parts = [_part(part) for part in copy.parts]
            copy.links = _all(copy.links, "note")
            copy.conflicts = [_conflict(conflict) for conflict in copy.conflicts]
            copy.horizons = _all(copy.horizons, "says")
        case Memory():
            copy.parts = [_part(part) for part in copy.parts]
        case Check():
            copy.capabilities = _all(copy.capabilities, "name", "says", "lost", "allow")
        case Trace():
            copy.summary, copy.notes = korean(copy.summary), [*map(korean, copy.notes)]
            copy.hops = [_hop(hop) for hop in copy.hops]
            copy.drop = _with(copy.drop, "reason") if copy.drop else None
            copy.probes = _all(copy.probes, "note")
        case Vms():
            copy.boxes = _all(copy.boxes, "why")
            copy.hypervisors = [_hypervisor(hypervisor) for hypervisor in copy.hypervisors]
            copy.notes = [*map(korean, copy.notes)]
    return copy


def _with(model: M, *fields: str) -> M:
    return model.model_copy(update={field: korean(text) for field in fields if (text := getattr(model, field))})


def _all(models: Iterable[M], *fields: str) -> list[M]:
    return [_with(model, *fields) for model in models]


def _part(part: Part) -> Part:
    name = SENTENCES.get(part.name, part.name)
    return part.model_copy(update={"name": name, "facts": _all(part.facts, "note")})


def _conflict(conflict: Conflict) -> Conflict:
    told = _with(conflict, "question", "verdict", "why")
    return told.model_copy(update={"witnesses": _all(conflict.witnesses, "says")})


def _hop(hop: Hop) -> Hop:
    return _with(hop, "says").model_copy(update={"sightings": _all(hop.sightings, "saw")})


def _hypervisor(hypervisor: Hypervisor) -> Hypervisor:
    given, costs = _all(hypervisor.assumptions, "source"), _all(hypervisor.costs, "how")
    return _with(hypervisor, "name", "says").model_copy(update={"assumptions": given, "costs": costs})
