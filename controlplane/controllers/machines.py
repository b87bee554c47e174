"""Machines: what follows from who runs on whom. Conditions where spec and status disagree, and the host's name on Nodes.

Both look at all Machines through one informer, which are few: a chain may change in its middle, so what a Machine says is
news to all that stand on it. `kubeapi/hardware_v1` decides (`agreement.py`, `chain.py`); here it is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from controlplane.controllers.controller import Controller
from kubeapi.client.informer import Informer
from kubeapi.core_v1.types import Node
from kubeapi.hardware_v1.agreement import status_of
from kubeapi.hardware_v1.chain import HOST_LABEL, host_of, node_of, on_top_of
from kubeapi.hardware_v1.types import Machine


def _by_name(machines: Informer[Machine]) -> dict[str, Machine]:
    return {machine.metadata.name: machine for machine in machines.list()}


class MachineController(Controller):
    """Writes what agrees and what does not into status. Key: a Machine."""

    name: ClassVar[str] = "machine-controller"
    component: ClassVar[str] = "machine-controller"

    def setup(self) -> None:
        self._machines = self.watch(Machine, self._concerned)

    def _concerned(self, machine: Machine) -> Iterable[str]:
        """It, what it runs on (which is a host by that), and all that stand on it."""
        below = [machine.spec.runs_on] if machine.spec.runs_on else []
        return [machine.metadata.name, *below, *on_top_of(machine.metadata.name, self._machines.list())]

    async def reconcile(self, key: str) -> None:
        machine = self._machines.get("", key)
        if machine is None or machine.metadata.deletion_timestamp is not None:
            return
        status = status_of(machine, _by_name(self._machines), self.clock.now())
        if status != machine.status:
            changed = machine.clone()
            changed.status = status
            await self.client.update_status(changed)


class NodeTopologyController(Controller):
    """Writes the physical host's name into a Node's label, and takes it off again. Key: a Node."""

    name: ClassVar[str] = "node-topology-controller"
    component: ClassVar[str] = "node-topology-controller"

    def setup(self) -> None:
        self._nodes = self.watch(
            Node, lambda node: [node.metadata.name], facts=lambda node: node.metadata.labels.get(HOST_LABEL)
        )
        self._machines = self.watch(Machine, self._nodes_of, facts=lambda machine: machine.spec)
        self._machines.add_index("node", lambda machine: node_of(machine))

    def _nodes_of(self, machine: Machine) -> Iterable[str]:
        machines = _by_name(self._machines)
        concerned = [machine, *(machines[name] for name in on_top_of(machine.metadata.name, machines.values()))]
        if below := machines.get(machine.spec.runs_on):
            concerned.append(below)
        return [node_of(one) for one in concerned]

    async def reconcile(self, key: str) -> None:
        node = self._nodes.get("", key)
        if node is None:
            return
        machines = _by_name(self._machines)
        hosts = (host_of(machine.metadata.name, machines) for machine in self._machines.by("node", key))
        host = next((host for host in hosts if host), None)
        if host != node.metadata.labels.get(HOST_LABEL):
            await self.client.patch(Node, key, {"metadata": {"labels": {HOST_LABEL: host}}})
