"""Small bodies that would become large, deep ones, long ones: each is answered, with a refusal where it must be.

What takes more than linear time shows as a test that does not end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import orjson
import pytest

from tests.security.fuzz import World, encoded

NAMESPACE = "/api/v1/namespaces/default"
TRIAL = (("dryRun", "All"),)
APPLY = "application/apply-patch+yaml"
LETTERS = "abcdefghij"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in itertools.pairwise(LETTERS)
)
MERGES = "m0: &m0 {k: v}\n" + "".join(
    f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 20)}], k{n}: 1}}\n" for n in range(1, 12)
)
LONG = 40_000


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    pod = {"metadata": {"name": "there"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert made.ask("POST", f"{NAMESPACE}/pods", encoded(pod)).status == 201
    yield made
    made.close()


@pytest.mark.parametrize("text", [LAUGHS, MERGES, "a: &a [*a]\n", "&a [*a]", "? &a [*a]\n: 1\n"])
def test_a_yaml_bomb_is_refused_at_every_door(world: World, text: str) -> None:
    body = text.encode()
    assert world.ask("POST", "/apply", body, "application/yaml", TRIAL).status in (400, 422)
    assert world.ask("POST", f"{NAMESPACE}/pods", body, "application/yaml", TRIAL).status in (400, 422)
    told = world.ask("PATCH", f"{NAMESPACE}/pods/there", body, APPLY, (*TRIAL, ("fieldManager", "f")))
    assert told.status in (400, 422)


@pytest.mark.parametrize("depth", [300, 900, 1100, 100_000])
@pytest.mark.parametrize("media", ["application/json", "application/yaml"])
def test_deep_bodies_are_refused_and_do_not_end_the_process(world: World, depth: int, media: str) -> None:
    for body in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        assert world.ask("POST", f"{NAMESPACE}/pods", body, media, TRIAL).status == 400
        assert world.ask("POST", "/apply", body, media, TRIAL).status == 400


@pytest.mark.parametrize("path", [f"{NAMESPACE}/pods", "/apply", f"{NAMESPACE}/pods/there/binding"])
@pytest.mark.parametrize("media", ["application/json", "application/yaml"])
def test_what_is_deep_by_its_aliases_or_only_to_be_acted_on_is_refused_as_well(
    world: World, path: str, media: str
) -> None:
    half = 200
    deep = '{"a":' * half + "%s" + "}" * half
    body = deep % deep % "1" if media == "application/json" else f"x: &x {deep % 1}\ny: {deep % '*x'}\n"
    assert world.ask("POST", path, body.encode(), media, TRIAL).status == 400


@pytest.mark.parametrize("kind", ["merge", "strategic-merge", "json"])
@pytest.mark.parametrize("depth", [1000, 100_000])
def test_deep_patches_are_refused_and_no_stack_traces(world: World, kind: str, depth: int) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    body = b'[{"op":"add","path":"/spec/x","value":' + deep + b"}]" if kind == "json" else deep
    media = f"application/{kind}-patch+json"
    assert world.ask("PATCH", f"{NAMESPACE}/pods/there", body, media, TRIAL).status in (400, 422)


def moved(times: int) -> list[dict[str, object]]:
    """Operations that nest an object in another again and again, though each of them is flat."""
    nest: list[dict[str, object]] = [{"op": "add", "path": "/a", "value": {}}]
    for source, target in itertools.islice(itertools.cycle([("/a", "/b"), ("/b", "/a")]), times):
        nest += [{"op": "add", "path": target, "value": {}}, {"op": "move", "from": source, "path": f"{target}/x"}]
    return nest


@pytest.mark.parametrize(
    "operations",
    [
        moved(300),
        moved(4000),
        [{"op": "copy", "from": "", "path": "/a"}] * 60,
        [{"op": "copy", "from": "", "path": "/a"}, {"op": "copy", "from": "/a", "path": "/a/a"}] * 30,
        [{"op": "move", "from": "/spec", "path": "/spec/x"}],
        [{"op": "add", "path": "/x" + "/x" * 100_000, "value": 1}],
    ],
    ids=["moved 300 times", "moved 4000 times", "doubled", "doubled within itself", "into itself", "a long path"],
)
def test_a_json_patch_that_grows_by_what_it_does_is_refused(world: World, operations: list[dict[str, object]]) -> None:
    body = orjson.dumps(operations)
    told = world.ask("PATCH", f"{NAMESPACE}/pods/there", body, "application/json-patch+json", TRIAL)
    assert told.status in (400, 422)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400, "9" * 4000, "9" * LONG, "1e99999999999"])
def test_enormous_numbers_are_refused(world: World, number: str) -> None:
    head = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","generation":'
    body = (head + number + "}}").encode()
    assert 400 <= world.ask("POST", f"{NAMESPACE}/pods", body, query=TRIAL).status < 500
    assert 400 <= world.ask("POST", "/apply", body, "application/yaml", TRIAL).status < 500


@pytest.mark.parametrize("text", ["1e999999999", "1e-999999999", "9" * LONG, "9" * 5000 + "Ei", "1." + "0" * LONG])
def test_enormous_quantities_are_taken_or_refused_at_once(world: World, text: str) -> None:
    limits = {"limits": {"memory": text, "cpu": text}}
    spec = {"containers": [{"name": "c", "image": "i", "resources": limits}]}
    world.ask("POST", f"{NAMESPACE}/pods", encoded({"metadata": {"name": "p"}, "spec": spec}), query=TRIAL)


@pytest.mark.parametrize("piece", ["a", "-", ".", "a.", "$(", "$$", "1", " ", "\\", "(", "é", "*/"])
def test_long_texts_are_refused_in_a_time_that_grows_with_their_length(world: World, piece: str) -> None:
    long = piece * (LONG // len(piece))
    container = {"name": long, "image": long, "command": [long], "env": [{"name": long, "value": long}]}
    pod = {"metadata": {"name": long, "labels": {long: long}}, "spec": {"containers": [container], "hostname": long}}
    assert world.ask("POST", f"{NAMESPACE}/pods", encoded(pod), query=TRIAL).status == 422
    for name in ("labelSelector", "fieldSelector"):  # as long as a head may be
        world.ask("GET", f"{NAMESPACE}/pods", query=((name, long),))
        world.ask("GET", f"{NAMESPACE}/pods", query=((name, f"metadata.name={long}"),))


@pytest.mark.parametrize(
    "body",
    [b'{"metadata":{"name":"\xff\xfe"}}', b'{"metadata":{"name":"a\x00b"}}', b'{"metadata":{"name":"\\ud800"}}',
     b"\xef\xbb\xbf\xff", b"\x00" * 1000, b"\x1f\x8b\x08\x00" + b"\x00" * 100],
)  # fmt: skip
def test_bytes_that_are_no_text_and_compressed_bodies_are_refused(world: World, body: bytes) -> None:
    for media in ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf"):
        answer = world.ask("POST", f"{NAMESPACE}/configmaps", body, media, TRIAL, content_encoding="gzip")
        assert 400 <= answer.status < 500


def test_a_key_that_stands_twice_is_told_or_refused(world: World) -> None:
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","name":"b"}}'
    strict = world.ask("POST", f"{NAMESPACE}/configmaps", body, query=(*TRIAL, ("fieldValidation", "Strict")))
    assert strict.status == 400 and b"duplicate field" in strict.body
    warned = world.ask("POST", f"{NAMESPACE}/configmaps", body, query=TRIAL)
    assert warned.status == 201 and any(name == "warning" for name, _ in warned.headers)
