"""Whatever is sent to /apply is understood or refused; what others need comes first."""

import contextlib
import copy
import json
import random
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controlplane.apiserver.apply_set import Item, claims_used, in_order_of_need, items_of
from kubeapi import registry as kinds
from kubeapi.errors import ApiError

REGISTRY = kinds.load()
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "labels": {"a": "b"}},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "containers": [{"name": "c", "image": "i"}],
                "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
            },
        },
    },
}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


def understood(body: bytes) -> list[Item]:
    """The items, or none where the body was refused with a Status."""
    with contextlib.suppress(ApiError):
        return items_of(REGISTRY, body, "default", "Strict")
    return []


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each (container, key) within a value."""
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [(value, key) for key, _ in pairs] + [place for _, inner in pairs for place in places(inner)]


@given(VALUES)
def test_any_json_is_understood_or_refused(value: Any) -> None:
    understood(json.dumps(value).encode())
    understood(json.dumps([POD, {"kind": "List", "items": value}, {"kind": value, "apiVersion": "v1"}]).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_understood_or_refused(body: bytes) -> None:
    understood(body)
    understood(b"kind: ConfigMap\n" + body)


@given(st.randoms(use_true_random=False), VALUES)
def test_an_object_with_anything_anywhere_is_understood_or_refused(chance: random.Random, value: Any) -> None:
    obj = copy.deepcopy(DEPLOYMENT)
    container, key = chance.choice(places(obj))
    container[key] = value
    claims_used(understood(json.dumps(obj).encode()))


@pytest.mark.parametrize("depth", [300, 900, 100_000])
@pytest.mark.parametrize("pair", ["[]", '{"a":}'])
def test_what_has_no_bottom_is_refused(depth: int, pair: str) -> None:
    body = pair[:-1] * depth + "1" + pair[-1] * depth
    with pytest.raises(ApiError):
        items_of(REGISTRY, body.encode(), "default", "Strict")


def test_json_and_yaml_say_the_same() -> None:
    as_json = items_of(REGISTRY, json.dumps([POD, DEPLOYMENT], indent="\t").encode(), "default", "Strict")
    as_yaml = items_of(REGISTRY, yaml.safe_dump_all([POD, DEPLOYMENT]).encode(), "default", "Strict")
    assert as_json == as_yaml


def test_a_key_that_stands_twice_is_told_with_its_line() -> None:
    with pytest.raises(ApiError, match='line 1: key "kind" already set in map'):
        items_of(REGISTRY, b'{"kind": "Pod", "kind": "Pod"}', "default", "Strict")


@given(st.permutations(["Pod", "Deployment", "Service", "PersistentVolumeClaim", "ConfigMap", "Secret", "Namespace"]))
def test_configuration_comes_before_what_uses_it(order: list[str]) -> None:
    by_kind = {kind.kind: kind for kind in REGISTRY}
    sorted_kinds = [i.kind.kind for i in in_order_of_need(Item(by_kind[k], "", "x", {}) for k in order)]
    assert sorted_kinds[:5] == ["Namespace", "Secret", "ConfigMap", "PersistentVolumeClaim", "Service"]
    assert [k for k in order if k in ("Pod", "Deployment")] == sorted_kinds[5:]


def test_claims_are_found_in_pods_and_in_templates() -> None:
    pod = {**POD, "spec": {**POD["spec"], "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "logs"}}]}}
    items = items_of(REGISTRY, json.dumps([pod, DEPLOYMENT]).encode(), "default", "Strict")
    assert claims_used(items) == {("default", "logs"), ("default", "data")}
