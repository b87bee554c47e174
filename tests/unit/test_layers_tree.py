"""What `naru layers` prints of towers that were built by hand."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from kubeapi.hardware_v1.layers import Evidence, Fact, Horizon, Layers
from kubeapi.hardware_v1.terms import TERMS, TWINS, tables, word
from naru.layers.labels import Labels, shown
from naru.layers.terminal import Look, Span, width
from naru.layers.tower import Tower, only
from naru.layers.tree import Options, tree
from tests.towers import HOST, link, machine, part

PLAIN = Look()


def lines(layers: Layers, options: Options = Options(), columns: int = 0) -> list[str]:  # noqa: B008 - immutable
    return tree(layers, options, Look(columns)).splitlines()


def depth(line: str) -> int:
    """How far a line's words stand from the left."""
    return len(line) - len(line.lstrip(" │├└─"))


def line_of(printed: list[str], words: str) -> str:
    found = [line for line in printed if words in line]
    assert len(found) == 1, (words, found)
    return found[0]


def test_the_tower_rises_from_the_hardware_to_the_container() -> None:
    printed = lines(machine(2))
    order = ["machine vm", "hypervisor Firecracker", "kernel Linux", "pod shop/web-1", "container nginx-0"]
    places = [max(i for i, line in enumerate(printed) if words in line) for words in order]
    assert places == sorted(places)
    depths = [depth(printed[place]) for place in places]
    assert depths == sorted(set(depths))
    assert depth(line_of(printed, "engine Docker")) == depth(line_of(printed, "pod shop/web-0"))


def test_where_the_way_out_is_a_veth_it_is_shown_with_its_horizon_and_ends_a_pods_way() -> None:
    layers = machine(2)
    nic = layers.part(f"link/{HOST}/2")
    assert nic
    nic.kind, nic.name, nic.on, nic.floor = "veth", "up0", f"netns/{HOST}", "network"
    layers.horizons.append(
        Horizon(part=nic.id, says="up0 leads into a network namespace that can't be seen from here: so")
    )
    printed = lines(layers)
    above = printed[printed.index(line_of(printed, "veth up0")) - 1]
    assert "horizon" in above and "up0 leads into a network namespace" in above
    assert nic.id in Tower(layers).way("pod/shop/web-1")


def test_a_pods_line_tells_its_address_and_the_way_to_its_switch() -> None:
    line = line_of(lines(machine(2)), "pod shop/web-1")
    assert line.endswith("10.244.0.3  eth0 ⇄ naru1a2b00001 ▸ naru-1a2b")


def test_a_switch_tells_its_ports_and_the_nic_that_it_is_masqueraded_to() -> None:
    assert line_of(lines(machine(2)), "bridge naru-1a2b").endswith("10.244.0.1/24  2 ports  NAT to eth0")
    assert "1 port " in line_of(lines(machine(1)), "bridge naru-1a2b")


def test_a_service_names_its_endpoints_and_counts_many() -> None:
    assert line_of(lines(machine(2)), "Service shop/web").endswith("10.96.0.7:80  → shop/web-0, shop/web-1")
    assert line_of(lines(machine(9)), "Service shop/web").endswith("shop/web-2, … and 6 more")


def test_what_is_folded_is_counted_and_wide_shows_it() -> None:
    assert lines(machine(2))[-1].startswith("(-o wide: ") and "2 shims" in lines(machine(2))[-1]
    wide = "\n".join(lines(machine(2), Options(wide=True)))
    for found in machine(2).parts:
        assert found.name in wide
        assert all(f"{fact.name}={shown(fact.value, fact.unit)}" in wide for fact in found.facts)


def test_conflicts_and_the_horizon_stand_at_what_they_are_about() -> None:
    printed = lines(machine())
    at = printed.index(line_of(printed, "is this a container? no"))
    assert "machine vm" in printed[at - 1]
    below = printed.index(line_of(printed, "horizon"))
    assert "hypervisor Firecracker" in printed[below + 1] and "╌╌╌╌" in printed[below]


def test_evidence_tells_of_each_fact_where_it_was_read_what_stood_there_and_how_sure_it_is() -> None:
    printed = lines(machine(), Options(evidence=True))
    assert " ".join(line_of(printed, "driver").split()) == "│ driver virtio_net certain ← ethtool eth0: virtio_net"
    assert "← /.dockerenv" in line_of(printed, "docker")
    assert "unknown: the hypervisor says none" in line_of(printed, "speed")


def test_the_way_of_one_pod_leaves_out_the_others() -> None:
    layers = machine(3, containers=2)
    way = Tower(layers).way("pod/shop/web-1")
    assert {"machine", "memory", "hypervisor", "kernel", f"link/{HOST}/2", f"link/{HOST}/3", "nat/naru_1a2b/1"} <= way
    assert {"engine", "containerd", "service/shop/web", f"link/{HOST}/11", "netns/4026540001"} <= way
    assert {"container/000001000000", "container/000001000001", "shim/000001000001", "process/5010"} <= way
    assert not [
        id for id in way if id.startswith(("container/000000", "container/000002", "shim/000000", "shim/000002"))
    ]
    assert not way & {"pod/shop/web-0", "pod/shop/web-2", f"link/{HOST}/10", f"link/{HOST}/12", "netns/4026540002"}
    chosen = only(layers, way)
    assert {part.id for part in chosen.parts} == way
    assert all({link.source, link.target} <= way for link in chosen.links)


def test_a_bridge_is_told_in_vmwares_words_by_where_it_leads() -> None:
    layers, labels = machine(1), Labels("vmware")
    bridge = layers.part(f"link/{HOST}/3")
    assert bridge and labels.kind(bridge, Tower(layers)) == "VMnet8 (NAT)"
    layers.links = [link for link in layers.links if link.kind != "masquerades"]
    assert labels.kind(bridge, Tower(layers)) == "VMnet1 (host-only)"
    layers.links.append(link("port", f"link/{HOST}/2", f"link/{HOST}/3"))
    assert labels.kind(bridge, Tower(layers)) == "VMnet0 (bridged)"


def test_korean_labels_fit_a_narrow_terminal_too() -> None:
    printed = lines(machine(4), Options(Labels("vmware", "ko")), columns=60)
    assert max(map(width, printed)) <= 60
    assert any("VMnet8 (NAT) naru-1a2b" in line for line in printed) and any(
        "게스트 shop/web-3" in line for line in printed
    )


def test_narrow_lines_lose_no_word() -> None:
    wide, narrow = lines(machine(4)), lines(machine(4), columns=60)
    assert max(map(width, narrow)) <= 60

    def words(printed: list[str]) -> list[str]:
        return [word for word in " ".join(printed).split() if not set(word) <= set("│├└─")]

    assert words(narrow) == words(wide)


def test_numbers_have_units_that_are_read() -> None:
    told = [
        shown(25276063744, "B"),
        shown(10000, "Mb/s"),
        shown(2445, "MHz"),
        shown(1400, "B"),
        shown(True),
        shown(None),
    ]
    assert told == ["23.5 GiB", "10 Gb/s", "2.4 GHz", "1400 B", "yes", "unknown"]


def test_every_term_says_the_same_places_in_both_languages_and_words() -> None:
    for key, term in TERMS.items():
        assert term.en and term.ko, key
        assert {text.count("{}") for text in term if text} == {term.en.count("{}")}, key
        assert bool(term.vmware_en) == bool(term.vmware_ko), key


def test_the_page_is_served_the_same_words() -> None:
    served = tables()
    assert served["terms"]["kind/nat"]["vmware"]["ko"] == word("kind/nat", "vmware", "ko") == "NAT 장치"
    assert served["terms"]["kind/cpu"]["vmware"]["en"] == "processor"  # where VMware has no other word
    assert served["twins"]["nat"]["difference"] == {"en": TWINS["nat"].difference.en, "ko": TWINS["nat"].difference.ko}
    assert word("kind/netkit") == "netkit"


def test_a_pipe_has_no_colours_and_no_width_and_no_color_is_honoured() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert Look.of(io.StringIO(), {}) == Look(0, False)
    assert Look.of(Terminal(), {"TERM": "xterm"}).colour
    assert not Look.of(Terminal(), {"NO_COLOR": "1"}).colour and not Look.of(Terminal(), {"TERM": "dumb"}).colour


def test_a_name_that_would_command_the_terminal_is_only_shown() -> None:
    layers = machine()
    layers.parts.append(part(f"link/{HOST}/9", "\x1b[31mred\n", "network", "kernel", kind="bridge"))
    printed = tree(layers, Options(), PLAIN)
    assert "\x1b" not in printed and "bridge �[31mred�" in printed
    assert Look(0, True).text([Span("a", "name")]) == "\x1b[1ma\x1b[0m"


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12), st.integers(0, 100))
def test_any_document_is_shown_whole_also_one_whose_parts_stand_in_circles(
    stands: list[tuple[int, int]], columns: int
) -> None:
    layers = Layers()
    on = dict(stands)
    layers.parts = [part(f"bridge/{id}", f"part-{id}", "network", f"bridge/{below}") for id, below in on.items()]
    for id in on:
        layers.parts[0].facts.append(Fact(name=f"f{id}", evidence=[Evidence(source="x" * 90)]))
    for options in (Options(), Options(wide=True), Options(evidence=True)):
        printed = tree(layers, options, Look(columns))
        assert all(printed.count(f"part-{id}") == 1 for id in on)
