"""Where pods are put: once, and only where there is room."""

from __future__ import annotations

from naru.simulation.invariants.base import PODS, Invariant, Object, Seen
from naru.simulation.node import CPUS


class Placed(Invariant):
    """A pod that has a node keeps it."""

    name = "placed once"

    def committed(self, seen: Seen) -> None:
        """As `Invariant` says."""
        was = seen.before
        if not seen.key.startswith(PODS) or not was or was["metadata"]["uid"] != seen.object["metadata"]["uid"]:
            return
        before, after = was["spec"].get("nodeName"), seen.object["spec"].get("nodeName")
        if before and before != after:
            self.say(f"{seen.key} was moved from {before} to {after}")


class Capacity(Invariant):
    """No node is given pods that ask for more than it has."""

    name = "capacity"

    def committed(self, seen: Seen) -> None:
        """As `Invariant` says."""
        node = seen.object.get("spec", {}).get("nodeName") if seen.key.startswith(PODS) else None
        if not node or seen.type == "DELETED" or (seen.before and seen.before["spec"].get("nodeName")):
            return
        asked = sum(map(_cpus, (pod for pod in self.scene.pods() if pod["spec"].get("nodeName") == node)))
        if asked > CPUS:
            self.say(f"{seen.key} was put on {node}, where pods then ask for {asked} CPUs of {CPUS}")


def _cpus(pod: Object) -> int:
    if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    return sum(int(c.get("resources", {}).get("requests", {}).get("cpu", 0)) for c in pod["spec"]["containers"])
