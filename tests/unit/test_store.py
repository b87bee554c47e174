"""The store against a plain model in memory, and its other promises: durability, watches, compaction, clear refusals."""

import asyncio
import os
import pathlib
import signal
import subprocess
import sys
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.store import Change, Compacted, Conflict, StoreError
from controlplane.store.sqlite import RECENT, SqliteStore

KEYS = ["//pods/a/x", "//pods/a/y", "//pods/b/x", "/apps/deployments/a/x"]
PREFIXES = ["//pods/", "//pods/a/", "/apps/deployments/"]


@pytest.fixture
async def store(tmp_path: pathlib.Path):
    opened = await SqliteStore.open(tmp_path / "store.db")
    yield opened
    await opened.close()


async def take(store: SqliteStore, prefix: str, revision: int, count: int) -> list[Change]:
    """The next `count` changes of a watch."""
    found = []
    async with asyncio.timeout(10), aclosing(store.watch(prefix, revision)) as changes:
        while len(found) < count:
            found.append(await anext(changes))
    return found


async def test_a_commit_is_seen_at_its_revision_and_only_by_who_expects_the_right_one(store: SqliteStore) -> None:
    entry = await store.commit(KEYS[0], 0, lambda revision: b"r%d" % revision)
    assert (entry.value, entry.revision, entry.created) == (b"r1", 1, 1)
    with pytest.raises(Conflict) as refused:
        await store.commit(KEYS[0], 0, b"again")
    assert refused.value.current == entry
    second = await store.commit(KEYS[0], 1, b"two")
    assert store.get(KEYS[0]) == second
    assert second.created == 1
    gone = await store.commit(KEYS[0], 2, None)
    assert (gone.value, gone.revision) == (b"two", 3)
    assert store.get(KEYS[0]) is None
    with pytest.raises(Conflict):
        await store.commit(KEYS[0], 0, None)


async def test_commits_under_way_see_each_other(store: SqliteStore) -> None:
    first, second, third = await asyncio.gather(
        store.commit(KEYS[0], 0, b"1"),
        store.commit(KEYS[0], 1, b"2"),
        store.commit(KEYS[0], 0, b"no"),
        return_exceptions=True,
    )
    assert first.revision == 1 and second.revision == 2
    assert isinstance(third, Conflict) and third.current is not None and third.current.value == b"2"


async def test_who_is_refused_reads_what_came_between(store: SqliteStore) -> None:
    first = asyncio.create_task(store.commit(KEYS[0], 0, b"1"))
    await asyncio.sleep(0)  # under way, and not on disk yet
    assert store.get(KEYS[0]) is None
    with pytest.raises(Conflict) as refused:
        await store.commit(KEYS[0], 0, b"mine")
    assert store.get(KEYS[0]) == refused.value.current == await first


async def test_a_writer_who_leaves_takes_nobody_along(store: SqliteStore) -> None:
    first = asyncio.create_task(store.commit(KEYS[0], 0, b"1"))
    await asyncio.sleep(0)
    refused = asyncio.create_task(store.commit(KEYS[0], 0, b"mine"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(Conflict):
        await refused
    entry = store.get(KEYS[0])
    assert entry is not None and entry.value == b"1"


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from(KEYS), st.booleans()),
        st.tuples(st.just("delete"), st.sampled_from(KEYS), st.booleans()),
        st.tuples(st.just("compact"), st.integers(0, 40), st.booleans()),
        st.tuples(st.just("reopen"), st.none(), st.booleans()),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(operations=OPERATIONS, watched=st.sampled_from(PREFIXES))
def test_it_agrees_with_a_plain_model(tmp_path_factory, operations, watched) -> None:
    asyncio.run(against_model(tmp_path_factory.mktemp("store") / "store.db", operations, watched))


async def against_model(path: pathlib.Path, operations, watched: str) -> None:
    """Revisions, compare-and-swap, lists now and then, watches without gap or repeat, compaction, reopening."""
    store = await SqliteStore.open(path)
    present: dict[str, tuple[bytes, int]] = {}
    states: list[dict[str, tuple[bytes, int]]] = [{}]  # by revision
    changes: list[tuple[str, int, bytes, str]] = []
    compacted = 0
    try:
        for word, key, right in operations:
            if word == "compact":
                await store.compact(key)
                compacted = max(compacted, min(key, len(states) - 1))
            elif word == "reopen":
                await store.close()
                store = await SqliteStore.open(path)
            else:
                known = present.get(key)
                expected = (known[1] if known else 0) if right else 999
                value = None if word == "delete" else f"{key} {len(states)}".encode()
                if expected == 999 or (known is None and value is None):
                    with pytest.raises(Conflict):
                        await store.commit(key, expected, value)
                    continue
                revision = len(states)
                assert (await store.commit(key, expected, value)).revision == revision
                if value is None:
                    changes.append((key, revision, present.pop(key)[0], "DELETED"))
                else:
                    changes.append((key, revision, value, "MODIFIED" if known else "ADDED"))
                    present[key] = (value, revision)
                states.append(dict(present))
            assert store.revision == len(states) - 1
        for prefix in PREFIXES:
            for revision, state in enumerate(states):
                if revision < compacted:
                    with pytest.raises(Compacted):
                        store.list(prefix, revision)
                    continue
                found = [(e.key, (e.value, e.revision)) for e in store.list(prefix, revision).entries]
                assert found == sorted((k, v) for k, v in state.items() if k.startswith(prefix))
        for revision in range(compacted, len(states)):
            due = [c for c in changes if c[1] > revision and c[0].startswith(watched)]
            seen = await take(store, watched, revision, len(due))
            assert [(c.key, c.revision, c.value, c.type) for c in seen] == due
        if compacted:
            with pytest.raises(Compacted):
                await take(store, watched, compacted - 1, 1)
    finally:
        await store.close()


async def test_a_watcher_that_fell_behind_reads_the_log_and_then_goes_on_live(store: SqliteStore) -> None:
    count = 3 * RECENT
    for start in range(0, count, 500):
        await asyncio.gather(*(store.commit(f"//pods/a/{i}", 0, b"v") for i in range(start, start + 500)))
    async with asyncio.timeout(30), aclosing(store.watch("//pods/", 0)) as changes:
        seen = [(await anext(changes)).revision for _ in range(count)]
        waiting = asyncio.create_task(anext(changes))
        await store.commit("//pods/b/late", 0, b"v")
        seen.append((await waiting).revision)
    assert seen == [*range(1, count + 2)]


async def test_a_kind_whose_last_object_is_gone_is_still_watched_from_before_the_store_was_reopened(
    tmp_path: pathlib.Path,
) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    await store.commit(KEYS[0], 0, b"v")
    await store.commit(KEYS[0], 1, None)
    await store.close()
    store = await SqliteStore.open(tmp_path / "store.db")
    try:
        assert [c.type for c in await take(store, "//pods/", 0, 2)] == ["ADDED", "DELETED"]
    finally:
        await store.close()


async def test_a_watcher_hears_only_of_its_prefix(store: SqliteStore) -> None:
    await store.commit("//pods/b/x", 0, b"other")
    await store.commit("//pods/a/x", 0, b"mine")
    (change,) = await take(store, "//pods/a/", 0, 1)
    assert change == Change("//pods/a/x", 2, b"mine", None, "ADDED")


async def test_a_second_process_is_told_that_the_store_is_held(store: SqliteStore, tmp_path: pathlib.Path) -> None:
    with pytest.raises(StoreError, match="another process holds"):
        await SqliteStore.open(tmp_path / "store.db")


async def test_a_file_that_is_no_store_is_told_with_what_to_do(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"this is not a database" * 1000)
    with pytest.raises(StoreError, match="restore a backup"):
        await SqliteStore.open(tmp_path / "bad.db")


async def test_a_full_disk_fails_what_waits_and_nothing_of_it_is_seen(store: SqliteStore) -> None:
    await store.commit(KEYS[0], 0, b"kept")
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    results = await asyncio.gather(
        store.commit(KEYS[0], 1, b"x" * 100_000), store.commit(KEYS[1], 0, b"small"), return_exceptions=True
    )
    assert [type(r) for r in results] == [StoreError, StoreError]
    assert "full" in str(results[0])
    assert store.revision == 1 and store.get(KEYS[1]) is None
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert (await store.commit(KEYS[0], 1, b"room again")).revision == 2


WRITER = """
import asyncio, pathlib, sys
from controlplane.store.sqlite import SqliteStore
async def main():
    store = await SqliteStore.open(pathlib.Path(sys.argv[1]))
    async def put(i):
        await store.commit(f"//pods/a/{i}", 0, b"v")
        print(i, flush=True)
    for start in range(0, 100000, 50):
        await asyncio.gather(*(put(i) for i in range(start, start + 50)))
asyncio.run(main())
"""


def test_no_answered_commit_is_lost_when_the_process_is_killed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    answered = [int(writer.stdout.readline()) for _ in range(500)]
    os.kill(writer.pid, signal.SIGKILL)
    answered += [int(line) for line in writer.stdout if line.endswith("\n")]
    writer.wait()
    kept, revision = asyncio.run(keys_and_revision(path))
    assert {f"//pods/a/{i}" for i in answered} <= kept
    assert revision >= len(answered)


async def keys_and_revision(path: pathlib.Path) -> tuple[set[str], int]:
    store = await SqliteStore.open(path)
    try:
        return {entry.key for entry in store.list("//pods/").entries}, store.revision
    finally:
        await store.close()


async def test_compaction_gives_room_back(store: SqliteStore, tmp_path: pathlib.Path) -> None:
    revision = 0
    for _ in range(300):
        revision = (await store.commit(KEYS[0], revision, b"x" * 20_000)).revision
    await store.compact(store.revision)
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (tmp_path / "store.db").stat().st_size < 40 * 20_000
    assert store.list("//pods/").entries[0].revision == 300
