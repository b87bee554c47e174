"""`make bench-vm`: one server in a real virtual machine (QEMU, Debian's kernel) and in a container, side by side.

The machine's disk is made of the container's image, so what runs is the same. Prints a table and keeps the numbers in
DATA_DIR/bench-vm.json, where `naru layers --as-vms` finds them. What is made (a bridge, a tap, a container) is removed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.vm import guest as guests
from benchmarks.vm.initramfs import Server
from benchmarks.vm.kernel import KernelError, cache, ensure_kernel
from benchmarks.vm.measure import measure, prepared
from benchmarks.vm.report import MIB, table
from benchmarks.vm.switch import switch
from naru.config import DEFAULT_DATA_DIR
from naru.layers.as_vms import BENCH

IMAGE, PATH, PORT = "naru/web:1", "/healthz", 8080
HOSTS = ("was",)  # nginx looks its upstream up when it starts


def say(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Prepare, measure, print, keep."""
    parser = argparse.ArgumentParser(prog="make bench-vm", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="guests and containers to start (%(default)s)")
    parser.add_argument("--ram", type=int, default=256, help="of a guest, in MiB (%(default)s)")
    default = Path(os.environ.get("DATA_DIR", DEFAULT_DATA_DIR))
    parser.add_argument("--data-dir", type=Path, default=default, help="where the numbers are kept (%(default)s)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("make bench-vm needs root: it makes a bridge and a tap, and reads what processes share", file=sys.stderr)
        return 1
    try:
        guests.version()
        say("the kernel")
        kernel = ensure_kernel(cache())
        with tempfile.TemporaryDirectory(prefix="naru-vm-") as work, switch() as on:
            say("a disk of the image's files")
            ready = prepared(Path(work), kernel, Server.of(IMAGE, PATH, PORT, HOSTS))
            how = guests.settle(ready, on, guests.accelerator(), options.ram * MIB)
            say(f"{options.rounds} guests and containers ({how.name})")
            bench = measure(ready, on, how, options.ram * MIB, options.rounds, kernel)
    except (KernelError, TimeoutError) as error:
        print(f"make bench-vm: {error}", file=sys.stderr)
        return 1
    options.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = options.data_dir / BENCH
    kept.write_bytes(bench.to_json())
    print(table(bench))
    print(f"Kept in {kept}: naru layers --as-vms takes its numbers from there.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
