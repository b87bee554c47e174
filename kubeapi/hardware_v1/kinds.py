"""The rows of hardware.naru.dev/v1."""

from __future__ import annotations

from kubeapi.core_v1.strategy import keep_all_but_status, keep_status
from kubeapi.hardware_v1 import columns, validation
from kubeapi.hardware_v1 import types as t
from kubeapi.registry import Kind


def _create(machine: t.Machine) -> None:
    """A new Machine is declared; nobody has looked at it yet."""
    machine.status = t.MachineStatus()


KINDS = (
    Kind(
        "hardware.naru.dev", "v1", "Machine", "machines", t.Machine,
        columns=columns.MACHINE,
        validate=validation.validate_machine,
        validate_update=validation.validate_machine_update,
        prepare_create=_create,
        prepare_update=keep_status,
        prepare_status=keep_all_but_status,
        namespaced=False,
        short_names=("mach",),
        has_status=True,
        spec_fields=("spec",),
        fields={"spec.runsOn": lambda machine: machine.spec.runs_on},
    ),
)  # fmt: skip
