"""`why(world, model, namespace, name)`: the report on one object. Pure; each kind has its rules in a module beside this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kubeapi.apps_v1.types import Deployment, ReplicaSet
from kubeapi.client.client import meta_of
from kubeapi.core_v1.types import Namespace, Node, PersistentVolumeClaim, Pod, Service
from kubeapi.model import Model
from naru.why import nodes, pods, services, storage, workloads
from naru.why.deletion import why_there
from naru.why.finding import Finding, Report
from naru.why.world import World, ago, name_of, quotes, when


def _nothing(_world: World, _obj: Any) -> list[Finding]:
    return []


class Rule(NamedTuple):
    """How a kind is explained: what is wrong, how it is when nothing is, and what was and is over."""

    wrong: Callable[[World, Any], list[Finding]]
    well: Callable[[World, Any], str]
    past: Callable[[World, Any], list[Finding]] = _nothing
    deletion: Callable[[World, Any], list[Finding]] = why_there


def _lives(_world: World, obj: Any) -> str:
    return f"{name_of(obj)} is there."


RULES: dict[type[Model], Rule] = {
    Pod: Rule(pods.why_pod, pods.well, pods.past_of, _nothing),
    Deployment: Rule(workloads.why_deployment, workloads.well, workloads.changed),
    ReplicaSet: Rule(workloads.why_set, workloads.well),
    Service: Rule(services.why_service, services.well, services.past_of),
    PersistentVolumeClaim: Rule(storage.why_claim, storage.well, deletion=_nothing),
    Node: Rule(nodes.why_node, nodes.well, nodes.closed),
    Namespace: Rule(nodes.why_namespace, _lives, deletion=_nothing),
}


def why(world: World, model: type[Model], namespace: str, name: str) -> Report:
    """The report. RULES has the models that can be asked for."""
    kind, rule, obj = model.__name__, RULES[model], world.get(model, name)
    title = f"{kind.lower()}/{name}"
    if obj is None:
        return Report(title, (_absent(world, kind, namespace, name),))
    wrong = [*rule.deletion(world, obj), *rule.wrong(world, obj)]
    if meta_of(obj).namespace and (home := world.get(Namespace, meta_of(obj).namespace)):
        wrong += nodes.why_namespace(world, home)
    return Report(title, tuple(wrong), tuple(rule.past(world, obj)), "" if wrong else rule.well(world, obj))


def _absent(world: World, kind: str, namespace: str, name: str) -> Finding:
    """An object that isn't there, and what Events still tell of its end."""
    where = f" in namespace {namespace}" if namespace else ""
    events = world.events_about(kind, name)
    if not events:
        says = f"There is no {kind} {name}{where}, and no Event tells of one (they are kept for an hour)."
        flag = f" -n {namespace}" if namespace else ""
        return Finding(
            f"{kind.lower()}/{name}", says, (), f"kubectl get {kind.lower()}s{flag}, or -n NAMESPACE for another"
        )
    says = (
        f"There is no {kind} {name}{where} any more: what is known of it was told last {ago(world, when(events[0]))}."
    )
    return Finding(f"{kind.lower()}/{name}", says, quotes(events, 6))
