"""kubeconfig files: what a client needs from one, and how a cluster's entries come into a user's own without loss."""

from __future__ import annotations

import base64
import contextlib
import os
import pathlib
from typing import Any, NamedTuple

import yaml

ENTRIES = ("clusters", "contexts", "users")


class KubeconfigError(ValueError):
    """A file that is no kubeconfig, or lacks what is needed; the message names it."""


class Credentials(NamedTuple):
    """Where the API is, the PEM text of who vouches for it ("" for the system's), and the bearer token."""

    server: str
    ca: str
    token: str


def load(path: pathlib.Path) -> dict[str, Any]:
    """The content of a kubeconfig; empty for a file that is not there or has nothing in it."""
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"{path} is no kubeconfig: {' '.join(str(error).split())}") from None
    well_formed = isinstance(content, dict) and all(isinstance(content.get(e) or [], list) for e in ENTRIES)
    if content is not None and not well_formed:
        raise KubeconfigError(f"{path} is no kubeconfig")
    return content or {}


def self_contained(content: dict[str, Any]) -> dict[str, Any]:
    """With certificates in the file rather than beside it, so that it can be carried away."""
    clusters = []
    for entry in content["clusters"]:
        cluster = dict(entry["cluster"])
        if path := cluster.pop("certificate-authority", None):
            cluster["certificate-authority-data"] = base64.b64encode(pathlib.Path(path).read_bytes()).decode()
        clusters.append({**entry, "cluster": cluster})
    return {**content, "clusters": clusters}


def merged(own: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`own` with the entries of `new` added, or in the place of those of their name; the current context is the new one."""
    result = {"apiVersion": "v1", "kind": "Config", **own}
    for entries in ENTRIES:
        names = {entry["name"] for entry in new[entries]}
        kept = [entry for entry in own.get(entries) or [] if entry.get("name") not in names]
        result[entries] = [*kept, *new[entries]]
    return {**result, "current-context": new["current-context"]}


def write(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Replace the file at once by one that only its owner reads; who owned it still does."""
    path = path.resolve()  # where it is a link, the link stays
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            yaml.safe_dump(content, file, sort_keys=False)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            owner = path.stat()
            os.chown(new, owner.st_uid, owner.st_gid)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def credentials(path: pathlib.Path) -> Credentials:
    """What the current context of a kubeconfig says. KubeconfigError when it has no server or no token."""
    content = load(path)

    def entry(entries: str, kind: str, name: Any) -> dict[str, Any]:
        found: dict[str, Any] = next((e for e in content.get(entries) or [] if e.get("name") == name), {})
        return found.get(kind) or {}

    context = entry("contexts", "context", content.get("current-context"))
    cluster, user = entry("clusters", "cluster", context.get("cluster")), entry("users", "user", context.get("user"))
    if not cluster.get("server") or not user.get("token"):
        raise KubeconfigError(f"{path} has no current context with a server and a token")
    if data := cluster.get("certificate-authority-data"):
        ca = base64.b64decode(data).decode()
    else:
        file = cluster.get("certificate-authority")
        ca = (path.parent / file).read_text() if file else ""
    return Credentials(cluster["server"], ca, user["token"])
