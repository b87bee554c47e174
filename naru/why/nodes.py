"""Why a node is not ready, or takes no pods; why a namespace does not go."""

from __future__ import annotations

from kubeapi.core_v1.types import Namespace, Node
from naru.why.finding import Finding
from naru.why.world import World, ago, condition, name_of, told

PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def why_node(world: World, node: Node) -> list[Finding]:
    """What is wrong with a node."""
    return [*unready(world, node), *_pressures(node)]


def unready(world: World, node: Node) -> list[Finding]:
    """Why a node is not Ready; while it isn't, nothing that is told of its pods is fresh."""
    ready, about = condition(node, "Ready"), name_of(node)
    if ready is None:
        says, evidence = "It has said nothing of itself yet.", "status.conditions has no Ready"
        return [Finding(about, says, (evidence,), "see that its agent runs: naru status")]
    if ready.status == "True":
        return []
    if ready.status == "Unknown":
        heard = f"the last was {ago(world, ready.last_heartbeat_time)}"
        says = (
            f"Its agent has not been heard of ({heard}): it or its machine is down, or can't reach the control plane."
        )
        remedy = "on that machine: naru status, then naru up; its log is in DATA_DIR/logs"
        return [Finding(about, says, (told(ready),), remedy)]
    says = f"It says itself that it is not ready: {ready.message}"
    remedy = "on that machine: docker info tells more, systemctl start docker" if "runtime" in ready.message else ""
    return [Finding(about, says, (told(ready),), remedy)]


def closed(_world: World, node: Node) -> list[Finding]:
    """Why a node that is well takes no new pods."""
    if not node.spec.unschedulable:
        return []
    says = "It takes no new pods: somebody cordoned it."
    return [Finding(name_of(node), says, ("spec.unschedulable = true",), f"kubectl uncordon {node.metadata.name}")]


def _pressures(node: Node) -> list[Finding]:
    there = [c for c in node.status.conditions if c.type in PRESSURES and c.status == "True"]
    return [Finding(name_of(node), f"It tells {c.type}: {c.message}", (told(c),)) for c in there]


def well(world: World, node: Node) -> str:
    """How a node is with which nothing is wrong."""
    ready = condition(node, "Ready")
    return f"{name_of(node)} is ready; it became so {ago(world, ready.last_transition_time)}."


def why_namespace(world: World, namespace: Namespace) -> list[Finding]:
    """What keeps a namespace that is to go."""
    if namespace.status.phase != "Terminating" and not namespace.metadata.deletion_timestamp:
        return []
    holding = [c for c in namespace.status.conditions if c.status == "True"]
    says = f"It is being deleted, since {ago(world, namespace.metadata.deletion_timestamp)}: nothing new can be made in it."
    remedy = "what remains goes by itself, unless finalizers hold it: whoever set those has to take them away"
    return [
        Finding(
            name_of(namespace), says, ("status.phase = Terminating", *map(told, holding)), remedy if holding else ""
        )
    ]
