"""A machine that systemd has booted, and may boot again: a container with systemd as its first process and an engine inside.

Programs are this machine's, read-only. Units are only those that are put here: what Debian starts beside them would change
kernel settings that are not the container's own. Its /var is the container's, and stays when it boots again.
"""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

CHECKOUT = pathlib.Path(__file__).parents[1]
READ_ONLY = {"/usr", "/etc/alternatives", sys.prefix, sys.base_prefix, str(CHECKOUT)}
BOOTS_WITHIN = 60
UNITS = "/etc/systemd/system"
ENGINE = f"""
[Unit]
Description=Engine
[Service]
Type=notify
ExecStart={shutil.which("dockerd")} --bridge=none --iptables=false --ip6tables=false
Delegate=yes
KillMode=mixed
[Install]
WantedBy=multi-user.target
"""
# All but CAP_SYS_RESOURCE, which a guest that runs the tests may lack itself.
POWERS = [
    "--cap-add=ALL", "--cap-drop=SYS_RESOURCE", "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined", "--device-cgroup-rule=a *:* rwm", "--cgroupns=private", "--network=none",
    "--tmpfs=/run", "--tmpfs=/tmp", "--volume=/var/lib/docker",
    "--env=container=docker", f"--env=SYSTEMD_UNIT_PATH={UNITS}", "--env=PYTHONDONTWRITEBYTECODE=1",
]  # fmt: skip
INIT = f"""
for point in /sys/fs/cgroup /sys/fs/cgroup/*; do mountpoint -q $point && mount -o remount,bind,rw $point; done
for target in sysinit basic shutdown multi-user; do
    printf '[Unit]\\nDescription=%s\\nDefaultDependencies=no\\n' $target >{UNITS}/$target.target
done
echo AllowIsolate=yes >>{UNITS}/multi-user.target
mkdir -p {UNITS}/multi-user.target.wants
printf %s "$1" >{UNITS}/docker.service
ln -sf ../docker.service {UNITS}/multi-user.target.wants/
exec /lib/systemd/systemd --log-target=console --show-status=no --unit=multi-user.target
"""


class Booted:
    """The machine; `id` is the container's."""

    def __init__(self) -> None:
        mounts = [f"--volume={path}:{path}:ro" for path in sorted(READ_ONLY)]
        command = ["docker", "run", "--detach", *POWERS, *mounts, "naru/base", "sh", "-c", INIT, "sh", ENGINE]
        self.id = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
        self._await()

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on it."""
        done = subprocess.run(
            ["docker", "exec", self.id, *command], capture_output=True, text=True, timeout=100, check=False
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{self.log()}"
        return done

    def naru(self, *arguments: str, check: bool = True) -> str:
        """Run a naru command on it; what it says."""
        done = self.run(sys.executable, "-m", "naru", *arguments, check=check)
        return done.stdout + done.stderr

    def reboot(self) -> None:
        """Take its power away and give it back."""
        subprocess.run(["docker", "restart", "--time=0", self.id], capture_output=True, check=True, timeout=100)
        self._await()

    def log(self) -> str:
        """What systemd and its services have said last."""
        done = subprocess.run(["docker", "logs", "--tail=40", self.id], capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    def remove(self) -> None:
        """End it, with all that is in it."""
        subprocess.run(["docker", "rm", "--force", "--volumes", self.id], capture_output=True, check=True, timeout=100)

    def _await(self) -> None:
        """Until it has booted, as far as its targets are concerned."""
        deadline = time.monotonic() + BOOTS_WITHIN
        while self.run("systemctl", "is-active", "multi-user.target", check=False).returncode:
            assert time.monotonic() < deadline, self.log()


@contextlib.contextmanager
def booted() -> Iterator[Booted]:
    """A machine that has booted; nothing of it is left after."""
    machine = Booted()
    try:
        yield machine
    finally:
        machine.remove()
