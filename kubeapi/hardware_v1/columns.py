"""The columns of hardware.naru.dev/v1: what was found where an agent looked, else what was declared."""

from __future__ import annotations

from kubeapi.hardware_v1.types import Machine
from kubeapi.meta_v1.columns import AGE, NAME, NONE, UNKNOWN, column, joined
from kubeapi.quantity import parse

GIB = 1 << 30


def _cpu(machine: Machine) -> str:
    for cpu in (machine.status.cpu, machine.spec.cpu):
        if cpu is not None and (cpu.threads or cpu.cores):
            return str(cpu.threads or cpu.cores)
    return UNKNOWN


def _memory(machine: Machine) -> str:
    size = machine.status.memory or machine.spec.memory
    if size is None:
        return UNKNOWN
    return f"{float(parse(size)) / GIB:.1f}".removesuffix(".0") + "Gi"


def _beneath(machine: Machine) -> str:
    found = machine.status.beneath
    return (found.monitor or found.kind if found else "") or UNKNOWN


def _hypervisor(machine: Machine) -> str:
    found = machine.spec.hypervisor
    return f"{found.kind} {found.version}".strip() if found else NONE


def _agrees(machine: Machine) -> str:
    return next((c.status for c in machine.status.conditions if c.type == "Agrees"), UNKNOWN)


def _switches(machine: Machine) -> str:
    declared = machine.spec.hypervisor.switches if machine.spec.hypervisor else []
    return joined(dict.fromkeys([s.name for s in declared] + [s.name for s in machine.status.switches]))


MACHINE = (
    NAME,
    column("Runs-On", lambda o: o.spec.runs_on or NONE),
    column("Host", lambda o: o.status.host or UNKNOWN),
    column("CPU", _cpu),
    column("Memory", _memory),
    column("Beneath", _beneath),
    column("Agrees", _agrees),
    AGE,
    column("Hypervisor", _hypervisor, wide=True),
    column("NICs", lambda o: joined(n.name for n in o.status.nics or o.spec.nics), wide=True),
    column("Switches", _switches, wide=True),
    column("Kernel", lambda o: o.status.kernel or UNKNOWN, wide=True),
    column("OS", lambda o: o.status.operating_system or UNKNOWN, wide=True),
)
