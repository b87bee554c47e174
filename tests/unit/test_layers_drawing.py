"""The picture: well-formed, whole, without overlap, the same for the same layers."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeapi.hardware_v1.layers import Layers
from naru.layers.drawing import draw
from naru.layers.labels import Labels
from naru.layers.layout import COLUMNS, Box, Picture, layout
from naru.layers.tower import Tower
from tests.towers import HOST, link, machine, part

SVG = "{http://www.w3.org/2000/svg}"
LABELS = Labels()


def overlapping(picture: Picture) -> list[tuple[str, str]]:
    def apart(a: Box, b: Box) -> bool:
        return a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y

    return [(a.part, b.part) for a, b in combinations(picture.boxes, 2) if not apart(a, b)]


def drawn(picture: Picture) -> set[str]:
    """The parts that have a box or a line of one."""
    return {words.part for box in picture.boxes for words in box.words} | {box.part for box in picture.boxes}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=12), st.integers(0, 3), st.integers(0, 3))
def test_every_pod_is_drawn_and_no_box_lies_on_another(pods: list[tuple[int, int]], nics: int, rules: int) -> None:
    layers = machine(len(pods))
    for number in range(3):
        layers.parts.append(part(f"link/{HOST}/9{number}", f"br{number}", "network", "kernel", kind="bridge"))
    for number, (bridge, more) in enumerate(pods):
        layers.links += [link("port", f"link/{HOST}/{number + 10}", f"link/{HOST}/9{bridge}")] if more else []
        for extra in range(more):  # more interfaces of one pod, each to a switch of its own
            inside, outside = f"link/{4026540000 + number}/7{extra}", f"link/{HOST}/8{number:02}{extra}"
            layers.parts += [
                part(inside, f"net{extra}", "network", f"netns/{4026540000 + number}", kind="veth"),
                part(outside, f"v{number}{extra}", "network", f"netns/{HOST}", kind="veth"),
            ]
            layers.links += [link("peer", inside, outside), link("port", outside, f"link/{HOST}/9{extra % 3}")]
    layers.parts += [part(f"link/{HOST}/7{n}", f"eth{n}", "hardware", "kernel", kind="nic") for n in range(1, nics)]
    layers.parts += [part(f"nat/x/{n}", "masquerade", "network", "kernel") for n in range(rules)]
    layers.links += [link("masquerades", f"nat/x/{n}", f"link/{HOST}/9{n % 3}") for n in range(rules)]
    picture = layout(layers, LABELS)
    assert overlapping(picture) == []
    assert {f"pod/shop/web-{n}" for n in range(len(pods))} <= drawn(picture)
    boxes = {box.part: box for box in picture.boxes}
    for wire in picture.wires:
        left, right = (boxes[id] for id in wire.parts)
        assert wire.start[0] == left.x + left.width and left.y <= wire.start[1] <= left.y + left.height
        assert wire.end[0] == right.x and right.y <= wire.end[1] <= right.y + right.height
    assert all(box.x + box.width <= picture.width and box.y + box.height <= picture.height for box in picture.boxes)


def test_a_hundred_pods_have_room() -> None:
    picture = layout(machine(100, containers=2), LABELS)
    assert overlapping(picture) == []
    names = {box.part for box in picture.boxes if box.kind == "pod"}
    assert names == {f"pod/shop/web-{n}" for n in range(100)}
    assert {f"container/{n:06x}{c:06x}" for n in range(100) for c in range(2)} <= drawn(picture)


def test_columns_are_fixed_and_wires_lead_from_the_nic_to_the_pod() -> None:
    picture = layout(machine(2), LABELS)
    way = [f"link/{HOST}/2", "nat/naru_1a2b/1", f"link/{HOST}/3", "link/4026540001/2", "pod/shop/web-1"]
    boxes = {box.part: box for box in picture.boxes}
    assert [boxes[id].x for id in way] == [x for x, _ in COLUMNS.values()]
    wires = {wire.parts for wire in picture.wires}
    assert set(pairwise(way)) <= wires
    assert ("service/shop/web", f"link/{HOST}/3") in wires


def test_floors_lie_beneath_in_their_order_and_the_horizon_below_what_it_is_about() -> None:
    picture = layout(machine(2), LABELS)
    assert [band.floor for band in picture.bands] == ["runtime", "kernel", "hypervisor", "hardware"]
    assert [band.floor for band in picture.bands if band.horizon] == ["hypervisor"]
    assert max(box.y + box.height for box in picture.boxes if box.kind == "pod") < picture.bands[0].y
    boxes = {box.part: box for box in picture.boxes}
    for id, band in zip(("engine", "kernel", "hypervisor", "cpu"), picture.bands, strict=True):
        assert band.y <= boxes[id].y and boxes[id].y + boxes[id].height <= band.y + band.height


@pytest.mark.parametrize("labels", [LABELS, Labels("vmware", "ko")])
def test_the_file_is_xml_with_a_name_for_everything_and_nothing_from_elsewhere(labels: Labels) -> None:
    layers = machine(3)
    layers.parts.append(part("pod/shop/<&\"'\x07", "shop/<&\"'\x07", "pod", "kernel"))
    text = draw(layers, labels)
    root = ElementTree.fromstring(text)
    title, description = root.findall(f"{SVG}title")[0], root.findall(f"{SVG}desc")[0]
    assert root.get("role") == "img" and root.get("aria-labelledby", "").split() == ["title", "description"]
    assert title.text and description.text and "eth0 ⇄ naru1a2b00002 ▸ naru-1a2b" in description.text
    groups = [group for group in root.iter(f"{SVG}g") if group.get("data-part")]
    assert all((group.find(f"{SVG}title") is not None) for group in groups)
    assert {f"pod/shop/web-{n}" for n in range(3)} <= {group.get("data-part") for group in groups}
    assert "prefers-color-scheme: dark" in text and "url(" not in text and text.count("http") == 1
    assert draw(Layers.from_json(layers.to_json()), labels) == text


def test_one_pods_way_is_lit() -> None:
    layers = machine(3)
    root = ElementTree.fromstring(draw(layers, LABELS, Tower(layers).way("pod/shop/web-1")))
    lit = {group.get("data-part") for group in root.iter(f"{SVG}g") if "lit" in group.get("class", "").split()}
    assert {"pod/shop/web-1", f"link/{HOST}/3", f"link/{HOST}/2", "nat/naru_1a2b/1"} <= lit
    assert not lit & {"pod/shop/web-0", "link/4026540000/2", "pod/shop/web-2"}
    ways = {
        (wire.get("data-source"), wire.get("data-target"))
        for wire in root.iter(f"{SVG}path")
        if "lit" in wire.get("class", "").split()
    }
    assert ("link/4026540001/2", "pod/shop/web-1") in ways and ("link/4026540000/2", "pod/shop/web-0") not in ways


def test_an_empty_document_is_a_picture_too() -> None:
    assert ElementTree.fromstring(draw(Layers(), LABELS)).tag == f"{SVG}svg"
