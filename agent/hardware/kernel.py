"""The kernel: its release, the distribution around it, whether it runs 32-bit programs, and since when it is up."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from agent.hardware.evidence import Read, Tree, fact
from agent.hardware.findings import Findings
from agent.hardware.live import Live
from kubeapi.hardware_v1.layers import Evidence, Fact, Part

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")  # os-release(5): the first that is there


def observe_kernel(tree: Tree, findings: Findings, live: Live) -> None:
    """Adds `kernel`."""
    release = tree.read("/proc/sys/kernel/osrelease")
    version = tree.read("/proc/sys/kernel/version")
    facts = [fact("release", value, release) for value in _text(release)]
    facts += [fact("version", value, version) for value in _text(version)]
    facts += [*_arch(tree, live), *_os(tree), *_ia32(tree), *_booted(tree)]
    name = " ".join(["Linux", *_text(release)])
    findings.parts.append(Part(id="kernel", kind="kernel", name=name, floor="kernel", on="machine", facts=facts))


def _text(read: Read) -> list[str]:
    """What a file says, if it says anything."""
    return [read.text.strip()] if read.text and read.text.strip() else []


def _arch(tree: Tree, live: Live) -> list[Fact]:
    """/proc tells since 6.1; uname of every kernel, but only of the one that is here."""
    read = tree.read("/proc/sys/kernel/arch")
    for arch in _text(read):
        return [fact("arch", arch, read)]
    return [fact("arch", live.arch, Evidence(source="uname -m", value=live.arch))] if live.arch else []


def _os(tree: Tree) -> list[Fact]:
    for path in OS_RELEASE:
        read = tree.read(path)
        named = re.search(r"^PRETTY_NAME=(.*)$", read.text or "", re.MULTILINE)
        if named and (name := named[1].strip().strip("\"'")):
            return [fact("os", name, Evidence(source=path, value=named[0]))]
    return []


def _ia32(tree: Tree) -> list[Fact]:
    """abi/vsyscall32 is there where a 64-bit x86 kernel was built to run 32-bit programs; ia32_emulation=off at boot,
    which stands only in the kernel's command line, is not seen."""
    note = "programs of 32 bits run, each promised up to 4 GB"
    read = tree.read("/proc/sys/abi/vsyscall32")
    return [fact("ia32", True, read, confidence="likely", note=note)] if read.text is not None else []


def _booted(tree: Tree) -> list[Fact]:
    read = tree.read("/proc/stat")
    found = re.search(r"^btime (\d{1,11})$", read.text or "", re.MULTILINE)
    if not found:
        return []
    moment = datetime.fromtimestamp(int(found[1]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [fact("booted", moment, Evidence(source="/proc/stat", value=found[0]))]
