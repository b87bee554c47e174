"""What stands on what, as one document: the answer of an agent, and the input of the CLI, the page and every drawing.

A part is a thing (a NIC, a bridge, the kernel, a pod), named by an id that stays the same as long as the thing does. Parts
form a tower by `on`, from the machine up to the process; what crosses the tower (a plug in a switch, the two ends of a
veth, a translation) is a link. Nothing is said without its evidence: where it was read, and what stood there. What
witnesses disagree about is a conflict with a verdict, and below what can be seen from here lies the horizon.

Served by the agent as `/layers`, which is `/api/v1/nodes/NODE/proxy/layers` of the API; never stored.
"""

from __future__ import annotations

from typing import Literal

from kubeapi.core_v1.types import ObjectReference
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.model import Model, always, empty

Confidence = Literal["certain", "likely", "unknown"]
Floor = Literal["hardware", "hypervisor", "kernel", "network", "runtime", "pod", "container", "process"]
Value = str | int | float | bool | None


class Evidence(Model):
    """Where a fact was read (a path, `netlink RTM_GETLINK eth0`, `ioctl KVM_GET_API_VERSION`) and what stood there."""

    source: str
    value: str = ""


class Fact(Model):
    """One thing known of a part. unit is `B`, `Mb/s`, `MHz`, ... or nothing; a value of null with a note is one that could
    not be had (`not permitted`). note tells what a reader has to know: `host value`, `an emulated card`."""

    name: str
    value: Value = always(lambda: None)
    unit: str = ""
    confidence: Confidence = always(lambda: "certain")
    evidence: list[Evidence] = empty(list)
    note: str = ""


class Part(Model):
    """A thing of the tower. id is stable (`kernel`, `nic/eth0`, `link/NETNS/INDEX`, `netns/INODE`, `pod/NAMESPACE/NAME`,
    `container/ID`); kind is its word (machine, cpu, memory, disk, hypervisor, vm, kernel, nic, bridge, veth, tap, netns,
    route, nat, service, engine, containerd, shim, pod, container, process); `on` the id of what it stands on or is in;
    object the API's object that it is or belongs to."""

    id: str
    kind: str
    name: str
    floor: Floor
    on: str = ""
    object: ObjectReference | None = None
    facts: list[Fact] = empty(list)

    def fact(self, name: str) -> Fact | None:
        """The fact of that name."""
        return next((fact for fact in self.facts if fact.name == name), None)

    def value(self, name: str) -> Value:
        """The value of the fact of that name; None where there is none."""
        found = self.fact(name)
        return found.value if found else None


class Link(Model):
    """Two parts that belong together beside the tower: `port` (a device is plugged into a bridge), `peer` (the ends of a
    veth), `uplink` (what leaves the machine goes out here), `routes`, `masquerades`, `translates` (a Service's address to an
    endpoint), `runs` (engine, containerd, shim, container), `backs` (a VM holds this tap)."""

    kind: str
    source: str
    target: str
    confidence: Confidence = always(lambda: "certain")
    evidence: list[Evidence] = empty(list)
    note: str = ""


class Witness(Model):
    """What one source says about a question."""

    says: str
    evidence: list[Evidence] = empty(list)


class Conflict(Model):
    """Witnesses that disagree about a part, the verdict, and why it is that."""

    part: str
    question: str
    witnesses: list[Witness] = empty(list)
    verdict: str
    why: str


class Horizon(Model):
    """Beneath this part nothing can be seen from here; says tells what may be there, and what may not be concluded."""

    part: str
    says: str


class Layers(Model):
    """The tower of one machine at one moment (metadata.name is the node's, creationTimestamp the moment)."""

    kind: str = always(lambda: "Layers")
    api_version: str = always(lambda: "hardware.naru.dev/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    parts: list[Part] = always(list)
    links: list[Link] = always(list)
    conflicts: list[Conflict] = always(list)
    horizons: list[Horizon] = always(list)

    def part(self, id: str) -> Part | None:
        """The part with that id."""
        return next((part for part in self.parts if part.id == id), None)
