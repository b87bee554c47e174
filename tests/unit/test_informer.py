"""The client and its informer against a scripted server: resume, bookmarks, a revision that is too old, an outage."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest

from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.client.transport import Request, Response
from kubeapi.core_v1.types import ConfigMap
from kubeapi.errors import ApiError, not_found
from kubeapi.registry import Kind, Registry


def config(name: str, revision: int, **data: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "a", "uid": name, "resourceVersion": str(revision)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def listed(revision: int, *items: dict[str, Any]) -> Response:
    body = {"kind": "ConfigMapList", "metadata": {"resourceVersion": str(revision)}, "items": items}
    return Response(200, body=orjson.dumps(body))


def refused(error: ApiError) -> Response:
    return Response(error.code, body=orjson.dumps(error.status()))


def watched(*frames: tuple[str, dict[str, Any]], cut: int = 0) -> Response:
    """A stream of frames that then ends; with `cut`, in chunks of so many bytes."""
    text = b"".join(orjson.dumps({"type": t, "object": o}) + b"\n" for t, o in frames)

    async def chunks() -> AsyncGenerator[bytes, None]:
        step = cut or len(text) or 1
        for start in range(0, len(text), step):
            yield text[start : start + step]

    return Response(200, stream=chunks())


class Script:
    """A Transport that gives its answers in turn, and then keeps the last caller waiting."""

    def __init__(self, *answers: Response | OSError) -> None:
        self.answers, self.asked, self.over = [*answers], [], asyncio.Event()

    async def send(self, request: Request) -> Response:
        self.asked.append(request)
        if not self.answers:
            self.over.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    async def close(self) -> None:
        pass

    def revisions(self) -> list[str]:
        """What each request asked to go on from; `list` for a list."""
        return [dict(r.query).get("resourceVersion", "list") for r in self.asked]


def client(script: Script) -> Client:
    registry = Registry()
    registry.add(Kind("", "v1", "ConfigMap", "configmaps", ConfigMap))
    return Client(script, registry, "test")


async def follow(script: Script) -> tuple[Informer[ConfigMap], list[tuple[str, str]]]:
    """Run an informer until the script is over; the informer, and what its handler was told (old and new revisions)."""
    informer = Informer(client(script), ConfigMap)
    informer.add_index("color", lambda obj: obj.data.get("color"))
    told: list[tuple[str, str]] = []
    informer.on_change(
        lambda old, new: told.append(
            (old.metadata.resource_version if old else "", new.metadata.resource_version if new else "")
        )
    )
    await informer.start()
    async with asyncio.timeout(10):
        await script.over.wait()
    await informer.stop()
    return informer, told


@pytest.mark.parametrize("cut", [0, 1, 7])
async def test_a_watch_is_followed_however_its_bytes_arrive(cut: int) -> None:
    frames = (
        ("ADDED", config("y", 6, color="red")),
        ("MODIFIED", config("x", 7, color="red")),
        ("DELETED", config("y", 8, color="red")),
    )
    informer, told = await follow(Script(listed(5, config("x", 5, color="blue")), watched(*frames, cut=cut)))
    assert told == [("", "5"), ("", "6"), ("5", "7"), ("8", "")]
    assert [obj.metadata.name for obj in informer.by("color", "red")] == ["x"]
    assert informer.by("color", "blue") == []
    assert informer.get("a", "y") is None and len(informer.list("a")) == 1


async def test_a_watch_that_ends_resumes_from_its_bookmark() -> None:
    script = Script(listed(5), watched(("BOOKMARK", config("", 9))))
    _, told = await follow(script)
    assert script.revisions() == ["list", "5", "9"]
    assert told == []


async def test_a_revision_too_old_means_a_new_list_and_only_its_differences_are_told() -> None:
    gone = ApiError(410, "Expired", "too old resource version: 5 (8)")
    script = Script(
        listed(5, config("x", 3), config("y", 4), config("z", 5)),
        watched(("ERROR", gone.status())),
        listed(9, config("x", 3), config("y", 9)),
    )
    _, told = await follow(script)
    assert told[3:] == [("5", ""), ("4", "9")]
    assert script.revisions() == ["list", "5", "list", "9"]


async def test_an_outage_is_waited_out_without_a_new_list() -> None:
    script = Script(listed(5), ConnectionRefusedError(), watched(("ADDED", config("x", 6))))
    _, told = await follow(script)
    assert script.revisions() == ["list", "5", "5", "6"]
    assert told == [("", "6")]


async def test_a_refusal_is_raised_as_its_status_says() -> None:
    with pytest.raises(ApiError) as caught:
        await client(Script(refused(not_found("configmaps", "", "x")))).get(ConfigMap, "x", "a")
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")
    assert caught.value.message == 'configmaps "x" not found'


async def test_a_body_that_is_no_status_is_told_as_it_is() -> None:
    with pytest.raises(ApiError, match="bad gateway") as caught:
        await client(Script(Response(502, body=b"bad gateway"))).get(ConfigMap, "x", "a")
    assert caught.value.code == 502


async def test_a_patch_says_its_kind_manager_and_place() -> None:
    script = Script(Response(200, body=orjson.dumps(config("x", 2))))
    await client(script).patch(ConfigMap, "x", {"data": {}}, "a", type="apply", manager="me", force=True)
    (request,) = script.asked
    assert (request.method, request.path) == ("PATCH", "/api/v1/namespaces/a/configmaps/x")
    assert request.query == [("fieldManager", "me"), ("force", "true")]
    assert request.headers["content-type"] == "application/apply-patch+yaml"


async def test_a_handler_that_fails_and_an_index_that_repeats_itself_stop_nobody() -> None:
    script = Script(listed(5, config("x", 5)), watched(("MODIFIED", config("x", 6)), ("DELETED", config("x", 7))))
    informer, told = Informer(client(script), ConfigMap), []
    informer.add_index("twice", lambda obj: [obj.metadata.name, obj.metadata.name])
    informer.on_change(lambda old, new: told.append(1 // 0))
    informer.on_change(lambda old, new: told.append(new is None))
    await informer.start()
    async with asyncio.timeout(10):
        await script.over.wait()
    await informer.stop()
    assert told == [False, False, True]
    assert informer.by("twice", "x") == []
