"""Reading with evidence: each value keeps where it was read and what stood there, and nothing secret is read at all.

Everything goes through a `Tree`, a root under which /proc and /sys lie, so that a captured machine reads like a real one.
A file that is missing, forbidden or broken is an answer, never an exception: discovery has to stand on any machine.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NamedTuple

from kubeapi.hardware_v1.layers import Confidence, Evidence, Fact, Value

SECRET = frozenset(
    {"environ", "cmdline", "auxv", "mem", "product_serial", "board_serial", "chassis_serial", "product_uuid"}
)
LONGEST = 200  # characters of a value that stand in evidence
PIECE = 1 << 14  # bytes that are read at once: most files have fewer


class Read(NamedTuple):
    """A file's text (None when there is none to be had), its path as evidence, and why not (`not permitted`, `absent`)."""

    path: str
    text: str | None
    why: str = ""

    @property
    def evidence(self) -> Evidence:
        """Where and what, cut to a line that can be shown."""
        shown = f"({self.why})" if self.text is None else self.text.strip()
        return Evidence(source=self.path, value=shown[:LONGEST])


class Tree:
    """A machine's files below a root."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self._base = str(root).rstrip("/")  # paths are text in here: a discovery makes thousands

    def path(self, path: str) -> Path:
        """The real place of an absolute path."""
        return self.root / path.lstrip("/")

    def read(self, path: str, limit: int = 1 << 20) -> Read:
        """The text of a file, `limit` bytes at most. A file whose name is secret is refused (ValueError): a mistake here."""
        if path.rsplit("/", 1)[-1] in SECRET:
            raise ValueError(f"{path} is never read: it may hold secrets")
        try:
            return Read(path, _whole(self._base + path, limit).decode(errors="replace"))
        except OSError as error:
            return Read(path, None, _why(error))

    def names(self, path: str) -> list[str]:
        """What a directory holds, sorted; nothing where it can't be listed."""
        try:
            return sorted(os.listdir(self._base + path))
        except OSError:
            return []

    def link(self, path: str) -> Read:
        """Where a symbolic link points, as text."""
        try:
            return Read(path, os.readlink(self._base + path))
        except OSError as error:
            return Read(path, None, _why(error))

    def exists(self, path: str) -> bool:
        """Whether something is there. What can't be looked at is not."""
        try:
            return self.path(path).exists()
        except OSError:
            return False


def fact(
    name: str, value: Value, *reads: Read | Evidence, unit: str = "", confidence: Confidence = "certain", note: str = ""
) -> Fact:
    """A fact with what it rests on."""
    evidence = [read.evidence if isinstance(read, Read) else read for read in reads]
    return Fact(name=name, value=value, unit=unit, confidence=confidence, evidence=evidence, note=note)


def _whole(path: str, limit: int) -> bytes:
    """What a file says, to its end or the limit: /proc may tell it in pieces. Without a file object, which costs more than
    all else here."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(file, min(limit, PIECE))
        while data and len(data) < limit and (more := os.read(file, min(limit - len(data), PIECE))):
            data += more
        return data
    finally:
        os.close(file)


def _why(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "not permitted"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "absent"
    return error.strerror or type(error).__name__
