"""What the API says of a pod is what its node has: all who read statuses act on them.

Truth is what the engines run, and how their containers are, whoever knows of it. It takes some seconds to the API; a node
that the adversary has had in hand, or a control plane, takes longer.
"""

from __future__ import annotations

from agent.runtime.protocol import Container
from naru.simulation.cluster import Node
from naru.simulation.invariants.base import (
    CONTROL_PLANE,
    DISK,
    NODES,
    Invariant,
    Object,
    Scene,
    is_active,
    is_ready,
)

TRUTH = 10.0  # seconds from what happens in a container to the API; a probe needs some of them
GRACE = 3.0  # seconds that a pod of a story has to end by itself
AFTERMATH = 75.0  # seconds in which a node may still not know what it did not hear: its resync takes 60


class Able:
    """Which pods can answer, in truth, as far as their own probes would say so."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._met: dict[str, float] = {}  # by uid, when pods came
        self._could: dict[str, float] = {}  # when they could answer last
        self._could_not: dict[str, float] = {}

    def look(self) -> dict[str, Object]:
        """Look around; the pods of the API by their uids."""
        scene = self._scene
        pods = {pod["metadata"]["uid"]: pod for pod in scene.pods()}
        able = {
            container.pod.uid
            for node in scene.cluster.nodes
            for container in node.engine.running()
            if not (node.engine.is_unwell(container) and _is_probed(pods.get(container.pod.uid)))
        }
        for uid in pods:
            self._met.setdefault(uid, scene.now)
            (self._could if uid in able else self._could_not)[uid] = scene.now
        return pods

    def began(self, container: Container) -> None:
        """A container began to run: before, however shortly, it could not answer, and now, however shortly, it may."""
        self._could_not[container.pod.uid] = self._could[container.pod.uid] = self._scene.now

    def silent(self, uid: str) -> float:
        """For how many seconds a pod could not answer."""
        return self._since(self._could, uid)

    def answering(self, uid: str) -> float:
        """For how many seconds a pod could answer without a pause."""
        return self._since(self._could_not, uid)

    def _since(self, last: dict[str, float], uid: str) -> float:
        now = self._scene.now
        return now - last.get(uid, self._met.get(uid, now))


class Truth(Invariant):
    """A pod that can't answer is not ready, and one that can is."""

    name = "truth"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._able = Able(scene)
        self._unready: dict[str, float] = {}  # when nodes were not ready last: the control plane spoke for their pods

    def started(self, node: Node, container: Container) -> None:
        """As `Invariant` says."""
        self._able.began(container)

    def ticked(self) -> None:
        """As `Invariant` says."""
        scene, pods = self.scene, self._able.look()
        for node in scene.under(NODES):
            if not is_ready(node):
                self._unready[node["metadata"]["name"]] = scene.now
        if not scene.calm(CONTROL_PLANE, TRUTH) or not scene.calm(DISK, TRUTH):
            return
        for uid, pod in pods.items():
            place = pod["spec"].get("nodeName", "")
            settled = scene.now - self._unready.get(place, -TRUTH) >= TRUTH
            if not is_active(pod) or not place or not settled or not scene.calm(place, AFTERMATH):
                continue
            name, silent, answering = pod["metadata"]["name"], self._able.silent(uid), self._able.answering(uid)
            if is_ready(pod) and silent > TRUTH:
                self.say(f"{name} is said to be ready, though it has not answered for {silent:.0f} s")
            elif not is_ready(pod) and answering > TRUTH:
                self.say(f"{name} is said to be unready, though it has answered for {answering:.0f} s")


class Liveness(Invariant):
    """A container that fails its liveness probe does not live on."""

    name = "liveness"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._unwell: dict[str, float] = {}  # since when containers are

    def ticked(self) -> None:
        """As `Invariant` says."""
        scene, pods = self.scene, {pod["metadata"]["uid"]: pod for pod in self.scene.pods()}
        for node in scene.cluster.nodes:
            for container in node.engine.running():
                pod = pods.get(container.pod.uid)
                if not node.engine.is_unwell(container) or not pod or not _is_probed(pod, "livenessProbe"):
                    self._unwell.pop(container.id, None)
                elif is_active(pod) and scene.calm(node.name, AFTERMATH):
                    since = self._unwell.setdefault(container.id, scene.now)
                    if scene.now - since > TRUTH + GRACE:
                        self.say(f"{container.pod.name} has been unwell for {scene.now - since:.0f} s, and still lives")


def _is_probed(pod: Object | None, kind: str = "readinessProbe") -> bool:
    return pod is not None and any(kind in container for container in pod["spec"]["containers"])
