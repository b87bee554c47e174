"""On a whole cluster: who listens where, what of a Secret or a token shows outside, and whose the files are."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import socket
import ssl
import stat
import struct
from typing import Any

import pytest

from tests.e2e.conftest import Cluster

pytestmark = pytest.mark.docker
CANARY = "canary-9e3c55"
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "keeper"},
    "spec": {
        "containers": [
            {
                "name": "app",
                "image": "naru/base",
                "imagePullPolicy": "IfNotPresent",
                "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"],
                "env": [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "canary", "key": "word"}}}],
                "envFrom": [{"secretRef": {"name": "canary"}}],
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            }
        ],
        "volumes": [{"name": "v", "secret": {"secretName": "canary"}}],
    },
}
BROKEN = {**POD, "metadata": {"name": "broken"}, "spec": json.loads(json.dumps(POD["spec"]))}
BROKEN["spec"]["containers"][0]["command"] = ["/no/such/program"]


@pytest.fixture(scope="module")
def used(node: Cluster) -> Cluster:
    """A cluster that has a Secret, a pod that uses it in every way, and one that can't be started with it."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "canary"}, "stringData": {"word": CANARY}}
    node.kubectl("create", "-f", "-", stdin=json.dumps(secret))
    for pod in (POD, BROKEN):
        node.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    node.kubectl("wait", "--for=condition=Ready", "pod/keeper", "--timeout=60s")
    node.kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].state.waiting}", "pod/broken", "--timeout=60s")
    assert node.kubectl("exec", "keeper", "--", "cat", "/v/word").stdout == CANARY
    return node


def test_a_secret_is_in_no_log_no_event_no_status_and_no_process_arguments(used: Cluster) -> None:
    coded = base64.b64encode(CANARY.encode()).decode()
    shown = {"logs": "".join(f.read_text(errors="replace") for f in (used.data_dir / "logs").iterdir())}
    shown["events"] = used.kubectl("get", "events", "-A", "-o", "json").stdout
    shown["pod"] = used.kubectl("get", "pod", "keeper", "-o", "json").stdout
    ours = [used.pid(name) for name in ("server", "agent")]
    shown["arguments"] = "".join(pathlib.Path(f"/proc/{pid}/cmdline").read_text() for pid in ours)
    for place, text in shown.items():
        for word in (CANARY, coded, used.token, (used.data_dir / "agent.token").read_text().strip()):
            assert word not in text, place


def test_the_data_directory_and_what_is_secret_in_it_are_their_owners_alone(used: Cluster) -> None:
    def mode(path: pathlib.Path) -> int:
        return stat.S_IMODE(path.lstat().st_mode)

    assert mode(used.data_dir) == 0o700
    secret = [
        p
        for p in used.data_dir.iterdir()
        if p.suffix in (".key", ".token", ".sock", ".db") or p.name in ("token", "kubeconfig")
    ]
    assert len(secret) >= 7
    assert {p.name: oct(mode(p)) for p in secret} == {p.name: oct(0o600) for p in secret}


def listening(pid: int) -> set[tuple[str, str, int]]:
    """Where a process listens: (protocol, address, port), and unix sockets by their path."""
    links = []
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(fd))
        except FileNotFoundError:
            continue
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    found = set()
    for protocol, open_state in (("tcp", "0A"), ("udp", "07"), ("tcp6", "0A"), ("udp6", "07")):
        for line in pathlib.Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] == open_state:
                address, port = fields[1].split(":")
                shown = socket.inet_ntoa(struct.pack("=I", int(address, 16))) if len(address) == 8 else address
                found.add((protocol, shown, int(port, 16)))
    for line in pathlib.Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[6] in inodes and len(fields) > 7 and int(fields[3], 16) & 0x10000:
            found.add(("unix", fields[7], 0))
    return found


def test_server_and_agent_listen_where_they_say_and_nowhere_else(used: Cluster) -> None:
    assert listening(used.pid("server")) == {
        ("tcp", "127.0.0.1", used.port),
        ("unix", str(used.data_dir / "naru.sock"), 0),
    }
    node = json.loads(used.kubectl("get", "nodes", "-o", "json").stdout)["items"][0]
    agent_port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    found = listening(used.pid("agent"))
    names = {entry for entry in found if entry[2] == 53}
    assert found - names == {("tcp", "127.0.0.1", agent_port)}
    assert {protocol for protocol, _, _ in names} == {"tcp", "udp"} and len({where for _, where, _ in names}) == 1
    assert ("tcp", "0.0.0.0", 53) not in names


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_agent_lets_nobody_in_but_the_api_server_nor_with_an_old_tls(used: Cluster) -> None:
    node = json.loads(used.kubectl("get", "nodes", "-o", "json").stdout)["items"][0]
    port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    context = ssl.create_default_context(cafile=str(used.data_dir / "ca.crt"))
    assert told(port, context) == b""
    context.load_cert_chain(used.data_dir / "agent.crt", used.data_dir / "agent.key")
    assert told(port, context).startswith(b"HTTP/1.1 403")  # a good one, and not the API server's
    context.load_cert_chain(*(used.data_dir / f"apiserver-agent-client.{end}" for end in ("crt", "key")))
    assert told(port, context).startswith(b"HTTP/1.1 200")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert told(port, context) == b""


def told(port: int, context: ssl.SSLContext) -> bytes:
    """The beginning of the agent's answer; nothing from one that does not want to talk."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            asked = context.wrap_socket(plain, server_hostname="127.0.0.1")
            asked.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            return asked.recv(100)
    except (ssl.SSLError, ConnectionError):
        return b""
