"""Memory held against others who read it: `docker stats`, and the kernel's page by page account; and the promise, run."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.hardware.evidence import Tree
from agent.hardware.memory import observe_memory
from agent.hardware.witnesses import check
from kubeapi.hardware_v1.check import Check
from kubeapi.hardware_v1.layers import Layers, Part
from naru.cli import main
from naru.layers.bits import runs_32_bit
from naru.layers.promise import GIB, MIB, PROCESSES, Plan, demonstrate, observe_limits, plan

ROOT = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("docker"), reason="needs root and a Docker Engine")
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
LIMIT = 64 * MIB
CACHE = "dd if=/dev/zero of=/file bs=1M count=8 2>/dev/null; cat /file >/dev/null; echo ready; exec sleep infinity"
DEADLINE = 10.0


@pytest.fixture
def container() -> Iterator[str]:
    """A container with a limit, a few MiB of page cache and nothing else to do. Its id."""
    command = ["docker", "run", "-d", "-m", str(LIMIT), "naru/base", "sh", "-c", CACHE]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        with subprocess.Popen(["docker", "logs", "-f", made], stdout=subprocess.PIPE, text=True) as logs:
            assert logs.stdout is not None and logs.stdout.readline() == "ready\n"
            logs.kill()
        yield made
    finally:
        subprocess.run(["docker", "rm", "-f", made], check=True, capture_output=True)


def in_bytes(text: str) -> float:
    """`12.5MiB` as docker prints it."""
    found = re.fullmatch(r"([\d.]+)([KMG]?i?B)", text.strip())
    assert found is not None, text
    return float(found[1]) * UNITS[found[2]]


def part_of(id: str) -> Part:
    """What memory says of a container."""
    part = observe_memory(Tree(), Layers()).part(f"container/{id[:12]}")
    assert part is not None
    return part


@pytest.mark.docker
@ROOT
def test_the_working_set_and_the_limit_are_those_of_docker_stats(container: str) -> None:
    command = ["docker", "stats", "--no-stream", "--format", "{{json .}}", container]
    stats = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    used, limit = map(in_bytes, stats["MemUsage"].split("/"))
    part = part_of(container)
    working = part.value("workingSet")
    assert isinstance(working, int) and abs(working - used) < 0.5 * MIB
    assert part.value("limit") == limit == LIMIT
    charged = part.value("charged")
    assert isinstance(charged, int) and charged > working + 4 * MIB  # the cache that it touched first


@pytest.mark.docker
@ROOT
def test_shares_are_those_of_the_kernels_account_page_by_page(container: str) -> None:
    told = subprocess.run(["docker", "inspect", "-f", "{{.State.Pid}}", container], check=True, capture_output=True)
    smaps = Path(f"/proc/{int(told.stdout)}/smaps").read_text()
    pages = sum(int(line.split()[1]) * 1024 for line in smaps.splitlines() if line.startswith("Pss:"))
    share = part_of(container).value("proportional")
    assert isinstance(share, int)
    assert abs(share - pages) < 256 * 1024  # others of the same program may start and end in between


def test_our_own_process_is_read_as_it_is() -> None:
    part = observe_memory(Tree()).part(f"process/{os.getpid()}")
    assert part is not None
    resident, share, unique = (part.value(name) for name in ("resident", "proportional", "unique"))
    assert isinstance(resident, int) and isinstance(share, int) and isinstance(unique, int)
    assert 0 < unique <= share <= resident + MIB
    assert {fact.evidence[0].source for fact in part.facts} == {
        f"/proc/{os.getpid()}/{f}" for f in ("status", "smaps_rollup")
    }


def test_forty_gigabytes_are_promised_and_almost_nothing_is_taken() -> None:
    planned = plan(observe_limits())
    if not isinstance(planned, Plan):
        pytest.skip(planned.why)
    before, promised, touched, after = demonstrate(planned)
    assert promised.committed - before.committed > 35 * GIB
    assert promised.promised > PROCESSES * 4 * GIB
    assert before.available - promised.available < GIB
    grown = touched.resident - promised.resident
    assert PROCESSES * 4 * MIB <= grown < PROCESSES * 5 * MIB
    assert after.committed < promised.committed - 35 * GIB


def test_a_child_dies_with_its_parent() -> None:
    program = (
        "import os, signal\n"
        "from naru.layers.promise import Child, Plan\n"
        "child = Child(Plan(1, 1 << 20)); child.wait(); print(child.pid, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.send_signal(signal.SIGKILL)
            assert select.select([child], [], [], DEADLINE)[0], "the child has outlived its parent"
        finally:
            os.close(child)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="asks an x86 kernel")
def test_a_32_bit_program_runs_or_does_not() -> None:
    assert runs_32_bit() in (True, False)


def test_each_witness_of_this_kernel_is_told_with_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "--data-dir", str(tmp_path), "--check", "-o", "json"]) == 0
    printed = Check.from_json(capsys.readouterr().out)
    assert [(one.name, one.state) for one in printed.capabilities] == [(one.name, one.state) for one in check(Tree())]
    assert all(one.evidence for one in printed.capabilities)
    smaps = printed.capability("smaps_rollup")
    assert smaps is not None and smaps.state == "offered"
