"""Whether virtual machines can run here: by making one, since nothing else tells.

Flags of the processor (vmx, svm) are hidden from many guests that can host guests all the same, and shown to some that
can't; a module's `nested` parameter speaks of guests of ours. So /dev/kvm is opened, a machine and a virtual processor are
made by ioctl, and both are dropped at once: under a millisecond, and nothing runs.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

from kubeapi.hardware_v1.layers import Evidence

DEVICE = "/dev/kvm"
GET_API_VERSION, CREATE_VM, CREATE_VCPU = 0xAE00, 0xAE01, 0xAE41  # linux/kvm.h
STEPS = (("KVM_CREATE_VM", CREATE_VM), ("KVM_CREATE_VCPU", CREATE_VCPU))


class Kvm(NamedTuple):
    """Whether a guest's processor could be made (None: could not be tried), what each step answered, and why not."""

    works: bool | None
    evidence: list[Evidence]
    why: str = ""


AskKvm = Callable[[], Kvm]


def no_kvm() -> Kvm:
    """The /dev/kvm of a captured machine, which is not here to be opened."""
    return Kvm(None, [Evidence(source=DEVICE, value="(not asked)")], "a captured machine can't be asked")


def real_kvm() -> Kvm:
    """Opens /dev/kvm and makes, then drops, a virtual machine with one processor and no memory."""
    evidence: list[Evidence] = []
    step = f"open {DEVICE}"
    with ExitStack() as stack:

        def kept(descriptor: int) -> int:
            stack.callback(os.close, descriptor)
            return descriptor

        try:
            descriptor = kept(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
            step = "ioctl KVM_GET_API_VERSION"
            version = fcntl.ioctl(descriptor, GET_API_VERSION, 0)
            evidence.append(Evidence(source=step, value=str(version)))
            for name, request in STEPS:
                step = f"ioctl {name}"
                descriptor = kept(fcntl.ioctl(descriptor, request, 0))
                evidence.append(Evidence(source=step, value="ok"))
        except OSError as error:
            why = "not permitted" if error.errno in (errno.EACCES, errno.EPERM) else error.strerror or str(error)
            evidence.append(Evidence(source=step, value=f"({why})"))
            return Kvm(None if why == "not permitted" else False, evidence, f"{step}: {why}")
    return Kvm(True, evidence)
