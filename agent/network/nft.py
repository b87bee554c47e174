"""The words of nftables' JSON (libnftables-json(5)) that our rules use, and the transaction from one ruleset to the next.

A `Ruleset` is what changes with Services: chains, elements of the named maps, sets that remember clients. `plan_transaction`
says what to tell the kernel so that one becomes the other, all at once or not at all. It touches what differs, so that a
change among 1,000 Services costs what it costs among one, and clients keep their remembered endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any
Expression = dict[str, Json]
Rule = tuple[Expression, ...]
Key = tuple[str | int, ...]

SADDR: Expression = {"payload": {"protocol": "ip", "field": "saddr"}}
DADDR: Expression = {"payload": {"protocol": "ip", "field": "daddr"}}
DPORT: Expression = {"payload": {"protocol": "th", "field": "dport"}}
ICMP_TYPE: Expression = {"payload": {"protocol": "icmp", "field": "type"}}
TCP_FLAGS: Expression = {"payload": {"protocol": "tcp", "field": "flags"}}
TCP_SEQUENCE: Expression = {"payload": {"protocol": "tcp", "field": "sequence"}}
CONNECTION_STATE: Expression = {"ct": {"key": "state"}}
CONNECTION_STATUS: Expression = {"ct": {"key": "status"}}
PROTOCOL: Expression = {"meta": {"key": "l4proto"}}
MARK: Expression = {"meta": {"key": "mark"}}
MASQUERADE: Expression = {"masquerade": None}
COUNTER: Expression = {"counter": None}  # in a chain of type nat it counts connections
DROP: Expression = {"drop": None}
TO_THIS_HOST: Expression = {
    "match": {"op": "==", "left": {"fib": {"result": "type", "flags": ["daddr"]}}, "right": "local"}
}
FROM_THIS_HOST: Expression = {
    "match": {"op": "==", "left": {"fib": {"result": "type", "flags": ["saddr"]}}, "right": "local"}
}


@dataclass(frozen=True)
class Ruleset:
    """chains by name; elements of named maps and sets (value None in a set); timeouts in seconds of remembering sets."""

    chains: dict[str, tuple[Rule, ...]] = field(default_factory=dict)
    elements: dict[str, dict[Key, Expression | None]] = field(default_factory=dict)
    memories: dict[str, int] = field(default_factory=dict)


def match(left: Expression, right: Json, op: str = "==") -> Expression:
    """Go on if left is right."""
    return {"match": {"op": op, "left": left, "right": right}}


def name_is(key: str, device: str, op: str = "==") -> Expression:
    """Go on if the packet's iifname or oifname is `device`."""
    return match({"meta": {"key": key}}, device, op)


def prefix(cidr: str) -> Expression:
    """A network as the right side of a match."""
    address, _, length = cidr.partition("/")
    return {"prefix": {"addr": address, "len": int(length)}}


def goto(chain: str) -> Expression:
    """Go on in another chain for good."""
    return {"goto": {"target": chain}}


def concat(*parts: Json) -> Expression:
    """Several fields as one key."""
    return {"concat": list(parts)}


def vmap(key: Expression, data: Json) -> Expression:
    """Do what a map of verdicts says for the key."""
    return {"vmap": {"key": key, "data": data}}


def random_below(count: int) -> Expression:
    """A number from 0 to count - 1, each as likely as the other."""
    return {"numgen": {"mode": "random", "mod": count, "offset": 0}}


def plan_transaction(table: str, base: Iterable[Json], old: Ruleset | None, new: Ruleset) -> Json:
    """The document for `nft -j -f -` after which the kernel holds `new`; None if it does already.

    Without `old` nothing is supposed: the table goes, with all that is in it, and is made again from `base`, in the same
    transaction, so no packet ever meets less than a whole ruleset.
    """
    commands: list[Json] = []
    if old is None:
        fresh = {"table": {"family": "ip", "name": table}}
        commands += [{"add": fresh}, {"delete": fresh}, {"add": fresh}, *base]
        old = Ruleset()

    def item(kind: str, name: str, **more: Json) -> Json:
        return {kind: {"family": "ip", "table": table, "name": name, **more}}

    def elements(name: str, entries: Mapping[Key, Expression | None]) -> Json:
        keys = [(concat(*key) if len(key) > 1 else key[0], value) for key, value in sorted(entries.items())]
        return item("element", name, elem=[k if v is None else [k, v] for k, v in keys])

    changed = {name for name, rules in new.chains.items() if old.chains.get(name) != rules}
    gone = old.chains.keys() - new.chains.keys()
    # What refers to something goes before it, what is referred to comes before: rules, elements, chains, sets.
    commands += [{"flush": item("chain", name)} for name in sorted((changed & old.chains.keys()) | gone)]
    for name in sorted(old.elements.keys() | new.elements.keys()):
        before, after = old.elements.get(name, {}), new.elements.get(name, {})
        if stale := {k: v for k, v in before.items() if k not in after or after[k] != v}:
            commands.append({"delete": elements(name, stale)})
    commands += [{"delete": item("chain", name)} for name in sorted(gone)]
    commands += [{"delete": item("set", name)} for name in sorted(old.memories.keys() - new.memories.keys())]
    for name in sorted(new.memories.keys() - old.memories.keys()):
        memory = item("set", name, type="ipv4_addr", flags=["timeout"], timeout=new.memories[name])
        commands.append({"add": memory})
    commands += [{"add": item("chain", name)} for name in sorted(changed - old.chains.keys())]
    commands += [add_rule(table, name, rule) for name in sorted(changed) for rule in new.chains[name]]
    for name in sorted(new.elements):
        before, after = old.elements.get(name, {}), new.elements[name]
        if fresh_ones := {k: v for k, v in after.items() if k not in before or before[k] != v}:
            commands.append({"add": elements(name, fresh_ones)})
    return {"nftables": commands} if commands else None


def add_rule(table: str, chain: str, rule: Rule) -> Json:
    """The command that appends a rule."""
    return {"add": {"rule": {"family": "ip", "table": table, "chain": chain, "expr": list(rule)}}}
