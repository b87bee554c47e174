"""Bodies in protobuf: those that kubectl 1.37 sends, all that a kind can say, and what is no protobuf at all."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controlplane.apiserver.bodies import SENT, in_json
from kubeapi import protobuf, registry
from kubeapi.apps_v1.types import Deployment
from kubeapi.client.transport import Request
from kubeapi.errors import ApiError
from kubeapi.protobuf_numbers import NUMBERS
from kubeapi.schema import Schema, schema_of

KINDS = registry.load()
# kubectl create deployment web --image=naru/web:1 --replicas=2 --port=80; configmap a --from-literal=a=b and a file of
# three bytes; service nodeport svc --tcp=80:8080 --node-port=30080; token default --duration=20m bound to the pod p
DEPLOYMENT = (
    "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErsBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEokBCAISDAoKCgNhcHASA3dlYh"
    "pvChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEk8SMQoDd2ViEgpuYXJ1L3dlYjoxKgAyCgoAEAAYUCIAKgBCAGoAcgCAAQCIAQCQAQCi"
    "AQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAYACAAKAA4ABoAIgA="
)
CONFIG_MAP = "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEicKEQoBYRIAGgAiACoAMgA4AEIAEgYKAWESAWISCgoDYmluEgNhAGIaACIA"
SERVICE = (
    "azhzAAoNCgJ2MRIHU2VydmljZRJqCh8KA3N2YxIAGgAiACoAMgA4AEIAWgoKA2FwcBIDc3ZjEkMKHQoHODAtODA4MBIDVENQGFAiBwgAEJA/Gg"
    "AogOsBEgoKA2FwcBIDc3ZjGgAiCE5vZGVQb3J0OgBCAFIAWgBgAGgAGgIKABoAIgA="
)
TOKEN_REQUEST = (
    "azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBItChAKABIAGgAiACoAMgA4AEIAEhMaDgoDUG9kEgJ2MRoBcC"
    "IAILAJGgQKABIAGgAiAA=="
)


def read(body: bytes) -> dict[str, Any]:
    request = Request("POST", "/", headers={"content-type": protobuf.MEDIA}, body=body)
    found = in_json(request, KINDS)
    assert found.headers["content-type"] == "application/json"
    return orjson.loads(found.body)


def test_a_deployment_is_what_kubectl_meant() -> None:
    made = Deployment.from_json(orjson.dumps(read(base64.b64decode(DEPLOYMENT)))).to_dict()
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert (container["name"], container["image"], container["ports"]) == ("web", "naru/web:1", [{"containerPort": 80}])
    assert made["spec"]["replicas"] == 2 and made["spec"]["selector"] == {"matchLabels": {"app": "web"}}
    assert made["metadata"] == {"name": "web", "labels": {"app": "web"}}


def test_maps_numbers_and_either_or_values_are_read() -> None:
    assert read(base64.b64decode(CONFIG_MAP))["data"] == {"a": "b", "bin": "a\0b"}
    (port,) = read(base64.b64decode(SERVICE))["spec"]["ports"]
    assert (port["port"], port["targetPort"], port["nodePort"]) == (80, 8080, 30080)
    spec = read(base64.b64decode(TOKEN_REQUEST))["spec"]
    assert spec["expirationSeconds"] == 1200 and spec["boundObjectRef"]["name"] == "p"


def test_every_word_of_the_table_is_a_field_of_its_type() -> None:
    reached: set[str] = set()

    def walk(schema: Schema) -> None:
        if schema.element:
            walk(schema.element)
        if schema.model is None or schema.model.__name__ in reached:
            return
        reached.add(schema.model.__name__)
        for field in schema.fields.values():
            walk(field)

    models = [*(kind.model for kind in KINDS if "naru" not in kind.group), *SENT.values()]  # our own have no protobuf
    for model in models:
        walk(schema_of(model))
    named = {line.split()[0] for line in NUMBERS.strip().splitlines() if line[0] not in " ["}
    embedded = {word[1:] for word in NUMBERS.split() if word.startswith("*")}
    assert {model.__name__ for model in models} <= named
    assert named - embedded - {"DeleteOptions", "Preconditions"} <= reached


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    told = bytearray()
    while number > 0x7F:
        told.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*told, number])


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\0" + field(1, field(1, api_version.encode()) + field(2, kind.encode())) + field(2, raw)


def test_times_quantities_bytes_and_negative_numbers_are_read() -> None:
    meta = (
        field(1, b"c") + field(8, field(1, 1893456000)) + field(17, field(1, b"m") + field(7, field(1, b'{"f:a":{}}')))
    )
    claim = field(1, meta) + field(2, field(2, field(1, field(1, b"storage") + field(2, field(1, b"1Gi")))))
    told = read(body("v1", "PersistentVolumeClaim", claim))
    assert told["metadata"]["creationTimestamp"] == "2030-01-01T00:00:00+00:00"
    assert told["metadata"]["managedFields"] == [{"manager": "m", "fieldsV1": {"f:a": {}}}]
    assert told["spec"]["resources"] == {"limits": {"storage": "1Gi"}}
    assert read(body("v1", "Secret", field(2, field(1, b"k") + field(2, b"\0\1"))))["data"] == {"k": "AAE="}
    assert read(body("apps/v1", "Deployment", field(2, field(1, -1))))["spec"]["replicas"] == -1


def test_what_go_embeds_stands_beside_the_others_in_json() -> None:
    volume = field(1, b"v") + field(2, field(19, field(1, field(1, b"config")) + field(4, 1)))
    probe = field(1, field(2, field(1, b"/") + field(2, field(1, 1) + field(3, b"http")))) + field(3, 5)
    pod = field(2, field(1, volume) + field(2, field(1, b"c") + field(10, probe)))
    spec = read(body("v1", "Pod", pod))["spec"]
    assert spec["volumes"] == [{"name": "v", "configMap": {"name": "config", "optional": True}}]
    assert spec["containers"][0]["livenessProbe"] == {"httpGet": {"path": "/", "port": "http"}, "timeoutSeconds": 5}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (b"{}", "does not appear to be a protobuf message"),
        (body("v1", "Dragon", b""), 'no kind "Dragon" is registered for version "v1"'),
        (body("v1", "Pod", field(99, 1)), "field 99 of Pod is not known: send the object as JSON"),
        (body("v1", "Pod", field(1, 7)), "a number where there should be bytes"),
        (body("v1", "Pod", b"\x0a\xff"), "a number without end"),
        (body("v1", "Pod", b"\x0a\x7f"), "unexpected end"),
        (body("v1", "Pod", b"\x0b"), "wire type 3"),
        (body("v1", "Pod", field(1, field(1, b"\xff"))), "invalid start byte"),
        (body("v1", "Pod", field(1, field(8, field(1, 1 << 60)))), "a time of"),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(told: bytes, words: str) -> None:
    with pytest.raises(ApiError) as refused:
        read(told)
    assert refused.value.code == 400 and words in refused.value.message


@given(st.binary(max_size=200))
@example(body("v1", "Pod", b"\x12" * 50))
def test_whatever_comes_is_an_object_or_a_bad_request(told: bytes) -> None:
    for sent in (b"k8s\0" + told, body("v1", "Pod", told)):
        try:
            assert isinstance(read(sent), dict)
        except ApiError as refused:
            assert refused.code == 400


def test_other_bodies_are_left_as_they_are() -> None:
    for request in (
        Request("POST", "/", headers={"content-type": "application/json"}, body=b"{}"),
        Request("DELETE", "/", headers={"content-type": protobuf.MEDIA}),
    ):
        assert in_json(request, KINDS) is request
