"""What a real Kubernetes 1.36's controllers and scheduler made of a scenario, against what these make of it.

The tool plays the nodes itself. Skipped where no records are. Known differences, on purpose: a namespace is emptied at
once (there it waits five seconds for other API servers), and a claim binds as soon as a volume appears (there it waits
for the next resync).
"""

from __future__ import annotations

import gzip
import json
import pathlib
from typing import Any

import pytest

from kubeapi import registry
from tests.e2e.conftest import Cluster
from tests.e2e.golden import RECORDS, TOOLS, replay

FLOOR = 85.0  # per cent of steps; a starved machine loses some that settle too late
pytestmark = pytest.mark.skipif(not TOOLS.exists(), reason="no recorded scenarios here")


def resource_of(path: str) -> str:
    """The plural in an API path: `/apis/apps/v1/namespaces/NS/deployments/web` is about deployments."""
    parts = path.split("/v1/")[1].split("/")
    return parts[2] if parts[0] == "namespaces" and len(parts) > 2 else parts[0]


def asks_only_for_what_is_served(scenario: dict[str, Any]) -> bool:
    served = {kind.plural for kind in registry.load()}
    return all(resource_of(step["path"]) in served for step in scenario["steps"])


@pytest.mark.timeout(300)
def test_scenarios_settle_alike(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    with gzip.open(RECORDS / "controllers.jsonl.gz", "rt") as lines:
        chosen = [line for line in lines if asks_only_for_what_is_served(json.loads(line))]
    records = tmp_path / "records.jsonl"
    records.write_text("".join(chosen))
    name, steps, same = replay("controller_diff.py", cluster, "--golden", str(records), "--show", "20")
    assert name == "ALL"
    assert int(steps) > len(chosen)
    assert float(same) >= FLOOR, f"{same} % of {steps} steps in {len(chosen)} scenarios"
