"""What a person writes and reads: the ends of a trace, why a packet ended and what mends it, declared hops, the table."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from agent.trace.cluster import Cluster
from agent.trace.declared import declared_hops
from agent.trace.drops import explain
from agent.trace.ends import EndError, resolve
from agent.trace.packet import Packet
from agent.trace.path import Failure, predict
from agent.trace.scene import Listener, PodPlace, Scene
from kubeapi.apps_v1.types import Deployment
from kubeapi.core_v1.types import Pod, Service
from kubeapi.hardware_v1.trace import Drop, Hop, Probe, Sighting, Trace
from kubeapi.hardware_v1.types import Machine
from naru.cli.trace import WIDTH, table
from naru.layers.labels import Labels
from tests.unit.trace_scene import CLUSTER_IP, CONFIG, NODE, NODE_PORT, POD_A, UPLINK, A, B, scene, target, web


def pod(name: str, address: str = "", ports: Any = (), waiting: str = "", **labels: str) -> Pod:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    statuses = [{"name": "main", "image": "i", "imageID": "", "ready": not waiting, "restartCount": 0, "state": state}]
    return Pod.model_validate(
        {
            "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": labels},
            "spec": {"containers": [{"name": "main", "image": "i", "ports": list(ports)}]},
            "status": {"podIP": address, "phase": "Running", "containerStatuses": statuses},
        }
    )


def service(**spec: Any) -> Service:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": NODE_PORT}]
    body = {"clusterIP": CLUSTER_IP, "clusterIPs": [CLUSTER_IP], "ports": ports, "selector": {"app": "web"}} | spec
    return Service.model_validate({"metadata": {"name": "web", "namespace": "shop"}, "spec": body})


def deployment(name: str, replicas: int, **labels: str) -> Deployment:
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return Deployment.model_validate({"metadata": {"name": name, "namespace": "shop"}, "spec": spec})


PODS = (pod("a", A), pod("b", B, [{"containerPort": 8080, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}]))
CLUSTER = Cluster("here", [service()], [], PODS)


@pytest.mark.parametrize(
    ("source", "to", "start", "packet"),
    [
        ("shop/a", "b", POD_A, ("tcp", A, B, 8080)),
        ("shop/a", "shop/b:http", POD_A, ("tcp", A, B, 8080)),
        ("shop/a", "pod/b:53/udp", POD_A, ("udp", A, B, 53)),
        ("shop/a", "web", POD_A, ("tcp", A, CLUSTER_IP, 80)),
        ("shop/a", "service/shop/web:http", POD_A, ("tcp", A, CLUSTER_IP, 80)),
        ("shop/a", "svc/web:81", POD_A, ("tcp", A, CLUSTER_IP, 81)),
        ("host", "shop/web", NODE, ("tcp", "", CLUSTER_IP, 80)),
        ("host", f"127.0.0.1:{NODE_PORT}", NODE, ("tcp", "", "127.0.0.1", NODE_PORT)),
        ("shop/a", "203.0.113.9:53/udp", POD_A, ("udp", A, "203.0.113.9", 53)),
        ("shop/a", "203.0.113.9", POD_A, ("tcp", A, "203.0.113.9", 80)),
        ("shop/a", "", POD_A, ("tcp", A, "192.0.2.254", 80)),
    ],
)
def test_names_become_addresses(source: str, to: str, start: int, packet: tuple[str, str, str, int]) -> None:
    ends = resolve(scene(), CLUSTER, source, to)
    p = ends.packet
    assert (ends.start, p.protocol, p.source, p.destination, p.dport) == (start, *packet)
    assert ends.asked == bool(to)


@pytest.mark.parametrize(
    ("source", "to", "words"),
    [
        ("shop/nobody", "b", "namespace shop has no pod nobody"),
        ("shop/a", "nobody", "namespace shop has no pod or Service nobody"),
        ("shop/a", "fd00::1", "IPv6 is not followed"),
        ("shop/a", "[fd00::1]:80", "IPv6 is not followed"),
        ("shop/a", "pod/web", "has no pod web"),
        ("host", "b", "namespace default has no pod or Service b"),
        ("shop/a", "b:nix", "has no port nix"),
        ("shop/a", "a/b/c/d", "neither a pod"),
        ("shop/a", f"{UPLINK}:99999", "has no port 99999"),
    ],
)
def test_an_end_that_is_none_is_refused_in_words(source: str, to: str, words: str) -> None:
    with pytest.raises(EndError, match=words):
        resolve(scene(), CLUSTER, source, to)


def test_a_headless_service_leads_straight_to_a_pod() -> None:
    headless = service(clusterIP="None", clusterIPs=["None"])
    made = Cluster("here", [headless], [], [pod("b", B, [{"containerPort": 8080}], app="web")])
    ends = resolve(scene(), made, "shop/a", "web")
    assert (ends.packet.destination, "headless" in ends.note) == (B, True)


def dropped(made: Scene, sent: Packet, cluster: Cluster = CLUSTER, start: int = POD_A) -> Drop:
    path = predict(made, start, sent)
    assert path.failure
    return explain(path.failure, path, made, cluster)


TO_WEB = Packet("tcp", A, 40001, CLUSTER_IP, 80)


@pytest.mark.parametrize(
    ("cluster", "reason", "mend"),
    [
        (Cluster("here", [service()]), "no pod has app=web", "kubectl get pods -n shop --show-labels"),
        (
            Cluster("here", [service()], [], [], [deployment("web", 0, app="web")]),
            "its Deployment is scaled to 0",
            "kubectl scale deployment web -n shop --replicas=1",
        ),
        (
            Cluster("here", [service()], [], [pod("w", B, (), "CrashLoopBackOff", app="web")]),
            "of 1 pods with app=web none is ready, w: CrashLoopBackOff",
            "kubectl describe pod w -n shop",
        ),
        (
            Cluster("here", [service()], [], [], [deployment("web", 2, app="wbe")]),
            "the pods of its namesake differ",
            """kubectl patch service web -n shop -p '{"spec":{"selector":{"app":"wbe"}}}'""",
        ),
        (
            Cluster("here", [service(selector={})]),
            "no endpoint and no selector",
            "kubectl get endpointslices -n shop",
        ),
    ],
)
def test_a_service_without_endpoints_tells_why_and_what_gives_it_one(cluster: Cluster, reason: str, mend: str) -> None:
    drop = dropped(scene(web()), TO_WEB, cluster)
    assert drop.reason.startswith("Service shop/web has no endpoint")
    assert reason in drop.reason
    assert drop.mend == mend
    assert drop.object
    assert (drop.object.kind, drop.object.name) == ("Service", "web")
    assert drop.rule.startswith(f"ip {CONFIG.table} refuse handle")


def test_drops_of_other_kinds_name_what_would_mend_them() -> None:
    assert dropped(scene(web(target(B))), TO_WEB._replace(dport=81)).mend == "naru trace --to service/shop/web:80"
    assert dropped(scene(), TO_WEB._replace(destination="10.96.9.9")).mend == "kubectl get services -A"
    assert "--all-namespaces" in dropped(scene(), TO_WEB._replace(destination="10.244.9.9")).mend
    wrong = dropped(scene(web(target(B, 9999))), TO_WEB)
    assert "it does on 8080" in wrong.reason
    assert wrong.mend.endswith("""'[{"op":"replace","path":"/spec/ports/0/targetPort","value":8080}]'""")
    shy = dropped(scene(web(target(B)), listens=(Listener("tcp", "127.0.0.1", 8080),)), TO_WEB)
    assert "for 127.0.0.1 only" in shy.reason
    made = scene()
    node = made.spaces[NODE]
    node.devices.update({i: dataclasses.replace(d, up=False) for i, d in node.devices.items() if d.name == "vb"})
    assert dropped(made, TO_WEB._replace(destination=B, dport=8080)).mend == "ip link set vb up"


def test_a_reason_of_the_kernel_is_put_into_words() -> None:
    made, packet = scene(), TO_WEB._replace(destination=B, dport=8080)
    path = predict(made, POD_A, packet)
    failure = Failure(4, "kernel", NODE, packet, None, "IP_RPFILTER")
    drop = explain(failure, path, made, CLUSTER, "", "IP_RPFILTER", "ip_rcv_finish_core")
    assert drop.reason == "IP_RPFILTER: the way back does not lead where it came from"
    assert drop.mend.startswith("sysctl -w net.ipv4.conf.all.rp_filter")


def machine(name: str, **spec: Any) -> Machine:
    return Machine.model_validate({"metadata": {"name": name}, "spec": spec})


def classroom(mode: str, runs_on: str = "pc") -> list[Machine]:
    switch = {"name": "vmnet8", "mode": mode, "uplink": "enp3s0", "subnet": "192.168.80.0/24", "words": "VMnet8"}
    nics = [{"name": "enp3s0", "model": "I219-V"}]
    return [
        machine("here", runsOn=runs_on, nics=[{"name": "eth0", "switch": "vmnet8"}]),
        machine("pc", nics=nics, hypervisor={"kind": "VMware", "switches": [switch]}),
    ]


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [("nat", ["switch", "nat", "nic"]), ("bridged", ["switch", "nic"]), ("hostOnly", ["switch", "switch"])],
)
def test_beyond_the_uplink_stands_what_machines_declare(mode: str, kinds: list[str]) -> None:
    hops = declared_hops("here", "eth0", classroom(mode))
    assert [hop.kind for hop in hops] == kinds
    assert {hop.state for hop in hops} == {"declared"}
    assert all(hop.object and hop.object.name == "pc" for hop in hops)


def test_a_machine_that_runs_on_itself_ends() -> None:
    circle = classroom("nat")
    circle[1].spec.runs_on = "here"
    assert len(declared_hops("here", "eth0", circle)) == 3
    assert declared_hops("elsewhere", "eth0", circle) == []


def long_trace() -> Trace:
    sightings = [
        Sighting(witness="tracefs", saw="netif_rx eth0"),
        Sighting(witness="nft"),
        Sighting(witness="x", available=False),
    ]
    hop = Hop(
        kind="process", name="n" * 70, says="a socket sends " * 12, state="seen", sightings=sightings, microseconds=12.3
    )
    made = Trace(source="a", destination="b", summary="word " * 40, hops=[hop], notes=["note " * 30])
    made.probes = [Probe(protocol="UDP", source="1.2.3.4:5", destination="6.7.8.9:1", arrived=None, note="why " * 30)]
    made.drop = Drop(hop=0, reason="because " * 20, rule="ip t c handle 3", mend="do it")
    return made


@pytest.mark.parametrize("wide", [True, False])
def test_a_trace_is_read_in_80_columns(wide: bool) -> None:
    lines = table(long_trace(), Labels(), wide)
    assert max(map(len, lines)) <= WIDTH
    assert any("seen 1 of 2" in line and line.endswith(" 12") for line in lines)
    assert any("mend" in line and "do it" in line for line in lines)
    assert any("x: is not offered here" in line for line in lines) == wide


def test_a_pod_on_the_hosts_network_starts_on_the_host() -> None:
    made = dataclasses.replace(scene(), pods=(PodPlace("shop", "h", "h", UPLINK, NODE, 1),))
    ends = resolve(made, CLUSTER, "shop/h", f"{B}:8080")
    assert (ends.start, ends.packet.source) == (NODE, "")
