"""A cluster that comes back with its machine: a service of systemd's, which is `naru up` in the foreground.

As a service it is more than started: systemd starts it anew when control plane or agent end by themselves, and ends it by
the SIGINT that Ctrl-C is. Containers are the engine's and run on. The unit says nothing that DATA_DIR/cluster.json keeps,
such as the port, and holds no secret. It must not be given mounts of its own (PrivateTmp=, ProtectSystem=): what the agent
mounts for pods is the machine's.

A unit is known for a cluster's by its first line, which tells the data directory; none without it is ever touched.
"""

from __future__ import annotations

import os
import pathlib
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple

UNITS = pathlib.Path("/etc/systemd/system")
TARGET = "multi-user.target"
BOOTED = pathlib.Path("/run/systemd/system")  # is there where systemd is process 1, as sd_booted(3) says
TRIED_AGAIN = 5  # seconds after an end that nobody asked for: soon, and no load where it ends each time

UNIT = """\
{mark}
[Unit]
Description=Naru cluster {cluster}
Wants=docker.service
After=docker.service
ConditionPathExists={settings}
RequiresMountsFor={mounts}
StartLimitIntervalSec=0

[Service]
Type=notify
{environment}ExecStart=:{command}
KillMode=mixed
KillSignal=SIGINT
SuccessExitStatus=130
Restart=on-failure
RestartSec={again}
TimeoutStartSec=infinity

[Install]
WantedBy={target}
"""


class BootError(RuntimeError):
    """What systemd refused, or is not there for; with what to do instead."""


def need_systemd(data_dir: pathlib.Path) -> None:
    """BootError unless this machine was booted by systemd."""
    if not BOOTED.exists():
        command = f"{sys.executable} -m naru up --detach --data-dir {shlex.quote(str(data_dir.resolve()))}"
        raise BootError(
            "systemd did not boot this machine, so --at-boot can do nothing here; have whatever did run this at boot, "
            f"as root, once the engine answers: {command}"
        )


def unit_text(
    data_dir: pathlib.Path,
    cluster: str,
    simulated_nodes: int | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
) -> str:
    """The unit of a cluster, for this interpreter. Raises BootError for a directory that no unit can name."""
    path = str(data_dir.resolve())
    if not path.isprintable():
        raise BootError(f"{path!r} has characters that no unit of systemd's can have: move the cluster")
    python = str(pathlib.Path(sys.executable).parent.resolve() / pathlib.Path(sys.executable).name)
    command = [python, "-m", "naru", "up", "--supervised", "--data-dir", path]
    if simulated_nodes is not None:
        command += ["--simulated-nodes", str(simulated_nodes)]
    engine = environment.get("DOCKER_HOST")
    return UNIT.format(
        mark=_mark(data_dir),
        cluster=cluster,
        settings=f"{path}/cluster.json".replace("%", "%%"),
        mounts=f"{_word(path)} {_word(python)}",
        environment=f"Environment={_word(f'DOCKER_HOST={engine}')}\n" if engine else "",
        command=" ".join(map(_word, command)),
        again=TRIED_AGAIN,
        target=TARGET,
    )


def _mark(data_dir: pathlib.Path) -> str:
    return f"# Written by naru up --at-boot for {_word(str(data_dir.resolve()))}; naru down removes it."


def _word(text: str) -> str:
    """A word as systemd reads it back, by systemd.syntax(7); where a command begins with a colon `$` is only that."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


class Unit(NamedTuple):
    """A unit's file."""

    path: pathlib.Path

    @property
    def name(self) -> str:
        """What systemctl and journalctl call it."""
        return self.path.name

    @property
    def enabled(self) -> bool:
        """Whether the next boot starts it."""
        return (self.path.parent / f"{TARGET}.wants" / self.name).is_symlink()

    def start(self) -> None:
        """Start it unless it runs; returns when the cluster is ready."""
        try:
            _systemctl("start", self.name)
        except BootError as error:
            said = subprocess.run(
                ["systemctl", "status", "--no-pager", "--full", "--lines=15", self.name], capture_output=True, text=True
            )
            raise BootError(
                f"{self.name} is not ready; systemd tries again every {TRIED_AGAIN} s until naru down; "
                f"journalctl --unit {self.name} tells more\n{said.stdout}"
            ) from error

    def stop(self) -> None:
        """End the processes, if they run by it, also a start that is awaited or tried again."""
        if BOOTED.exists():
            _systemctl("stop", self.name)

    def remove(self) -> None:
        """Stop it and take it away."""
        self.stop()
        _systemctl("disable", self.name)
        self.path.unlink(missing_ok=True)
        if BOOTED.exists():
            _systemctl("daemon-reload")


def units_of(data_dir: pathlib.Path) -> list[Unit]:
    """The units that were installed for the cluster in this directory: one, or none."""
    mark = _mark(data_dir)
    return [Unit(path) for path in sorted(UNITS.glob("naru-*.service")) if _first_line(path) == mark]


def install(data_dir: pathlib.Path, cluster: str, simulated_nodes: int | None = None) -> Unit:
    """Have every boot start the cluster, by a unit for its directory alone; returns that, which is yet to be started.

    One that runs with other words is stopped. Raises BootError where another's unit is in the way.
    """
    unit, text = Unit(UNITS / f"naru-{cluster}.service"), unit_text(data_dir, cluster, simulated_nodes)
    before = units_of(data_dir)
    if unit.path.exists() and unit not in before:
        raise BootError(f"{unit.path} is there and not of the cluster in {data_dir}: move it away")
    for other in before:
        if other != unit or other.path.read_text() != text:
            other.remove()
    if not unit.path.exists():
        new = unit.path.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o644)
        new.replace(unit.path)
        _systemctl("daemon-reload")
    _systemctl("enable", unit.name)
    return unit


def tell_ready() -> None:
    """Say to systemd that this service is ready, as sd_notify(3) does."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
            door.sendto(b"READY=1", address.replace("@", "\0", 1) if address.startswith("@") else address)


def _first_line(path: pathlib.Path) -> str:
    try:
        return path.read_text(errors="replace").partition("\n")[0]
    except OSError:  # a link to nowhere (a masked unit), or not ours to read
        return ""


def _systemctl(*arguments: str) -> None:
    try:
        subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise BootError("systemctl is missing, so systemd can't be asked") from None
    except subprocess.CalledProcessError as error:
        raise BootError(f"systemctl {' '.join(arguments)}: {error.stderr.strip()}") from error
