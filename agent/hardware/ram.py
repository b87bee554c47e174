"""Memory: what there is, what has been promised, and what the promise is bounded by.

meminfo is the kernel's own sum. Its nodes may tell less (memory that was plugged in later need not be counted in one), and
tools that read the nodes are wrong by as much: that is a conflict, with meminfo's as the verdict. CommitLimit stands in
meminfo always and binds only in overcommit mode 2.
"""

from __future__ import annotations

import re

from agent.hardware.evidence import Read, Tree, fact
from agent.hardware.findings import Findings
from kubeapi.hardware_v1.layers import Conflict, Evidence, Fact, Part, Witness

OVERCOMMIT = {
    "0": ("heuristic", "not a limit in this mode: only a single promise that can't be kept at all is refused"),
    "1": ("always", "not a limit in this mode: every promise is given"),
    "2": ("never", "a limit: what goes beyond is refused"),
}
DISAGREE = 0.01  # of MemTotal; a kernel's own nodes add up to the page


def observe_ram(tree: Tree, findings: Findings) -> None:
    """Adds `memory`, and the conflict if its nodes add up to something else."""
    meminfo = tree.read("/proc/meminfo")
    amounts = kilobytes(meminfo.text or "")
    facts = [
        fact(name, amounts[key] * 1024, _seen(meminfo, key, amounts[key]), unit="B")
        for name, key in (("total", "MemTotal"), ("available", "MemAvailable"), ("swap", "SwapTotal"))
        if key in amounts
    ]
    facts += _promises(tree, meminfo, amounts)
    facts += _huge_pages(meminfo, amounts)
    facts += _nodes(tree, findings, amounts)
    findings.parts.append(Part(id="memory", kind="memory", name="memory", floor="hardware", on="machine", facts=facts))


def kilobytes(text: str) -> dict[str, int]:
    """The numbers of meminfo by name: kB, or a count of pages for HugePages_*."""
    return {name: int(number) for name, number in re.findall(r"([\w()]+):\s+(\d{1,15})(?: kB)?$", text, re.MULTILINE)}


def _seen(read: Read, key: str, amount: int) -> Evidence:
    return Evidence(source=read.path, value=f"{key}: {amount}" + ("" if key.startswith("HugePages_") else " kB"))


def _gib(kilobytes: int) -> str:
    return f"{kilobytes / (1 << 20):.1f} GiB"


def _promises(tree: Tree, meminfo: Read, amounts: dict[str, int]) -> list[Fact]:
    mode = tree.read("/proc/sys/vm/overcommit_memory")
    name, meaning = OVERCOMMIT.get((mode.text or "").strip(), ("", ""))
    facts = [fact("overcommit", name, mode)] if name else []
    if "CommitLimit" in amounts:
        seen = _seen(meminfo, "CommitLimit", amounts["CommitLimit"])
        facts.append(fact("commit limit", amounts["CommitLimit"] * 1024, seen, mode, unit="B", note=meaning))
    if "Committed_AS" in amounts:
        seen = _seen(meminfo, "Committed_AS", amounts["Committed_AS"])
        facts.append(fact("committed", amounts["Committed_AS"] * 1024, seen, unit="B", note="promised, not taken"))
    return facts


def _huge_pages(meminfo: Read, amounts: dict[str, int]) -> list[Fact]:
    if "HugePages_Total" not in amounts:
        return []
    facts = [
        fact("huge pages", amounts["HugePages_Total"], _seen(meminfo, "HugePages_Total", amounts["HugePages_Total"]))
    ]
    if "Hugepagesize" in amounts:
        seen = _seen(meminfo, "Hugepagesize", amounts["Hugepagesize"])
        facts.append(fact("huge page size", amounts["Hugepagesize"] * 1024, seen, unit="B"))
    return facts


def _nodes(tree: Tree, findings: Findings, amounts: dict[str, int]) -> list[Fact]:
    """What the memory nodes add up to; told only as a note beside MemTotal, never added to it."""
    home = "/sys/devices/system/node"
    names = [name for name in tree.names(home) if re.fullmatch(r"node\d+", name)]
    told = []
    for name in names:
        found = re.search(r"MemTotal:\s+(\d{1,15}) kB", tree.read(f"{home}/{name}/meminfo").text or "")
        if found is None:
            return []  # a sum without one of them would be wrong
        told.append((int(found[1]), Evidence(source=f"{home}/{name}/meminfo", value=found[0])))
    if not told:
        return []
    total = sum(amount for amount, _ in told)
    evidence = [seen for _, seen in told]
    main = amounts.get("MemTotal", 0)
    differs = bool(main) and abs(main - total) > DISAGREE * main
    if differs:
        seen = Evidence(source="/proc/meminfo", value=f"MemTotal: {main} kB")
        findings.conflicts.append(
            Conflict(
                part="memory",
                question="how much memory is there?",
                witnesses=[Witness(says=_gib(main), evidence=[seen]), Witness(says=_gib(total), evidence=evidence)],
                verdict=_gib(main),
                why="MemTotal is what the kernel hands out; its nodes need not count what was plugged in after the start. "
                "Tools that read the nodes show the smaller number",
            )
        )
    note = "differs from total, which holds" if differs else ""
    return [fact("sum of nodes", total * 1024, *evidence, unit="B", note=note)]
