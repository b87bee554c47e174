"""A controller's own writes, laid over what its late informer shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from controlplane.controllers.inflight import InFlight
from kubeapi.core_v1.types import Pod

NOW, PATIENCE = datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=30)
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "rs", "controller": True}
KEY = "n/rs"


def pod(uid: str, version: int, *, going: bool = False, owned: bool = True) -> Pod:
    meta = {"name": uid, "namespace": "n", "uid": uid, "resourceVersion": str(version)}
    meta |= {"deletionTimestamp": NOW} if going else {}
    return Pod.model_validate({"metadata": {**meta, "ownerReferences": [OWNER] if owned else []}})


def seen(flying: InFlight[Pod], *shown: Pod, later: float = 0) -> list[tuple[str, str]]:
    """What the controller goes by: uid and version."""
    known = flying.overlay(KEY, shown, NOW + timedelta(seconds=later))
    return [(p.metadata.uid, p.metadata.resource_version or "") for p in known]


def test_what_was_created_counts_until_it_is_shown_and_once_after() -> None:
    flying, made = InFlight[Pod](PATIENCE), pod("a", 5)
    flying.wrote(made, NOW)
    assert seen(flying) == [("a", "5")]
    assert seen(flying, made) == [("a", "5")]
    assert flying.made(made) is made
    flying.shown(None, made)
    assert flying.made(made) is None
    assert seen(flying) == []


def test_what_was_changed_counts_as_it_was_left_until_the_informer_is_as_far() -> None:
    flying = InFlight[Pod](PATIENCE)
    flying.wrote(pod("a", 7), NOW)
    flying.shown(pod("a", 5), pod("a", 6))
    assert seen(flying, pod("a", 6)) == [("a", "7")]
    flying.shown(pod("a", 6), pod("a", 8))
    assert seen(flying, pod("a", 8)) == [("a", "8")]


def test_what_is_gone_or_released_before_its_answer_comes_to_an_end_does_not_come_back() -> None:
    for last in (None, pod("b", 1), pod("a", 6, owned=False)):
        flying = InFlight[Pod](PATIENCE)
        flying.wrote(pod("a", 5), NOW)
        flying.shown(pod("a", 5), last)
        assert seen(flying) == []


def test_what_was_deleted_is_left_out_until_the_informer_shows_it_going() -> None:
    flying = InFlight[Pod](PATIENCE)
    flying.deleted(pod("a", 5), NOW)
    assert seen(flying, pod("a", 5), pod("b", 6)) == [("b", "6")]
    assert seen(flying, pod("a", 7, going=True)) == [("a", "7")]
    assert seen(flying, pod("a", 5)) == [("a", "5")]  # it was shown going, so the mark is gone


def test_patience_with_the_informer_ends() -> None:
    flying = InFlight[Pod](PATIENCE)
    flying.wrote(pod("a", 5), NOW)
    flying.deleted(pod("b", 4), NOW)
    assert seen(flying, pod("b", 4), later=29) == [("a", "5")]
    assert seen(flying, pod("b", 4), later=30) == [("b", "4")]


def test_another_owner_s_writes_are_not_mine() -> None:
    flying = InFlight[Pod](PATIENCE)
    flying.wrote(pod("a", 5), NOW)
    assert flying.overlay("n/other", [], NOW) == []
    flying.forget(KEY)
    assert seen(flying) == []


@given(st.lists(st.sampled_from(["create", "change", "delete", "show"]), max_size=30), st.data())
def test_however_late_the_informer_is_a_controller_sees_what_its_own_writes_made(
    steps: list[str], data: st.DataObject
) -> None:
    flying, truth, shown = InFlight[Pod](PATIENCE), dict[str, Pod](), dict[str, Pod]()
    changes: list[tuple[str, Pod | None]] = []  # that the informer has not shown
    for version, step in enumerate(steps, 1):
        if step == "show" and changes:
            uid, new = changes.pop(0)
            old = shown.pop(uid, None)
            if new is not None:
                shown[uid] = new
            flying.shown(old, new)
        elif step == "create":
            made = truth[f"p{version}"] = pod(f"p{version}", version)
            changes.append((made.metadata.uid, made))
            flying.wrote(made, NOW)
        elif truth and step != "show":
            uid = data.draw(st.sampled_from(sorted(truth)))
            if step == "delete":
                flying.deleted(truth.pop(uid), NOW)
                changes.append((uid, None))
            else:
                truth[uid] = pod(uid, version)
                changes.append((uid, truth[uid]))
                flying.wrote(truth[uid], NOW)
        assert sorted(seen(flying, *shown.values())) == sorted(
            (uid, p.metadata.resource_version or "") for uid, p in truth.items()
        )
