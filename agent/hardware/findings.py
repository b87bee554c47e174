"""What discovery gathers: each of its readers adds to one `Findings`, which becomes the document."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubeapi.hardware_v1.layers import Conflict, Horizon, Layers, Link, Part
from kubeapi.meta_v1.types import ObjectMeta


@dataclass(slots=True)
class Findings:
    """Parts, links, conflicts and horizons found so far."""

    parts: list[Part] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    horizons: list[Horizon] = field(default_factory=list)

    def document(self, metadata: ObjectMeta) -> Layers:
        """All of it. Links to what was not found are left out: a thing may vanish while others are read."""
        known = {part.id for part in self.parts}
        links = [link for link in self.links if link.source in known and link.target in known]
        return Layers(
            metadata=metadata, parts=self.parts, links=links, conflicts=self.conflicts, horizons=self.horizons
        )
