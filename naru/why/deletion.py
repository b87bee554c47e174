"""An object that is to go and does not: who holds it. Pods, claims and namespaces have rules of their own."""

from __future__ import annotations

from kubeapi.client.client import meta_of
from kubeapi.model import Model
from naru.why.finding import Finding, some
from naru.why.world import READ, World, ago, name_of

FOREGROUND = "foregroundDeletion"


def why_there(world: World, obj: Model) -> list[Finding]:
    """What holds an object that is being deleted; nothing for one that is to stay."""
    told = meta_of(obj)
    if not told.deletion_timestamp:
        return []
    finalizers = ", ".join(told.finalizers)
    evidence = (
        f"metadata.deletionTimestamp is {ago(world, told.deletion_timestamp)}, metadata.finalizers = {finalizers}",
    )
    if FOREGROUND in told.finalizers:
        left = [
            name_of(o)
            for model in READ
            for o in world.all(model)
            if any(r.uid == told.uid for r in meta_of(o).owner_references)
        ]
        waits = some(left) or "nothing of it is left, so it goes now"
        says = f"It is being deleted, and waits until what it owns is gone: {waits}."
        return [Finding(name_of(obj), says, evidence)]
    says = f"It is being deleted, and finalizers hold it: {finalizers or 'none any more, so it goes now'}."
    return [
        Finding(
            name_of(obj),
            says,
            evidence,
            "whoever set a finalizer has to take it away when its work is done; see that this program runs",
        )
    ]
