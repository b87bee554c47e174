"""By what packets leave the machine at hand, as `ip` tells: a NIC, or a veth where the machine is itself a namespace's."""

from __future__ import annotations

import json
import subprocess
from typing import Any


def _ip(*arguments: str) -> list[dict[str, Any]]:
    command = ["ip", "-j", "-d", *arguments]
    told: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return told


def kind_of(link: dict[str, Any]) -> str:
    """The word for a device of `ip -j -d link`, as the layers have it."""
    return str(link.get("linkinfo", {}).get("info_kind", "nic"))


def way_out() -> dict[str, Any]:
    """The device of the default route."""
    (link,) = _ip("link", "show", "dev", _ip("route", "show", "default")[0]["dev"])
    return link


def cards() -> dict[str, str]:
    """The addresses of what hangs on a bus, by name."""
    return {link["ifname"]: link["address"] for link in _ip("link") if "parentbus" in link}
