"""What no file tells, asked of the machine itself: its processor, its /dev/kvm, its architecture.

These belong to the machine that runs this program, so they are handed in beside the files: a captured tree comes with none,
or with answers that were captured with it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from agent.hardware.cpuid import Cpuid, no_cpuid, real_cpuid
from agent.hardware.evidence import Tree
from agent.hardware.kvm import AskKvm, no_kvm, real_kvm


class Live(NamedTuple):
    """The answers of a machine that is here. arch is uname's machine, empty where it is not known."""

    cpuid: Cpuid = no_cpuid
    kvm: AskKvm = no_kvm
    arch: str = ""

    @classmethod
    def of(cls, tree: Tree) -> Live:
        """This machine's, if the tree is its own."""
        return cls(real_cpuid(), real_kvm, os.uname().machine) if tree.root == Path("/") else cls()
