"""Devices, namespaces, containers and rules, judged from plain values: what the kernel says is in the integration test."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.hardware.evidence import Tree
from agent.hardware.findings import Findings
from agent.hardware.links import observe_links, peers, unseen_ways_out
from agent.hardware.nat import NatRule, lay_out, legacy_rules_of, rules_of, texts_of
from agent.hardware.nics import Device, sort_of
from agent.hardware.processes import Process, container_in, namespace_number, process_of
from agent.hardware.runtimes import Engine, containers_of, observe_runtimes
from agent.hardware.spaces import Space, observe_spaces
from agent.hardware.vendors import vendor_of
from agent.netlink.route import Interface, Route
from agent.runtime.inspections import listed_of
from agent.runtime.protocol import EngineInfo, PodRef
from kubeapi.hardware_v1.layers import Fact, Part
from naru.layers.tower import is_sandbox

ID = "63c5780885431f4f5d93a9ab5d2f1ce8d51d1a3f3b3d5c2f9a6b1e0c7d8e9f00"
WIRE = Interface(2, "eth0")


@pytest.mark.parametrize(
    ("device", "sort", "confidence"),
    [
        (Device(Interface(1, "lo", type=772)), "software", "certain"),
        (Device(Interface(2, "eth0", kind="veth")), "software", "certain"),
        (Device(Interface(3, "br0", kind="bridge")), "software", "certain"),
        (Device(Interface(3, "tap0", kind="tap")), "software", "certain"),
        (Device(WIRE), "software", "certain"),
        (Device(WIRE, hangs=True, subsystem="virtio", driver="virtio_net", in_vm=True), "paravirtual", "certain"),
        (Device(WIRE, hangs=True, subsystem="vmbus", driver="hv_netvsc", in_vm=True), "paravirtual", "certain"),
        (Device(WIRE, hangs=True, subsystem="xen", driver="xen_netfront", in_vm=True), "paravirtual", "certain"),
        (Device(WIRE, hangs=True, subsystem="pci", driver="vmxnet3", maker="0x15ad", in_vm=True), "paravirtual", "certain"),
        (Device(WIRE, hangs=True, subsystem="pci", driver="ena", in_vm=True), "paravirtual", "certain"),
        (Device(WIRE, hangs=True, subsystem="pci", driver="e1000", maker="0x15ad", in_vm=True), "emulated", "certain"),
        (Device(WIRE, hangs=True, subsystem="pci", driver="e1000e", in_vm=True), "emulated", "likely"),
        (Device(WIRE, hangs=True, subsystem="pci", driver="e1000e", maker="0x8086"), "physical", "likely"),
        (Device(WIRE, hangs=True, subsystem="pci", driver="ixgbevf", in_vm=True), "passed-through", "certain"),
        (Device(WIRE, hangs=True, subsystem="pci", driver="mlx5_core", virtual_function=True), "passed-through", "certain"),
        (Device(WIRE, hangs=True, subsystem="pci", driver="mlx5_core", in_vm=True), "passed-through", "likely"),
        (Device(WIRE, hangs=True, subsystem="pci", driver="ixgbe"), "physical", "likely"),
        (Device(WIRE, hangs=True, subsystem="usb", driver="r8152"), "physical", "likely"),
    ],
    ids=lambda value: getattr(value, "driver", None) or str(value)[:24],
)  # fmt: skip
def test_a_nic_is_of_the_first_sort_that_fits(device: Device, sort: str, confidence: str) -> None:
    verdict = sort_of(device)
    assert (verdict.sort, verdict.confidence) == (sort, confidence) and verdict.why


def place(root: Path, files: dict[str, str], links: dict[str, str] | None = None) -> Tree:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for path, target in (links or {}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    return Tree(root)


def captured(root: Path, driver: str, speed: str, vendor: str) -> Part:
    """The NIC of a machine of which there are only files."""
    slot = "0000:03:00.0"
    at = f"sys/devices/pci0000:00/{slot}"
    tree = place(
        root,
        {
            f"{at}/net/ens192/{name}": text
            for name, text in {"ifindex": "2", "type": "1", "speed": speed, "address": "00:50:56:aa:bb:cc"}.items()
        }
        | {f"{at}/subsystem_vendor": vendor, "proc/cpuinfo": "flags : fpu hypervisor\n"},
        {
            "sys/class/net/ens192": f"../../devices/pci0000:00/{slot}/net/ens192",
            f"{at}/net/ens192/device": "../..",
            f"{at}/driver": f"../../../bus/pci/drivers/{driver}",
            f"{at}/subsystem": "../../../bus/pci",
            "proc/self/ns/net": "net:[4026531840]",
        },
    )
    findings = Findings()
    observe_links(tree, observe_spaces(tree, ()), findings)
    return next(part for part in findings.parts if part.name == "ens192")


def test_a_captured_machine_tells_its_nic_from_files_alone(tmp_path: Path) -> None:
    part = captured(tmp_path, "vmxnet3", "10000", "0x15ad")
    assert (part.id, part.kind, part.floor, part.on) == ("link/4026531840/2", "nic", "hardware", "kernel")
    assert [part.value(name) for name in ("sort", "driver", "slot")] == ["paravirtual", "vmxnet3", "0000:03:00.0"]


def test_a_speed_without_a_wire_is_no_speed(tmp_path: Path) -> None:
    speed = captured(tmp_path / "vm", "vmxnet3", "10000", "0x15ad").fact("speed")
    assert speed and speed.value is None and "10000 Mb/s, but there is no wire" in speed.note
    assert captured(tmp_path / "passed", "mlx5_core", "25000", "0x15b3").value("speed") == 25000
    silent = captured(tmp_path / "silent", "vmxnet3", "-1", "0x15ad").fact("speed")
    assert silent and silent.note == "unknown: the hypervisor says none"


def test_a_vendor_is_the_lists_or_nobody(tmp_path: Path) -> None:
    listed = "OUI:005056*\n ID_OUI_FROM_DATABASE=VMware, Inc.\n\nOUI:00505670*\n ID_OUI_FROM_DATABASE=Other\n"
    tree = place(tmp_path, {"usr/lib/udev/hwdb.d/20-OUI.hwdb": listed})
    known, unknown = vendor_of(tree, "00:50:56:01:02:03"), vendor_of(tree, "00:00:5e:01:02:03")
    assert known and known.name == "VMware, Inc." and known.evidence.source.endswith("20-OUI.hwdb")
    assert unknown and unknown.name is None and unknown.note == "not in the list of vendors"
    local = vendor_of(tree, "52:54:00:01:02:03")
    assert local and local.name is None and "QEMU" in local.note and "locally administered" in local.note
    assert vendor_of(tree, "00:00:00:00:00:00") is None and vendor_of(tree, "") is None
    bare = vendor_of(Tree(tmp_path / "bare"), "00:50:56:01:02:03")
    assert bare and "ieee-data" in bare.note


def test_veths_are_joined_by_namespace_and_index_never_by_index_alone() -> None:
    host = Space(1, "", numbers={0: 10, 1: 20})
    host.interfaces = {
        5: Interface(5, "va", kind="veth", link=2, netnsid=0),
        6: Interface(6, "vb", kind="veth", link=2, netnsid=1),
    }
    one = Space(10, "", numbers={0: 1})
    one.interfaces = {2: Interface(2, "eth0", kind="veth", link=5, netnsid=0)}
    hidden = Space(20, "", why="not permitted")
    found = peers({space.inode: space for space in (host, one, hidden)})
    assert [(link.source, link.target, len(link.evidence)) for link in found] == [
        ("link/1/5", "link/10/2", 2),
        ("link/1/6", "link/20/2", 1),  # only one end can be read: its word is enough
    ]


def test_a_pair_within_one_namespace_and_a_vlan_are_told() -> None:
    space = Space(1, "")
    space.interfaces = {
        3: Interface(3, "a", kind="veth", link=4),
        4: Interface(4, "b", kind="veth", link=3),
        5: Interface(5, "eth0.7", kind="vlan", link=2),
        6: Interface(6, "far", kind="veth", link=9, netnsid=7),  # a number that nobody answers to
    }
    kinds = [(link.kind, link.source, link.target) for link in peers({1: space})]
    assert kinds == [("peer", "link/1/3", "link/1/4"), ("uplink", "link/1/5", "link/1/2")]


@pytest.mark.parametrize(
    ("line", "id"),
    [
        (f"4:memory:/docker/{ID}", ID),
        (f"0::/system.slice/docker-{ID}.scope", ID),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope/init", ID),
        (f"0::/docker/{'0' * 64}/docker/{ID}", ID),
        ("0::/user.slice/user-1000.slice", ""),
        ("", ""),
    ],
)
def test_a_cgroup_names_its_container_in_every_engines_way(line: str, id: str) -> None:
    assert container_in(line) == id


def test_a_process_may_be_called_anything() -> None:
    assert process_of("42 (a) b (c)) S 7 42 42 0") == Process(42, 7, "a) b (c)")
    assert process_of("") is process_of("42 (x) S") is process_of("nonsense") is None
    assert namespace_number("net:[4026531833]") == 4026531833 and namespace_number("net:[x]") is None


def test_the_first_process_of_a_container_is_its_shims_child() -> None:
    shim = Process(9, 1, "containerd-shim")
    inside = [Process(12, 11, "worker", 5, ID), Process(11, 9, "nginx", 5, ID), Process(10, 3, "sh", 5, ID)]
    (found,) = containers_of({p.pid: p for p in (shim, *inside)})
    assert (found.first.name, found.part, len(found.processes)) == ("nginx", f"container/{ID[:12]}", 3)


DOCUMENT = b"""{"nftables": [{"metainfo": {"version": "1.0.6"}},
 {"rule": {"family": "ip", "table": "naru_1a2b", "chain": "leaving", "handle": 27, "expr": [
   {"match": {"op": "!=", "left": {"meta": {"key": "oifname"}}, "right": "naru-1a2b"}},
   {"counter": {"packets": 3, "bytes": 180}}, {"masquerade": null}]}},
 {"rule": {"family": "ip", "table": "naru_1a2b", "chain": "service-51dbe209-shop/web/tcp/http", "handle": 43, "expr": [
   {"counter": {"packets": 7, "bytes": 420}}, {"dnat": {"addr": "10.244.0.5", "port": 8080}}]}},
 {"rule": {"family": "ip", "table": "nat", "chain": "DOCKER", "handle": 9, "expr": [
   {"xt": {"type": "match", "name": "tcp"}}, {"counter": {"packets": 2, "bytes": 120}},
   {"xt": {"type": "target", "name": "DNAT"}}]}},
 {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 4, "expr": [{"drop": null}]}},
 {"rule": {"family": "bridge", "table": "x", "chain": "y", "handle": 1, "expr": [{"masquerade": null}]}}]}"""
LISTING = """table ip naru_1a2b { # handle 1
	chain leaving { # handle 5
		type nat hook postrouting priority srcnat; policy accept;
		oifname != "naru-1a2b" counter packets 3 bytes 180 masquerade # handle 27
	}
	chain service-51dbe209-shop/web/tcp/http { # handle 42
		meta l4proto tcp counter packets 7 bytes 420 dnat to 10.244.0.5:8080 # handle 43
	}
}
table ip nat {
	chain DOCKER {
		iifname != "docker0" tcp dport 8080 counter packets 2 bytes 120 dnat to 172.17.0.2:80 # handle 9
	}
}
"""


def test_rules_that_rewrite_are_found_with_their_text_and_counter() -> None:
    masquerade, service, docker = rules_of(DOCUMENT, LISTING)
    assert (masquerade.id, masquerade.connections, masquerade.outside_of) == ("nat/naru_1a2b/27", 3, "naru-1a2b")
    assert (service.service, service.port, service.action) == (("shop", "web"), "tcp/http", "dnat")
    assert (docker.action, docker.connections, docker.service) == ("dnat", 2, None)
    assert docker.text.endswith("dnat to 172.17.0.2:80")


def test_rules_are_laid_on_services_bridges_and_pods() -> None:
    def part(id: str, kind: str, name: str, **facts: str | int) -> Part:
        return Part(
            id=id, kind=kind, name=name, floor="network", facts=[Fact(name=k, value=v) for k, v in facts.items()]
        )

    findings = Findings(
        parts=[
            part("netns/1", "netns", "host", inode=1),
            part("link/1/3", "bridge", "naru-1a2b", netns=1),
            part("service/shop/web", "service", "shop/web"),
            part("pod/a/b", "pod", "a/b", address="172.17.0.2"),
        ]
    )
    lay_out(rules_of(DOCUMENT, LISTING), findings, "naru_1a2b")
    service = findings.parts[2]
    assert service.value("connections tcp/http") == 7 and "10.244.0.5:8080" in str(service.value("rule tcp/http"))
    assert [(part.id, part.name) for part in findings.parts[4:]] == [
        ("nat/naru_1a2b/27", "masquerade"),
        ("nat/nat/9", "dnat to 172.17.0.2:80"),
    ]
    assert [(link.kind, link.source, link.target) for link in findings.links] == [
        ("masquerades", "nat/naru_1a2b/27", "link/1/3"),
        ("translates", "nat/nat/9", "pod/a/b"),
    ]


def test_another_clusters_service_of_the_same_name_is_not_ours() -> None:
    findings = Findings(parts=[Part(id="service/shop/web", kind="service", name="shop/web", floor="network")])
    lay_out(rules_of(DOCUMENT, LISTING), findings, "naru_ffff")
    assert not findings.parts[0].facts
    other = next(part for part in findings.parts if part.id == "nat/naru_1a2b/43")
    assert other.object is None and other.name == "dnat to 10.244.0.5:8080"


def test_legacy_rules_are_read_with_their_counters() -> None:
    text = "*nat\n:INPUT ACCEPT [0:0]\n[5:300] -A POSTROUTING -s 10.0.0.0/8 ! -o br0 -j MASQUERADE\n[1:60] -A X -j RETURN\n"
    (rule,) = legacy_rules_of(text)
    assert (
        rule == NatRule("legacy", "POSTROUTING", 1, "masquerade", rule.text, 5, rule.place) and rule.outside_of == "br0"
    )


# Whatever is said to it, discovery stands.


WORDS = st.sampled_from(
    ["nftables", "rule", "family", "table", "chain", "handle", "expr", "dnat", "counter", "packets", "xt"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)


@given(JSON, st.text(max_size=80))
def test_garbage_of_nft_never_crashes(document: object, listing: str) -> None:
    try:
        body = orjson.dumps({"nftables": document})
    except TypeError:  # an integer of more than 64 bits is no JSON of nft
        return
    texts_of(listing)
    lay_out(rules_of(body, listing), Findings(), "")
    assert rules_of(listing.encode(), listing) == []


def test_a_way_out_by_a_veth_ends_at_a_horizon_unless_its_other_end_can_be_seen() -> None:
    out = Interface(2, "up0", kind="veth", link=9, netnsid=0)
    own = Space(1, "", interfaces={2: out}, routes=[Route("default", "unicast", 2), Route("10.0.0.0/8", "unicast", 2)])
    (horizon,) = unseen_ways_out(own, {1: own})
    assert horizon.part == "link/1/2" and horizon.says.startswith(
        "up0 leads into a network namespace that can't be seen"
    )
    own.numbers = {0: 7}
    assert unseen_ways_out(own, {1: own}) and not unseen_ways_out(own, {1: own, 7: Space(7, "")})
    own.interfaces[2] = Interface(2, "eth0")  # a NIC leads to no other namespace
    assert unseen_ways_out(own, {1: own}) == []


@given(st.text(max_size=60))
def test_garbage_of_proc_never_crashes(text: str) -> None:
    process_of(text)
    container_in(text)
    namespace_number(text)
    legacy_rules_of(text)


def row(**labels: str) -> dict[str, object]:
    told = {f"naru.dev/{key.replace('_', '.')}": value for key, value in labels.items()}
    return {"Id": ID, "Names": ["/some_name"], "Image": "naru/web:1", "Labels": told}


def test_the_engines_list_tells_pods_of_ones_own_cluster_only() -> None:
    ours = row(cluster="1a2b", pod_namespace="shop", pod_name="web", pod_uid="u", kind="container",
               container="nginx", sandbox="s", attempt="0", crashes="0")  # fmt: skip
    found = listed_of(ours, "1a2b")
    assert (found.pod, found.container, found.name) == (PodRef("shop", "web", "u"), "nginx", "some_name")
    assert listed_of(ours, "").pod == found.pod  # without a cluster, of any
    assert listed_of(ours, "ffff").pod is None and listed_of(ours, "ffff").container == ""
    assert listed_of(row(), "").pod is None
    assert not found.sandbox and not listed_of(row(), "").sandbox


def test_a_sandbox_is_known_whosever_it_is_and_called_by_what_it_does() -> None:
    theirs = listed_of(
        row(cluster="1a2b", pod_namespace="shop", pod_name="web", pod_uid="u", kind="sandbox", attempt="0"), "ffff"
    )
    assert theirs.pod is None and theirs.sandbox
    first = Process(7, 1, "pause", 4026540000, ID, f"0::/docker/{ID}\n")
    findings = Findings()
    observe_runtimes(Tree(Path("/nowhere")), {7: first}, Engine(EngineInfo("docker", "26"), (theirs,)), {}, findings)
    (container,) = (part for part in findings.parts if part.kind == "container")
    assert (container.name, is_sandbox(container)) == ("pause", True)
