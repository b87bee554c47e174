"""The file of a backup: what a cluster needs to come back, here or on another machine, and what nobody else has.

A compressed tar, so that it can be looked into with `tar tzvf`: first a table of contents with a format number and the
checksum of each file, then the store, the cluster's settings, its authority, the key that signs tokens, and the tokens. It
holds every Secret and the keys of the cluster: it is its owner's alone. Not in it: volumes' data, images, logs.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from controlplane.store import StoreError
from controlplane.store.copies import Copy, inspect, take

FORMAT = 1
CONTENTS, STORE = "naru-backup.json", "store.db"
IDENTITY = ("cluster.json", "ca.crt", "ca.key", "service-account.key", "token", "agent.token")


class BackupError(Exception):
    """A backup can't be made or used; one sentence for a person."""


class Backup(NamedTuple):
    """What a backup says of itself: the cluster's id, what the store held, and when it was taken (RFC 3339).

    `lost` counts the revisions that had been answered and were not in the store any more.
    """

    cluster: str
    revision: int
    objects: int
    taken: str
    lost: int = 0


def make(data_dir: Path, file: Path) -> Backup:
    """Write the backup of the cluster in `data_dir`, running or not, to a new file (0600)."""
    if file.exists():
        raise BackupError(f"{file} is there already: give another name, or move it away")
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as folder:
        scratch = Path(folder)
        try:
            held, answered = take(data_dir / STORE, scratch / STORE)
        except StoreError as error:
            raise BackupError(str(error)) from error
        files = {STORE: scratch / STORE} | {name: data_dir / name for name in IDENTITY}
        cluster = json.loads(files["cluster.json"].read_text())["id"]
        taken = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        said = Backup(cluster, held.revision, held.objects, taken, max(0, answered - held.revision))
        sums = {name: _sum(path) for name, path in files.items()}
        part = scratch / "part"
        with part.open("xb") as stream:
            part.chmod(0o600)
            _pack(stream, json.dumps({"format": FORMAT, **said._asdict(), "sha256": sums}).encode(), files)
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(file)
    return said


def _pack(stream: IO[bytes], contents: bytes, files: dict[str, Path]) -> None:
    with gzip.GzipFile("", "wb", 3, stream) as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        first = tarfile.TarInfo(CONTENTS)
        first.size, first.mode = len(contents), 0o600
        archive.addfile(first, io.BytesIO(contents))
        for name, path in files.items():
            with path.open("rb") as source:
                member = archive.gettarinfo(arcname=name, fileobj=source)
                member.mode = 0o600
                archive.addfile(member, source)


def unpack(file: Path, folder: Path) -> Backup:
    """Unpack a backup into an empty folder and check all of it. BackupError for one that is damaged, or none."""
    try:
        with gzip.open(file) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
            contents, found = None, {}
            for member in archive:
                content = archive.extractfile(member)
                if contents is None:
                    if member.name != CONTENTS or content is None:
                        raise BackupError(f"{file} is no backup of Naru's")
                    contents = json.load(content)
                    continue
                if member.name not in (STORE, *IDENTITY) or content is None:
                    raise BackupError(f"{file} holds {member.name!r}, which no backup of this format does")
                (folder / member.name).touch(0o600)
                with (folder / member.name).open("wb") as target:
                    while block := content.read(1 << 20):
                        target.write(block)
                found[member.name] = _sum(folder / member.name)
            while packed.read(1 << 20):  # to the end, where the checksum of the whole is
                pass
    except gzip.BadGzipFile as error:
        raise BackupError(f"{file} is no backup of Naru's, or a damaged one ({error})") from error
    except (EOFError, zlib.error, tarfile.TarError, ValueError) as error:
        raise BackupError(f"{file} is damaged ({error}): use another backup") from error
    except OSError as error:
        raise BackupError(str(error)) from error
    return _checked(file, folder, contents or {}, found)


def _checked(file: Path, folder: Path, contents: dict[str, Any], found: dict[str, str]) -> Backup:
    sums = contents.pop("sha256", None)
    if (written := contents.pop("format", None)) != FORMAT:
        raise BackupError(f"{file} has format {written}, this Naru knows {FORMAT}: use the version that wrote it")
    if sums != found or {*found} != {STORE, *IDENTITY}:
        raise BackupError(f"{file} is damaged (its checksums do not match its content): use another backup")
    said = Backup(**contents)
    try:
        held = inspect(folder / STORE)
    except StoreError as error:
        raise BackupError(f"{file}: the store in it can't be used: {error}") from error
    if held != Copy(said.revision, said.objects):
        raise BackupError(f"{file} is damaged (its store is at revision {held.revision}, not at {said.revision})")
    return said


def _sum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
