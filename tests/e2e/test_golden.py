"""What a real Kubernetes 1.36 answered, against what this one answers. Skipped where no records are.

The thresholds are floors under what has been reached; docs/development.md has the figures and the goals.
"""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Cluster
from tests.e2e.golden import TOOLS, replay

pytestmark = pytest.mark.skipif(not TOOLS.exists(), reason="no recorded answers here")
CONFIGURATION = "ConfigMap,Secret,ServiceAccount,PersistentVolume,PersistentVolumeClaim,StorageClass"
KINDS = f"Pod,Service,Deployment,ReplicaSet,Namespace,Node,Endpoints,{CONFIGURATION}"


@pytest.mark.timeout(300)
def test_single_creates_are_answered_alike(api_only: Cluster) -> None:
    _, _, code, objects, *_ = replay("api_diff.py", api_only, "--kind", KINDS)
    assert float(code) >= FLOORS["api code"]
    assert float(objects) >= FLOORS["api objects"]


@pytest.mark.timeout(300)
def test_conversations_are_answered_alike(api_only: Cluster) -> None:
    *_, code, same = replay("flow_diff.py", api_only, "--kind", KINDS + ",Lease,EndpointSlice,Event")
    assert float(code) >= FLOORS["flow code"]
    assert float(same) >= FLOORS["flow answers"]


FLOORS = {"api code": 99.5, "api objects": 99, "flow code": 99, "flow answers": 98}
