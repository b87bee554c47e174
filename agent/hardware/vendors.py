"""Whose a hardware address is: the IEEE's list as the distribution keeps it, or that the address is nobody's.

A locally administered address says nothing of a vendor, but some makers of virtual machines have a habit.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from typing import NamedTuple

from agent.hardware.evidence import Tree
from kubeapi.hardware_v1.layers import Evidence

LOCAL = 0x02  # IEEE 802, 8.2: the second bit of the first octet
HABITS = {
    "52:54:00": "as QEMU and libvirt give them",
    "02:42": "as Docker gives them",
    "0a:58": "as CNI plugins give them",
}
# udev's hardware database (package udev), and the list itself (package ieee-data).
LISTS: dict[str, Callable[[str], str]] = {
    "/usr/lib/udev/hwdb.d/20-OUI.hwdb": lambda oui: rf"^OUI:{oui}\*\n ID_OUI_FROM_DATABASE=([^\n]*)",
    "/usr/share/ieee-data/oui.txt": lambda oui: rf"^{oui}     \(base 16\)\s*([^\r\n]*)",
}


class Vendor(NamedTuple):
    """name is None where nobody's is known, note says why; evidence is the list's own line."""

    name: str | None
    note: str
    evidence: Evidence


def vendor_of(tree: Tree, mac: str) -> Vendor | None:
    """The vendor of a hardware address; None where there is no address to speak of."""
    octets = mac.split(":")
    if len(octets) != 6 or mac == "00:00:00:00:00:00":
        return None
    evidence = Evidence(source="the address", value=mac)
    if int(octets[0], 16) & LOCAL:
        habit = next((f", {words}" for prefix, words in HABITS.items() if mac.startswith(prefix)), "")
        return Vendor(None, f"locally administered{habit}: no vendor's", evidence)
    oui = "".join(octets[:3]).upper()
    lists = [path for path in LISTS if tree.exists(path)]
    for path in lists:
        if name := _search(tree, path, LISTS[path](oui)):
            return Vendor(name, "", Evidence(source=path, value=f"{oui} {name}"))
    why = "not in the list of vendors" if lists else "no list of vendors is installed (package ieee-data)"
    return Vendor(None, why, evidence)


def _search(tree: Tree, path: str, pattern: str) -> str:
    """The list is some megabytes, of which few pages are looked at: it is not read into memory."""
    try:
        with tree.path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            found = re.search(pattern.encode(), text, re.MULTILINE)
            return found[1].decode(errors="replace").strip() if found else ""
    except (OSError, ValueError):  # ValueError: an empty file can't be mapped
        return ""
