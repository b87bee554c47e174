"""What a pod's /etc/hosts and /etc/resolv.conf say, as the kubelet and its runtime write them. Pure text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kubeapi.core_v1.types import Pod, PodDNSConfigOption

NAMESERVERS, SEARCHES, SEARCH_CHARACTERS = 3, 32, 2048
CLUSTER_OPTIONS = {"ndots": "5"}
LOCAL_NAMES = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
HOST_NETWORK = "# Kubernetes-managed hosts file (host network).\n"


class Resolver(NamedTuple):
    """The settings of a resolv.conf; an option without a value is told by its name alone."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: dict[str, str | None] = {}


def hosts(pod: Pod, ip: str, domain: str = "cluster.local", host: str = "") -> str:
    """The pod's own name and aliases. A pod of the host's network has the host's file (its text) and its aliases."""
    if pod.spec.host_network:
        text = HOST_NETWORK + host
    else:
        name, full = _names(pod, domain)
        text = f"{LOCAL_NAMES}{ip}\t" + (f"{full}\t{name}\n" if full else f"{name}\n")
    aliases = [f"{alias.ip}\t" + "\t".join(alias.hostnames) + "\n" for alias in pod.spec.host_aliases]
    return text + "".join(["\n# Entries added by HostAliases.\n", *aliases] if aliases else [])


def hostname(pod: Pod, domain: str = "cluster.local") -> str:
    """What the kernel says in the pod: its short name, or the full one where the pod asks for that and has one."""
    name, full = _names(pod, domain)
    return full if full and pod.spec.set_hostname_as_fqdn else name


def _names(pod: Pod, domain: str) -> tuple[str, str]:
    """The pod's name, cut to what Linux takes, and its full name if it has a subdomain."""
    spec = pod.spec
    if spec.hostname_override:
        return spec.hostname_override, ""
    name = (spec.hostname or pod.metadata.name)[:63].rstrip("-.")
    return name, f"{name}.{spec.subdomain}.{pod.metadata.namespace}.svc.{domain}" if spec.subdomain else ""


def resolv_conf(pod: Pod, dns_address: str, host: str, domain: str = "cluster.local") -> str:
    """The pod's resolv.conf by its dnsPolicy and dnsConfig; host is the text of the node's own."""
    found = _of_policy(pod, dns_address, _read(host), domain)
    if more := pod.spec.dns_config:
        found = Resolver(
            _distinct(found.nameservers + tuple(more.nameservers)),
            _distinct(found.searches + tuple(more.searches)),
            found.options | dict(_options(more.options)),
        )
    searches = _within_limits(found.searches)
    lines = ["search " + " ".join(searches)] if searches else []
    lines += [f"nameserver {address}" for address in found.nameservers[:NAMESERVERS]]
    if found.options:
        lines.append("options " + " ".join(k if v is None else f"{k}:{v}" for k, v in found.options.items()))
    return "".join(line + "\n" for line in lines)


def _of_policy(pod: Pod, dns_address: str, host: Resolver, domain: str) -> Resolver:
    match pod.spec.dns_policy or "ClusterFirst", pod.spec.host_network:
        case "None", _:
            return Resolver()
        case ("ClusterFirst", False) | ("ClusterFirstWithHostNet", _) if dns_address:
            own = (f"{pod.metadata.namespace}.svc.{domain}", f"svc.{domain}", domain)
            return Resolver((dns_address,), _distinct(own + host.searches), dict(CLUSTER_OPTIONS))
    return host


def _read(text: str) -> Resolver:
    """A resolv.conf: nameservers add up, the last search line counts, later options win over earlier ones."""
    nameservers: list[str] = []
    searches: list[str] = []
    options: dict[str, str | None] = {}
    for line in text.splitlines():
        match line.split():
            case [first, *_] if first.startswith(("#", ";")):
                continue
            case ["nameserver", address, *_]:
                nameservers.append(address)
            case ["search", *domains]:
                searches = [domain if domain == "." else domain.removesuffix(".") for domain in domains]
            case ["options", *told]:
                for option in told:
                    name, colon, value = option.partition(":")
                    options[name] = value if colon else None
    return Resolver(tuple(nameservers), _distinct(searches), options)


def _options(told: Iterable[PodDNSConfigOption]) -> Iterator[tuple[str, str | None]]:
    return ((option.name, option.value or None) for option in told)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _within_limits(searches: tuple[str, ...]) -> tuple[str, ...]:
    """As many as a resolver takes; what is too long is cut from the end, whole domains at a time."""
    kept = searches[:SEARCHES]
    while len(" ".join(kept)) > SEARCH_CHARACTERS:
        kept = kept[:-1]
    return kept
