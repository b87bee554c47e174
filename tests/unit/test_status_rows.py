"""What `naru status` makes of what the API says."""

import os
from pathlib import Path

from naru.boot import Unit
from naru.cli.status import boot_line, node_rows, pod_rows, process_rows, service_rows, table


def test_a_node_that_is_not_ready_says_why() -> None:
    unknown = {
        "type": "Ready",
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting.",
    }
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "all is well"}
    nodes = [
        {
            "metadata": {"name": "a"},
            "status": {"conditions": [ready], "nodeInfo": {"containerRuntimeVersion": "docker://26"}},
        },
        {"metadata": {"name": "b"}, "status": {"conditions": [unknown]}},
        {"metadata": {"name": "c"}},
    ]
    assert node_rows(nodes) == [
        ["a", "Ready", "docker://26", ""],
        ["b", "NotReady", "", "NodeStatusUnknown Kubelet stopped posting."],
        ["c", "NotReady", "", "no agent has said anything yet"],
    ]


def test_pods_stand_by_namespace() -> None:
    rows = [
        {"cells": ["web", "1/1", "Running", 0, "3m"], "object": {"metadata": {"namespace": "shop"}}},
        {"cells": ["one", "0/1", "Error", "1 (2s ago)", "3m"], "object": {"metadata": {"namespace": "apps"}}},
    ]
    assert pod_rows(rows) == [["apps", "one", "0/1", "Error", "1 (2s ago)"], ["shop", "web", "1/1", "Running", "0"]]


def test_node_ports_are_shown_where_this_machine_reaches_them() -> None:
    ports = [{"port": 80, "protocol": "TCP", "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]
    services = [
        {"metadata": {"namespace": "shop", "name": "web"}, "spec": {"clusterIP": "10.96.0.7", "ports": ports}},
        {
            "metadata": {"namespace": "shop", "name": "far"},
            "spec": {"type": "ExternalName", "externalName": "example.com"},
        },
    ]
    assert service_rows(services) == [
        ["shop", "far", "example.com", "", ""],
        ["shop", "web", "10.96.0.7", "80/TCP,53/UDP", "127.0.0.1:30080"],
    ]


def test_processes_show_their_memory_and_those_gone_say_so() -> None:
    (name, pid, memory), gone = process_rows({"server": os.getpid(), "agent": None})
    assert (name, pid) == ("server", f"pid {os.getpid()}") and int(memory.split()[0]) > 5
    assert gone == ["agent", "not running"]


def test_what_starts_the_cluster_at_boot_is_told(tmp_path: Path) -> None:
    unit = Unit(tmp_path / "naru-1a2b.service")
    assert boot_line([]) == "at boot: nothing starts it (naru up --at-boot)"
    assert boot_line([unit]) == "at boot: naru-1a2b.service, which is disabled"
    (tmp_path / "multi-user.target.wants").mkdir()
    (tmp_path / "multi-user.target.wants" / unit.name).symlink_to(unit.path)
    assert boot_line([unit]) == "at boot: naru-1a2b.service"


def test_columns_are_aligned_and_nothing_is_an_empty_table() -> None:
    assert table([["a", "bcd", "x"], ["long", "b"]]) == ["  a     bcd  x", "  long  b"]
    assert table([]) == []
