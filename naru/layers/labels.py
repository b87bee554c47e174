"""How parts, facts and numbers are written: in the chosen words and language, with units that a person reads."""

from __future__ import annotations

import re
from typing import NamedTuple

from kubeapi.hardware_v1.layers import Fact, Part, Value
from kubeapi.hardware_v1.terms import TERMS, Language, Term, Words, word
from naru.layers.tower import Plug, Tower

BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
EXACT = 10240  # fewer bytes are shown as they are: an MTU is 1400 B
# Units whose numbers are read better in the next one: what it is called, and how many make one.
LINK_LOCAL = "fe80:"  # every device has one, and it is no address of anything
NEXT = {"Mb/s": ("Gb/s", 1000), "MHz": ("GHz", 1000)}


class Labels(NamedTuple):
    """The words of one reader."""

    words: Words = "linux"
    language: Language = "en"

    def word(self, key: str) -> str:
        """A term of `kubeapi.hardware_v1.terms`."""
        return word(key, self.words, self.language)

    def term(self, term: Term) -> str:
        """One of a table of its own."""
        return term.ko if self.language == "ko" else term.en

    def said(self, sentence: str) -> str:
        """A sentence of a document, in the reader's language."""
        if self.language == "en":
            return sentence
        from kubeapi.hardware_v1.korean import korean

        return korean(sentence)

    def kind(self, part: Part, tower: Tower) -> str:
        """What a part is called: its kind, told finer for a bridge (by where it leads), the end of a veth in a pod, and a
        NAT rule (by what it rewrites)."""
        if part.kind == "bridge" and self.words == "vmware":
            return self.word(f"switch/{tower.switch(part)}")
        if part.kind == "nat" and f"nat/{part.value('action')}" in TERMS:
            return self.word(f"nat/{part.value('action')}")
        inside = tower.namespace(part) if part.kind == "veth" else None
        if inside and any(above.kind in ("pod", "container") for above in tower.above(inside.id)):
            return self.word("kind/veth-inside")
        return self.word(f"kind/{part.kind}")

    def named(self, part: Part, tower: Tower) -> tuple[str, str]:
        """Kind and name, without what says the same twice: `containerd containerd`, `machine this machine`."""
        label, english = self.kind(part, tower), Labels().kind(part, tower)
        if part.name.lower() in (part.kind, english.lower()):
            return label, ""
        return label, "" if {part.kind, label.lower()} & {*part.name.lower().split()} else part.name

    def counted(self, number: int, kind: str) -> str:
        """`3 shims`."""
        name = self.word(f"kind/{kind}")
        if self.language == "ko":
            return f"{name} {number}개"
        plural = "" if number == 1 else "es" if name.endswith(("s", "x", "ch")) else "s"
        return f"{number} {name}{plural}"

    def says(self, link: str, other: str) -> str:
        """A link in words: `port of br0`."""
        key = f"says/{link}"
        return self.word(key).format(other) if key in TERMS else f"{link} {other}"

    def fact(self, fact: Fact) -> str:
        """A fact within its part's line. Text speaks for itself; a number needs its name, unless its unit is enough."""
        text = self.value(fact.name, fact.value, fact.unit)
        if fact.value is None and fact.note:
            text = clause(fact.note)
        key = f"fact/{fact.name}"
        if isinstance(fact.value, bool):
            return (
                self.word(key).format("") if fact.value and key in TERMS else self.name(fact.name) if fact.value else ""
            )
        if key in TERMS and fact.value is not None:
            return self.word(key).format(text)
        if fact.name == "addresses":
            return ", ".join(address for address in text.split(", ") if not address.startswith(LINK_LOCAL))
        if fact.value is None or (isinstance(fact.value, int | float) and not fact.unit):
            return f"{self.name(fact.name)} {text}"
        return text

    def name(self, fact: str) -> str:
        """What a fact is called; of `rule tcp/http` the first word is its name."""
        if f"name/{fact}" in TERMS:
            return self.word(f"name/{fact}")
        first, space, rest = fact.partition(" ")
        return self.word(f"name/{first}") + space + rest

    def value(self, fact: str, value: Value, unit: str = "") -> str:
        """A fact's value, in words where it is one."""
        if f"{fact}/{value}" in TERMS:
            return self.word(f"{fact}/{value}")
        if isinstance(value, bool):
            return self.word("word/yes" if value else "word/no")
        return self.word("confidence/unknown") if value is None else shown(value, unit)

    def plug(self, plug: Plug) -> str:
        """`eth0 ⇄ veth12ab ▸ br0`: the interface, the other end of its pair, the switch that this is plugged into."""
        ends = [plug.inside.name] if plug.outside in (None, plug.inside) else [plug.inside.name, plug.outside.name]
        return " ⇄ ".join(ends) + (f" ▸ {plug.switch.name}" if plug.switch else "")


def shown(value: Value, unit: str = "") -> str:
    """A value with its unit: 25263063040 B is `23.5 GiB`, 10000 Mb/s `10 Gb/s`; true and false are `yes` and `no`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, str):
        return "unknown" if value is None else f"{value} {unit}".rstrip()
    number = float(value)
    if unit == "B" and (abs(number) >= EXACT or number % 1024 == 0):
        step = 0
        while abs(number) >= 1024 and step < len(BYTES) - 1:
            number, step = number / 1024, step + 1
        return f"{_short(number)} {BYTES[step]}"
    larger, factor = NEXT.get(unit, ("", 0))
    if larger and abs(number) >= factor:
        number, unit = number / factor, larger
    return f"{_short(number)} {unit}".rstrip()


def clause(says: str) -> str:
    """The beginning of a sentence that stands by itself: up to its colon or full stop."""
    return re.split(r"[:.](?:\s|$)", says, maxsplit=1)[0]


def _short(number: float) -> str:
    """No more digits than are read: 23.5, but 1437."""
    return f"{number:.0f}" if number == int(number) or abs(number) >= 100 else f"{number:.1f}"
