"""The parts themselves: none ends that nobody ended."""

from __future__ import annotations

from naru.simulation.invariants.base import Invariant


class Fallen(Invariant):
    """An agent that falls over takes its node along: there is nothing that it may not survive."""

    name = "fallen"

    def ticked(self) -> None:
        """As `Invariant` says."""
        for node in self.scene.cluster.nodes:
            if node.fallen is not None:
                self.say(f"the agent of {node.name} ended by itself: {node.fallen!r}")
                node.fallen = None
