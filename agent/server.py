"""The agent's own server: logs, exec, attach and port-forward of this node's pods, for the API server alone; and the layers
beneath them (`hardware/doors.py`).

HTTPS on the node with mutual TLS: the caller must show the API server's certificate, signed by the cluster's CA. Paths and
query are the kubelet's (`/containerLogs/NAMESPACE/POD/CONTAINER`, `/exec/...`, `/attach/...`), and so are the words of a
refusal, which the API server passes on. A caller that hangs up cancels its request, and with it whatever the request holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.typedefs import Handler

from agent import streams
from agent.logs import NoLogsError, container_of_logs, limited, log_options
from agent.portforward import PROTOCOL, PortForward, connect_inside
from agent.runtime.protocol import Container, EngineError, ExecSession, Runtime
from kubeapi.core_v1.types import Container as Template
from kubeapi.core_v1.types import Pod

CLIENT = "apiserver-agent-client"
STOP_GRACE = 0.5
HEARTBEAT = 120.0  # seconds; by half as many more an unanswered ping ends a connection
FLAGS = ("1", "true")
Opener = Callable[[Pod, Template, streams.Wanted], Awaitable[tuple[ExecSession, bool]]]
"""Opens a session in a container; tells whether it has a terminal, which for an attach was settled at the creation."""


class AgentServer:
    """Serves the containers of one runtime. pods(namespace, name) gives a pod of this node; tls demands a certificate;
    killing(pod_uid, container_id) is told what is about to be killed; more(app) adds what else the node answers."""

    def __init__(
        self,
        runtime: Runtime,
        pods: Callable[[str, str], Pod | None],
        tls: ssl.SSLContext,
        killing: Callable[[str, str], None] = lambda uid, container: None,
        more: Callable[[web.Application], None] = lambda app: None,
    ) -> None:
        self._runtime, self._pods, self._tls = runtime, pods, tls
        self._killing, self._more = killing, more
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port."""
        app = web.Application(middlewares=[_only_client])
        app.router.add_get("/healthz", _healthy)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        app.router.add_get("/exec/{namespace}/{pod}/{container}", self._exec)
        app.router.add_get("/attach/{namespace}/{pod}/{container}", self._attach)
        app.router.add_get("/portForward/{namespace}/{pod}", self._port_forward)
        app.router.add_post("/kill/{namespace}/{pod}/{container}", self._kill)
        self._more(app)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=STOP_GRACE)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=self._tls)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and end what is open."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        pod, template = self._asked(request)
        try:
            options = log_options(request.query, datetime.now(UTC))
            found = container_of_logs(pod, template.name, options.previous)
        except (NoLogsError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        output = self._runtime.logs(
            found,
            follow=options.follow,
            tail=options.tail,
            since=options.since,
            timestamps=options.timestamps,
        )
        with contextlib.suppress(ConnectionError):  # the reader has left
            async with contextlib.aclosing(output), contextlib.aclosing(limited(output, options.limit)) as chunks:
                try:
                    async for chunk in chunks:
                        await response.write(chunk)
                except EngineError:  # most often: its container was removed
                    await response.write(f"unable to retrieve container logs for docker://{found}".encode())
            await response.write_eof()
        return response

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        async def opened(pod: Pod, template: Template, wanted: streams.Wanted) -> tuple[ExecSession, bool]:
            container = await self._running(pod, template.name, f'container not found ("{template.name}")')
            command = request.query.getall("command", [])
            return await self._runtime.open_exec(container.id, command, wanted.tty, wanted.stdin), wanted.tty

        return await self._converse(request, opened, "error executing command in container")

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        async def opened(pod: Pod, template: Template, wanted: streams.Wanted) -> tuple[ExecSession, bool]:
            why = f"container {template.name} not found in pod {pod.metadata.name}_{pod.metadata.namespace}"
            container = await self._running(pod, template.name, why)
            stdin = wanted.stdin and template.stdin
            return await self._runtime.attach(container.id, template.tty, stdin), template.tty

        return await self._converse(request, opened, "error attaching to container")

    async def _port_forward(self, request: web.Request) -> web.StreamResponse:
        pod = self._pod(request)

        async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            try:
                sandboxes, _ = await self._runtime.observe(pod.metadata.uid)
            except EngineError as error:
                raise OSError(str(error)) from error
            for sandbox in sandboxes:
                if sandbox.running:
                    return await connect_inside(sandbox.pid, port)
            raise OSError("no sandbox of it runs")

        socket = _websocket(PROTOCOL)
        await socket.prepare(request)
        await PortForward(socket, connect, pod.metadata.uid).run()
        return socket

    async def _kill(self, request: web.Request) -> web.Response:
        """End a container as a crash would (SIGKILL), for who wants to see it heal: the kubelet has no such door.

        The answer names the container that was killed, and comes when it is dead.
        """
        pod, template = self._asked(request)
        container = await self._running(pod, template.name, f'container "{template.name}" does not run')
        self._killing(pod.metadata.uid, container.id)
        try:
            await self._runtime.stop(container.id, 0)
        except EngineError as error:
            raise web.HTTPInternalServerError(text=str(error)) from error
        return web.json_response({"killed": f"docker://{container.id}"})

    async def _converse(self, request: web.Request, opened: Opener, failing: str) -> web.StreamResponse:
        """Open a session and pump it. Why there is none is told where the client looks for how one ended."""
        socket = _websocket(*streams.PROTOCOLS)
        await socket.prepare(request)
        try:
            wanted = _wanted(request)
            session, tty = await opened(*self._asked(request), wanted)
        except web.HTTPException as refusal:
            await streams.refuse(socket, f"unable to upgrade connection: {refusal.text}")
        except EngineError as error:
            await streams.refuse(socket, f"{failing}: {error}")
        else:
            await streams.converse(socket, session, wanted._replace(tty=tty))
        return socket

    def _pod(self, request: web.Request) -> Pod:
        """The pod that a path names; 404 when it is not of this node."""
        name = request.match_info["pod"]
        pod = self._pods(request.match_info["namespace"], name)
        if pod is None:
            raise web.HTTPNotFound(text=f'pod "{name}" does not exist')
        return pod

    def _asked(self, request: web.Request) -> tuple[Pod, Template]:
        """The pod and the container of its template that a path names; 404 when there is none."""
        pod, container = self._pod(request), request.match_info["container"]
        for template in (*pod.spec.init_containers, *pod.spec.containers):
            if template.name == container:
                return pod, template
        raise web.HTTPNotFound(text=f'container "{container}" not found in pod "{pod.metadata.name}"')

    async def _running(self, pod: Pod, name: str, refusal: str) -> Container:
        """The container of that name that runs now; 500 with the refusal when none does."""
        try:
            _, containers = await self._runtime.observe(pod.metadata.uid)
        except EngineError as error:
            raise web.HTTPInternalServerError(text=str(error)) from error
        for container in containers:
            if container.name == name and container.phase == "running":
                return container
        raise web.HTTPInternalServerError(text=refusal)


def _websocket(*protocols: str) -> web.WebSocketResponse:
    """The heartbeat is for a client that left while its input was not read: nothing else would tell."""
    return web.WebSocketResponse(protocols=protocols, max_msg_size=0, compress=False, heartbeat=HEARTBEAT)


@web.middleware
async def _only_client(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Of all certificates that the CA has signed, only the API server's may enter."""
    shown = request.get_extra_info("peercert") or {}
    names = {value for part in shown.get("subject", ()) for key, value in part if key == "commonName"}
    if CLIENT not in names:
        raise web.HTTPForbidden(text="Forbidden")
    return await handler(request)


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def _wanted(request: web.Request) -> streams.Wanted:
    query = request.query
    told = (query.get(name) in FLAGS for name in ("input", "output", "error", "tty"))
    wanted = streams.Wanted(*told)
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        raise web.HTTPBadRequest(text="you must specify at least one of stdin, stdout, stderr")
    return wanted
