"""The agent's /layers: one reading for all who ask at once, kept until the kernel says that something has changed."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from agent.hardware import discovery as module
from agent.hardware.discovery import Discovery
from agent.hardware.doors import add_doors
from agent.hardware.events import Changes
from agent.hardware.view import NodeView
from kubeapi.clock import SystemClock
from kubeapi.hardware_v1.layers import Layers

VIEW = NodeView("n", SystemClock())


@pytest.fixture
async def discovery() -> AsyncIterator[Discovery]:
    made = Discovery(VIEW)
    yield made
    await made.close()


async def test_the_door_answers_the_document() -> None:
    app = web.Application()
    add_doors(app, VIEW)
    async with TestClient(TestServer(app)) as client, client.get("/layers") as answer:
        assert answer.content_type == "application/json"
        layers = Layers.from_json(await answer.read())
    assert (layers.kind, layers.metadata.name) == ("Layers", "n")


async def test_the_door_answers_in_korean_who_asks_for_it_and_nobody_else() -> None:
    app = web.Application()
    add_doors(app, VIEW)
    horizons = {}
    async with TestClient(TestServer(app)) as client:
        for query in ("?language=ko", ""):
            async with client.get(f"/layers{query}") as answer:
                horizons[query] = Layers.from_json(await answer.read()).horizons
    assert [horizon.part for horizon in horizons[""]] == [horizon.part for horizon in horizons["?language=ko"]]
    assert "아래" in horizons["?language=ko"][0].says and horizons[""][0].says.isascii()


async def test_those_who_ask_at_once_share_a_reading(discovery: Discovery) -> None:
    one, two = await asyncio.gather(discovery.layers(), discovery.layers())
    assert one is two


async def test_a_document_is_kept_until_the_kernel_speaks(
    discovery: Discovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH", 60)
    told: list[Told] = []
    monkeypatch.setattr(module, "Changes", lambda loop: Told(told))
    first = await discovery.layers()
    assert await discovery.layers() is first
    told[-1].seen = True
    assert await discovery.layers() is not first
    assert told[0].closed and not told[1].closed


class Told:
    """Changes that a test tells of."""

    def __init__(self, told: list["Told"]) -> None:
        self.seen = self.closed = False
        told.append(self)

    def close(self) -> None:
        self.closed = True


async def test_a_kernel_that_lets_nobody_listen_has_always_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise PermissionError

    monkeypatch.setattr(socket, "socket", refuse)
    assert Changes(asyncio.get_running_loop()).seen
