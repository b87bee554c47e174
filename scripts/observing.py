"""What the demo sees with: the engine's events, the pods' states, and steady requests; each a thread that remembers."""

from __future__ import annotations

import http.client
import json
import pathlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import docker

from naru.connection import Connection

T = TypeVar("T")
LABEL = "naru.dev/"


class MissingError(Exception):
    """What was waited for did not happen in time."""


class Memory(Generic[T]):
    """Things in the order in which they came; readers wait for the one they look for."""

    def __init__(self) -> None:
        self._things: list[T] = []
        self._came = threading.Condition()

    def add(self, thing: T) -> None:
        """Remember one more."""
        with self._came:
            self._things.append(thing)
            self._came.notify_all()

    def all(self) -> list[T]:
        """Everything so far."""
        with self._came:
            return [*self._things]

    def first(self, wanted: Callable[[T], bool], what: str, seconds: float = 60.0) -> T:
        """The first that is wanted, which may still have to come. MissingError after `seconds`."""
        ends, seen = time.monotonic() + seconds, 0
        with self._came:
            while True:
                for thing in self._things[seen:]:
                    if wanted(thing):
                        return thing
                seen = len(self._things)
                if not self._came.wait(ends - time.monotonic()) and time.monotonic() >= ends:
                    raise MissingError(f"{what}: not after {seconds:.0f} s")


def follow(things: Iterable[T], memory: Memory[T]) -> None:
    """Remember things from a thread that ends with the process, or with its source."""

    def run() -> None:
        for thing in things:
            memory.add(thing)

    threading.Thread(target=run, daemon=True).start()


class EngineEvent(NamedTuple):
    """What the engine says of a container, and when it happened by its own clock (seconds since 1970)."""

    action: str
    id: str
    labels: dict[str, str]
    at: float


class Engine:
    """The containers of one cluster on this machine's Docker Engine, and their events from now on."""

    def __init__(self, cluster: str) -> None:
        self.api = docker.APIClient()
        self._ours = {"label": [f"{LABEL}cluster={cluster}"]}
        self.events: Memory[EngineEvent] = Memory()
        # A connection of its own, from this second on, so that none is missed while it is made.
        told = docker.APIClient(timeout=None).events(decode=True, since=int(time.time()), filters=self._ours)
        follow((self._event(e) for e in told if e["Type"] == "container"), self.events)

    @staticmethod
    def _event(told: dict[str, Any]) -> EngineEvent:
        actor = told["Actor"]
        return EngineEvent(told["Action"], actor["ID"], actor["Attributes"], told["timeNano"] / 1e9)

    def running(self, app: str, kind: str) -> list[dict[str, Any]]:
        """The sandboxes or the containers of an app's pods, oldest first; `app` is how their names begin."""
        rows = self.api.containers(filters=self._ours)
        mine = [r for r in rows if r["Labels"][LABEL + "kind"] == kind and of_app(r["Labels"], app)]
        return sorted(mine, key=lambda row: row["Created"])


def of_app(labels: dict[str, str], app: str) -> bool:
    """Whether a container's pod belongs to the Deployment `app`."""
    return labels[LABEL + "pod.name"].startswith(f"{app}-")


class PodState(NamedTuple):
    """A pod as a watch tells it: whether it is ready, by which containers, and when this was heard."""

    name: str
    uid: str
    ready: bool
    containers: frozenset[str]
    at: float


class Pods:
    """The pods of a namespace, from a watch."""

    def __init__(self, data_dir: pathlib.Path, namespace: str) -> None:
        self.states: Memory[PodState] = Memory()
        self._connection, self._path = Connection(data_dir), f"/api/v1/namespaces/{namespace}/pods"
        follow(self._watched(), self.states)

    def _watched(self) -> Iterable[PodState]:
        with self._connection.send("GET", self._path, {"watch": "1"}) as response:
            for line in response:
                pod, now = json.loads(line)["object"], time.time()
                status = pod.get("status", {})
                ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
                ids = (c.get("containerID", "").removeprefix("docker://") for c in status.get("containerStatuses", []))
                yield PodState(pod["metadata"]["name"], pod["metadata"]["uid"], ready, frozenset(ids), now)


class Reply(NamedTuple):
    """One request through all tiers: when it was answered, by whom, the row count; `error` when it failed."""

    at: float
    web: str = ""
    was: str = ""
    db: str = ""
    rows: int = 0
    error: str = ""


class Traffic:
    """Requests to the web tier, one after the other, until `stop`."""

    def __init__(self, port: int, pause: float = 0.02) -> None:
        self.replies: Memory[Reply] = Memory()
        self.port, self._pause, self._stopped = port, pause, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> list[Reply]:
        """Ask no more; every reply there was."""
        self._stopped.set()
        self._thread.join()
        return self.replies.all()

    def ask(self) -> Reply:
        """Send one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                return Reply(time.time(), error=f"{answer.status} {answer.reason}")
            told = json.loads(body)
            return Reply(time.time(), answer.headers["X-Web-Pod"], told["pod"], told["db"], told["count"])
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            return Reply(time.time(), error=str(error) or type(error).__name__)
        finally:
            connection.close()

    def _run(self) -> None:
        while not self._stopped.wait(self._pause):
            self.replies.add(self.ask())
