"""The agent's doors to the layers beneath: what the API passes on from /api/v1/nodes/NODE/proxy/PATH is answered here.

Nothing of it is imported before somebody asks: a node that nobody looks into stays as small as it was.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

from aiohttp import web

from agent.hardware.evidence import Tree
from agent.hardware.view import NodeView

if TYPE_CHECKING:
    from agent.hardware.discovery import Discovery
    from kubeapi.model import Model


def add_doors(app: web.Application, view: NodeView) -> None:
    """Add all doors to the agent's server.

    A new door is an `async def` beside these that takes the request, imports what it needs, reads `view` or asks
    `discovery()` for the layers, and returns `document(request, MODEL)`; and an `app.router.add_get` (or `add_post`) of its
    path below. What a person asked wrongly is `raise web.HTTPBadRequest(text=WHY)`. Work that blocks goes to a thread.
    """

    @functools.cache
    def discovery() -> Discovery:
        from agent.hardware.discovery import Discovery

        return Discovery(view)

    async def layers(request: web.Request) -> web.Response:
        return document(request, await discovery().layers())

    async def memory(request: web.Request) -> web.Response:
        from agent.hardware.memory import observe_memory

        return document(request, await asyncio.to_thread(observe_memory, Tree(view.root), await discovery().layers()))

    async def check(request: web.Request) -> web.Response:
        from agent.hardware.witnesses import checked

        return document(request, await asyncio.to_thread(checked, Tree(view.root), view.name, view.clock.now()))

    async def trace(request: web.Request) -> web.Response:
        from agent.trace.door import answer
        from agent.trace.ends import EndError

        try:
            return document(request, await answer(request.query, view))
        except EndError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        except OSError as error:
            raise web.HTTPInternalServerError(text=f"no trace: {error}") from error

    async def close(_: web.Application) -> None:
        if discovery.cache_info().currsize:
            await discovery().close()

    app.router.add_get("/layers", layers)
    app.router.add_get("/layers/memory", memory)
    app.router.add_get("/layers/check", check)
    app.router.add_post("/trace", trace)
    app.on_cleanup.append(close)


def document(request: web.Request, model: Model) -> web.Response:
    """A document as JSON, encoded once; with its sentences in Korean for who asks with `?language=ko`."""
    if request.query.get("language") == "ko":
        from kubeapi.hardware_v1.korean import told_in_korean

        model = told_in_korean(model)
    return web.Response(body=model.to_json(), content_type="application/json")
