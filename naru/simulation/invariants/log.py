"""The log and what is answered from it: revisions grow by one, an answered write is in it, a finalizer holds its object."""

from __future__ import annotations

from naru.simulation.invariants.base import Invariant, Object, Scene, Seen, Told

FOREGROUND = "foregroundDeletion"


class Revisions(Invariant):
    """Revisions only grow, and none is left out."""

    name = "revisions"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._last = 0

    def committed(self, seen: Seen) -> None:
        """As `Invariant` says."""
        if seen.revision != self._last + 1:
            self.say(f"revision {seen.revision} after {self._last}")
        self._last = seen.revision
        written = seen.object["metadata"].get("resourceVersion")
        if seen.type != "DELETED" and written != str(seen.revision):
            self.say(f"{seen.key} of revision {seen.revision} says that it is of {written}")


class Answered(Invariant):
    """An answered write is in the log, at the revision that the answer says, when the client hears of it."""

    name = "answered"

    def answered(self, told: Told) -> None:
        """As `Invariant` says."""
        meta, uids = told.object.get("metadata", {}), self.scene.uids
        revision = int(meta.get("resourceVersion") or 0)
        if revision >= len(uids):
            self.say(f"revision {revision}, but the log ends at {len(uids) - 1}: {told.asked}")
        elif revision and uids[revision] != meta.get("uid"):
            self.say(f"revision {revision}, but that is another object's: {told.asked}")


class Finalizers(Invariant):
    """What its user holds by a finalizer stays until he lets it go, and what goes in the foreground until its dependents
    have gone. (Taking the last finalizer off and the object's end are one commit.)"""

    name = "finalizers"

    def committed(self, seen: Seen) -> None:
        """As `Invariant` says."""
        if seen.type != "DELETED" or not seen.before:
            return
        if seen.key in self.scene.held:
            self.say(f"{seen.key} is gone, though its user holds it")
        if FOREGROUND in seen.before["metadata"].get("finalizers", ()):
            for found in self.scene.objects.values():
                if any(_blocks(owner, seen) for owner in found["metadata"].get("ownerReferences", ())):
                    self.say(f"{seen.key} is gone before its {found['kind']} {found['metadata']['name']}")


def _blocks(owner: Object, seen: Seen) -> bool:
    return owner["uid"] == seen.object["metadata"]["uid"] and bool(owner.get("blockOwnerDeletion"))
