"""The Docker Engine stops and starts again: the node turns NotReady and says why, and all recovers by itself."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Cluster, free_port
from tests.engines import Engine, own_engine
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]
POD = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: naru/base, imagePullPolicy: IfNotPresent, command: [sleep, infinity]}
"""


@pytest.fixture
def engine() -> Iterator[Engine]:
    with own_engine() as made:
        yield made


def test_the_node_turns_not_ready_with_the_reason_and_recovers(engine: Engine, tmp_path: pathlib.Path) -> None:
    node = Cluster(tmp_path, free_port(), engine)
    try:
        node.naru("up", "--detach", "--port", str(node.port))
        node.kubectl("apply", "-f", "-", stdin=POD)
        node.kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=60s")

        engine.stop()
        node.kubectl("wait", "--for=condition=Ready=False", "nodes", "--all", "--timeout=20s")
        described = node.kubectl("describe", "nodes").stdout
        assert "container runtime is down" in described and "KubeletNotReady" in described
        assert "NotReady" in node.kubectl("get", "nodes").stdout

        engine.start()
        node.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=20s")
        node.kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/p", "--timeout=60s")
        node.kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=60s")
        reasons = ("get", "events", "-o", "jsonpath={.items[*].reason}")
        causes = {"Killed", "EngineLost"}  # by the engine's signal if that was heard before the engine went
        until(lambda: not causes.isdisjoint(node.kubectl(*reasons).stdout.split()))
    finally:
        node.naru("down", "--delete-data")
