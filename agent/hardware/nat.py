"""What rewrites addresses here: masquerading and translations, ours, Docker's and anybody's, with what they have counted.

nft shows all rules but those of the legacy iptables, which are another machine in the same kernel: they are asked for by
their own command, if there are any. A rule in a chain of type nat meets the first packet of a connection only, so that its
counter counts connections. Which object made a rule of ours its chain's name tells (`service-HASH-NAMESPACE/NAME/...`).
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from agent.hardware.evidence import Tree, fact
from agent.hardware.findings import Findings
from kubeapi.core_v1.types import ObjectReference
from kubeapi.hardware_v1.layers import Evidence, Fact, Horizon, Link, Part

SECONDS = 5.0
ACTIONS = ("masquerade", "snat", "dnat", "redirect")
TARGETS = {"MASQUERADE": "masquerade", "SNAT": "snat", "DNAT": "dnat", "REDIRECT": "redirect"}
OURS = re.compile(r"(?:service|external|endpoint\w*)-[0-9a-f]{8}-([^/]+)/([^/]+)/([^/]+)/?([^/]*)")
LEGACY = re.compile(r"^\[(\d+):\d+\] (-A (\S+) .*-j (MASQUERADE|SNAT|DNAT|REDIRECT)\b.*)$", re.MULTILINE)
NOT_DEVICE = re.compile(r'(?:oifname != |! -o )"?([^\s"]+)"?')
ENDPOINT = re.compile(r"(\d+\.\d+\.\d+\.\d+)(?: \. |:)(\d+)")


class NatRule(NamedTuple):
    """A rule that rewrites. text is as nft (or iptables) writes it; connections None where nothing is counted; place says
    what was asked for it."""

    table: str
    chain: str
    handle: int
    action: str
    text: str
    connections: int | None
    place: str

    @property
    def id(self) -> str:
        """Its part's id."""
        return f"nat/{self.table}/{self.handle}"

    @property
    def service(self) -> tuple[str, str] | None:
        """Namespace and name of the Service that it was made for."""
        found = OURS.fullmatch(self.chain)
        return (found[1], found[2]) if found else None

    @property
    def port(self) -> str:
        """Protocol and name of that Service's port."""
        found = OURS.fullmatch(self.chain)
        return "/".join(part for part in (found[3], found[4]) if part) if found else ""

    @property
    def outside_of(self) -> str:
        """The device that it does not touch: what leaves by any other is rewritten."""
        found = NOT_DEVICE.search(self.text)
        return found[1] if found else ""


class Read(NamedTuple):
    """What nft shows of our own namespace, or why nothing."""

    rules: list[NatRule]
    why: str = ""


def observe_nat(tree: Tree, findings: Findings, read: Read, table: str = "") -> None:
    """Add the rules. After Services and pods: their parts get what concerns them. table is our own: another cluster on this
    machine may have Services of the same names."""
    rules, why = read
    if why:
        says = f"which rules of nftables rewrite addresses can't be seen from here: {why}"
        findings.horizons.append(Horizon(part="kernel", says=says))
    legacy, silent = read_legacy(tree)
    if silent:
        evidence = Evidence(source="/proc/net/ip_tables_names", value="nat")
        told = fact("rule", None, evidence, confidence="unknown", note=silent)
        part = Part(id="nat/legacy/0", kind="nat", name="legacy iptables", floor="network", on="kernel", facts=[told])
        findings.parts.append(part)
    lay_out([*rules, *legacy], findings, table)


async def read_rules() -> Read:
    """Ask nft, for both of its forms at once."""
    if shutil.which("nft") is None:
        return Read([], "nft is not installed")
    try:
        asked = [asyncio.to_thread(_listed, form) for form in ("-j", "-a")]
        document, listing = await asyncio.gather(*asked)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Read([], str(error))
    return Read(rules_of(document, listing.decode(errors="replace")))


def _listed(form: str) -> bytes:
    """All rules; OSError with what nft says where it refuses."""
    done = subprocess.run(["nft", form, "list", "ruleset"], capture_output=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise OSError(done.stderr.decode(errors="replace").strip() or f"nft ended with {done.returncode}")
    return done.stdout


def rules_of(document: bytes, listing: str) -> list[NatRule]:
    """The rules that rewrite addresses, of nft's JSON (libnftables-json(5)) and its text, in which `iptables` rules are
    translated too. What makes no sense is left out."""
    try:
        entries = orjson.loads(document)["nftables"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []
    texts, found = texts_of(listing), []
    for entry in entries if isinstance(entries, list) else ():
        rule = entry.get("rule") if isinstance(entry, dict) else None
        if not isinstance(rule, dict) or rule.get("family") not in ("ip", "ip6", "inet"):
            continue
        statements = [s for s in rule.get("expr") or () if isinstance(s, dict)]
        action = next((name for s in statements if (name := _action(s))), "")
        table, chain, handle = rule.get("table"), rule.get("chain"), rule.get("handle")
        if not action or not isinstance(table, str) or not isinstance(chain, str) or not isinstance(handle, int):
            continue
        text = texts.get((str(rule["family"]), table, chain, handle), action)
        place = f"nft list chain {rule['family']} {table} {chain} (handle {handle})"
        found.append(NatRule(table, chain, handle, action, text, _counted(statements), place))
    return found


def _action(statement: Mapping[str, Any]) -> str:
    for name in ACTIONS:
        if name in statement:
            return name
    xt = statement.get("xt")  # iptables' own target, whose arguments only the text tells
    return TARGETS.get(str(xt.get("name")), "") if isinstance(xt, dict) and xt.get("type") == "target" else ""


def _counted(statements: Iterable[Mapping[str, Any]]) -> int | None:
    for statement in statements:
        counter = statement.get("counter")
        if isinstance(counter, dict) and isinstance(counter.get("packets"), int):
            return int(counter["packets"])
    return None


def texts_of(listing: str) -> dict[tuple[str, str, str, int], str]:
    """Each rule of `nft -a list ruleset` by family, table, chain and handle."""
    found = {}
    family = table = chain = ""
    for line in listing.splitlines():
        words = line.split()
        text, _, handle = line.strip().rpartition(" # handle ")
        if words[:1] == ["table"] and len(words) > 2:
            family, table = words[1], words[2]
        elif words[:1] == ["chain"] and "{" in words:
            chain = words[1].strip('"')
        elif text and handle.isdecimal():
            found[family, table, chain, int(handle)] = text
    return found


def read_legacy(tree: Tree) -> tuple[list[NatRule], str]:
    """The rules of legacy iptables, or why they can't be had; nothing where the kernel has no such table."""
    if "nat" not in (tree.read("/proc/net/ip_tables_names").text or "").split():
        return [], ""
    command = "iptables-legacy-save"
    if shutil.which(command) is None:
        return [], f"the kernel has rules of legacy iptables, which only {command} shows, and it is not installed"
    try:
        arguments = [command, "-c", "-t", "nat"]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], str(error)
    return legacy_rules_of(done.stdout), done.stderr.strip() if done.returncode else ""


def legacy_rules_of(listing: str) -> list[NatRule]:
    """The rules of iptables-save's text that rewrite. They have no handles: they are counted."""
    return [
        NatRule("legacy", chain, number, TARGETS[target], text, int(packets), "iptables-legacy-save -c -t nat")
        for number, (packets, text, chain, target) in enumerate(LEGACY.findall(listing), 1)
    ]


def lay_out(rules: Iterable[NatRule], findings: Findings, table: str) -> None:
    """Rules of Services tell on their Service's part; all others are parts, linked to the bridge whose guests they hide, to
    the NIC by which these leave, and to the pod that they lead to."""
    parts = {part.id: part for part in findings.parts}
    own = next((part.value("inode") for part in findings.parts if part.kind == "netns"), None)
    devices = {part.name: part for part in findings.parts if part.value("netns") == own and part.id.startswith("link/")}
    uplinks = [way.target for way in findings.links if (way.kind, way.source) == ("routes", f"route/{own}/default")]
    pods = {part.value("address"): part for part in findings.parts if part.kind == "pod" and part.value("address")}
    for rule in rules:
        said = Evidence(source=rule.place, value=rule.text)
        made_for = rule.service if rule.table == table else None
        service = parts.get("service/" + "/".join(made_for)) if made_for else None
        if service:
            service.facts += _facts(rule, said, f" {rule.port}")
            continue
        part = Part(id=rule.id, kind="nat", name=_name(rule), floor="network", on="kernel", facts=_facts(rule, said))
        findings.parts.append(part)
        ends = [pods[address] for address, _ in ENDPOINT.findall(rule.text) if address in pods]
        if rule.action in ("dnat", "redirect"):
            findings.links += [Link(kind="translates", source=part.id, target=e.id, evidence=[said]) for e in ends]
            part.object = ends[0].object if len(ends) == 1 else None
        elif (bridge := devices.get(rule.outside_of)) and bridge.kind == "bridge":
            findings.links.append(Link(kind="masquerades", source=part.id, target=bridge.id, evidence=[said]))
            findings.links += [Link(kind="uplink", source=part.id, target=nic, evidence=[said]) for nic in uplinks]
        if made_for and part.object is None:
            namespace, name = made_for
            part.object = ObjectReference(kind="Service", api_version="v1", namespace=namespace, name=name)


def _name(rule: NatRule) -> str:
    if rule.action == "masquerade":
        return "masquerade"
    ends = ", ".join(f"{address}:{port}" for address, port in ENDPOINT.findall(rule.text))
    return f"{rule.action} to {ends}" if ends else rule.action


def _facts(rule: NatRule, said: Evidence, suffix: str = "") -> list[Fact]:
    facts = [fact(f"rule{suffix}", rule.text, said)]
    if not suffix:
        facts.insert(0, fact("action", rule.action, said))
    if rule.connections is not None:
        facts.append(fact(f"connections{suffix}", rule.connections, said, note="a nat rule counts connections"))
    return facts
