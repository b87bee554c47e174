"""Proof that processors and memory are lent: time that another took, and pages that go back.

`steal` in /proc/stat is time in which a processor of ours wanted to run and the hypervisor ran something else. A balloon is
a device through which the hypervisor asks pages back; with free page reporting, the kernel hands them over by itself.
"""

from __future__ import annotations

import re

from agent.hardware.evidence import Tree, fact
from kubeapi.hardware_v1.layers import Evidence, Fact

USER_HZ = 100  # ticks a second in /proc/stat, on every architecture that Docker runs on
BALLOON, REPORTING = "0x0005", 5  # virtio's device id, and the feature bit (Virtio 1.2, 5.5)
VIRTIO = "/sys/bus/virtio/devices"


def stolen(tree: Tree) -> Fact | None:
    """Seconds that the hypervisor took from all processors together; nothing where it took none."""
    found = re.search(r"^cpu +(?:\d+ +){7}(\d{1,15})\b", tree.read("/proc/stat").text or "", re.MULTILINE)
    if not found or not int(found[1]):
        return None
    seen = Evidence(source="/proc/stat", value=f"cpu steal: {found[1]} ticks")
    return fact(
        "stolen time", int(found[1]) / USER_HZ, seen, unit="s", note="processors are lent: others ran meanwhile"
    )


def balloons(tree: Tree) -> list[Fact]:
    """A fact for each way in which memory goes back."""
    facts = []
    for name in tree.names(VIRTIO):
        device = tree.read(f"{VIRTIO}/{name}/device")
        if (device.text or "").strip() != BALLOON:
            continue
        features = tree.read(f"{VIRTIO}/{name}/features")
        reports = (features.text or "").strip()[REPORTING : REPORTING + 1] == "1"  # bit 0 is the first letter
        note = "memory is lent: the hypervisor may ask pages back"
        seen = [device.evidence]
        if reports:
            seen += [
                Evidence(source=features.path, value=f"bit {REPORTING} (free page reporting) is set"),
                *_given(tree, name),
            ]
            note = "memory is lent: free pages go back by themselves"
        facts.append(fact("balloon", "free page reporting" if reports else "on request", *seen, note=note))
    return facts


def _given(tree: Tree, device: str) -> list[Evidence]:
    """How often free pages were handed over: the interrupts of that queue."""
    row = re.search(
        rf"^ *\d+:((?: +\d+)+) .* {device}-reporting", tree.read("/proc/interrupts").text or "", re.MULTILINE
    )
    if not row:
        return []
    count = sum(int(number) for number in row[1].split())
    return [Evidence(source="/proc/interrupts", value=f"{device}-reporting: {count}")]
