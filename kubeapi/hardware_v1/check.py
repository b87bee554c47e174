"""Which witnesses a kernel offers: what the layers and a trace can rest on here, and what is lost without each.

Served by the agent as `/layers/check`; never stored.
"""

from __future__ import annotations

from typing import Literal

from kubeapi.hardware_v1.layers import Evidence
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.model import Model, always, empty

Offer = Literal["offered", "dormant", "forbidden", "missing"]


class Capability(Model):
    """One witness. state: offered (it answers now), dormant (this kernel has it, switched off), forbidden (it is there and
    refuses us) or missing. says is what was found, lost what cannot be shown without it, allow how to get it; both of
    these are said in every state, for whoever takes the document to another machine."""

    name: str
    state: Offer
    says: str = ""
    evidence: list[Evidence] = empty(list)
    lost: str = ""
    allow: str = ""


class Check(Model):
    """All witnesses of one machine at one moment (metadata.name is the node's)."""

    kind: str = always(lambda: "Check")
    api_version: str = always(lambda: "hardware.naru.dev/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    capabilities: list[Capability] = always(list)

    def capability(self, name: str) -> Capability | None:
        """The witness of that name."""
        return next((found for found in self.capabilities if found.name == name), None)
