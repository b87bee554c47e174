"""What is beneath this machine, as far as can be seen from it: clues, weighed, told with their evidence.

    tree, processor ──gather──▶ clues ──weigh──▶ verdict ──▶ `hypervisor` between `machine` and `kernel`, or a fact that
                                                             nothing was found
    namespaces, mounts, marks ──judge──▶ in a container or not, a fact of `kernel`
    /dev/kvm, asked by ioctl ──▶ whether virtual machines can run here, a fact of `kernel`

Witnesses that are not believed become conflicts with the reason. Below stands the horizon: a guest can't see what its
hypervisor runs on, and where nothing was found that does not prove bare metal.
"""

from __future__ import annotations

import re

from agent.hardware.clues import Clue, Privilege, flag, gather, privilege
from agent.hardware.containment import Containment, observe_containment
from agent.hardware.evidence import Tree, fact
from agent.hardware.findings import Findings
from agent.hardware.lent import balloons, stolen
from agent.hardware.live import Live
from agent.hardware.signatures import PRODUCTS
from agent.hardware.weighing import Naming, Verdict, weigh
from kubeapi.hardware_v1.layers import Confidence, Conflict, Evidence, Fact, Horizon, Part, Witness

NOTHING = "nothing was found; that does not prove bare metal"
BENEATH = "unknown: a guest can't see what its hypervisor runs on"
QUESTIONS = {"hypervisor": "which hypervisor is beneath?", "monitor": "which program made this virtual machine?"}
QUESTIONS["platform"] = "who runs this machine?"


def observe_virtualization(tree: Tree, findings: Findings, live: Live | None = None) -> None:
    """Adds `hypervisor` if there is one, facts to `machine` and `kernel`, conflicts and the horizon."""
    live = live or Live.of(tree)
    parts = {part.id: part for part in findings.parts}
    machine = parts.get("machine") or _add(
        findings, Part(id="machine", kind="machine", name="this machine", floor="hardware")
    )
    kernel = parts.get("kernel") or _add(
        findings, Part(id="kernel", kind="kernel", name="Linux", floor="kernel", on="machine")
    )
    has_flag, flag_seen = flag(tree)
    clues = gather(tree, live.cpuid)
    steal = stolen(tree)
    if steal:
        clues.append(Clue("kernel", (), steal.evidence))
    verdict = weigh(clues, has_flag)
    if verdict.present:
        held = privilege(tree, live.cpuid, verdict.hypervisor.product) if verdict.hypervisor else None
        lent = [*([steal] if steal else []), *balloons(tree)]
        findings.parts.append(_hypervisor(verdict, held, flag_seen, lent))
        kernel.on = "hypervisor"
    else:
        machine.facts += _none(verdict, flag_seen)
    findings.conflicts += _conflicts(verdict)
    findings.horizons.append(_horizon(verdict))
    _contained(kernel, findings, observe_containment(tree))
    _hosts(tree, kernel, findings, live)


def _add(findings: Findings, part: Part) -> Part:
    findings.parts.append(part)
    return part


def _hypervisor(verdict: Verdict, held: Privilege | None, flag_seen: Evidence, lent: list[Fact]) -> Part:
    facts = [
        fact(
            "hypervisor", None, *(verdict.evidence or [flag_seen]), confidence="unknown", note="does not tell its name"
        )
    ]
    if verdict.hypervisor:
        facts = [_named("hypervisor", verdict.hypervisor)]
    facts += [
        _named(title, naming)
        for title, naming in (("monitor", verdict.monitor), ("platform", verdict.platform))
        if naming
    ]
    if held:
        facts.append(fact("form", held.form, *held.evidence))
    if held and held.beneath:
        facts.append(fact("beneath", held.beneath, *held.evidence, note="this hypervisor is itself a guest"))
    else:
        facts.append(fact("beneath", "unknown", flag_seen, confidence="unknown", note=BENEATH))
    return Part(
        id="hypervisor",
        kind="hypervisor",
        name=verdict.name,
        floor="hypervisor",
        on="machine",
        facts=[*facts, *lent],
    )


def _named(title: str, naming: Naming) -> Fact:
    return fact(title, PRODUCTS[naming.product].name, *naming.evidence, confidence=naming.confidence)


def _none(verdict: Verdict, flag_seen: Evidence) -> list[Fact]:
    """What is told of a machine under which no hypervisor was found."""
    facts = [_named("platform", verdict.platform)] if verdict.platform else []
    if verdict.present is False:
        note = "its platform calls it bare metal, and nothing speaks against it"
        return [*facts, fact("hypervisor", "none", *verdict.evidence, flag_seen, confidence="likely", note=note)]
    return [*facts, fact("hypervisor", None, flag_seen, confidence="unknown", note=NOTHING)]


def _conflicts(verdict: Verdict) -> list[Conflict]:
    part = "hypervisor" if verdict.present else "machine"
    settled = {"hypervisor": verdict.hypervisor, "monitor": verdict.monitor, "platform": verdict.platform}
    conflicts = []
    for dissent in verdict.dissent:
        believed = settled[dissent.role]
        if believed is None:
            continue
        name, other = PRODUCTS[believed.product].name, PRODUCTS[dissent.product].name
        witnesses = [Witness(says=name, evidence=believed.evidence), Witness(says=other, evidence=dissent.evidence)]
        question = QUESTIONS[dissent.role]
        conflicts.append(Conflict(part=part, question=question, witnesses=witnesses, verdict=name, why=dissent.why))
    return conflicts


def _horizon(verdict: Verdict) -> Horizon:
    if not verdict.present:
        says = (
            "Below the machine nothing was found. That does not prove bare metal: a hypervisor can hide from its guest."
        )
        return Horizon(part="machine", says=says)
    says = (
        f"Below {verdict.name} nothing can be seen from inside: on which machine it runs, with which others, whether "
        "it is a guest itself, and where the far end of each virtual device is plugged in."
    )
    return Horizon(part="hypervisor", says=says)


def _contained(kernel: Part, findings: Findings, seen: Containment) -> None:
    """Tells of the kernel whether it is seen from inside a container; marks that do not hold are a conflict."""
    told = [*seen.namespaces, *seen.places, *seen.marks] or [Evidence(source="/proc/self/ns", value="(absent)")]
    note = seen.why
    if seen.inside and seen.shared:
        note += f"; it shares {', '.join(seen.shared)} with its host"
    value = None if seen.inside is None else seen.says
    kernel.facts.append(fact("container", value, *told, confidence=seen.confidence, note=note))
    if seen.inside is False and seen.marks:
        findings.conflicts.append(
            Conflict(
                part="kernel",
                question="is this a container?",
                witnesses=[
                    Witness(says="a container", evidence=seen.marks),
                    Witness(says="no container", evidence=seen.namespaces),
                ],
                verdict=f"no container: {', '.join(mark.source for mark in seen.marks)} is a leftover",
                why=seen.why,
            )
        )


def _hosts(tree: Tree, kernel: Part, findings: Findings, live: Live) -> None:
    """Tells of the kernel whether virtual machines can run on it."""
    answer = live.kvm()
    providers = [name for name in tree.names("/sys/module") if re.fullmatch(r"kvm_(?!clock)\w+", name)]
    note = answer.why or (f"by {', '.join(providers)}" if providers else "")
    seen = [*answer.evidence, *(Evidence(source="/sys/module", value=name) for name in providers)]
    confidence: Confidence = "unknown" if answer.works is None else "certain"
    kernel.facts.append(fact("hosts machines", answer.works, *seen, confidence=confidence, note=note))
    flags = re.search(r"^flags\s*:(.*)$", tree.read("/proc/cpuinfo").text or "", re.MULTILINE)
    if answer.works and flags and not {"vmx", "svm"} & set(flags[1].split()):
        says_no = Evidence(source="/proc/cpuinfo flags", value="(no vmx or svm)")
        findings.conflicts.append(
            Conflict(
                part="kernel",
                question="can virtual machines run here?",
                witnesses=[Witness(says="yes", evidence=answer.evidence), Witness(says="no", evidence=[says_no])],
                verdict="yes",
                why="a virtual processor was made by ioctl, which is the thing itself; flags are hidden from many guests",
            )
        )
