"""A watcher of one kind that takes nothing on trust: every event must be the next one of the log, and the right one.

It speaks to the API by itself, without Naru's client: lists, watches, resumes after the last revision that it has seen when
the stream breaks, and lists again when that is too old. It may be slow.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import AsyncGenerator
from typing import Any

import orjson

from controlplane.store import Change
from kubeapi.client.transport import Request
from naru.simulation.cluster import Cluster
from naru.simulation.invariants.base import Scene

AGAIN, BREAKS = 0.25, 0.1  # seconds until it resumes; how likely its stream breaks before an event
NAME = "watches"


class Observer:
    """Follows what is under `path` of the API, whose keys in the log begin with `prefix`."""

    def __init__(self, cluster: Cluster, scene: Scene, path: str, prefix: str) -> None:
        self._wire, self._scene, self._path, self._prefix = cluster.wire(f"watch {path}"), scene, path, prefix
        self._wire.weather.broken = BREAKS
        self._log: list[Change] = []
        self._revisions: list[int] = []
        self.slowness = 0.0  # seconds that it takes for each event
        self.seen: dict[str, str] = {}  # the revisions of the objects, by uid
        self._last = 0
        self._life: asyncio.Task[None] | None = None
        cluster.store.on_commit.append(self._committed)

    def start(self) -> None:
        """Begin."""
        self._life = asyncio.get_running_loop().create_task(self._follow(), name="observer")

    def stop(self) -> None:
        """See no more."""
        if self._life:
            self._life.cancel()

    def _committed(self, change: Change) -> None:
        if change.key.startswith(self._prefix):
            self._log.append(change)
            self._revisions.append(change.revision)

    async def _follow(self) -> None:
        listed = False
        while True:
            try:
                if not listed:
                    await self._list()
                listed = await self._watch()
            except OSError:
                await asyncio.sleep(AGAIN)

    async def _ask(self, *query: tuple[str, str]) -> tuple[Any, AsyncGenerator[bytes, None] | None]:
        response = await self._wire.send(Request("GET", self._path, query, {"accept": "application/json"}, b""))
        if response.status != 200:
            raise ConnectionError(f"answered {response.status}")
        return (orjson.loads(response.body) if response.stream is None else None), response.stream

    async def _list(self) -> None:
        page, _ = await self._ask()
        revision = int(page["metadata"]["resourceVersion"])
        if revision < self._last:
            self._scene.say(NAME, f"{self._path} was listed at revision {revision}, {self._last} had been seen")
        self._last = revision
        self.seen = {o["metadata"]["uid"]: o["metadata"]["resourceVersion"] for o in page["items"]}

    async def _watch(self) -> bool:
        """Until the stream ends; whether the next may go on from here."""
        query = (("watch", "1"), ("resourceVersion", str(self._last)), ("allowWatchBookmarks", "true"))
        _, stream = await self._ask(*query)
        if stream is None:
            raise ConnectionError("no stream")
        rest = b""
        try:
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        return False
                    self._see(event["type"], event["object"])
                await asyncio.sleep(self.slowness)
        finally:
            await stream.aclose()
        return True

    def _see(self, kind: str, found: dict[str, Any]) -> None:
        meta = found["metadata"]
        revision = int(meta["resourceVersion"])
        index = bisect.bisect_right(self._revisions, self._last)
        following = self._log[index] if index < len(self._log) else None
        if kind == "BOOKMARK":
            if following and following.revision <= revision:
                self._scene.say(NAME, f"a bookmark at {revision} of {self._path} passes over {following.revision}")
        elif following is None or revision != following.revision:
            awaited = following.revision if following else "nothing"
            self._scene.say(NAME, f"{kind} of {self._path} at {revision} after {self._last}, {awaited} was next")
        elif kind != following.type:
            self._scene.say(NAME, f"{kind} of {self._path} at {revision}, it was {following.type}")
        elif kind == "DELETED":
            self.seen.pop(meta["uid"], None)
        else:
            self.seen[meta["uid"]] = meta["resourceVersion"]
        self._last = max(self._last, revision)
