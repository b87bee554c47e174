"""Live beside Docker: its iptables rules drop what is forwarded unless told otherwise; these let our bridge through.

An accept of our own table can't undo a drop of another, so two rules go to the front of the FORWARD chain that Docker uses
too, by the same `iptables` command (nft- or legacy-backed, whichever this machine has chosen). Docker puts its own jumps
before them when it starts and never touches them, so they hold whoever starts first. Nothing of Docker's is changed.
"""

from __future__ import annotations

import shutil
import subprocess


def ensure_forwarding(bridge: str) -> bool:
    """Let packets from and to the bridge pass; whether that had to be said anew. Without iptables on the machine there is
    nothing that would stop them."""
    lost = [match for match in _matches(bridge) if _iptables("-C", *match) not in (0, None)]
    for match in lost:
        _iptables("-I", *match, check=True)
    return bool(lost)


def remove_forwarding(bridge: str) -> None:
    """Take our rules back, however often they are there."""
    for match in _matches(bridge):
        while _iptables("-D", *match) == 0:
            pass


def _matches(bridge: str) -> tuple[tuple[str, ...], ...]:
    return tuple(("FORWARD", side, bridge, "-j", "ACCEPT") for side in ("-i", "-o"))


def _iptables(*arguments: str, check: bool = False) -> int | None:
    if shutil.which("iptables") is None:
        return None
    done = subprocess.run(["iptables", "-w", "5", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise OSError(f"iptables {' '.join(arguments)}: {done.stderr.strip()}")
    return done.returncode
