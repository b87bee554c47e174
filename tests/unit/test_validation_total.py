"""Whatever a body that decodes holds, the rows answer: defaults may be repeated, and no check raises."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubeapi import codec
from kubeapi.errors import ApiError
from kubeapi.inert import warnings_of
from kubeapi.registry import Kind, load
from kubeapi.schema import Schema, schema_of

TEXTS = [
    "",
    "x",
    "Not_A Valid*Name",
    "UPPER",
    "a" * 300,
    "-1",
    "10.0.0.1",
    "::1",
    "None",
    "/",
    "../x",
    "a/b/c",
    "100%",
    "é",
]
KEYS = ["a", "cpu", "storage", "hugepages-2Mi", "example.com/x", "", "bad key!"]
SCALARS: dict[str, list[Any]] = {
    "bool": [True, False],
    "int32": [0, -1, 1, 70000, 2**31 - 1],
    "int64": [0, -1, 1, 2**40],
    "float64": [0.5],
    "resource.Quantity": ["1", "-1", "1500m", "1Gi", "0"],
    "v1.Time": ["2030-01-01T00:00:00Z"],
    "[]uint8": ["", "YQ==", "e30="],
    "intstr.IntOrString": [0, 80, -1, "http", "25%", ""],
}
DEEPEST = 9


def values_of(schema: Schema, depth: int = 0) -> st.SearchStrategy[Any]:
    """JSON values that fit the schema, odd ones among them."""
    match schema.kind:
        case "struct":
            if depth > DEEPEST:
                return st.just({})
            few = st.lists(st.sampled_from(sorted(schema.fields) or [""]), max_size=6, unique=True)
            fields = schema.fields
            return few.flatmap(
                lambda names: st.fixed_dictionaries({n: values_of(fields[n], depth + 1) for n in names if n in fields})
            )
        case "list":
            return st.lists(values_of(schema.element, depth + 1), max_size=2) if schema.element else st.just([])
        case "map":
            inner = values_of(schema.element, depth + 1) if schema.element else st.just("x")
            return st.dictionaries(st.sampled_from(KEYS), inner, max_size=2)
    return st.sampled_from(SCALARS.get(schema.go_name, TEXTS))


def decoded(kind: Kind, body: dict[str, Any]) -> Any:
    named = body | {"kind": kind.kind, "apiVersion": kind.api_version}
    named["metadata"] = {
        "name": "x",
        **{k: v for k, v in body.get("metadata", {}).items() if k in ("labels", "annotations")},
    }
    try:
        obj, _ = codec.decode(kind, orjson.dumps(named), "Ignore")
    except ApiError:
        return None
    obj.metadata.namespace = "n" if kind.namespaced else ""
    kind.default(obj)
    return obj


@pytest.mark.parametrize("kind", list(load()), ids=lambda kind: kind.kind)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_check_raises(kind: Kind, data: st.DataObject) -> None:
    old, new = (decoded(kind, data.draw(values_of(schema_of(kind.model)))) for _ in range(2))
    if old is None or new is None:
        return
    once = new.to_json()
    kind.default(new)
    assert new.to_json() == once
    kind.prepare_create(old)
    kind.validate(new)
    kind.warn(new, None)
    warnings_of(kind.inert, new.to_dict(), old.to_dict())
    for prepare, validate in (
        (kind.prepare_update, kind.validate_update),
        (kind.prepare_status, kind.validate_status),
    ):
        changed = new.clone()
        prepare(changed, old)
        validate(changed, old)
