"""What runs here, drawn as if each pod were a virtual machine: the boxes, which of them containers do without, the cost.

Boxes are numbered as in the classroom: 1 the host's process, 2 the host's operating system, then three per guest: process,
operating system, NIC (3, 4, 5; 6, 7, 8; ...). A cost is a range and never one number, and everything it was computed from
stands beside it. Made from `Layers` and `Memory` by whoever shows it; never stored.
"""

from __future__ import annotations

from typing import Literal

from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.model import Model, always, empty

Layer = Literal["process", "os", "nic"]


class Range(Model):
    """Between what it can hardly be below, and above."""

    low: float
    typical: float
    high: float


class Box(Model):
    """One box of the drawing. guest is the id of its pod, nothing for the host; vanishes whether containers do without it;
    holds what is in it here; why tells what stands in its place."""

    number: int
    layer: Layer
    guest: str = ""
    holds: list[str] = always(list)
    vanishes: bool = always(lambda: False)
    why: str


class Guest(Model):
    """A pod as a guest (or a container in no pod); part is its id. alone is the memory that its processes would hold with
    nobody to share pages with: low is their share now, high is what they have resident, typical their own pages and the
    largest shared set of one of them. images are their sizes by name, empty where they are not known."""

    part: str
    processes: int = always(lambda: 0)
    alone: Range | None = None
    images: dict[str, int] = always(dict)


class Assumption(Model):
    """A number that was not read here, and where it is from."""

    name: str
    unit: str
    value: Range
    source: str


class Cost(Model):
    """A row of the table. now is what it is in containers and was read here (null: not known); machines the same as
    virtual machines, in sum for all guests (boot time: for one); how the arithmetic in words."""

    name: str
    unit: str
    now: float | None = None
    machines: Range | None = None
    how: str


class Hypervisor(Model):
    """One way to run the guests, with what is assumed of it and what follows."""

    name: str
    says: str
    assumptions: list[Assumption] = always(list)
    costs: list[Cost] = always(list)

    def cost(self, name: str) -> Cost | None:
        """The row of that name."""
        return next((cost for cost in self.costs if cost.name == name), None)


class Vms(Model):
    """The whole comparison for one machine (metadata.name is the node's). notes tell what is missing, and what would
    change the numbers."""

    kind: str = always(lambda: "Vms")
    api_version: str = always(lambda: "hardware.naru.dev/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    boxes: list[Box] = always(list)
    guests: list[Guest] = always(list)
    hypervisors: list[Hypervisor] = always(list)
    notes: list[str] = empty(list)


class Sample(Model):
    """A figure of `make bench-vm`: one value per round."""

    values: list[float] = always(list)

    @property
    def range(self) -> Range:
        """The smallest, the middle and the largest."""
        ordered = sorted(self.values)
        return Range(low=ordered[0], typical=ordered[len(ordered) // 2], high=ordered[-1])


class Measured(Model):
    """One side of a measurement: seconds until the server answered, bytes of memory (proportional) and of disk, and how many
    processes and kernel threads it took."""

    seconds: Sample
    memory: Sample
    resident: Sample
    disk: int
    processes: int
    kernel_threads: int = always(lambda: 0)


class VmBench(Model):
    """What `make bench-vm` measured, kept in DATA_DIR/bench-vm.json: the same server in a real guest and in a container.
    accelerator is `kvm` or `tcg` (emulated) and why says why it was not kvm; guest_kernel memory is what the guest's kernel
    kept for itself. load is the machine's load average when it began: on a busy one times say little."""

    kind: str = always(lambda: "VmBench")
    api_version: str = always(lambda: "hardware.naru.dev/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    machine: str
    load: float = always(lambda: 0.0)
    accelerator: str
    why: str = ""
    hypervisor: str
    kernel: str
    server: str
    ram: int
    guest_kernel: Sample
    guest: Measured
    container: Measured
