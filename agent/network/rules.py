"""Services as kernel rules: from `ServicePort`s and host ports to one nftables ruleset. Pure.

    prerouting, output   (address, protocol, port) ──@services──▶ chain of the port ──▶ DNAT to one endpoint
                         (protocol, port) of this host ──@host_ports, @node_ports──▶ likewise
    forward, input,      what no DNAT took: @rejected, @rejected_node_ports ──▶ refused at once;
    output               any other service address too
    forward, input       a Service's pod that refuses a connection: the first time its refusal is lost
    postrouting          masquerade: a pod that met itself, loopback into a pod, pods to the outside

Each packet is looked up in a map once, so 1,000 Services cost it what one does. Clients keep their own address on the way to
a pod of this node: its replies come back through here anyway.

A pod whose process has just died still has its address, and its kernel refuses whoever comes before the rules have heard of
it. So the first refusal of a Service's connection is dropped. The client's TCP asks again after a second, as for any lost
packet, and the kernel, which forgets a connection that nothing but a reset has answered, leads it anew: to a pod that lives.
A second refusal passes. What this costs is a second for those who ask a Service whose pods do not listen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from agent.network.config import NetworkConfig
from agent.network.endpoints import ServicePort, Target
from agent.network.nft import (
    CONNECTION_STATE,
    CONNECTION_STATUS,
    COUNTER,
    DADDR,
    DPORT,
    DROP,
    FROM_THIS_HOST,
    ICMP_TYPE,
    MARK,
    MASQUERADE,
    PROTOCOL,
    SADDR,
    TCP_FLAGS,
    TCP_SEQUENCE,
    TO_THIS_HOST,
    Expression,
    Json,
    Rule,
    Ruleset,
    add_rule,
    concat,
    goto,
    match,
    name_is,
    prefix,
    random_below,
    vmap,
)
from agent.network.protocol import HostPort

LEAVING = 0x4000  # the mark, kube-proxy's own, of traffic from outside that may go on to another machine
LONGEST_NAME = 200
REFUSED_SECONDS = 3  # longer than TCP waits before it asks for the second time
REJECT = goto("refuse")


class PodPort(NamedTuple):
    """A host port and the address of the pod it leads to."""

    port: HostPort
    address: str


def plan_base(config: NetworkConfig) -> list[Json]:
    """What is the same for every set of Services: the maps, and the chains that hang in the kernel's hooks."""
    by_address, by_port = ["ipv4_addr", "inet_proto", "inet_service"], ["inet_proto", "inet_service"]
    maps = {"services": by_address, "rejected": by_address}
    maps |= {"host_ports": by_port, "node_ports": by_port, "rejected_node_ports": by_port}
    bridge, pods, services = config.bridge, prefix(config.pod_range), prefix(config.service_range)
    address_key, port_key = concat(DADDR, PROTOCOL, DPORT), concat(PROTOCOL, DPORT)
    # The DNS address is this host's own; it needs no rule and must meet none.
    unclaimed: Rule = (match(DADDR, services), match(DADDR, config.dns_address, "!="), REJECT)
    rejected: Rule = (vmap(address_key, "@rejected"),)
    rejected_here: Rule = (TO_THIS_HOST, vmap(port_key, "@rejected_node_ports"))
    # A pod must not be told that its neighbour is nearer than the gateway: it would go there past the rules.
    redirect: Rule = (name_is("oifname", bridge), match(ICMP_TYPE, "redirect"), DROP)
    # A reset that answers a connection's first packet has the sequence number 0 (RFC 9293, 3.10.7.1).
    refusal: Rule = (
        match(CONNECTION_STATE, "established", "in"),
        match(CONNECTION_STATUS, "dnat", "in"),
        match(SADDR, pods),
        match(TCP_FLAGS, "rst", "in"),
        match(TCP_SEQUENCE, 0),
    )
    client = concat(DADDR, DPORT)
    again: Rule = (*refusal, match(client, "@refused"), {"accept": None})
    first: Rule = (*refusal, {"set": {"op": "add", "elem": client, "set": "@refused"}}, COUNTER, DROP)
    reset: Expression = {"reject": {"type": "tcp reset"}}
    unreachable: Expression = {"reject": {"type": "icmp", "expr": "port-unreachable"}}
    plain: dict[str, list[Rule]] = {
        # The kernel sends few ICMP errors a second to one address, but as many resets as are due.
        "refuse": [(match(PROTOCOL, "tcp"), reset), (unreachable,)],
        "translate": [
            (vmap(address_key, "@services"),),
            (TO_THIS_HOST, vmap(port_key, "@host_ports")),
            (TO_THIS_HOST, vmap(port_key, "@node_ports")),
        ],
    }
    hooked: list[tuple[str, str, str, int, list[Rule]]] = [
        # route_localnet, which NodePorts on loopback need, would let pods talk to the host's loopback.
        (
            "guard",
            "filter",
            "prerouting",
            -300,
            [(name_is("iifname", bridge), match(DADDR, prefix("127.0.0.0/8")), DROP)],
        ),
        ("arriving", "nat", "prerouting", -100, [(goto("translate"),)]),
        ("departing", "nat", "output", -100, [(goto("translate"),)]),
        (
            "leaving",
            "nat",
            "postrouting",
            100,
            [
                (match(concat(SADDR, DADDR), "@hairpins"), COUNTER, MASQUERADE),
                (name_is("oifname", bridge), match(SADDR, prefix("127.0.0.0/8")), COUNTER, MASQUERADE),
                (name_is("oifname", bridge, "!="), match({"&": [MARK, LEAVING]}, LEAVING), COUNTER, MASQUERADE),
                (
                    match(SADDR, prefix(config.pod_cidr)),
                    name_is("oifname", bridge, "!="),
                    match(DADDR, pods, "!="),
                    COUNTER,
                    MASQUERADE,
                ),
            ],
        ),
        ("passing", "filter", "forward", -10, [again, first, rejected, unclaimed]),
        ("entering", "filter", "input", -10, [again, first, rejected, rejected_here]),
        ("sending", "filter", "output", -10, [redirect, rejected, rejected_here, unclaimed]),
    ]
    place = {"family": "ip", "table": config.table}
    commands: list[Json] = [
        {"add": {"map": place | {"name": name, "type": kind, "map": "verdict"}}} for name, kind in maps.items()
    ]
    clients = {"type": ["ipv4_addr", "inet_service"], "flags": ["timeout"], "timeout": REFUSED_SECONDS}
    commands.append({"add": {"set": place | {"name": "refused"} | clients}})
    commands.append({"add": {"set": place | {"name": "hairpins", "type": ["ipv4_addr", "ipv4_addr"]}}})
    commands += [{"add": {"chain": place | {"name": name}}} for name in plain]
    for name, kind, hook, priority, _ in hooked:
        hooks = {"name": name, "type": kind, "hook": hook, "prio": priority, "policy": "accept"}
        commands.append({"add": {"chain": place | hooks}})
    commands += [add_rule(config.table, name, rule) for name, rules in plain.items() for rule in rules]
    return commands + [add_rule(config.table, name, rule) for name, _, _, _, rules in hooked for rule in rules]


def plan_rules(config: NetworkConfig, ports: Iterable[ServicePort], host_ports: Iterable[PodPort]) -> Ruleset:
    """The part that follows Services, endpoints and pods with host ports. The first of two claims to an address wins."""
    rules = Ruleset(elements={name: {} for name in ("services", "rejected", "host_ports", "hairpins")})
    rules.elements.update(node_ports={}, rejected_node_ports={})
    for claim in host_ports:
        _add_host_port(rules, claim)
    for port in ports:
        _add_service_port(rules, config, port)
    return rules


def _add_service_port(rules: Ruleset, config: NetworkConfig, port: ServicePort) -> None:
    cluster_ips = [a for a in port.cluster_ips if a != config.dns_address]
    internal, external = _name("service", port.key), _name("external", port.key)
    for target in {*port.internal, *port.external}:
        if target.local:
            rules.elements["hairpins"][target.address, target.address] = None
    if port.internal:
        rules.chains[internal] = _spread(rules, port, port.internal)
    for address in cluster_ips:
        verdict = goto(internal) if port.internal else None
        _claim(rules, "services", "rejected", (address, port.protocol, port.port), verdict, port)
    if not (port.node_port or port.external_ips):
        return
    if port.external:
        rules.chains[external] = _from_outside(rules, config, port, internal)
    outside = goto(external) if port.external else None
    for address in port.external_ips:
        _claim(rules, "services", "rejected", (address, port.protocol, port.port), outside, port)
    if port.node_port:
        _claim(rules, "node_ports", "rejected_node_ports", (port.protocol, port.node_port), outside, port)


def _claim(
    rules: Ruleset, wanted: str, refused: str, key: tuple[str | int, ...], verdict: Expression | None, port: ServicePort
) -> None:
    """Enter the verdict, or the refusal: at once if nobody takes the traffic; in silence if another node does, so that a
    load balancer's check finds it there (externalTrafficPolicy: Local)."""
    if key in rules.elements[wanted] or key in rules.elements[refused]:
        return
    if verdict:
        rules.elements[wanted][key] = verdict
    else:
        rules.elements[refused][key] = DROP if port.anywhere else REJECT


def _from_outside(rules: Ruleset, config: NetworkConfig, port: ServicePort, internal: str) -> tuple[Rule, ...]:
    """Traffic to nodes and external addresses. Pods and this host are inside: a policy of Local is not for them."""
    if port.external == port.internal:
        leaving: Rule = ({"mangle": {"key": MARK, "value": {"|": [MARK, LEAVING]}}},)
        marked = [leaving] if any(not t.local for t in port.external) else []
        return (*marked, (goto(internal),))
    inside: list[Rule] = []
    if port.internal:
        inside = [(match(SADDR, prefix(config.pod_range)), goto(internal)), (FROM_THIS_HOST, goto(internal))]
    return (*inside, *_spread(rules, port, port.external, "external"))


def _spread(rules: Ruleset, port: ServicePort, targets: tuple[Target, ...], role: str = "") -> tuple[Rule, ...]:
    """Each target as likely as the other; with affinity first the one that the client met last."""
    if not port.affinity:
        return (_translate(port.protocol, targets),)
    chains, returning = [], []
    for target in targets:
        key = f"{port.key}/{target.address}/{target.port}"
        chain, memory = _name(f"endpoint{role}", key), _name(f"clients{port.affinity}", key)
        rules.memories[memory] = port.affinity
        remember: Rule = ({"set": {"op": "update", "elem": SADDR, "set": f"@{memory}"}},)
        rules.chains[chain] = (remember, _translate(port.protocol, (target,)))
        returning.append((match(SADDR, f"@{memory}"), goto(chain)))
        chains.append(goto(chain))
    choice = vmap(random_below(len(chains)), {"set": [[i, chain] for i, chain in enumerate(chains)]})
    return (*returning, (choice,))


def _add_host_port(rules: Ruleset, claim: PodPort) -> None:
    port = claim.port
    protocol, chain = port.protocol.lower(), _name("hostport", f"{port.host_ip or 'any'}/{port.protocol}/{port.port}")
    if port.host_ip in ("", "0.0.0.0"):
        where, key = "host_ports", (protocol, port.port)
    else:
        where, key = "services", (port.host_ip, protocol, port.port)  # type: ignore[assignment]
    if rules.elements[where].setdefault(key, goto(chain)) == goto(chain):
        rules.chains.setdefault(chain, (_translate(protocol, (Target(claim.address, port.container_port, True),)),))
        rules.elements["hairpins"][claim.address, claim.address] = None


def _translate(protocol: str, targets: tuple[Target, ...]) -> Rule:
    if len(targets) == 1:
        return (match(PROTOCOL, protocol), COUNTER, {"dnat": {"addr": targets[0].address, "port": targets[0].port}})
    data = {"set": [[i, concat(t.address, t.port)] for i, t in enumerate(targets)]}
    choice = {"map": {"key": random_below(len(targets)), "data": data}}
    return (match(PROTOCOL, protocol), COUNTER, {"dnat": {"addr": choice, "family": "ip"}})


def _name(role: str, key: str) -> str:
    """A name that a reader of `nft list ruleset` knows, and that is unique also where it had to be cut."""
    return f"{role}-{hashlib.sha256(key.encode()).hexdigest()[:8]}-{key.rstrip('/')}"[:LONGEST_NAME]
