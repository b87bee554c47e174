"""What only pods have: the binding, by which the scheduler places one, and the eviction, by which one is asked to go."""

from __future__ import annotations

from typing import Any

from controlplane.apiserver.deleting import Deleter, checked
from controlplane.apiserver.options import Options
from controlplane.apiserver.routing import Target
from controlplane.apiserver.writes import Current, Wanted, Writer
from kubeapi.core_v1.types import Binding, PodCondition
from kubeapi.errors import bad_request, conflict, invalid_object, required
from kubeapi.meta_v1.types import DeleteOptions
from kubeapi.policy_v1.types import Eviction
from kubeapi.registry import Kind

BINDING = Kind("", "v1", "Binding", "bindings", Binding)
EVICTION = Kind("policy", "v1", "Eviction", "evictions", Eviction)
DONE = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def bind(writer: Writer, target: Target, binding: Binding, options: Options) -> dict[str, Any]:
    """Set the pod's node and its PodScheduled condition; 409 when it is placed or being deleted."""
    node = binding.target.name
    if not node:
        raise invalid_object("Binding", "", target.name, [required("target.name")])

    def placed(current: Current) -> Wanted:
        pod, why = current.copy(), ""
        if pod.metadata.deletion_timestamp:
            why = f"pod {pod.metadata.name} is being deleted, cannot be assigned to a host"
        elif pod.spec.node_name:
            why = f'pod {pod.metadata.name} is already assigned to node "{pod.spec.node_name}"'
        if why:
            raise conflict("pods/binding", "", target.name, why)
        pod.spec.node_name = node
        others = [c for c in pod.status.conditions if c.type != "PodScheduled"]
        scheduled = PodCondition(type="PodScheduled", status="True", last_transition_time=writer.now())
        pod.status.conditions = [*others, scheduled]
        pod.metadata.annotations |= binding.metadata.annotations
        return Wanted(pod)

    await writer.modify(target, placed, options, "binding")
    return DONE


async def evict(deleter: Deleter, target: Target, eviction: Eviction, options: Options, by: str) -> dict[str, Any]:
    """Delete the pod as its DeleteOptions say; nothing holds it back, for there are no disruption budgets."""
    if eviction.metadata.name not in ("", target.name):
        raise bad_request(
            f"name in URL does not match name in Eviction object: {target.name} != {eviction.metadata.name}"
        )
    wanted = checked(eviction.delete_options or DeleteOptions())
    if options.dry_run:
        wanted.dry_run = ["All"]
    await deleter.delete(target, wanted, by)
    return DONE
