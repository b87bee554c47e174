"""The parts themselves: none ends that nobody ended, and none is taken for dead that lives."""

from __future__ import annotations

from naru.simulation.invariants.base import CONTROL_PLANE, DISK, NODES, Invariant, Object, Seen

HEARD = 30.0  # seconds after any trouble in which a node has been heard of again: it says something every ten


class Fallen(Invariant):
    """There is nothing that an agent, or a control plane, may not survive."""

    name = "fallen"

    def ticked(self) -> None:
        """As `Invariant` says."""
        cluster = self.scene.cluster
        if cluster.fallen is not None:
            self.say(f"no control plane comes up: {cluster.fallen!r}")
            cluster.fallen = None
        for node in cluster.nodes:
            if node.fallen is not None:
                self.say(f"the agent of {node.name} ended by itself: {node.fallen!r}")
                node.fallen = None


class WrittenOff(Invariant):
    """A node that lives and can be heard is not written off."""

    name = "written off"

    def committed(self, seen: Seen) -> None:
        """As `Invariant` says."""
        if not seen.key.startswith(NODES) or not seen.before or _is_silent(seen.before) or not _is_silent(seen.object):
            return
        name = seen.object["metadata"]["name"]
        if all(self.scene.calm(place, HEARD) for place in (name, CONTROL_PLANE, DISK)):
            self.say(f"{name} is said to be silent, though it lives")


def _is_silent(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "Unknown" for c in conditions)
