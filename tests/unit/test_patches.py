"""The four patches: what must hold of any two objects, and the places where Kubernetes has a rule of its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeapi.core_v1.types import Pod, Service
from kubeapi.errors import ApiError
from kubeapi.patch import apply, fieldset, json_patch, managed, merge, strategic, typed
from kubeapi.patch.managed import Manager
from kubeapi.schema import schema_of

SERVICE, POD = schema_of(Service), schema_of(Pod)
NOW = "2026-01-01T00:00:00Z"
NAMES = st.sampled_from(["a", "b", "c", "d"])
LABELS = st.dictionaries(NAMES, NAMES, max_size=3)


def ports(numbers: list[int], name: str) -> list[dict[str, Any]]:
    return [{"port": n, "protocol": "TCP", "name": f"{name}{n}"} for n in numbers]


@st.composite
def services(draw: st.DrawFn, partial: bool = False) -> dict[str, Any]:
    """A Service with some labels and ports."""
    numbers = draw(st.lists(st.integers(1, 4), unique=True, max_size=3))
    spec: dict[str, Any] = {"ports": ports(numbers, draw(NAMES)), "selector": draw(LABELS)}
    if draw(st.booleans()):
        spec["type"] = draw(st.sampled_from(["ClusterIP", "NodePort"]))
    meta: dict[str, Any] = {"name": "s", "labels": draw(LABELS)}
    if not partial:
        meta["finalizers"] = draw(st.lists(NAMES, unique=True, max_size=2))
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def applied(live: dict[str, Any] | None, wanted: dict[str, Any], by: str, force: bool = True) -> dict[str, Any]:
    """The object after server-side apply, with its managedFields."""
    value, owners = apply.apply(live, wanted, SERVICE, Manager(by, "Apply", "v1"), force, now=NOW)
    meta = {k: v for k, v in value["metadata"].items() if k != "managedFields"}
    return value | {"metadata": meta | {"managedFields": owners}}


def contains(whole: Any, part: Any, schema: Any) -> bool:
    """Whether all that an apply asked for is there."""
    return bool(typed.compare(whole, typed.merge(whole, part, schema), schema) == ({}, {}))


@given(
    st.recursive(st.none() | st.integers() | NAMES, lambda inner: st.dictionaries(NAMES, inner, max_size=3)), services()
)
def test_a_merge_patch_applied_again_changes_nothing(patch: Any, current: Any) -> None:
    once = merge.apply(current, patch)
    assert merge.apply(once, patch) == once


@given(services(), services())
def test_owners_after_an_update_are_of_what_differs(old: dict[str, Any], new: dict[str, Any]) -> None:
    delta = typed.compare(managed.tracked(old), managed.tracked(new), SERVICE)
    back = typed.compare(managed.tracked(new), managed.tracked(old), SERVICE)
    assert (delta == ({}, {})) == (managed.tracked(old) == managed.tracked(new)) or delta.changed == back.changed == {}
    assert fieldset.intersection(delta.changed, delta.removed) == {}


@given(services(), services(partial=True))
@settings(max_examples=200)
def test_what_is_applied_is_there_and_owned(live: dict[str, Any], wanted: dict[str, Any]) -> None:
    after = applied(live, wanted, "me")
    assert contains({k: v for k, v in after.items() if k != "metadata"}, {"spec": wanted["spec"]}, SERVICE)
    mine: dict[str, Any] = next((e["fieldsV1"] for e in after["metadata"]["managedFields"] if e["manager"] == "me"), {})
    assert mine == managed.applied_fields(wanted, SERVICE)


@given(services(), services(partial=True))
def test_applying_again_changes_nothing(live: dict[str, Any], wanted: dict[str, Any]) -> None:
    once = applied(live, wanted, "me")
    assert applied(once, wanted, "me") == once


def bare(value: Any) -> Any:
    """Without empty lists and maps, which are the same as none."""
    if not isinstance(value, dict):
        return value
    return {k: v for k, v in ((k, bare(v)) for k, v in value.items()) if v not in ({}, [])}


@given(services(partial=True), services(partial=True))
def test_who_applies_alone_gets_exactly_what_was_applied_last(first: dict[str, Any], then: dict[str, Any]) -> None:
    after = applied(applied(None, first, "me"), then, "me")
    assert bare(managed.tracked(after)) == bare(managed.tracked(applied(None, then, "me")))


@given(services(partial=True), services(partial=True))
def test_an_apply_conflicts_only_on_what_another_owns(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    live = applied(None, theirs, "them")
    try:
        applied(live, mine, "me", force=False)
    except ApiError as refused:
        owned = [*fieldset.paths(managed.applied_fields(theirs, SERVICE))]
        assert refused.code == 409 and refused.details is not None
        assert {cause["field"] for cause in refused.details["causes"]} <= set(owned)


def test_live_duplicates_of_a_keyed_list_stay() -> None:
    twice = [{"port": 80, "protocol": "TCP", "name": "a"}, {"port": 80, "protocol": "TCP", "name": "b"}]
    live = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": twice}}
    wanted = live | {"spec": {"ports": [{"port": 81, "name": "c"}]}}
    assert [p["name"] for p in applied(live, wanted, "me")["spec"]["ports"]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"portz": 1}, ".spec.portz: field not declared in schema"),
        ({"ports": [{"port": 1}, {"port": 1}]}, '.spec.ports: duplicate entries for key [port=1,protocol="TCP"]'),
        ({"type": 5}, ".spec.type: expected string, got &value.valueUnstructured{Value:5}"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(spec: dict[str, Any], why: str) -> None:
    with pytest.raises(ApiError) as refused:
        applied(
            None,
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n"}, "spec": spec},
            "me",
        )
    assert refused.value.code == 500
    assert refused.value.message == f"failed to create typed patch object (n/s; /v1, Kind=Service): {why}"


DOCUMENT = {"a": {"b": [1, 2, 3]}, "m": {"k": "v"}}


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        ({"op": "add", "path": "/a/b/-", "value": 4}, {"a": {"b": [1, 2, 3, 4]}, "m": {"k": "v"}}),
        ({"op": "add", "path": "/a/b/-1", "value": 4}, {"a": {"b": [1, 2, 3, 4]}, "m": {"k": "v"}}),
        ({"op": "replace", "path": "/m/new", "value": 1}, {"a": {"b": [1, 2, 3]}, "m": {"k": "v", "new": 1}}),
        ({"op": "move", "from": "/m/k", "path": "/a/k"}, {"a": {"b": [1, 2, 3], "k": "v"}, "m": {}}),
        ({"op": "copy", "from": "/m/none", "path": "/m/x"}, {"a": {"b": [1, 2, 3]}, "m": {"k": "v", "x": None}}),
    ],
)
def test_json_patches_do_as_gos_library(operation: dict[str, Any], after: dict[str, Any]) -> None:
    assert json_patch.apply(DOCUMENT, [operation]) == after


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/m/none"},
        {"op": "replace", "path": "/a/b/3", "value": 1},
        {"op": "add", "path": "/none/x", "value": 1},
        {"op": "test", "path": "/m/k", "value": True},
        {"op": "turn", "path": "/m"},
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused_whole(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        json_patch.apply(DOCUMENT, [{"op": "add", "path": "/m/y", "value": 1}, operation])
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")
    assert DOCUMENT["m"] == {"k": "v"}


CONTAINERS = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}


@pytest.mark.parametrize(
    ("patch", "names"),
    [
        ([{"name": "b", "$patch": "delete"}], ["a"]),
        ([{"name": "c", "image": "2"}], ["a", "b", "c"]),
        ([{"name": "c", "image": "2"}, {"$patch": "replace"}], ["c"]),
    ],
)
def test_a_strategic_patch_merges_containers_by_name(patch: list[dict[str, Any]], names: list[str]) -> None:
    after = strategic.apply(CONTAINERS, {"spec": {"containers": patch}}, POD)
    assert sorted(c["name"] for c in after["spec"]["containers"]) == names


def test_a_strategic_patch_keeps_the_order_it_is_told() -> None:
    order = [{"name": "c"}, {"name": "b"}, {"name": "a"}]
    patch = {"spec": {"$setElementOrder/containers": order, "containers": [{"name": "c", "image": "2"}]}}
    after = strategic.apply(CONTAINERS, patch, POD)
    assert [c["name"] for c in after["spec"]["containers"]] == ["c", "b", "a"]


def test_an_element_without_its_key_is_told_as_go_prints_it() -> None:
    with pytest.raises(ApiError) as refused:
        strategic.apply(CONTAINERS, {"spec": {"containers": [{"image": "x"}]}}, POD)
    assert refused.value.code == 500
    assert refused.value.message == "map: map[image:x] does not contain declared merge key: name"
