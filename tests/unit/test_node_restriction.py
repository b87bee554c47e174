"""What a node's agent may write of Machines: its own and those of its guests, and nothing that decides where replicas go."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from controlplane.apiserver.authentication import ADMIN, Identity, node_identity
from kubeapi.client.transport import Request
from kubeapi.hardware_v1.types import Machine
from naru.simulation.virtual import virtually
from tests.plane import Plane

ALL = "/apis/hardware.naru.dev/v1/machines"
NODE = node_identity("vm1")
DECLARED: dict[str, dict[str, Any]] = {
    "pc": {"memory": "8Gi"},
    "vm1": {"memory": "4Gi"},
    "other": {},
    "vm1.vm-guest": {"runsOn": "vm1"},
    "other.vm-guest": {"runsOn": "other"},
    "vm1.vm-stolen": {"runsOn": "other"},
    "elsewhere": {"node": "vm1b"},
}


def body(name: str, **spec: Any) -> bytes:
    return orjson.dumps({"metadata": {"name": name}, "spec": spec, "status": {"kernel": "k"}})


@pytest.mark.parametrize(
    ("identity", "method", "path", "sent", "code"),
    [
        (NODE, "GET", f"{ALL}/other", b"", 200),
        (NODE, "PUT", f"{ALL}/vm1/status", body("vm1"), 200),
        (NODE, "PUT", f"{ALL}/vm1.vm-guest/status", body("vm1.vm-guest"), 200),
        (NODE, "PUT", f"{ALL}/other/status", body("other"), 403),
        (NODE, "PUT", f"{ALL}/other.vm-guest/status", body("other.vm-guest"), 403),
        (NODE, "PUT", f"{ALL}/vm1.vm-stolen/status", body("vm1.vm-stolen"), 403),
        (NODE, "PUT", f"{ALL}/vm1", body("vm1", runsOn="pc"), 403),
        (NODE, "PATCH", f"{ALL}/vm1", b"{}", 403),
        (NODE, "DELETE", f"{ALL}/vm1", b"", 403),  # a person declared it
        (NODE, "DELETE", f"{ALL}/other", b"", 403),
        (NODE, "DELETE", ALL, b"", 403),
        (NODE, "DELETE", f"{ALL}/vm1.vm-guest", b"", 200),
        (NODE, "POST", ALL, body("third"), 403),
        (NODE, "POST", ALL, body("vm1.vm-new", runsOn="vm1"), 201),
        (NODE, "POST", ALL, body("vm1.vm-new", runsOn="other"), 403),
        (NODE, "POST", ALL, body("vm1.vm-new", runsOn="vm1", node="other"), 403),
        (NODE, "POST", ALL, body("third", runsOn="vm1"), 403),
        (NODE, "POST", ALL, b"[]", 403),
        (NODE, "POST", ALL, b"no json", 403),
        (NODE, "POST", ALL, b'{"metadata": {"generateName": "vm1"}}', 403),
        (node_identity("new"), "POST", ALL, body("new"), 201),
        (node_identity("new"), "POST", ALL, body("new", runsOn="pc"), 403),
        (node_identity("vm1b"), "PUT", f"{ALL}/elsewhere/status", body("elsewhere"), 200),
        (node_identity("elsewhere"), "PUT", f"{ALL}/elsewhere/status", body("elsewhere"), 403),
        (node_identity("other"), "DELETE", f"{ALL}/other", b"", 200),
        (ADMIN, "DELETE", f"{ALL}/other", b"", 200),
        (Identity("root", ("system:nodes", "system:masters")), "PATCH", f"{ALL}/other", b"{}", 200),
    ],
)
def test_a_node_writes_only_what_it_can_know(
    identity: Identity, method: str, path: str, sent: bytes, code: int
) -> None:
    async def story() -> None:
        async with Plane.running() as plane:
            for name, spec in DECLARED.items():
                await plane.make(Machine, name, spec=spec)
            media = "application/merge-patch+json" if method == "PATCH" else "application/json"
            request = Request(method, path, (), {"content-type": media}, sent, *identity)
            answer = await plane.client.transport.send(request)
            assert answer.status == code, answer.body
            if code == 403:
                assert (
                    f'node "{identity.user.removeprefix("system:node:")}" may write'
                    in orjson.loads(answer.body)["message"]
                )

    virtually(story)


def test_apply_is_no_way_around() -> None:
    async def story() -> None:
        async with Plane.running() as plane:
            told = {"apiVersion": "hardware.naru.dev/v1", "kind": "Machine", "metadata": {"name": "vm1"}}
            sent = orjson.dumps(told | {"spec": {"runsOn": "pc"}})
            request = Request("POST", "/apply", (), {"content-type": "application/json"}, sent, *NODE)
            answer = await plane.client.transport.send(request)
            said = answer.body + b"".join([chunk async for chunk in answer.stream] if answer.stream else [])
            assert b"may write the status" in said
            assert not (await plane.client.list(Machine)).items

    virtually(story)
