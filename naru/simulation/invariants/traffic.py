"""No traffic to what is not ready: neither to a pod that the API knows as unready, nor to one that is so in truth."""

from __future__ import annotations

from agent.runtime.protocol import Container
from naru.simulation.cluster import Node
from naru.simulation.invariants.base import (
    CONTROL_PLANE,
    DISK,
    PODS,
    SLICES,
    Invariant,
    Object,
    Scene,
    Seen,
    is_active,
    is_ready,
)
from naru.simulation.invariants.truth import AFTERMATH, TRUTH, Able

LAG = 6.0  # seconds from a pod's word in the API to its endpoint


class Traffic(Invariant):
    """A ready endpoint is of a pod that is ready."""

    name = "traffic"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ready: dict[str, float] = {}  # when pods were ready last, as the API says
        self._able = Able(scene)

    def started(self, node: Node, container: Container) -> None:
        """As `Invariant` says."""
        self._able.began(container)

    def committed(self, seen: Seen) -> None:
        """As `Invariant` says."""
        if seen.key.startswith(PODS) and seen.before and is_ready(seen.before) and is_active(seen.before):
            self._ready[seen.before["metadata"]["uid"]] = self.scene.now
        elif seen.key.startswith(SLICES) and seen.type != "DELETED" and self.scene.calm(DISK, LAG):
            for uid, name in endpoints(seen.object):
                if self._since(uid) > LAG:
                    self.say(f"{seen.key} leads to {name}, which is not ready")

    def _since(self, uid: str) -> float:
        """For how many seconds the API has not said that a pod is ready."""
        pod = next((pod for pod in self.scene.pods() if pod["metadata"]["uid"] == uid), None)
        if pod and is_ready(pod) and is_active(pod):
            return 0.0
        return self.scene.now - self._ready.get(uid, -LAG)

    def ticked(self) -> None:
        """As `Invariant` says."""
        pods = self._able.look()
        if not self.scene.calm(CONTROL_PLANE, TRUTH) or not self.scene.calm(DISK, TRUTH):
            return
        for found in self.scene.under(SLICES):
            for uid, name in endpoints(found):
                if self._since(uid) > TRUTH:
                    self.say(f"{found['metadata']['name']} still leads to {name}, which is not ready")
                silent = self._able.silent(uid)
                if silent > TRUTH and self.scene.calm(pods.get(uid, {}).get("spec", {}).get("nodeName", ""), AFTERMATH):
                    self.say(
                        f"{found['metadata']['name']} leads to {name}, where nobody has answered for {silent:.0f} s"
                    )


def endpoints(found: Object) -> list[tuple[str, str]]:
    """The uids and names of the pods that a slice calls ready."""
    ready = [e for e in found.get("endpoints") or () if e["conditions"].get("ready")]
    return [
        (e["targetRef"]["uid"], e["targetRef"]["name"]) for e in ready if e.get("targetRef", {}).get("kind") == "Pod"
    ]
