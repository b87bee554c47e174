"""What was promised of a machine's memory, and what was really taken: by the machine, each pod, container and process.

Each of them is a `Part` with the id that it has in `Layers`, so one document explains the other. The names of its facts:

  promised      the size of the address spaces (VmSize): what programs may address, mostly never touched
  committed     what the kernel has vouched for: private writable mappings (the machine: Committed_AS)
  resident      pages in RAM, shared ones counted in every process that maps them (RSS): never add these up
  proportional  the same with every shared page divided among its users (PSS): these add up
  unique        pages nobody else maps: what ending the process would give back (USS)
  swapped       its share of what lies in swap (SwapPss); not in proportional
  charged       what the cgroup is billed for: page cache that it touched first and kernel memory too
  workingSet    charged without the cache that can be dropped at once: what `docker stats` and Kubernetes' metrics show
  limit         the smallest limit of the cgroup and all above it; null with a note where there is none

The machine's part (`memory`) has also total, available, swap, commitLimit and overcommit. What could not be read is null
with a note that says why, never 0. Served by the agent as `/layers/memory`; never stored.
"""

from __future__ import annotations

from kubeapi.hardware_v1.layers import Part
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.model import Model, always

MACHINE = "memory"  # the id of the part with the machine's totals


class Memory(Model):
    """Everything at one moment (metadata.name is the node's, creationTimestamp the moment): the machine's part first,
    then pods, containers and processes, each `on` what holds it."""

    kind: str = always(lambda: "Memory")
    api_version: str = always(lambda: "hardware.naru.dev/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    parts: list[Part] = always(list)

    def part(self, id: str) -> Part | None:
        """The part with that id."""
        return next((part for part in self.parts if part.id == id), None)

    def on(self, id: str) -> list[Part]:
        """The parts that stand directly on that one."""
        return [part for part in self.parts if part.on == id]
