"""How much of the past is kept: what may still be asked for stays whole, and what stays is bounded."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from pytest import MonkeyPatch

from controlplane.store import history
from controlplane.store.history import History, size_of

Log = dict[int, tuple[str, bytes | None]]
COMMITS = st.lists(
    st.tuples(st.sampled_from(["//pods/a/x", "//pods/a/y", "//pods/a/z"]), st.none() | st.integers(0, 400)), max_size=80
)


def as_of(log: Log, revision: int) -> dict[str, bytes]:
    """What stood at a revision, by the rows of a log."""
    found: dict[str, bytes] = {}
    for number in sorted(log):
        key, value = log[number]
        if number <= revision:
            found.pop(key, None)
            if value is not None:
                found[key] = value
    return found


@given(commits=COMMITS, most=st.integers(2, 20), floor=st.integers(100, 2000), step=st.integers(1, 5))
def test_whatever_is_given_up_every_later_revision_can_still_be_read(commits, most: int, floor: int, step: int) -> None:
    with MonkeyPatch.context() as patched:
        patched.setattr(history, "MOST", most)
        patched.setattr(history, "FLOOR", floor)
        kept, whole, log, compacted = History(), Log(), Log(), 0
        present: dict[str, tuple[int, bytes]] = {}
        for key, size in commits:
            if key not in present and size is None:
                continue
            revision, value = len(whole) + 1, None if size is None else bytes(size)
            previous, was = present.pop(key, (0, None))
            whole[revision] = log[revision] = (key, value)
            kept.add(revision, key, value, previous, was)
            if value is not None:
                present[key] = (revision, value)
            if (given_up := kept.excess()) is not None:
                assert given_up > compacted
                compacted = given_up
                kept.compact(compacted)
                assert kept.excess() is None
            doomed = kept.doomed(step)
            for gone in doomed:
                del log[gone]
            kept.drop(len(doomed))
            for asked in range(compacted, revision + 1):
                assert as_of(log, asked) == as_of(whole, asked)
            assert kept.present == sum(size_of(name, value) for name, (_, value) in present.items())
        while doomed := kept.doomed(step):
            for gone in doomed:
                del log[gone]
            kept.drop(len(doomed))
        assert len(log) <= len(present) + most


def test_what_churns_is_kept_by_size_and_the_older_half_goes() -> None:
    kept, value, floors = History(), bytes(1000), []
    kept.add(1, "//pods/a/x", value, 0, None)
    for revision in range(2, 3000):
        kept.add(revision, "//pods/a/x", value, revision - 1, value)
        if (given_up := kept.excess()) is not None:
            kept.compact(given_up)
            floors.append((revision, given_up))
    room = history.FLOOR // size_of("//pods/a/x", value)
    assert floors
    assert all(room // 2 - 1 <= revision - given_up <= room // 2 + 1 for revision, given_up in floors)
    assert all(abs(later[0] - earlier[0] - room // 2) <= 2 for earlier, later in pairwise(floors))
