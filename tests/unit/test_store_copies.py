"""A copy of a store is one moment of it, whatever goes on meanwhile; in another's place it never repeats a revision."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from controlplane.store import Compacted, StoreError
from controlplane.store.copies import BUMP, Copy, inspect, replace, take
from controlplane.store.mark import Mark
from controlplane.store.sqlite import SqliteStore


async def committed(path: Path, *keys: str) -> int:
    """The store's last revision after these keys have been set once more."""
    store = await SqliteStore.open(path)
    try:
        for key in keys:
            present = store.get(key)
            await store.commit(key, present.revision if present else 0, key.encode())
        return store.revision
    finally:
        await store.close()


async def take_changes(store: SqliteStore, count: int) -> None:
    """Return when so many more commits were made."""
    async with asyncio.timeout(30), aclosing(store.watch("//pods/", store.revision)) as changes:
        for _ in range(count):
            await anext(changes)


async def test_a_copy_taken_under_load_is_one_moment_of_it(tmp_path: Path) -> None:
    """The clients count in turn: in no moment is one more than a step ahead of another."""
    store = await SqliteStore.open(tmp_path / "store.db")
    stop = False

    async def count() -> None:
        revisions = [0, 0, 0]
        number = 0
        while not stop:
            number += 1
            for key in range(3):
                entry = await store.commit(f"//pods/a/{key}", revisions[key], b"%d" % number)
                revisions[key] = entry.revision

    counting = asyncio.create_task(count())
    try:
        for turn in range(3):
            await take_changes(store, 60)
            before, target = store.revision, tmp_path / f"copy-{turn}.db"
            held, answered = await asyncio.to_thread(take, tmp_path / "store.db", target)
            assert before <= held.revision and answered <= held.revision and held.objects == 3
            copy = await SqliteStore.open(target)
            counts = [int(entry.value) for entry in copy.list("//pods/").entries]
            await copy.close()
            assert counts == sorted(counts, reverse=True) and counts[0] - counts[2] <= 1
    finally:
        stop = True
        await counting
        await store.close()


@pytest.mark.parametrize("clean", [True, False], ids=["closed", "killed"])
async def test_a_store_that_nobody_uses_is_copied_and_stays_as_it_is(tmp_path: Path, clean: bool) -> None:
    path = tmp_path / "store.db"
    if clean:
        await committed(path, "//pods/a/x", "//pods/a/y")
    else:
        live = tmp_path / "live" / "store.db"
        store = await SqliteStore.open(live)
        await store.commit("//pods/a/x", 0, b"x")
        await store.commit("//pods/a/y", 0, b"y")
        for end in ("", "-wal", ".answered"):  # as a killed process leaves them
            path.with_name(f"store.db{end}").write_bytes(live.with_name(f"store.db{end}").read_bytes())
        await store.close()
    assert take(path, tmp_path / "copy.db") == (Copy(2, 2), 2)
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert inspect(path) == Copy(2, 2)


async def test_a_replaced_store_goes_on_above_all_that_was_answered_and_old_watches_are_refused(tmp_path: Path) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    await committed(path, "//pods/a/x")
    take(path, copy)
    seen = await committed(path, "//pods/a/x", "//pods/a/y", "//pods/a/z")
    went_on = replace(path, copy, tmp_path / "aside")
    assert went_on > seen
    store = await SqliteStore.open(path)
    try:
        assert [(entry.key, entry.revision) for entry in store.list("//pods/").entries] == [("//pods/a/x", 1)]
        with pytest.raises(Compacted):
            async with aclosing(store.watch("//pods/", seen)) as changes:
                await anext(changes)
        with pytest.raises(Compacted):
            store.list("//pods/", seen)
        assert (await store.commit("//pods/a/new", 0, b"v")).revision == went_on + 1
    finally:
        await store.close()
    assert inspect(tmp_path / "aside" / "store.db") == Copy(seen, 3)


async def test_restored_twice_no_revision_is_given_out_twice(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await committed(path, "//pods/a/x")
    take(path, tmp_path / "kept.db")
    ends = []
    for turn in range(2):
        copy = tmp_path / f"copy-{turn}.db"
        copy.write_bytes((tmp_path / "kept.db").read_bytes())
        begun = replace(path, copy, tmp_path / f"aside-{turn}")
        ends.append((begun, await committed(path, "//pods/a/y")))
    assert ends[0][1] < ends[1][0]


async def test_a_damaged_store_is_replaced_and_kept_and_its_mark_still_counts(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await committed(path, "//pods/a/x")
    take(path, tmp_path / "copy.db")
    seen = await committed(path, "//pods/a/x", "//pods/a/y")
    path.write_bytes(b"not any more" * 1000)
    with pytest.raises(StoreError, match="naru restore"):
        await SqliteStore.open(path)
    assert replace(path, tmp_path / "copy.db", tmp_path / "aside") == seen + BUMP
    assert await committed(path) == seen + BUMP
    assert (tmp_path / "aside" / "store.db").read_bytes() == b"not any more" * 1000


async def test_a_replacement_that_was_interrupted_does_not_open_as_if_nothing_had_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    await committed(path, "//pods/a/x")
    take(path, copy)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "replace", killed)
        replace(path, copy, tmp_path / "aside")
    with pytest.raises(StoreError, match="naru restore"):
        await SqliteStore.open(path)
    replace(path, copy, tmp_path / "aside-2")
    assert await committed(path) > 2 * BUMP


async def test_a_store_that_is_in_use_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    try:
        take(path, tmp_path / "copy.db")
        with pytest.raises(StoreError, match="another process holds"):
            replace(path, tmp_path / "copy.db", tmp_path / "aside")
    finally:
        await store.close()


async def test_a_copy_of_a_store_that_lost_commits_says_what_had_been_answered(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await committed(path, "//pods/a/x")
    mark = Mark(Mark.beside(path))
    mark.revision = 7
    mark.close()
    assert take(path, tmp_path / "copy.db") == (Copy(1, 1), 7)
    assert replace(path, tmp_path / "copy.db", tmp_path / "aside") == 7 + BUMP
    assert await committed(path, "//pods/a/x") == 8 + BUMP
