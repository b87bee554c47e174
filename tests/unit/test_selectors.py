"""Selectors as text and as objects select what Kubernetes says they do."""

import pytest

from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import LabelSelector
from kubeapi.selectors import matches, parse_fields, parse_labels

LABELS = {"app": "web", "tier": "front", "size": "3", "empty": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app=web,tier=back", False),
        ("app!=web", False),
        ("none!=x", True),
        ("app in (web, db)", True),
        ("app notin (web,db)", False),
        ("none notin (a)", True),
        ("app", True),
        ("!app", False),
        ("! none , app", True),
        ("size>2", True),
        ("size<3", False),
        ("empty=", True),
        ("app in (,web)", True),
    ],
)
def test_text_selects(text: str, expected: bool) -> None:
    assert parse_labels(text).matches(LABELS) is expected


@pytest.mark.parametrize("text", ["app in web", "app in (web", "=web", "app web", "size>x", "a=b=c", "(", ",,"])
def test_text_that_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_labels(text)
    assert refused.value.code == 400


def test_an_absent_object_selects_nothing_and_an_empty_one_everything() -> None:
    assert not matches(None, LABELS)
    assert matches(LabelSelector(), LABELS)


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [("In", ["web"], True), ("NotIn", ["web"], False), ("Exists", [], True), ("DoesNotExist", [], False)],
)
def test_expressions_of_an_object(operator: str, values: list[str], expected: bool) -> None:
    body = {
        "matchLabels": {"tier": "front"},
        "matchExpressions": [{"key": "app", "operator": operator, "values": values}],
    }
    assert matches(LabelSelector.model_validate(body), LABELS) is expected


def test_fields_know_equal_and_not_equal() -> None:
    selector = parse_fields("spec.nodeName=a,status.phase!=Running")
    assert selector.names == {"spec.nodeName", "status.phase"}
    assert selector.matches({"spec.nodeName": "a", "status.phase": "Pending"})
    assert not selector.matches({"spec.nodeName": "a", "status.phase": "Running"})
    with pytest.raises(ApiError):
        parse_fields("spec.nodeName")
