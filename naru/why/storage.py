"""Why a claim has no volume."""

from __future__ import annotations

from kubeapi.core_v1.types import PersistentVolume, PersistentVolumeClaim, Pod
from kubeapi.storage_v1.types import StorageClass
from naru.why.finding import Finding, some
from naru.why.world import World, name_of, quotes


def claims_of(pod: Pod) -> list[str]:
    """The claims that a pod mounts."""
    return [v.persistent_volume_claim.claim_name for v in pod.spec.volumes if v.persistent_volume_claim]


def users_of(world: World, claim: PersistentVolumeClaim) -> list[Pod]:
    """The pods that mount a claim."""
    return [p for p in world.all(Pod) if claim.metadata.name in claims_of(p)]


def why_claim(world: World, claim: PersistentVolumeClaim) -> list[Finding]:
    """What keeps a claim from being bound; nothing for one that only waits for its first pod, as its class wants."""
    about, wanted = name_of(claim), claim.spec.storage_class_name or ""
    if claim.metadata.deletion_timestamp:
        users = [p.metadata.name for p in users_of(world, claim)]
        held = ", ".join(claim.metadata.finalizers)
        until = f"stays until {some(users)} no longer mount it" if users else "its finalizers hold it"
        says = f"It is being deleted, and {until}."
        return [
            Finding(
                about,
                says,
                (f"metadata.finalizers = {held}",),
                f"kubectl delete pod {' '.join(users)}" if users else "",
            )
        ]
    if claim.status.phase == "Bound":
        return []
    evidence = (f"status.phase = {claim.status.phase or 'Pending'}, spec.storageClassName = {wanted!r}",)
    if claim.status.phase == "Lost":
        says = f"Its volume {claim.spec.volume_name} is gone, and what was on it."
        return [
            Finding(
                about,
                says,
                (*evidence, *quotes(world.events(claim, "ClaimLost"))),
                "delete the claim and make it anew; restore its data",
            )
        ]
    class_ = world.get(StorageClass, wanted)
    if wanted and class_ is None and not _fitting(world, claim):
        classes = [c.metadata.name for c in world.all(StorageClass)]
        says = f"There is no StorageClass {wanted}, and no volume of that class is free."
        remedy = f"make it, or ask for one that is there: {some(classes) or 'none is'}"
        return [Finding(about, says, (*evidence, *quotes(world.events(claim, "ProvisioningFailed"))), remedy)]
    if class_ and class_.volume_binding_mode == "WaitForFirstConsumer" and not users_of(world, claim):
        return []
    if not wanted:
        says = "It asks for no StorageClass, and no free PersistentVolume fits."
        remedy = "make a PersistentVolume that fits, or name a StorageClass in a new claim (it can't be changed)"
        return [Finding(about, says, (*evidence, *quotes(world.events(claim, "FailedBinding"))), remedy)]
    events = world.events(claim, "ProvisioningFailed", "ExternalProvisioning", "FailedBinding", "WaitForFirstConsumer")
    if events and events[0].reason == "ExternalProvisioning" and class_:
        says = f"It waits for the provisioner {class_.provisioner} of its class {wanted}."
        return [
            Finding(
                about,
                says,
                (*evidence, *quotes(events, 1)),
                "see that this provisioner runs, or make a PersistentVolume that fits",
            )
        ]
    if events and events[0].reason == "WaitForFirstConsumer":
        says = f"It waits until a pod that mounts it gets a node: class {wanted} binds then."
        return [Finding(about, says, (*evidence, *quotes(events, 1)))]
    return [Finding(about, "It has no volume yet.", (*evidence, *quotes(events, 2)))]


def well(world: World, claim: PersistentVolumeClaim) -> str:
    """How a claim is with which nothing is wrong."""
    if claim.status.phase == "Bound":
        return f"{name_of(claim)} is bound to volume {claim.spec.volume_name}."
    return f"{name_of(claim)} waits for the first pod that mounts it, as its StorageClass wants (WaitForFirstConsumer)."


def _fitting(world: World, claim: PersistentVolumeClaim) -> bool:
    """Whether some volume of its class is free; whether it fits in size and mode is the binder's to say."""
    wanted = claim.spec.storage_class_name or ""
    return any(v.spec.storage_class_name == wanted and not v.spec.claim_ref for v in world.all(PersistentVolume))
