"""Whatever is sent to the API server, it answers, never with a fault of its own, and keeps nothing of what it refused."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st

from kubeapi.registry import Kind, load
from kubeapi.schema import schema_of
from tests.security.fuzz import (
    FEW,
    MANY,
    NASTY,
    SOAK,
    VERBS,
    World,
    anything,
    bodies,
    encoded,
    fuzz,
    keys,
    objects,
    scalars,
)

KINDS = [*load()]
EXAMPLES = pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=SOAK)])
TRIAL = (("dryRun", "All"),)
PATCHES = ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
           "application/apply-patch+yaml"]  # fmt: skip
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "there", "namespace": "default", "labels": {"app": "x"}},
    "spec": {
        "containers": [
            {"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 80}]}
        ]
    },
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    assert made.ask("POST", "/api/v1/namespaces/default/pods", encoded(POD)).status == 201
    yield made
    made.close()


def collection(kind: Kind) -> str:
    return kind.path("default" if kind.namespaced else "", "").rstrip("/")


@EXAMPLES
def test_any_object_of_any_kind_is_taken_or_refused(world: World, examples: int) -> None:
    before = world.store.revision

    @fuzz(
        examples * 2,
        st.sampled_from(KINDS).flatmap(lambda k: st.tuples(st.just(k), bodies(k))),
        st.sampled_from(["Strict", "Warn", "Ignore"]),
    )
    def holds(drawn, validation) -> None:
        kind, value = drawn
        world.ask("POST", collection(kind), encoded(value), query=(*TRIAL, ("fieldValidation", validation)))

    assert world.store.revision == before


@EXAMPLES
def test_any_bytes_under_any_media_type_are_taken_or_refused(world: World, examples: int) -> None:
    media = [
        "application/json",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
        "",
        "a/b;charset=\xff",
    ]
    texts = st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass"))

    @fuzz(
        examples,
        st.binary(max_size=60) | texts | st.binary(max_size=60).map(b"k8s\0".__add__),
        st.sampled_from(media),
        st.sampled_from(["POST", "PUT", "DELETE"]),
    )
    def holds(body, kind, method) -> None:
        path = "/api/v1/namespaces/default/pods" + ("" if method == "POST" else "/none")
        world.ask(method, path, body, kind, TRIAL)


@EXAMPLES
def test_any_update_of_an_object_is_taken_or_refused(world: World, examples: int) -> None:
    @fuzz(
        examples,
        objects(schema_of(world.registry.kind("v1", "Pod").model)),
        st.sampled_from(["", "/status", "/scale", "/binding", "/eviction"]),
    )
    def holds(value, subresource) -> None:
        path = "/api/v1/namespaces/default/pods/there" + subresource
        world.ask("POST" if subresource[1:] in ("binding", "eviction") else "PUT", path, encoded(value), query=TRIAL)


@EXAMPLES
@pytest.mark.parametrize("media", PATCHES)
def test_any_patch_is_taken_or_refused(world: World, media: str, examples: int) -> None:
    pointers = st.lists(
        st.sampled_from(["spec", "containers", "0", "-1", "-", "metadata", "labels", "~1", "env", "", "9" * 30, "²"]),
        max_size=5,
    )
    paths = pointers.map(lambda parts: "".join(f"/{part}" for part in parts)) | scalars
    operations = st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "no", 1]), "path": paths},
        optional={"value": anything, "from": paths},
    )
    schema = schema_of(world.registry.kind("v1", "Pod").model)
    directives = st.dictionaries(
        st.sampled_from(
            ["$patch", "$retainKeys", "$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers"]
        ),
        anything | st.sampled_from(["delete", "replace", "merge"]),
        max_size=2,
    )
    values = {
        PATCHES[0]: st.lists(operations, max_size=5) | anything,
        PATCHES[3]: objects(schema).map(
            lambda v: {"apiVersion": "v1", "kind": "Pod", **v} if isinstance(v, dict) else v
        ),
    }.get(
        media,
        st.tuples(objects(schema), directives).map(lambda t: {**t[0], **t[1]} if isinstance(t[0], dict) else t[0]),
    )
    query = (*TRIAL, ("fieldManager", "fuzz")) if media == PATCHES[3] else TRIAL

    @fuzz(examples, values, st.sampled_from(["", "/status"]))
    def holds(value, subresource) -> None:
        world.ask("PATCH", f"/api/v1/namespaces/default/pods/there{subresource}", encoded(value), media, query)


@EXAMPLES
def test_any_path_and_method_have_an_answer(world: World, examples: int) -> None:
    parts = (
        st.sampled_from(
            [
                "api",
                "apis",
                "apps",
                "v1",
                "namespaces",
                "default",
                "pods",
                "there",
                "status",
                "log",
                "scale",
                "finalize",
                "openapi",
                "v3",
                "dashboard",
                "proxy",
                "",
                "..",
            ]
        )
        | keys
    )

    @fuzz(examples * 2, st.sampled_from(VERBS), st.lists(parts, max_size=8), anything)
    def holds(method, path, body) -> None:
        world.ask(method, "/" + "/".join(path), encoded(body), query=TRIAL)


@EXAMPLES
def test_any_query_and_header_have_an_answer(world: World, examples: int) -> None:
    names = ["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch",
        "watch", "timeoutSeconds",
             "allowWatchBookmarks", "sendInitialEvents", "includeObject", "pretty", "dryRun", "fieldManager",
             "fieldValidation", "force",
             "gracePeriodSeconds", "propagationPolicy", "orphanDependents"]  # fmt: skip
    text = st.sampled_from([str(n) for n in NASTY]) | st.text(max_size=15)
    accept = st.sampled_from(["application/json", "*/*", "application/json;as=Table;g=meta.k8s.io;v=v1",
        "application/yaml", ";;;=", "a/b;q=x",
                              "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
                              "application/vnd.kubernetes.protobuf"]) | text  # fmt: skip

    @fuzz(
        examples * 3,
        st.sampled_from(["GET", "DELETE", "POST"]),
        st.lists(st.tuples(st.sampled_from(names), text), max_size=4),
        accept,
        text,
        st.booleans(),
    )
    def holds(method, query, accepts, agent, one) -> None:
        path = "/api/v1/namespaces/default/pods" + ("/there" if one else "")
        world.ask(method, path, b"", "application/json", (*query, *TRIAL), accept=accepts, user_agent=agent)


@EXAMPLES
def test_any_selector_is_understood_or_refused(world: World, examples: int) -> None:
    words = st.sampled_from(
        [
            "a",
            "b",
            "in",
            "notin",
            "(",
            ")",
            ",",
            "=",
            "==",
            "!=",
            "!",
            ">",
            "<",
            " ",
            "1",
            "\\",
            "metadata.name",
            "é",
            "a/b/c",
            "\0",
            "x" * 70,
        ]
    )

    @fuzz(
        examples * 3,
        st.lists(words, max_size=10).map("".join) | st.text(max_size=12),
        st.sampled_from(["labelSelector", "fieldSelector"]),
    )
    def holds(text, name) -> None:
        world.ask("GET", "/api/v1/pods", query=((name, text),))


@EXAMPLES
def test_any_continue_token_is_good_or_refused(world: World, examples: int) -> None:
    tokens = (
        st.fixed_dictionaries({"v": st.just("meta.k8s.io/v1") | scalars, "rv": scalars, "start": scalars}) | anything
    )
    coded = tokens.map(lambda value: base64.urlsafe_b64encode(encoded(value)).decode())

    @fuzz(examples * 2, coded | coded.map(lambda t: t.rstrip("=")) | st.text(max_size=20))
    def holds(token) -> None:
        world.ask("GET", "/api/v1/pods", query=(("continue", token), ("limit", "1")))


@EXAMPLES
def test_any_apply_stream_is_taken_or_refused(world: World, examples: int) -> None:
    yaml_bits = st.sampled_from(["---\n", "a: ", "- ", "&x ", "*x", "<<: ", "{", "}", "[", "]", "|\n ", "? ",
        "!!binary ", "!!python/object:os.system ", "\t", "\n",
                                 "kind: Pod\n", "apiVersion: v1\n", "metadata:\n  name: a\n", "%YAML 1.1\n",
                                 "\ufeff", "\0", "é", "1e999", ".nan", "~", "'", '"'])  # fmt: skip
    before = world.store.revision
    streams = st.lists(yaml_bits, max_size=12).map("".join) | st.text(max_size=40)
    values = st.lists(st.sampled_from(KINDS).flatmap(bodies), max_size=3).map(encoded)

    @fuzz(
        examples * 2,
        streams.map(lambda t: t.encode("utf-8", "surrogatepass")) | values | st.binary(max_size=40),
        st.sampled_from(["POST", "DELETE"]),
    )
    def holds(body, method) -> None:
        world.ask(method, "/apply", body, "application/yaml", TRIAL)

    assert world.store.revision == before


def test_a_json_patch_that_removes_everything_is_refused_like_any_that_does_not_fit(world: World) -> None:
    body = encoded([{"op": "remove", "path": ""}])
    assert world.ask("PATCH", "/api/v1/namespaces/default/pods/there", body, PATCHES[0], TRIAL).status == 422


@pytest.mark.parametrize("number", ["18446744073709551616", "9" * 5000, "²", "٣", "1_0"])
@pytest.mark.parametrize("name", ["gracePeriodSeconds", "limit", "resourceVersion", "timeoutSeconds"])
def test_a_number_of_the_query_that_is_none_or_has_no_room_is_refused(world: World, name: str, number: str) -> None:
    method = "DELETE" if name == "gracePeriodSeconds" else "GET"
    watch = [("watch", "1")] if name == "timeoutSeconds" else []
    query = [(name, number), *watch, *(TRIAL if method == "DELETE" else ())]
    answer = world.ask(method, "/api/v1/namespaces/default/pods", query=query)
    assert answer.status == 400 and b"strconv.Parse" in answer.body


@pytest.mark.parametrize("index", ["²", "9" * 5000])
def test_an_index_of_a_json_patch_that_is_none_is_refused(world: World, index: str) -> None:
    body = encoded([{"op": "remove", "path": f"/spec/containers/{index}"}])
    assert world.ask("PATCH", "/api/v1/namespaces/default/pods/there", body, PATCHES[0], TRIAL).status == 422
