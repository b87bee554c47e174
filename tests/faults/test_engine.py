"""The engine hangs, dies, is restarted: the node says so, the API stays quick, and nothing is restarted that still runs."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Cluster
from tests.e2e.test_crash import APP, named
from tests.engines import Engine

pytestmark = [pytest.mark.docker, pytest.mark.faults, pytest.mark.timeout(400)]
POOL = 16  # threads that the agent has for calls to the engine
LIVE = "--live-restore"


@pytest.fixture
def app(apart: Cluster) -> Cluster:
    """Three replicas that run."""
    apart.kubectl("apply", "-f", "-", stdin=APP)
    available(apart, 3)
    return apart


@pytest.fixture
def live(engine: Engine) -> Iterator[None]:
    """The engine leaves its containers running when it ends."""
    engine.stop()
    engine.start(LIVE)
    yield
    engine.stop()
    engine.start()


def available(cluster: Cluster, replicas: int) -> None:
    cluster.kubectl(
        "wait", f"--for=jsonpath={{.status.availableReplicas}}={replicas}", "deployment/app", "--timeout=100s"
    )


def nodes_turn(cluster: Cluster, ready: str) -> None:
    cluster.kubectl("wait", f"--for=condition=Ready={ready}", "nodes", "--all", "--timeout=90s")


def condition(cluster: Cluster) -> dict[str, Any]:
    """The node's Ready."""
    (node,) = json.loads(cluster.kubectl("get", "nodes", "-o", "json").stdout)["items"]
    found: dict[str, Any] = next(c for c in node["status"]["conditions"] if c["type"] == "Ready")
    return found


def restarts(cluster: Cluster) -> list[int]:
    items = json.loads(cluster.kubectl("get", "pods", "-o", "json").stdout)["items"]
    return sorted(pod["status"]["containerStatuses"][0]["restartCount"] for pod in items)


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def test_an_engine_that_hangs_for_a_minute_is_told_gathers_no_threads_and_recovers(
    app: Cluster, engine: Engine
) -> None:
    before, idle = app.containers(), threads(app.pid("agent"))
    minute = threading.Timer(60, os.kill, (engine.pid, signal.SIGCONT))
    os.kill(engine.pid, signal.SIGSTOP)
    minute.start()
    try:
        nodes_turn(app, "False")
        told = condition(app)
        assert told["reason"] == "KubeletNotReady"
        assert told["message"] == "container runtime is down: the engine has not answered for 20 s"
        app.kubectl("create", "-f", "-", "--request-timeout=5s", stdin=named("meanwhile"))
        app.kubectl("scale", "deployment/app", "--replicas=5", "--request-timeout=5s")
        app.kubectl("get", "pods", "--request-timeout=5s")
        minute.join()
        assert threads(app.pid("agent")) <= idle + POOL
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    nodes_turn(app, "True")
    available(app, 5)
    assert before < app.containers() and len(app.containers()) == 10
    assert restarts(app) == [0] * 5


def test_an_engine_that_is_killed_and_comes_back_has_its_pods_run_again(app: Cluster, engine: Engine) -> None:
    engine.kill()
    nodes_turn(app, "False")
    assert condition(app)["message"].startswith("container runtime is down: ")
    engine.start()
    nodes_turn(app, "True")
    app.kubectl(
        "wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pods", "--all", "--timeout=100s"
    )
    available(app, 3)
    assert restarts(app) == [1, 1, 1]
    assert len(app.containers()) == len(app.devices()) * 2 == 6


@pytest.mark.parametrize("end", [Engine.stop, Engine.kill])
def test_with_live_restore_nothing_is_restarted(
    live: None, app: Cluster, engine: Engine, end: Callable[[Engine], None]
) -> None:
    before = app.containers()
    end(engine)
    nodes_turn(app, "False")
    engine.start(LIVE)
    nodes_turn(app, "True")
    app.kubectl(
        "scale", "deployment/app", "--replicas=4"
    )  # when this has been done, the node is past its look at the old
    available(app, 4)
    assert before < app.containers() and len(app.containers()) == 8
    assert restarts(app) == [0] * 4
