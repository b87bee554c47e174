"""What `naru layers --memory` and `--check` print."""

from __future__ import annotations

import re

from kubeapi.hardware_v1.check import Capability, Check
from kubeapi.hardware_v1.layers import Evidence, Fact, Part
from kubeapi.hardware_v1.memory import Memory
from naru.layers import check, memory
from naru.layers.labels import Labels
from naru.layers.terminal import Look, width

GIB = 1 << 30


def document() -> Memory:
    """A pod with a container and a process that may not be read, and twelve processes outside."""
    machine = [
        Fact(name="total", value=8 * GIB, unit="B"),
        Fact(name="swap", value=0, unit="B"),
        Fact(name="commitLimit", value=4 * GIB, unit="B", note="does not bind"),
        Fact(
            name="overcommit", value=0, note="heuristic: only a single request larger than all RAM and swap is refused"
        ),
        Fact(name="proportional", value=GIB, unit="B", note="at least: not permitted"),
    ]
    hidden = [
        Fact(name="promised", value=2 * GIB, unit="B"),
        Fact(name="proportional", value=None, note="not permitted"),
    ]
    limit = [Fact(name="limit", value=None, note="none"), Fact(name="charged", value=GIB, unit="B")]
    outside = [
        Part(id=f"process/{n}", kind="process", name=f"p{n}", floor="process",
             facts=[Fact(name="proportional", value=n * GIB, unit="B")])
        for n in range(1, 13)
    ]  # fmt: skip
    return Memory(
        parts=[
            Part(id="memory", kind="memory", name="memory", floor="hardware", facts=machine),
            Part(id="pod/shop/web", kind="pod", name="web", floor="pod"),
            Part(id="container/ab", kind="container", name="nginx", floor="container", on="pod/shop/web", facts=limit),
            Part(id="process/90", kind="process", name="nginx", floor="process", on="container/ab", facts=hidden),
            *outside,
        ]
    )


def test_pods_stand_above_their_containers_and_processes_and_the_largest_outside_come_first() -> None:
    lines = memory.text(document(), Labels(), Look()).splitlines()
    at = [
        next(i for i, line in enumerate(lines) if word in line)
        for word in ("shop/web", "  nginx", "nginx 90", "p12 12", "p3 3")
    ]
    assert at == sorted(at)
    assert "p2 2" not in "\n".join(lines) and any("and 2 more (--all)" in line for line in lines)
    assert "p2 2" in memory.text(document(), Labels(), Look(), everything=True)


def test_what_is_not_permitted_stands_in_its_cell_and_a_sum_that_lacks_something_has_a_plus() -> None:
    shown = memory.text(document(), Labels(), Look())
    assert "not permitted" in next(line for line in shown.splitlines() if "nginx 90" in line)
    assert next(line for line in shown.splitlines() if line.startswith("proportional")).split()[1:3] == ["1", "GiB+,"]


def test_the_commit_limit_is_said_not_to_bind_and_there_is_no_swap() -> None:
    shown = memory.text(document(), Labels(), Look())
    assert "the commit limit of 4 GiB does not bind (overcommit mode 0" in shown and "no swap" in shown


def test_in_korean_nothing_but_names_and_units_is_left_in_english() -> None:
    shown = memory.text(document(), Labels(language="ko"), Look())
    english = {word for word in re.findall(r"[A-Za-z]{3,}", shown)}
    assert english <= {"RAM", "GiB", "VmSize", "cgroup", "docker", "stats", "shop", "web", "nginx", "all"}
    assert "권한 없음" in next(line for line in shown.splitlines() if "nginx 90" in line)
    header, container = (
        next(line for line in shown.splitlines() if word in line) for word in ("작업 집합  한도", "  nginx ")
    )
    assert width(header) == width(container)  # columns stand under each other


def test_check_tells_what_is_lost_and_how_to_allow_it_only_where_something_is_missing() -> None:
    there = Capability(name="conntrack", state="offered", says="listed", lost="LOST", allow="ALLOW",
                       evidence=[Evidence(source="netlink", value="answered")])  # fmt: skip
    gone = there.model_copy(update={"name": "tracefs", "state": "dormant", "says": "not mounted"})
    shown = check.text(Check(capabilities=[there, gone]), Labels(), Look()).splitlines()
    assert [line.split()[0] for line in shown] == ["conntrack", "tracefs", "lost:", "allow:"]
    assert "netlink: answered" in check.text(Check(capabilities=[there]), Labels(), Look(), evidence=True)
