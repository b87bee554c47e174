"""What the rules of a namespace do with a packet, judged without sending it. Pure.

A `Ruleset` is what `nft -j list ruleset` says (libnftables-json(5)); `judge` walks the chains of one hook by their
priority, as the kernel does for the first packet of a flow. Expressions that are not understood (iptables' own matches, a
rate limit) make a rule undecided: it is taken as not matching, and named, so that a reader knows what was not judged.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from agent.trace.packet import Packet

Json = Any
Decision = Literal["accept", "drop", "reject"]
DEEPEST = 16  # jumps, as in the kernel
PASSED_OVER = frozenset({"counter", "log", "set", "notrack", "ct count"})
PROTOCOLS = {6: "tcp", 17: "udp"}


class RuleRef(NamedTuple):
    """Names a rule; handle 0 is the chain's policy."""

    family: str
    table: str
    chain: str
    handle: int

    @property
    def text(self) -> str:
        """As an nft command names it."""
        what = f"handle {self.handle}" if self.handle else "policy"
        return f"{self.family} {self.table} {self.chain} {what}"


class Chain(NamedTuple):
    """A chain; hook is empty for one that is only jumped to. rules are (handle, statements)."""

    family: str
    table: str
    name: str
    kind: str = ""
    hook: str = ""
    priority: int = 0
    policy: str = "accept"
    rules: tuple[tuple[int, tuple[Json, ...]], ...] = ()


@dataclass(frozen=True)
class Ruleset:
    """Chains and the elements of named sets and maps (None for a set's), by (family, table, name)."""

    chains: dict[tuple[str, str, str], Chain] = field(default_factory=dict)
    sets: dict[tuple[str, str, str], dict[Json, Json]] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Json]) -> Ruleset:
        """From nft's JSON. Families that no IPv4 packet meets are left out."""
        chains: dict[tuple[str, str, str], Chain] = {}
        sets: dict[tuple[str, str, str], dict[Json, Json]] = {}
        for entry in document.get("nftables", ()):
            ((kind, item),) = entry.items()
            if item.get("family") not in ("ip", "inet"):
                continue
            if kind == "chain":
                key = (item["family"], item["table"], item["name"])
                chains[key] = Chain(
                    *key,
                    item.get("type", ""),
                    item.get("hook", ""),
                    item.get("prio", 0),
                    item.get("policy", "accept"),
                )
            elif kind == "rule":
                key = (item["family"], item["table"], item["chain"])
                rule = (item["handle"], tuple(item.get("expr", ())))
                chains[key] = chains[key]._replace(rules=(*chains[key].rules, rule))
            elif kind in ("map", "set"):
                sets[item["family"], item["table"], item["name"]] = dict(_elements(item))
        return cls(chains, sets)

    def hooked(self, hook: str) -> list[Chain]:
        """The chains of a hook in the order in which the kernel asks them: of equal priority the latest made first."""
        latest_first = reversed([c for c in self.chains.values() if c.hook == hook])
        return sorted(latest_first, key=lambda c: c.priority)


@dataclass(frozen=True)
class Judgement:
    """What became of the packet in one hook. rule decided or translated it; choices are the (address, port) among which
    chance decides; undecided are rules that might have matched."""

    packet: Packet
    decision: Decision = "accept"
    rule: RuleRef | None = None
    translated: Literal["", "destination", "source"] = ""
    choices: tuple[tuple[str, int], ...] = ()
    undecided: tuple[RuleRef, ...] = ()


def judge(
    ruleset: Ruleset,
    hook: str,
    packet: Packet,
    is_local: Callable[[str], bool],
    masquerade_as: str = "",
    chosen: tuple[str, int] | None = None,
) -> Judgement:
    """Walk one hook. is_local tells the host's own addresses, masquerade_as is the address a masqueraded packet gets, and
    chosen the endpoint to take where chance decides (the first one where it is none of them)."""
    walk = _Walk(ruleset, packet, is_local, masquerade_as, chosen)
    for chain in ruleset.hooked(hook):
        if chain.kind == "nat" and walk.translated:
            continue  # a flow is translated once on each side
        decision = walk.chain(chain, 0)
        if decision is None and chain.policy == "drop":
            walk.rule, decision = RuleRef(chain.family, chain.table, chain.name, 0), "drop"
        match decision:
            case "drop" | "reject":
                return walk.judgement(decision)
    return walk.judgement("accept")


def _elements(item: Mapping[str, Json]) -> Iterator[tuple[Json, Json]]:
    for element in item.get("elem", ()):
        key, value = element if isinstance(element, list) and "map" in item else (element, None)
        yield _frozen(key), value


def _frozen(value: Json) -> Json:
    """A literal as something to look up by: a concatenation is a tuple; an element with options is its value."""
    match value:
        case {"concat": [*parts]}:
            return tuple(_frozen(part) for part in parts)
        case {"elem": {"val": inner}}:
            return _frozen(inner)
        case {"prefix": {"addr": address, "len": length}}:
            return ipaddress.IPv4Network(f"{address}/{length}") if ":" not in address else None
        case {"range": [low, high]}:
            return range(low, high + 1) if isinstance(low, int) else None
        case dict() | list():
            return str(value)
        case _:
            return value


class _Unknown:
    """The value of an expression that is not understood."""


UNKNOWN = _Unknown()


class _Walk:
    """One packet in one hook."""

    def __init__(
        self,
        ruleset: Ruleset,
        packet: Packet,
        is_local: Callable[[str], bool],
        masquerade_as: str,
        chosen: tuple[str, int] | None,
    ) -> None:
        self._ruleset, self._packet, self._is_local = ruleset, packet, is_local
        self._masquerade_as, self._chosen = masquerade_as, chosen
        self.rule: RuleRef | None = None
        self.translated: Literal["", "destination", "source"] = ""
        self._choices: tuple[tuple[str, int], ...] = ()
        self._undecided: list[RuleRef] = []

    def judgement(self, decision: Decision) -> Judgement:
        """The result."""
        rule = self.rule if self.translated or decision != "accept" else None
        return Judgement(self._packet, decision, rule, self.translated, self._choices, tuple(self._undecided))

    def chain(self, chain: Chain, depth: int) -> str | None:
        """The verdict of a chain: accept, drop, reject; None when it came to its end."""
        if depth > DEEPEST:
            return None
        for handle, statements in chain.rules:
            ref = RuleRef(chain.family, chain.table, chain.name, handle)
            verdict = self._statements(chain, ref, statements, depth)
            if verdict == "return":
                return None
            if verdict not in (None, "continue"):
                return verdict
        return None

    def _statements(self, chain: Chain, ref: RuleRef, statements: tuple[Json, ...], depth: int) -> str | None:
        for statement in statements:
            ((word, what),) = statement.items() if isinstance(statement, dict) else ((str(statement), None),)
            if word == "match":
                holds = self._holds(chain, what)
                if holds is None:
                    self._undecided.append(ref)
                if not holds:
                    return None
            elif word == "mangle":
                self._mangle(chain, what)
            elif word not in PASSED_OVER:
                return self._verdict(chain, ref, word, what, depth)
        return None

    def _verdict(self, chain: Chain, ref: RuleRef, word: str, what: Json, depth: int) -> str | None:
        match word:
            case "accept" | "return" | "continue":
                return word
            case "drop" | "reject":
                self.rule = ref
                return word
            case "goto" | "jump":
                target = self._ruleset.chains.get((chain.family, chain.table, what["target"]))
                verdict = self.chain(target, depth + 1) if target else None
                # After a goto the caller's rest is not walked: None ends it as a return does.
                return verdict or ("return" if word == "goto" else None)
            case "vmap":
                return self._vmap(chain, ref, what, depth)
            case "dnat" | "redirect" | "snat" | "masquerade":
                return self._translate(ref, word, what or {})
            case _:
                self._undecided.append(ref)
                return None

    def _vmap(self, chain: Chain, ref: RuleRef, what: Json, depth: int) -> str | None:
        elements = self._map(chain, what["data"])
        if "numgen" in what["key"]:
            value = self._by_chance(chain, [*elements.values()])
        else:
            key = self._value(chain, what["key"])
            if key is UNKNOWN:
                self._undecided.append(ref)
                return None
            value = elements.get(key)
        if value is None:
            return None
        ((word, more),) = value.items()
        return self._verdict(chain, ref, word, more, depth)

    def _by_chance(self, chain: Chain, verdicts: list[Json]) -> Json:
        """Of verdicts that are equally likely the one that leads to the chosen endpoint, else the first."""
        ends = {end: verdict for verdict in verdicts if (end := self._end(chain, verdict))}
        self._choices = tuple(ends)
        return (ends.get(self._chosen) if self._chosen else None) or next(iter(verdicts), None)

    def _end(self, chain: Chain, verdict: Json) -> tuple[str, int] | None:
        """Where the chain of a verdict translates to."""
        target = (verdict.get("goto") or verdict.get("jump") or {}).get("target", "")
        found = self._ruleset.chains.get((chain.family, chain.table, target))
        for _, statements in found.rules if found else ():
            for statement in statements:
                if isinstance(statement, dict) and isinstance((statement.get("dnat") or {}).get("addr"), str):
                    return statement["dnat"]["addr"], statement["dnat"].get("port", 0)
        return None

    def _translate(self, ref: RuleRef, word: str, what: Mapping[str, Json]) -> str:
        self.rule, packet = ref, self._packet
        if word in ("dnat", "redirect"):
            self.translated = "destination"
            address, port = what.get("addr", packet.destination), what.get("port", packet.dport)
            match address:
                case {"map": {"key": {"numgen": _}, "data": {"set": entries}}}:
                    self._choices = tuple(tuple(entry[1]["concat"]) for entry in entries)
                    address, port = self._chosen if self._chosen in self._choices else self._choices[0]
            if isinstance(address, str) and isinstance(port, int):
                self._packet = packet._replace(destination=address, dport=port)
        else:
            self.translated = "source"
            address = self._masquerade_as if word == "masquerade" else what.get("addr", packet.source)
            self._packet = packet._replace(source=address)
        return "accept"

    def _mangle(self, chain: Chain, what: Json) -> None:
        if what.get("key") == {"meta": {"key": "mark"}}:
            value = self._value(chain, what["value"])
            if isinstance(value, int):
                self._packet = self._packet._replace(mark=value)

    def _map(self, chain: Chain, data: Json) -> dict[Json, Json]:
        if isinstance(data, str):
            return self._ruleset.sets.get((chain.family, chain.table, data.lstrip("@")), {})
        return {_frozen(key): value for key, value in data.get("set", ())}

    def _holds(self, chain: Chain, what: Json) -> bool | None:
        left = self._value(chain, what["left"])
        if left is UNKNOWN:
            return None
        within = self._within(chain, left, what["right"])
        if within is None:
            return None
        match what.get("op", "=="):
            case "==" | "in":
                return within
            case "!=":
                return not within
            case _:
                return None

    def _within(self, chain: Chain, left: Json, right: Json) -> bool | None:
        """Whether left is right, or one of it."""
        if isinstance(right, str) and right.startswith("@"):
            members = self._ruleset.sets.get((chain.family, chain.table, right[1:]), {})
            return any(_is(left, member) for member in members)
        if isinstance(right, dict) and "set" in right:
            return any(_is(left, _frozen(member)) for member in right["set"])
        if isinstance(right, list):
            return any(_is(left, _frozen(member)) for member in right)
        value = _frozen(right)
        return None if isinstance(right, dict) and isinstance(value, str) else _is(left, value)

    def _value(self, chain: Chain, expression: Json) -> Json:
        packet = self._packet
        match expression:
            case {"payload": {"protocol": "ip", "field": name}}:
                fields = {"saddr": packet.source, "daddr": packet.destination, "protocol": packet.protocol}
                return fields.get(name, UNKNOWN)
            case {"payload": {"protocol": "th" | "tcp" | "udp" as layer, "field": "sport" | "dport" as name}}:
                if layer not in ("th", packet.protocol):
                    return None  # another protocol's port is nothing here
                return packet.sport if name == "sport" else packet.dport
            case {"payload": {"protocol": "icmp" | "icmpv6" | "ip6" | "sctp"}}:
                return None
            case {"meta": {"key": key}}:
                meta = {"iifname": packet.came_by, "oifname": packet.leaves_by, "mark": packet.mark, "nfproto": "ipv4"}
                meta |= {"iif": packet.came_by, "oif": packet.leaves_by, "l4proto": packet.protocol}
                return meta.get(key, UNKNOWN)
            case {"fib": {"result": "type", "flags": ["daddr" | "saddr" as side]}}:
                address = packet.destination if side == "daddr" else packet.source
                return "local" if self._is_local(address) else "unicast"
            case {"ct": {"key": "state"}}:
                return "new"
            case {"&": [left, right]} | {"|": [left, right]}:
                a, b = self._value(chain, left), self._value(chain, right)
                if not (isinstance(a, int) and isinstance(b, int)):
                    return UNKNOWN
                return a & b if "&" in expression else a | b
            case {"concat": [*parts]}:
                values = tuple(self._value(chain, part) for part in parts)
                return UNKNOWN if UNKNOWN in values else values
            case int() | str():
                return expression
            case _:
                return UNKNOWN


def _is(left: Json, right: Json) -> bool:
    """Whether a packet's value is what a rule names: a network holds addresses, a name may end in a star."""
    match right:
        case ipaddress.IPv4Network():
            return isinstance(left, str) and ipaddress.IPv4Address(left) in right
        case range():
            return isinstance(left, int) and left in right
        case tuple():
            return isinstance(left, tuple) and len(left) == len(right) and all(map(_is, left, right))
        case str() if right.endswith("*") and isinstance(left, str):
            return left.startswith(right[:-1])
        case int() if isinstance(left, str):
            return PROTOCOLS.get(right) == left
        case _:
            return bool(left == right)
