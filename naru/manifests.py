"""The objects that a person names with -f: files, folders, standard input. Read here, so that an error names its file."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from kubeapi.codec import parse_stream
from kubeapi.errors import ApiError

SUFFIXES = (".yaml", ".yml", ".json")


class ManifestError(Exception):
    """A file that can't be read; the message names it."""


def read(names: Sequence[str], *, recursive: bool = False) -> list[Any]:
    """The documents of all files, in order: as named, and by name within a folder."""
    return [document for name in names for path in _files(name, recursive) for document in _documents(path)]


def _files(name: str, recursive: bool) -> Iterator[str]:
    path = pathlib.Path(name)
    if name == "-" or not path.is_dir():
        yield name
        return
    inside = sorted(path.rglob("*") if recursive else path.iterdir())
    found = [str(p) for p in inside if p.is_file() and p.suffix in SUFFIXES]
    if not found:
        below = "" if recursive else " (-R looks into the folders below)"
        raise ManifestError(f"{name} has no .yaml, .yml or .json file{below}")
    yield from found


def _documents(name: str) -> list[Any]:
    try:
        body = sys.stdin.buffer.read() if name == "-" else pathlib.Path(name).read_bytes()
        return [document for document in parse_stream(body) if document is not None]
    except OSError as error:
        raise ManifestError(f"{name}: {error.strerror}") from error
    except ApiError as error:
        raise ManifestError(f"{'standard input' if name == '-' else name}: {error.message}") from error
