"""Weighing clues to what is beneath: a verdict with its confidence, and who disagrees and why that does not hold.

Pure: from clues to a verdict. The rules, in order:
1.  A hypervisor that is known to imitate another's interface (VirtualBox offers KVM's, KVM offers Hyper-V's) is what its
    own firmware, devices or inner signature say, whatever face the processor shows first.
2.  Else what the processor answers holds, then what the kernel found, then firmware, then devices: names in firmware are
    written by whoever starts the guest, and can be those of any machine.
3.  The monitor is named by firmware and devices, among those that run on that hypervisor; the platform likewise.
4.  A platform alone does not make a guest where the processor has a flag for it and the flag is absent: EC2 and others
    lend bare metal too. Only such a name is ever taken for bare metal, and never for certain; finding nothing proves
    nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from agent.hardware.clues import Clue, Source
from agent.hardware.signatures import IMITATES, PRODUCTS, Role
from kubeapi.hardware_v1.layers import Confidence, Evidence

WEIGHTS: dict[Source, int] = {"processor": 8, "kernel": 4, "firmware": 3, "devices": 1, "software": 1}
TRUSTED: frozenset[Source] = frozenset(("processor", "kernel"))  # answers of the hypervisor itself
HOUSE = {("ec2", "kvm"): "nitro"}  # a platform's own monitor on a hypervisor, where nothing else is told
COPIED = "names in firmware are written by whoever starts a guest, and can be copied from any machine"


class Naming(NamedTuple):
    """A product that was settled on, how sure, and what speaks for it."""

    product: str
    confidence: Confidence
    evidence: list[Evidence]


class Dissent(NamedTuple):
    """What was not believed: the product that some clues speak for, and why not."""

    role: Role
    product: str
    evidence: list[Evidence]
    why: str


class Verdict(NamedTuple):
    """What is beneath. present: True, a hypervisor is; False, none, so far as a platform's word goes; None, nothing was
    found, which proves nothing. hypervisor, monitor and platform are None where they can't be told."""

    present: bool | None
    hypervisor: Naming | None = None
    monitor: Naming | None = None
    platform: Naming | None = None
    evidence: list[Evidence] = []  # of present
    dissent: list[Dissent] = []

    @property
    def name(self) -> str:
        """`Firecracker microVM on KVM`, `Hyper-V (Microsoft Azure)`."""
        told = [PRODUCTS[naming.product].name for naming in (self.monitor, self.hypervisor) if naming]
        name = " on ".join(told) or "a hypervisor that does not tell its name"
        return f"{name} ({PRODUCTS[self.platform.product].name})" if self.platform else name


def weigh(clues: Sequence[Clue], flag: bool | None) -> Verdict:
    """The verdict. flag is the processor's hypervisor flag, None on processors without one."""
    platform, others = _settle(clues, "platform", None)
    guest = [clue for clue in clues if _proves_guest(clue, flag, clues)]
    if not guest and not flag:
        metal = [seen for clue in clues if "metal" in clue.says for seen in clue.evidence]
        return Verdict(False if metal else None, platform=platform, evidence=metal, dissent=others)
    hypervisor, disbelieved = _hypervisor(clues)
    on = hypervisor.product if hypervisor else None
    monitor, rivals = _settle(clues, "monitor", on)
    if monitor is None and platform and on and (house := HOUSE.get((platform.product, on))):
        monitor = Naming(house, "likely", platform.evidence)
    evidence = [seen for clue in guest for seen in clue.evidence]
    return Verdict(True, hypervisor, monitor, platform, evidence, [*disbelieved, *rivals, *others])


def _proves_guest(clue: Clue, flag: bool | None, clues: Sequence[Clue]) -> bool:
    """Whether a clue, by itself, makes this a guest."""
    roles = {PRODUCTS[product].role for product in clue.says}
    if roles & {"hypervisor", "monitor"}:
        return True
    if clue.source == "devices":  # virtio comes as real silicon, too
        return False
    if "metal" in roles:
        return False
    return not roles or (flag is None and not any("metal" in other.says for other in clues))


def _implied(clue: Clue) -> list[str]:
    """The hypervisors that a clue allows, if it names any product that tells."""
    hypervisors: list[str] = []
    for product in clue.says:
        hypervisors += [product] if PRODUCTS[product].role == "hypervisor" else PRODUCTS[product].on
    return hypervisors


def _hypervisor(clues: Sequence[Clue]) -> tuple[Naming | None, list[Dissent]]:
    told = [clue for clue in clues if _implied(clue)]
    if not told:
        return None, []
    answers = [product for clue in told if clue.source == "processor" for product in clue.says]
    faces = [product for product in answers if PRODUCTS[product].role == "hypervisor"]
    scores: dict[str, int] = defaultdict(int)
    for clue in told:
        for rank, product in enumerate(dict.fromkeys(_implied(clue))):
            scores[product] += WEIGHTS[clue.source] * 4 - min(rank, 3)  # the usual hypervisor of a monitor comes first
    shown = faces[-1] if faces else max(scores, key=scores.__getitem__)
    chosen = _behind(shown, told, scores)
    agree = [clue for clue in told if chosen in _implied(clue)]
    against = [clue for clue in told if chosen not in _implied(clue)]
    direct = {clue.source for clue in agree if set(_implied(clue)) == {chosen}}
    sure = bool(direct & TRUSTED) or len(direct) > 1
    explained = all(shape in IMITATES.get(chosen, ()) for clue in against for shape in _implied(clue)[:1])
    confidence: Confidence = "certain" if sure and explained else "likely"
    evidence = [seen for clue in agree for seen in clue.evidence]
    return Naming(chosen, confidence, evidence), _disbelieved(chosen, against)


def _behind(shown: str, told: Sequence[Clue], scores: dict[str, int]) -> str:
    """Who stands behind the interface that is shown: firmware or devices that name one of its imitators outright."""
    own = {
        _implied(clue)[0]
        for clue in told
        if clue.source in ("firmware", "devices") and shown not in _implied(clue) and {"platform"} != _roles(clue)
    }
    imitators = [product for product in own if shown in IMITATES.get(product, ())]
    return max(imitators, key=lambda product: (scores[product], product)) if imitators else shown


def _roles(clue: Clue) -> set[Role]:
    return {PRODUCTS[product].role for product in clue.says}


def _disbelieved(chosen: str, against: Sequence[Clue]) -> list[Dissent]:
    by_product: dict[str, list[Clue]] = defaultdict(list)
    for clue in against:
        by_product[clue.says[0]].append(clue)
    found = []
    for product, clues in by_product.items():
        name = PRODUCTS[chosen].name
        if product in IMITATES.get(chosen, ()):
            why = f"{name} offers {PRODUCTS[product].name}'s interface beside its own, so that guests use drivers they have"
        elif all(clue.source == "firmware" for clue in clues):
            why = f"{COPIED}; {name} is what stronger witnesses say"
        else:
            why = f"{name} has the stronger witnesses: the processor first, then the kernel, firmware and devices"
        found.append(Dissent("hypervisor", product, [seen for clue in clues for seen in clue.evidence], why))
    return found


def _settle(clues: Sequence[Clue], role: Role, hypervisor: str | None) -> tuple[Naming | None, list[Dissent]]:
    """The product of a role that most speaks for, of those that run on the hypervisor; a tie is no answer."""
    speaks: dict[str, list[Clue]] = defaultdict(list)
    for clue in clues:
        for product in clue.says:
            if PRODUCTS[product].role == role and (hypervisor is None or hypervisor in PRODUCTS[product].on):
                speaks[product].append(clue)
    if not speaks:
        return None, []
    weights = {product: sum(WEIGHTS[clue.source] for clue in told) for product, told in speaks.items()}
    best = max(weights.values())
    first, *ties = [product for product, weight in weights.items() if weight == best]
    if ties:
        return None, []
    told = speaks[first]
    alone = len({clue.source for clue in told}) == 1
    confidence: Confidence = "likely" if alone or (hypervisor is None and role == "monitor") else "certain"
    rivals = [
        Dissent(role, product, [seen for clue in others for seen in clue.evidence], COPIED)
        for product, others in speaks.items()
        if all(first not in clue.says for clue in others)
    ]
    return Naming(first, confidence, [seen for clue in told for seen in clue.evidence]), rivals
