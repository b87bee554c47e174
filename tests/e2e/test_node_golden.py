"""What a real kubelet 1.36 made of pods, against what this node makes of them on a real engine. Skipped without records."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Cluster
from tests.e2e.golden import TOOLS, replay

FLOOR = 85.0  # per cent of the pods; a starved machine loses some that wait for a second
pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not TOOLS.exists(), reason="no recorded pods here"),
]


def test_pods_live_and_die_alike(node: Cluster) -> None:
    name, pods, same = replay("node_diff.py", node, "--image", "naru/base", "--show", "20")
    assert name == "ALL" and int(pods) > 40
    assert float(same) >= FLOOR
