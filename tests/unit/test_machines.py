"""Machines: what one may say of itself, what it may say of others, and which box a node is on at last."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.admission.machines import objections
from kubeapi.errors import ApiError, Cause
from kubeapi.hardware_v1.chain import chain_of, host_of
from kubeapi.hardware_v1.types import Machine
from kubeapi.hardware_v1.validation import validate_machine, validate_machine_update
from naru.simulation.virtual import virtually
from tests.plane import Plane

EXAMPLES = pathlib.Path(__file__).parents[2] / "manifests" / "hardware"
SWITCH = {"name": "vmnet8", "mode": "nat", "uplink": "eth0", "subnet": "192.168.80.0/24"}
HOST: dict[str, Any] = {
    "cpu": {"sockets": 1, "cores": 4, "threads": 8},
    "memory": "16Gi",
    "nics": [{"name": "eth0"}],
    "hypervisor": {"kind": "VMware", "switches": [SWITCH]},
}
GUEST: dict[str, Any] = {
    "runsOn": "pc",
    "cpu": {"threads": 2},
    "memory": "2Gi",
    "nics": [{"name": "eth0", "switch": "vmnet8"}],
}


def machine(name: str = "m", status: dict[str, Any] | None = None, **spec: Any) -> Machine:
    body = {"metadata": {"name": name}, "spec": spec, "status": status or {}}
    return Machine.model_validate(body, strict=False)


def shown(causes: list[Cause]) -> list[str]:
    return [f"{cause.reason.removeprefix('FieldValue')} {cause.field}" for cause in causes]


def host(*switches: dict[str, Any], **more: Any) -> dict[str, Any]:
    return HOST | {"hypervisor": {"kind": "VMware", "switches": [*switches]}} | more


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        (HOST, []),
        (GUEST, []),
        ({"runsOn": "m"}, ["Invalid spec.runsOn"]),
        ({"runsOn": "Not_A_Name"}, ["Invalid spec.runsOn"]),
        ({"node": "a/b"}, ["Invalid spec.node"]),
        ({"cpu": {"sockets": -1}}, ["Invalid spec.cpu.sockets"]),
        ({"cpu": {"sockets": 2, "cores": 1}}, ["Invalid spec.cpu.cores"]),
        ({"cpu": {"sockets": 2, "threads": 1}}, ["Invalid spec.cpu.threads"]),
        ({"cpu": {"model": "x" * 300}}, ["TooLong spec.cpu.model"]),
        ({"memory": "0"}, ["Invalid spec.memory"]),
        ({"memory": "-1Gi"}, ["Invalid spec.memory"]),
        ({"disks": [{"name": "sda"}, {"name": "sda"}]}, ["Duplicate spec.disks[1].name"]),
        ({"disks": [{"name": "", "size": "-1", "kind": "floppy"}]}, [
            "Required spec.disks[0].name", "Invalid spec.disks[0].size", "NotSupported spec.disks[0].kind",
        ]),
        ({"nics": [{"name": "eth0"}, {"name": "eth0"}]}, ["Duplicate spec.nics[1].name"]),
        ({"nics": [{"name": "a", "mac": "02:00:00:00:00:0A"}, {"name": "b", "mac": "02:00:00:00:00:0a"}]},
         ["Duplicate spec.nics[1].mac"]),
        ({"nics": [{"name": "eth 0"}]}, ["Invalid spec.nics[0].name"]),
        ({"nics": [{"name": "eth0", "mac": "00-0c-29-3e-5a-01"}]}, ["Invalid spec.nics[0].mac"]),
        ({"nics": [{"name": "eth0", "mac": "01:00:5e:00:00:01"}]}, ["Invalid spec.nics[0].mac"]),
        ({"nics": [{"name": "eth0", "mac": "00:00:00:00:00:00"}]}, ["Invalid spec.nics[0].mac"]),
        ({"nics": [{"name": "eth0", "speed": "0"}]}, ["Invalid spec.nics[0].speed"]),
        ({"nics": [{"name": "eth0", "switch": "vmnet8"}]}, ["Forbidden spec.nics[0].switch"]),
        ({"runsOn": "pc", "nics": [{"name": "eth0"}]}, ["Required spec.nics[0].switch"]),
        ({"runsOn": "pc", "nics": [{"name": "eth0", "passthrough": "ens1f0"}]}, []),
        ({"runsOn": "pc", "nics": [{"name": "eth0", "switch": "s", "passthrough": "n"}]},
         ["Forbidden spec.nics[0].passthrough"]),
        ({"hypervisor": {"kind": ""}}, ["Required spec.hypervisor.kind"]),
        (host(SWITCH, SWITCH), ["Duplicate spec.hypervisor.switches[1].name"]),
        (host(SWITCH | {"name": "a"}, SWITCH | {"name": "b"}), ["Invalid spec.hypervisor.switches[1].subnet"]),
        (host({"name": "s", "mode": ""}), ["Required spec.hypervisor.switches[0].mode"]),
        (host({"name": "s", "mode": "magic"}), ["NotSupported spec.hypervisor.switches[0].mode"]),
        (host({"name": "s", "mode": "bridged"}), ["Required spec.hypervisor.switches[0].uplink"]),
        (host({"name": "s", "mode": "bridged", "uplink": "eth7"}), ["NotSupported spec.hypervisor.switches[0].uplink"]),
        (host({"name": "s", "mode": "hostOnly", "uplink": "eth0"}), ["Forbidden spec.hypervisor.switches[0].uplink"]),
        (host(SWITCH | {"subnet": "192.168.80.1/24"}), ["Invalid spec.hypervisor.switches[0].subnet"]),
        (host(SWITCH | {"subnet": "192.168.80.0"}), ["Invalid spec.hypervisor.switches[0].subnet"]),
        (host(SWITCH | {"subnet": "net"}), ["Invalid spec.hypervisor.switches[0].subnet"]),
    ],
)  # fmt: skip
def test_a_machine_that_contradicts_itself_is_refused(spec: dict[str, Any], expected: list[str]) -> None:
    assert shown(validate_machine(machine(**spec))) == expected
    assert shown(validate_machine_update(machine(**spec), machine())) == expected


@pytest.mark.parametrize("name", ["Upper", "a b", "-a", "x" * 64, ""])
def test_a_machines_name_can_be_a_nodes_label(name: str) -> None:
    assert shown(validate_machine(machine(name)))[0].endswith("metadata.name")


def test_an_uplink_may_be_a_nic_that_only_the_agent_saw() -> None:
    seen = {"nics": [{"name": "eth7"}]}
    spec = host({"name": "s", "mode": "bridged", "uplink": "eth7"})
    assert validate_machine_update(machine("m", seen, **spec), machine()) == []


def among(*machines: Machine) -> dict[str, Machine]:
    return {m.metadata.name: m for m in machines}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"cpu": {"threads": 9}}, ["Invalid spec.cpu.threads"]),
        ({"memory": "17Gi"}, ["Invalid spec.memory"]),
        ({"nics": [{"name": "eth0", "switch": "vmnet9"}]}, ["Invalid spec.nics[0].switch"]),
        ({"nics": [{"name": "eth0", "passthrough": "eth9"}]}, ["Invalid spec.nics[0].passthrough"]),
        ({"nics": [{"name": "eth0", "passthrough": "eth0"}]}, []),
        ({"runsOn": "elsewhere", "memory": "17Gi"}, []),
    ],
)
def test_a_guest_fits_its_host(change: dict[str, Any], expected: list[str]) -> None:
    assert shown(objections(machine("vm", **GUEST | change), among(machine("pc", **HOST)))) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"cpu": {"threads": 1}}, ["Forbidden spec.cpu.threads"]),
        ({"memory": "1Gi"}, ["Forbidden spec.memory"]),
        ({"hypervisor": None}, ["Forbidden spec.hypervisor.switches"]),
        ({"cpu": None, "memory": None}, []),
    ],
)
def test_a_host_still_holds_its_guests(change: dict[str, Any], expected: list[str]) -> None:
    found = objections(machine("pc", **HOST | change), among(machine("vm", **GUEST)))
    assert shown(found) == expected
    assert all("Machine vm runs on it" in cause.message for cause in found)


def test_guests_together_may_be_larger_than_their_host() -> None:
    guests = [machine(f"vm{i}", **GUEST | {"memory": "10Gi", "cpu": {"threads": 8}}) for i in range(3)]
    assert objections(machine("pc", **HOST), among(*guests)) == []


def test_a_host_of_which_nothing_is_declared_has_what_was_found_on_it() -> None:
    found = {"cpu": {"threads": 4}, "memory": "7Gi", "switches": [{"name": "vmnet8"}]}
    there = among(machine("pc", found))
    assert objections(machine("vm", **GUEST | {"memory": "8Gi"}), there) == []  # the kernel keeps some for itself
    assert shown(objections(machine("vm", **GUEST | {"memory": "9Gi"}), there)) == ["Invalid spec.memory"]


def test_a_node_is_one_machine_and_what_nobody_declared_gives_way() -> None:
    assert shown(objections(machine("a", memory="1Gi"), among(machine("b", node="a")))) == ["Invalid spec.node"]
    assert objections(machine("b", node="a"), among(machine("a"))) == []


def test_a_circle_is_told_with_all_that_are_in_it() -> None:
    there = among(machine("b", runsOn="c"), machine("c", runsOn="a"))
    (cause,) = objections(machine("a", runsOn="b"), there)
    assert "a -> b -> c -> a" in cause.message


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vm", "box"),
        ("inner", "box"),
        ("box", "box"),  # somebody said that vm runs on it
        ("lost", "nobody"),
        ("silent", ""),
        ("unknown", ""),
        ("pc", "pc"),
        ("silent.vm-found", ""),
        ("pc.vm-found", "pc"),
    ],
)
def test_the_host_is_the_end_of_the_chain_and_silence_makes_none(name: str, expected: str) -> None:
    chain = (machine("inner", runsOn="vm"), machine("vm", runsOn="box"), machine("lost", runsOn="nobody"))
    found = (machine("silent.vm-found", runsOn="silent"), machine("pc.vm-found", runsOn="pc"))
    there = among(*chain, *found, machine("box"), machine("silent"), machine("pc", memory="1Gi"))
    assert host_of(name, there) == expected


NAMES = st.sampled_from("abcde")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, st.one_of(NAMES, st.just(""))), max_size=12))
def test_no_order_of_writes_at_once_ever_closes_a_circle(wishes: list[tuple[str, str]]) -> None:
    async def story() -> None:
        async with Plane.running() as plane:

            async def write(name: str, below: str) -> bool:
                spec = {"metadata": {"name": name}, "spec": {"runsOn": below or None}}
                patch = {"apiVersion": "hardware.naru.dev/v1", "kind": "Machine", **spec}
                try:
                    await plane.client.patch(Machine, name, patch, type="apply", manager="t", force=True)
                except ApiError as error:
                    assert error.code == 422, error.message
                    return False
                return True

            accepted = await asyncio.gather(*(write(*wish) for wish in wishes))
            machines = among(*(await plane.client.list(Machine)).items)
            assert set(machines) == {name for (name, _), ok in zip(wishes, accepted, strict=True) if ok}
            for name in machines:
                chain = chain_of(name, machines)
                assert len(chain) == len(set(chain)), chain

    virtually(story)


@pytest.mark.parametrize("file", ["classroom.yaml", "rack.yaml"])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_examples_are_accepted_in_any_order(file: str, backwards: bool) -> None:
    documents = [*yaml.safe_load_all((EXAMPLES / file).read_text())]
    there: dict[str, Machine] = {}
    for document in reversed(documents) if backwards else documents:
        declared = Machine.model_validate(document)
        assert validate_machine(declared) == [] == objections(declared, there)
        there[declared.metadata.name] = declared
