"""Where a Machine's spec and status disagree, and the condition that lists it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kubeapi.hardware_v1.agreement import disagreements, status_of
from kubeapi.hardware_v1.types import Machine
from kubeapi.meta_v1.types import Condition

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SEEN: dict[str, Any] = {
    "cpu": {"sockets": 1, "cores": 2, "threads": 2, "model": "AMD EPYC 7313 16-Core Processor"},
    "memory": "3994Mi",
    "disks": [{"name": "sda", "size": "21474836480", "kind": "virtual"}],
    "nics": [{"name": "ens33", "mac": "00:0c:29:3e:5a:05", "driver": "e1000", "speed": "1G"}],
    "beneath": {"kind": "VMware", "confidence": "certain"},
}
PC: dict[str, Any] = {"cpu": {"threads": 4}, "memory": "16Gi", "hypervisor": {"kind": "VMware"}}


def machine(name: str, spec: dict[str, Any], status: dict[str, Any] | None = None) -> Machine:
    return Machine.model_validate({"metadata": {"name": name, "generation": 3}, "spec": spec, "status": status or {}})


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"cpu": {"sockets": 1, "cores": 2, "threads": 2, "model": "AMD EPYC 7313"}}, []),
        ({"cpu": {"cores": 4, "threads": 8}}, ["cpu: cores 4 declared, 2 found", "cpu: threads 8 declared, 2 found"]),
        ({"cpu": {"model": "Core i7"}}, ["cpu: model Core i7 declared, AMD EPYC 7313 16-Core Processor found"]),
        ({"memory": "4Gi"}, []),
        ({"memory": "8Gi"}, ["memory: 8Gi declared, 3994Mi found"]),
        ({"memory": "2Gi"}, ["memory: 2Gi declared, 3994Mi found"]),
        ({"disks": [{"name": "sda", "size": "20Gi", "kind": "virtual"}]}, []),
        ({"disks": [{"name": "sdb"}]}, ["disk sdb: declared, not found; there are sda"]),
        ({"disks": [{"name": "sda", "size": "40Gi"}]}, ["disk sda: size 40Gi declared, 21474836480 found"]),
        ({"disks": [{"name": "sda", "kind": "ssd"}]}, ["disk sda: ssd declared, virtual found"]),
        ({"nics": [{"name": "ens33", "mac": "00:0C:29:3E:5A:05", "model": "e1000", "speed": "1000M"}]}, []),
        ({"nics": [{"name": "eth0", "mac": "00:0c:29:3e:5a:05"}]},
         ["nic eth0: the card with its address is called ens33"]),
        ({"nics": [{"name": "eth0"}]}, ["nic eth0: declared, not found; there are ens33"]),
        ({"nics": [{"name": "ens33", "mac": "00:0c:29:3e:5a:09", "model": "vmxnet3", "speed": "10G"}]}, [
            "nic ens33: address 00:0c:29:3e:5a:09 declared, 00:0c:29:3e:5a:05 found",
            "nic ens33: speed 10G declared, 1G found",
            "nic ens33: model vmxnet3 declared, its driver is e1000",
        ]),
    ],
)  # fmt: skip
def test_what_was_found_is_held_against_what_is_declared(spec: dict[str, Any], expected: list[str]) -> None:
    pc = machine("pc", PC)
    assert disagreements(machine("vm", spec | {"runsOn": "pc"}, SEEN), pc) == expected


@pytest.mark.parametrize(
    ("declared", "beneath", "host", "expected"),
    [
        ({}, {"kind": "VMware"}, None, ["runsOn: a physical host is declared, VMware was found beneath its kernel"]),
        ({}, {"kind": "none"}, None, []),
        ({}, {}, None, []),
        ({"runsOn": "pc"}, {"kind": "none"}, PC,
         ["runsOn: pc is declared, nothing was found beneath its kernel"]),
        ({"runsOn": "pc"}, {"kind": "unknown"}, PC, []),
        ({"runsOn": "pc"}, {"kind": "KVM", "says": "Firecracker on KVM"}, PC,
         ["runsOn: pc declares VMware, Firecracker on KVM was found beneath the kernel"]),
        ({"runsOn": "pc"}, {"kind": "KVM"}, {"hypervisor": {"kind": "QEMU"}}, []),
        ({"runsOn": "pc"}, {"kind": "KVM", "monitor": "Nitro"}, {"hypervisor": {"kind": "nitro"}}, []),
        ({"runsOn": "pc"}, {"kind": "Firecracker"}, {}, []),
        ({"runsOn": "pc"}, {"kind": "Firecracker"}, None, []),
    ],
)  # fmt: skip
def test_what_a_kernel_stands_on_is_held_against_the_chain(
    declared: dict[str, Any], beneath: dict[str, Any], host: dict[str, Any] | None, expected: list[str]
) -> None:
    told = disagreements(
        machine("vm", declared, {"beneath": beneath}), machine("pc", host) if host is not None else None
    )
    assert told == expected


def test_a_guest_that_turns_out_larger_than_its_host_is_told() -> None:
    small = machine("pc", {"cpu": {"threads": 1}, "memory": "2Gi"})
    assert disagreements(machine("vm", {"runsOn": "pc"}, SEEN), small) == [
        "cpu: 2 threads found, its host pc has 1",
        "memory: 3994Mi found, its host pc has 2Gi",
    ]


def looked(status: dict[str, Any]) -> dict[str, Any]:
    return status | {"conditions": [Condition(type="Discovered", status="True", last_transition_time=NOW)]}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {}, {"Agrees": ("True", "NothingDeclared")}),
        ({"memory": "4Gi"}, {}, {"Agrees": ("Unknown", "NotDiscovered")}),
        ({"memory": "4Gi"}, looked({"memory": "3994Mi"}), {"Agrees": ("True", "NothingContradicted")}),
        ({"memory": "8Gi"}, looked({"memory": "3994Mi"}), {"Agrees": ("False", "Disagrees")}),
        ({"runsOn": "pc"}, {}, {"Agrees": ("Unknown", "NotDiscovered"), "HostFound": ("True", "Declared")}),
        ({"runsOn": "lost"}, {}, {"Agrees": ("Unknown", "NotDiscovered"), "HostFound": ("False", "NoSuchMachine")}),
    ],
)
def test_conditions_say_how_it_stands(spec: dict[str, Any], status: dict[str, Any], expected: dict[str, Any]) -> None:
    made = status_of(machine("m", spec, status), {"pc": machine("pc", PC)}, NOW)
    told = {c.type: (c.status, c.reason) for c in made.conditions if c.type != "Discovered"}
    assert told == expected
    assert made.observed_generation == 3


def test_the_message_lists_every_disagreement() -> None:
    made = status_of(machine("m", {"cpu": {"threads": 8}, "memory": "8Gi"}, looked(SEEN | {"beneath": None})), {}, NOW)
    (agrees,) = (c for c in made.conditions if c.type == "Agrees")
    assert agrees.message == "cpu: threads 8 declared, 2 found; memory: 8Gi declared, 3994Mi found."


def test_a_condition_keeps_its_time_until_it_turns_and_says_the_same_when_asked_again() -> None:
    declared = machine("m", {"memory": "8Gi"}, looked(SEEN | {"beneath": None}))
    first = status_of(declared, {}, NOW)
    declared.status = first
    assert status_of(declared, {}, NOW + timedelta(hours=1)) == first
    declared.spec.memory = "4Gi"
    (agrees,) = (c for c in status_of(declared, {}, NOW + timedelta(hours=1)).conditions if c.type == "Agrees")
    assert agrees.last_transition_time == NOW + timedelta(hours=1)
