"""Bodies become objects, or are refused in the words of Kubernetes."""

import gzip
import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeapi import codec, go_base64
from kubeapi.apps_v1.types import Deployment, ReplicaSet
from kubeapi.core_v1 import types as core
from kubeapi.errors import ApiError
from kubeapi.registry import Kind
from kubeapi.storage_v1.types import StorageClass

POD = Kind("", "v1", "Pod", "pods", core.Pod)
SERVICE = Kind("", "v1", "Service", "services", core.Service)
SECRET = Kind("", "v1", "Secret", "secrets", core.Secret)
GOLDEN = pathlib.Path(__file__).parents[2].parent / "shared" / "golden" / "api.jsonl.gz"
PREFIX = '{0} in version "v1" cannot be handled as a {0}: '


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        (
            SERVICE,
            {"spec": {"ports": ["text"]}},
            "json: cannot unmarshal string into Go struct field ServiceSpec.spec.ports of type v1.ServicePort",
        ),
        (
            SERVICE,
            {"spec": {"selector": {"a": 1}}},
            "json: cannot unmarshal number into Go struct field ServiceSpec.spec.selector of type string",
        ),
        (
            POD,
            {"spec": {"containers": [{"ports": [{"containerPort": "x"}]}]}},
            "json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort "
            "of type int32",
        ),
        (
            POD,
            {"spec": {"volumes": [{"nfs": 1}]}},
            "json: cannot unmarshal number into Go struct field Volume.spec.volumes.VolumeSource.nfs "
            "of type v1.NFSVolumeSource",
        ),
        (
            POD,
            {"metadata": {"labels": "x"}},
            "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            SERVICE,
            {"spec": {"ports": [{"targetPort": True}]}},
            "json: cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32",
        ),
        (
            POD,
            {"spec": {"containers": [{"resources": {"limits": {"cpu": {}}}}]}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (SECRET, {"data": {"a": True}}, "json: cannot unmarshal bool into Go struct field Secret.data of type []uint8"),
        (SECRET, {"data": {"a": "%"}}, "illegal base64 data at input byte 0"),
    ],
)
def test_a_wrong_type_is_told_as_gos_decoder_tells_it(kind: Kind, body: dict, why: str) -> None:
    with pytest.raises(ApiError) as refused:
        codec.decode(kind, json.dumps(body).encode(), "Ignore")
    assert refused.value.code == 400
    assert refused.value.message == PREFIX.format(kind.kind) + why


def test_unknown_fields_are_refused_warned_of_or_dropped() -> None:
    body = b'{"metadata":{"name":"a","nope":1},"spec":{"ports":[{"port":80,"targetPortx":1}]}}'
    with pytest.raises(ApiError) as refused:
        codec.decode(SERVICE, body, "Strict")
    told = ['unknown field "metadata.nope"', 'unknown field "spec.ports[0].targetPortx"']
    assert refused.value.message == PREFIX.format("Service") + "strict decoding error: " + ", ".join(told)
    service, warnings = codec.decode(SERVICE, body, "Warn")
    assert warnings == told
    assert service.spec.ports[0].port == 80
    assert codec.decode(SERVICE, body, "Ignore")[1] == []


def test_a_field_that_stands_twice_is_refused_when_strict() -> None:
    body = b'{"metadata":{"name":"a","name":"b"}}'
    with pytest.raises(ApiError, match=r'strict decoding error: duplicate field "metadata\.name"'):
        codec.decode(POD, body, "Strict")


def test_null_counts_as_absent() -> None:
    pod, warnings = codec.decode(POD, b'{"metadata":{"name":null},"spec":{"containers":null},"status":null}', "Strict")
    assert warnings == []
    assert pod.to_dict()["metadata"] == {}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"'])
def test_what_is_no_object_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        codec.decode(POD, body, "Ignore")
    assert refused.value.code == 400


def test_yaml_times_stay_text_and_repeated_keys_are_refused() -> None:
    assert codec.parse(b"a: 2026-01-01\nb: yes\n1: x", "application/yaml") == {"a": "2026-01-01", "b": True, "1": "x"}
    with pytest.raises(ApiError, match='key "a" already set'):
        codec.parse(b"a: 1\na: 2", "application/yaml")


def test_yaml_that_expands_without_end_is_refused() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(ApiError, match="too many values"):
        codec.parse("\n".join(lines).encode(), "application/yaml")


@pytest.mark.parametrize("body", [b"a: &a [*a]", b"[" * 5000 + b"]" * 5000, b"a: &a {b: *a}"])
def test_yaml_without_a_bottom_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        codec.parse(body, "application/yaml")
    assert refused.value.code == 400


@pytest.mark.parametrize("validation", ["Strict", "Warn", "Ignore"])
@pytest.mark.parametrize("depth", [100, 900, 5000, 100_000])
def test_deep_json_is_refused(validation: str, depth: int) -> None:
    body = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
    try:
        _, warnings = codec.decode(POD, body, validation)
        assert validation != "Strict"
        assert warnings == (['unknown field "x"'] if validation == "Warn" else [])
    except ApiError as error:
        assert error.code == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["metadata", "spec", "containers", "x"]), inner),
)


@given(JSON)
def test_any_json_is_an_object_or_a_bad_request(value) -> None:
    try:
        codec.decode(POD, json.dumps(value).encode(), "Strict")
    except ApiError as error:
        assert error.code == 400


@pytest.mark.skipif(not GOLDEN.exists(), reason="no recorded answers here")
def test_recorded_bodies_are_decoded_or_refused_as_recorded() -> None:
    models = {m.__name__: m for m in (Deployment, ReplicaSet, StorageClass)}
    cases = codes = messages = 0
    with gzip.open(GOLDEN, "rt") as file:
        for line in file:
            case = json.loads(line)
            name = case["body"].get("kind", "")
            model = models.get(name) or getattr(core, name, None)
            if model is None or case["response"].get("message", "").startswith("the namespace of"):
                continue
            group, _, version = str(model.model_construct().api_version).rpartition("/")
            kind = Kind(group, version, name, name.lower() + "s", model)
            want = case["response"]["message"] if case["code"] == 400 else ""
            try:
                codec.decode(kind, json.dumps(case["body"]).encode(), "Strict")
                got = ""
            except ApiError as error:
                got = error.message
            cases += 1
            codes += bool(got) == bool(want)
            messages += got == want
    print(f"{cases} bodies: {codes / cases:.1%} same verdict, {messages / cases:.1%} same words")
    assert codes / cases >= 0.99
    assert messages / cases >= 0.95


@pytest.mark.parametrize(
    ("text", "byte"),
    [
        ("YQ==", -1),
        ("Yg==x", 4),
        ("5", 0),
        ("other", 4),
        ("bm90", -1),
        ("Not_A", 3),
        ("YQ=", 3),
        ("Y=", 1),
        ("YWI=\n", -1),
    ],
)
def test_go_says_where_base64_ends(text: str, byte: int) -> None:
    assert go_base64.first_error(text) == byte
