"""What must be there once: a container of a pod, a pod of a name; and how soon one that died may come again."""

from __future__ import annotations

from agent.runtime.protocol import Container
from naru.simulation.cluster import Node
from naru.simulation.invariants.base import Invariant, Scene

FIRST, LONGEST, LONG_RUN = 10.0, 300.0, 600.0  # the kubelet's back-off; a container that ran so long begins anew
CLOSE = 0.9  # of it must have passed: times are told in whole seconds


class OneCopy(Invariant):
    """No container of a pod lives twice, nor do two pods of one name, unless its user forced the first one's deletion."""

    name = "one copy"

    def started(self, node: Node, container: Container) -> None:
        """As `Invariant` says."""
        pod = container.pod
        for other in self.scene.cluster.nodes:
            for alive in other.engine.running():
                if alive.id == container.id or (alive.pod.namespace, alive.pod.name) != (pod.namespace, pod.name):
                    continue
                if alive.pod.uid != pod.uid and pod.name not in self.scene.forced:
                    self.say(f"two pods {pod.name} live: on {other.name} and {node.name}")
                elif alive.pod.uid == pod.uid and alive.name == container.name:
                    self.say(f"{pod.name}/{container.name} lives twice: on {other.name} and {node.name}")


class BackOff(Invariant):
    """A container that keeps dying comes again after 0, 10, 20, 40 … 300 seconds."""

    name = "back-off"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._deaths: dict[tuple[str, str], int] = {}  # of containers, in one sandbox
        self._last: dict[tuple[str, str], str] = {}
        self._began: dict[str, float] = {}

    def started(self, node: Node, container: Container) -> None:
        """As `Invariant` says."""
        key = (container.sandbox_id, container.name)
        before, self._last[key] = self._last.get(key), container.id
        self._began[container.id] = self.scene.now
        if before is None:
            return
        died, now = node.engine.ended.get(before), self.scene.now
        if died is None:  # somebody removed it, and with it what it remembered of its predecessors
            self._deaths[key] = 1
        if died is None or not self.scene.calm(f"{node.name}'s clock", LONG_RUN):
            return
        if died - self._began.get(before, died) >= LONG_RUN:
            self._deaths[key] = 0
        deaths = self._deaths[key] = self._deaths.get(key, 0) + 1
        least = min(FIRST * 2 ** (deaths - 2), LONGEST) if deaths > 1 else 0.0
        if now - died < least * CLOSE - 1.0:
            self.say(
                f"{container.pod.name}/{container.name} came again {now - died:.1f} s after its end, not {least:.0f}"
            )
