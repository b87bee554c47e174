"""The tools that replay what a real Kubernetes 1.36 answered and did; they and their records may be absent."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from tests.e2e.conftest import Cluster

SHARED = pathlib.Path(__file__).parents[2].parent / "shared"
TOOLS, RECORDS = SHARED / "tools", SHARED / "golden"


def replay(tool: str, cluster: Cluster, *arguments: str) -> list[str]:
    """Run a tool; its last line in words, which has the totals."""
    command = [sys.executable, str(TOOLS / tool), cluster.url, f"--token={cluster.token}"]  # it may begin with a dash
    command += ["--ca", str(cluster.data_dir / "ca.crt"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].replace("%", "").split()
