"""Snapshots compared: nothing that changed is missed, nothing else is told."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from kubeapi.hardware_v1.layers import Layers
from naru.layers.difference import Difference, difference, text
from naru.layers.labels import Labels
from naru.layers.terminal import Look
from tests.towers import HOST, add_pod, known, link, machine


@given(st.integers(0, 4), st.integers(1, 3))
def test_a_machine_does_not_differ_from_itself(pods: int, containers: int) -> None:
    layers = machine(pods, containers)
    found = difference(layers, Layers.from_json(layers.to_json()))
    assert not found and not found.moved


@given(st.data())
def test_exactly_what_was_changed_is_told(data: st.DataObject) -> None:
    before, after = machine(3), machine(3)
    facts = [
        (part.id, i)
        for part in after.parts
        for i, fact in enumerate(part.facts)
        if fact.name not in ("received", "memory")
    ]
    changed = data.draw(st.sets(st.sampled_from(facts), max_size=4))
    lost = data.draw(st.sets(st.sampled_from([link.source for link in after.links if link.kind == "peer"]), max_size=2))
    born = data.draw(st.integers(0, 2))
    for id, at in changed:
        found = after.part(id)
        assert found
        found.facts[at].value = "another"
    after.links = [link for link in after.links if not (link.kind == "peer" and link.source in lost)]
    known_parts = {part.id for part in after.parts}
    for number in range(born):
        add_pod(after, 10 + number, 1)
    told = difference(before, after)
    assert {(change.part, change.what) for change in told.changed} == {
        (id, _name(before, id, at)) for id, at in changed
    }
    assert all(change.after == "another" for change in told.changed)
    assert {part.id for part in told.appeared} == {part.id for part in after.parts} - known_parts
    assert {link.source for link in told.unlinked} == lost and not told.vanished
    assert bool(told) == bool(changed or lost or born)
    mirrored = difference(after, before)
    assert mirrored.vanished == told.appeared and mirrored.linked == told.unlinked
    assert Difference.from_json(told.to_json()) == told


def _name(layers: Layers, id: str, at: int) -> str:
    found = layers.part(id)
    assert found
    return found.facts[at].name


def _nic(layers: Layers, change: Callable[[int], int]) -> None:
    found = layers.part(f"link/{HOST}/2")
    assert found
    for fact in found.facts:
        if fact.name == "received":
            fact.value = change(123456)


def test_what_moves_by_itself_is_told_apart_and_makes_no_difference() -> None:
    before, after = machine(1), machine(1)
    _nic(after, lambda value: value + 99)
    rule = "ip saddr 10.244.0.0/16 counter packets {} bytes {} masquerade"
    for layers, packets in ((before, 1), (after, 7)):
        nat = layers.part("nat/naru_1a2b/1")
        assert nat
        nat.facts = [known("rule", rule.format(packets, packets * 60))]
    found = difference(before, after)
    assert not found and [(change.what, change.after) for change in found.moved] == [("received", 123555)]
    assert "(counters and gauges that moved: 1)" in text(found, before, after, Labels(), Look())


def test_a_reader_is_told_whose_things_came_and_went() -> None:
    before, after = machine(2), machine(2)
    after.parts = [part for part in after.parts if part.id not in ("container/000001000000", "process/5010")]
    after.links = [link for link in after.links if link.target != "container/000001000000"]
    after.links.append(link("port", f"link/{HOST}/2", f"link/{HOST}/3"))
    after.conflicts, after.horizons[0].says = [], "something else"
    pod = after.part("pod/shop/web-0")
    assert pod
    pod.facts[0].value = "10.244.0.77"
    told = text(difference(before, after), before, after, Labels(), Look())
    assert "  - container nginx-0  pod shop/web-1\n" in told
    assert "  + NIC eth0  port of naru-1a2b\n" in told
    assert "  - conflict machine vm  is this a container? no\n" in told and "something else" in told
    assert "  ~ pod shop/web-0" in told and "address: 10.244.0.2 → 10.244.0.77" in told
    assert "runs nginx-0" not in told  # what a gone part was linked to went with it


def _restarted(sandbox: bool) -> tuple[Layers, Layers]:
    """A machine whose first pod's container was restarted, with its whole sandbox or without."""
    before, after = machine(2), machine(2)
    new = {"container/000000000000": "container/ffff00000000", "shim/000000000000": "shim/ffff00000000"}
    new |= {"process/5000": "process/7000"}
    if sandbox:
        new |= {"netns/4026540000": "netns/4026549999", f"link/{HOST}/10": f"link/{HOST}/77"}
        new |= {f"link/4026540000/{index}": f"link/4026549999/{index}" for index in (1, 2)}
    for part in after.parts:
        part.id, part.on = new.get(part.id, part.id), new.get(part.on, part.on)
    for one in after.links:
        one.source, one.target = new.get(one.source, one.source), new.get(one.target, one.target)
    return before, after


def test_a_restarted_container_is_paired_with_the_one_whose_place_it_took() -> None:
    before, after = _restarted(sandbox=False)
    container = after.part("container/ffff00000000")
    assert container
    container.facts += [known("pid", 7000), known("pidNamespace", 4026541111), known("image", "nginx:2")]
    found = difference(before, after)
    assert not found.appeared and not found.vanished and not found.linked and not found.unlinked
    told = {(change.part.partition("/")[0], change.what): (change.before, change.after) for change in found.changed}
    assert told.pop(("container", "id")) == ("container/000000000000", "container/ffff00000000")
    assert told.pop(("container", "image")) == (None, "nginx:2")
    assert set(told) == {("shim", "id"), ("process", "id")}
    assert "nginx-0" in text(found, before, after, Labels(), Look())


def test_a_sandbox_that_was_made_again_is_paired_by_its_pod_with_all_its_devices() -> None:
    before, after = _restarted(sandbox=True)
    inside = after.part("link/4026549999/2")
    assert inside
    inside.facts.append(known("netns", 4026549999))
    found = difference(before, after)
    assert not found.appeared and not found.vanished and not found.linked and not found.unlinked
    assert {change.what for change in found.changed} == {"id"}
    kinds = [change.part.partition("/")[0] for change in found.changed]
    assert sorted(kinds) == ["container", "link", "netns", "process", "shim"]


def test_a_pod_that_took_no_ones_place_appears() -> None:
    before, after = machine(1), machine(1)
    add_pod(after, 9, 1)
    assert "pod/shop/web-9" in {part.id for part in difference(before, after).appeared}
