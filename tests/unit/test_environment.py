"""A container's variables: expansion, references, and the kubelet's words when one leads nowhere."""

import pytest

from agent.environment import ConfigError, Surroundings, amount, environment, expand, field_value, quoted
from kubeapi.core_v1.types import Container, ObjectFieldSelector, Pod

POD = Pod.model_validate({"metadata": {"name": "p", "namespace": "ns", "labels": {"l": "x"}}, "spec": {}})


def variables(
    *env: dict[str, object], sources: dict[tuple[str, str], dict[str, bytes]] | None = None
) -> dict[str, str]:
    limits = {"limits": {"memory": "64Mi", "cpu": "50m"}}
    container = Container.model_validate({"name": "c", "env": list(env), "resources": limits})
    return environment(POD, container, sources or {}, (), Surroundings())


def test_known_names_expand_and_others_stay() -> None:
    assert expand("$(A)-$(NONE)-$$(A)", {"A": "1"}) == "1-$(NONE)-$(A)"


def test_resources_are_rounded_up_in_units_of_the_divisor() -> None:
    of = {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}
    assert variables({"name": "M", "valueFrom": of}) == {"M": "64"}
    assert variables({"name": "C", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}) == {"C": "1"}


def test_label_by_field_reference() -> None:
    assert variables({"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['l']"}}}) == {"L": "x"}


def test_labels_and_annotations_are_quoted_as_go_does() -> None:
    assert quoted('{"a": 1}\n\t\\ é\x01\u200b') == r'"{\"a\": 1}\n\t\\ é\x01\u200b"'
    of = ObjectFieldSelector(field_path="metadata.labels")
    assert field_value(POD, of, Surroundings()) == 'l="x"'


def test_missing_key_is_told_in_the_kubelets_words() -> None:
    of = {"configMapKeyRef": {"name": "cm", "key": "NOPE"}}
    with pytest.raises(ConfigError, match=r"^couldn't find key NOPE in ConfigMap ns/cm$"):
        variables({"name": "X", "valueFrom": of}, sources={("ConfigMap", "cm"): {}})
    with pytest.raises(ConfigError, match=r'^configmap "cm" not found$'):
        variables({"name": "X", "valueFrom": of})


@pytest.mark.parametrize(("text", "value"), [("100m", 0.1), ("1Ki", 1024), ("2M", 2_000_000), ("1e3", 1000), (3, 3)])
def test_quantities(text: str | int, value: float) -> None:
    assert float(amount(text)) == value
