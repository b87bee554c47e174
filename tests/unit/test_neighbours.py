"""Pod affinity, anti-affinity and spreading: where a pod may go for the sake of those that run already."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controlplane.scheduler.schedule import Placement, Unschedulable, schedule
from controlplane.scheduler.snapshot import NodeInfo, Snapshot
from kubeapi.core_v1.types import Node, Pod, Taint

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def node(name: str, zone: str) -> Node:
    meta = {"name": name, "labels": {HOST: name, ZONE: zone}}
    return Node.model_validate(
        {"metadata": meta, "status": {"allocatable": {"cpu": "9", "memory": "9Gi", "pods": "9"}}}
    )


def pod(name: str, app: str, namespace: str = "n", **spec: Any) -> Pod:
    meta = {"name": name, "uid": name, "namespace": namespace, "labels": {"app": app}}
    return Pod.model_validate({"metadata": meta, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}})


def world(**running: list[Pod]) -> Snapshot:
    """Nodes a1, a2 in zone a and b1 in zone b, with the pods that run on each."""
    nodes = [node("a1", "a"), node("a2", "a"), node("b1", "b")]
    namespaces = {"n": {"team": "n"}, "m": {"team": "m"}}
    return Snapshot([NodeInfo.of(n, running.get(n.metadata.name, [])) for n in nodes], namespaces)


def term(app: str, key: str = ZONE, **more: Any) -> dict[str, Any]:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}


def near(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}}


def apart(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}}


def spread(skew: int, key: str = ZONE, **more: Any) -> dict[str, Any]:
    rule = {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule"}
    return {"topologySpreadConstraints": [rule | {"labelSelector": {"matchLabels": {"app": "web"}}} | more]}


def test_a_pod_goes_near_those_it_wants_to_be_near_and_nowhere_without_them() -> None:
    assert schedule(pod("p", "web", **near(term("db"))), world(b1=[pod("d", "db")])) == Placement("b1")
    found = schedule(pod("p", "web", **near(term("db"))), world())
    assert isinstance(found, Unschedulable) and "3 node(s) didn't match pod affinity rules" in found.message


def test_the_first_of_a_group_that_wants_to_be_near_itself_may_go_anywhere() -> None:
    assert isinstance(schedule(pod("p", "web", **near(term("web"))), world()), Placement)


def test_others_are_looked_for_in_the_namespaces_that_the_term_names() -> None:
    there = world(b1=[pod("d", "db", "m")])
    assert isinstance(schedule(pod("p", "web", **near(term("db"))), there), Unschedulable)
    assert schedule(pod("p", "web", **near(term("db", namespaces=["m"]))), there) == Placement("b1")
    chosen = {"namespaceSelector": {"matchLabels": {"team": "m"}}}
    assert schedule(pod("p", "web", **near(term("db", **chosen))), there) == Placement("b1")


def test_those_that_run_keep_away_whom_they_do_not_want() -> None:
    there = world(a1=[pod("shy", "db", **apart(term("web")))])
    assert schedule(pod("p", "web"), there) == Placement("b1")
    there.nodes[2].add(pod("shy too", "db", **apart(term("web"))))
    found = schedule(pod("p", "web"), there)
    assert isinstance(found, Unschedulable)
    assert "3 node(s) didn't satisfy existing pods anti-affinity rules" in found.message
    assert isinstance(schedule(pod("q", "other"), there), Placement)


def test_spreading_evens_out_over_domains_and_counts_what_min_domains_lack() -> None:
    there = world(a1=[pod("1", "web")], a2=[pod("2", "web")])
    assert schedule(pod("p", "web", **spread(1)), there) == Placement("b1")
    there.nodes[2].add(pod("3", "web"))
    there.nodes[2].add(pod("4", "web"))
    assert isinstance(schedule(pod("p", "web", **spread(1)), there), Placement)
    found = schedule(pod("p", "web", **spread(1, minDomains=3)), there)
    assert isinstance(found, Unschedulable)
    assert "3 node(s) didn't match pod topology spread constraints" in found.message


def test_a_tainted_domain_counts_unless_taints_are_honoured() -> None:
    there = world(a1=[pod("1", "web")], a2=[pod("2", "web")])
    there.nodes[2].node.spec.taints = [Taint(key="k", effect="NoSchedule")]
    assert isinstance(schedule(pod("p", "web", **spread(1)), there), Unschedulable)
    assert isinstance(schedule(pod("p", "web", **spread(1, nodeTaintsPolicy="Honor")), there), Placement)


def preferring(kind: str, weight: int, *terms: dict[str, Any]) -> dict[str, Any]:
    wishes = [{"weight": weight, "podAffinityTerm": t} for t in terms]
    return {"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution": wishes}}}


def test_a_wish_decides_among_the_places_that_are_allowed_and_forbids_none() -> None:
    there = world(b1=[pod("d", "db")])
    assert schedule(pod("p", "web", **preferring("podAffinity", 50, term("db"))), there) == Placement("b1")
    assert schedule(pod("p", "web", **preferring("podAntiAffinity", 50, term("db"))), there) == Placement("a1")
    everywhere = world(a1=[pod("1", "db")], a2=[pod("2", "db")], b1=[pod("3", "db")])
    away = preferring("podAntiAffinity", 50, term("db", HOST))
    assert isinstance(schedule(pod("p", "web", **away), everywhere), Placement)


def test_spreading_that_only_prefers_goes_where_fewest_are() -> None:
    there = world(a1=[pod("1", "web")], b1=[pod("2", "web"), pod("3", "web")])
    soft = spread(1, whenUnsatisfiable="ScheduleAnyway")
    assert schedule(pod("p", "web", **soft), there) == Placement("a2")


@given(st.integers(1, 12), st.integers(1, 3))
def test_however_many_pods_their_skew_is_never_more_than_allowed(count: int, skew: int) -> None:
    there = world()
    for number in range(count):
        wanted = pod(f"p{number}", "web", **spread(skew))
        found = schedule(wanted, there)
        assert isinstance(found, Placement)
        next(i for i in there.nodes if i.node.metadata.name == found.node).add(wanted)
    a1, a2, b1 = (len(info.pods) for info in there.nodes)
    assert abs(a1 + a2 - b1) <= skew
