"""Accept decides the form of an answer; a list sends the stored bytes."""

from datetime import UTC, datetime

import orjson
import pytest

from controlplane.apiserver.forms import Form, listed, negotiate, shaped
from kubeapi.core_v1.types import ConfigMap
from kubeapi.errors import ApiError
from kubeapi.registry import Column, Kind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KIND = Kind(
    "", "v1", "ConfigMap", "configmaps", ConfigMap, columns=(Column("Name", lambda obj, _now: obj.metadata.name),)
)
STORED = (
    b'{"kind":"ConfigMap","apiVersion":"v1",'
    b'"metadata":{"name":"a","namespace":"n","resourceVersion":"7"},"data":{"k":"v"}}'
)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form()),
        ("*/*", Form()),
        ("application/yaml", Form(media="application/yaml")),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Form("Table")),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Form()),
        ("application/vnd.kubernetes.protobuf,application/json", Form()),
    ],
)
def test_the_first_served_form_is_taken(accept: str, form: Form) -> None:
    assert negotiate(accept) == form


def test_what_is_not_served_is_not_acceptable() -> None:
    with pytest.raises(ApiError) as refused:
        negotiate("image/png")
    assert (refused.value.code, refused.value.reason) == (406, "NotAcceptable")


def test_a_list_holds_the_stored_bytes_without_the_kind_it_says_itself() -> None:
    body = listed(KIND, [STORED, STORED], {"resourceVersion": "9"}, Form(), "", NOW)
    value = orjson.loads(body)
    assert (value["kind"], value["metadata"]) == ("ConfigMapList", {"resourceVersion": "9"})
    stored = orjson.loads(STORED)
    assert value["items"] == [{k: stored[k] for k in ("metadata", "data")}] * 2


def test_an_object_is_sent_as_it_is_stored() -> None:
    assert shaped(KIND, STORED, Form(), "", NOW) is STORED


@pytest.mark.parametrize(("include", "shown"), [("Object", "ConfigMap"), ("", "PartialObjectMetadata"), ("None", None)])
def test_a_tables_rows_hold_what_includeobject_asks(include: str, shown: str | None) -> None:
    table = orjson.loads(shaped(KIND, STORED, Form("Table"), include, NOW))
    (row,) = table["rows"]
    assert row["cells"] == ["a"]
    assert row.get("object", {}).get("kind") == shown
    assert table["metadata"] == {"resourceVersion": "7"}
