"""What the API says of a pod is what its node has: all who read statuses act on them.

Truth is what the engines run, and how their containers are, whoever knows of it. It takes some seconds to the API; a node
that the adversary has had in hand, or a control plane, takes longer.
"""

from __future__ import annotations

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
AFTERMATH = 75.0  # seconds in which a node may still not know what it did not hear: its resync takes 60


class Able:
    """Which pods can answer, in truth, as far as their own probes would say so."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._could: dict[str, float] = {}  # by uid, when pods could answer last
        self._could_not: dict[str, float] = {}

    def look(self) -> dict[str, Object]:
        """Look around; the pods of the API by their uids."""
        scene = self._scene
        pods = {pod["metadata"]["uid"]: pod for pod in scene.pods()}
        able = {
            container.pod.uid
            for node in scene.cluster.nodes
            for container in node.engine.running()
            if container.id not in node.engine.unwell or not _is_probed(pods.get(container.pod.uid))
        }
        for uid in pods:
            (self._could if uid in able else self._could_not)[uid] = scene.now
        return pods

    def silent(self, uid: str) -> float:
        """For how many seconds a pod that could once answer could not; 0 for one that never could."""
        now = self._scene.now
        return now - self._could.get(uid, now)

    def answering(self, uid: str) -> float:
        """For how many seconds a pod could answer without a pause; 0 for one that is new."""
        now = self._scene.now
        return now - self._could_not.get(uid, now)


class Truth(Invariant):
    """A pod that can't answer is not ready, and one that can is."""

    name = "truth"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._able = Able(scene)
        self._unready: dict[str, float] = {}  # when nodes were not ready last: the control plane spoke for their pods

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


def _is_probed(pod: Object | None) -> bool:
    return pod is not None and any("readinessProbe" in container for container in pod["spec"]["containers"])
