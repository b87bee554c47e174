"""Addresses, ranges and ports: the checks that Services, endpoints, nodes and pods share."""

from __future__ import annotations

import ipaddress
import re

from kubeapi.errors import Cause, invalid
from kubeapi.meta_v1.validation import causes_of

API_SERVER = ("default", "kubernetes")  # the Service of the API itself, which may listen on loopback alone
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PORT_RANGE = "must be between 1 and 65535, inclusive"
PROTOCOLS = ("TCP", "UDP", "SCTP")
NOT_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NOT_RANGE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
LEADING_ZEROS = re.compile(r"(?<![0-9a-fA-F:])0+(?=[0-9])")
LINK_LOCAL_MULTICAST = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))


def address_of(text: str) -> Address | None:
    """The address that a text says, None if it is none. Zeros may lead an octet, as Go's older parser allowed."""
    try:
        return ipaddress.ip_address(LEADING_ZEROS.sub("", text) if ":" not in text else text)
    except ValueError:
        return None


def validate_address(text: str, path: str) -> list[Cause]:
    """An IPv4 or IPv6 address."""
    return [] if address_of(text) is not None else [invalid(path, text, NOT_ADDRESS)]


def validate_range(text: str, path: str) -> list[Cause]:
    """A range of addresses in CIDR form."""
    host, slash, bits = text.partition("/")
    address = address_of(host)
    digits = bits.isascii() and bits.isdigit() and len(bits) <= 3
    good = slash and address is not None and digits and int(bits) <= address.max_prefixlen
    return [] if good else [invalid(path, text, NOT_RANGE)]


def validate_not_special(text: str, path: str) -> list[Cause]:
    """An address that traffic can be sent to from anywhere: not unspecified, loopback or link-local."""
    address = address_of(text)
    if address is None:
        return [invalid(path, text, "must be a valid IP address")]
    multicast = any(address.version == net.version and address in net for net in LINK_LOCAL_MULTICAST)
    rules = (
        (address.is_unspecified, f"may not be unspecified ({text})"),
        (address.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (address.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    )
    return [invalid(path, text, told) for broken, told in rules if broken]


def one_of_each_family(addresses: list[str]) -> bool:
    """Whether the addresses are of different families."""
    versions = [address.version for address in map(address_of, addresses) if address is not None]
    return len(set(versions)) == len(versions)


def port_name(value: str) -> list[str]:
    """The IANA name of a port."""
    found = []
    if len(value) > 15:
        found.append("must be no more than 15 characters")
    if not re.fullmatch(r"[-a-z0-9]+", value):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", value):
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        found.append("must not begin or end with a hyphen")
    return found


def validate_port(value: int, path: str) -> list[Cause]:
    """A port by number."""
    return [] if 1 <= value <= 65535 else [invalid(path, value, PORT_RANGE)]


def validate_port_or_name(value: int | str | None, path: str) -> list[Cause]:
    """A port by number or by name."""
    return causes_of(port_name, value, path) if isinstance(value, str) else validate_port(value or 0, path)
