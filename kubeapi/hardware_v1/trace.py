"""A packet's way as one document: each hop with what was predicted of it and what its witnesses saw.

Served by the agent as `/trace`, which is `/api/v1/nodes/NODE/proxy/trace` of the API; never stored.
"""

from __future__ import annotations

from typing import Literal

from kubeapi.core_v1.types import ObjectReference
from kubeapi.hardware_v1.layers import Evidence
from kubeapi.model import Model, always, empty

State = Literal["predicted", "seen", "differs", "missed", "declared"]


class Sighting(Model):
    """What one witness (`tracefs`, `nft`, `conntrack`) says of a hop. available is whether the kernel offers it for
    this hop at all; saw is empty where it offers it and saw nothing."""

    witness: str
    available: bool = always(lambda: True)
    saw: str = ""
    evidence: list[Evidence] = empty(list)


class Hop(Model):
    """One station of the packet. part is its id in `Layers` (may be empty: a declared machine's switch); netns the id of the
    network namespace that it is in; says tells in words what happens to the packet here, and `microseconds` when it was
    there, counted from the first sighting. state: predicted (not probed), seen, differs (sightings tell how), missed
    (a witness that could have seen it did not) or declared (told by a Machine, cannot be seen)."""

    part: str = ""
    kind: str
    name: str
    netns: str = ""
    says: str
    state: State = always(lambda: "predicted")
    object: ObjectReference | None = None
    evidence: list[Evidence] = empty(list)
    sightings: list[Sighting] = empty(list)
    microseconds: float | None = None


class Drop(Model):
    """Where and why the packet ended: the index of its hop, the kernel's reason, the rule, the object that made the rule or
    should have, and the command that would mend it."""

    hop: int
    reason: str
    rule: str = ""
    object: ObjectReference | None = None
    mend: str = ""


class Probe(Model):
    """A packet that was sent: its protocol (UDP, TCP), addresses (`10.244.0.5:40001`), and whether the far end got it."""

    protocol: str
    source: str
    destination: str
    arrived: bool | None = always(lambda: None)
    note: str = ""


class Trace(Model):
    """The way from one end to another; summary is one plain sentence, notes what a reader has to know (`nft trace is not
    offered here: rules are predicted only`)."""

    kind: str = always(lambda: "Trace")
    api_version: str = always(lambda: "hardware.naru.dev/v1")
    source: str
    destination: str
    summary: str = always(lambda: "")
    hops: list[Hop] = always(list)
    drop: Drop | None = None
    probes: list[Probe] = empty(list)
    notes: list[str] = empty(list)
