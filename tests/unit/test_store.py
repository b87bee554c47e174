"""The store against a plain model in memory, and its other promises: durability, watches, compaction, clear refusals."""

import asyncio
import pathlib
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
        for revision in range(len(states)):
            due = [c for c in changes if c[1] > revision and c[0].startswith(watched)]
            try:
                seen = await take(store, watched, revision, len(due))
            except Compacted:
                assert revision < compacted
            else:
                assert [(c.key, c.revision, c.value, c.type) for c in seen] == due
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


async def test_a_watch_from_before_what_is_compacted_is_refused_where_its_past_is_gone(tmp_path: pathlib.Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    for revision in range(3):
        await store.commit(KEYS[0], revision, b"v")
    await store.compact(2)
    await store.close()
    store = await SqliteStore.open(tmp_path / "store.db")  # with nothing of the past in memory
    try:
        with pytest.raises(Compacted):
            await take(store, "//pods/", 1, 1)
        assert [c.revision for c in await take(store, "//pods/", 2, 1)] == [3]
    finally:
        await store.close()


async def test_a_watcher_of_a_quiet_kind_is_not_turned_away_because_others_churn(store: SqliteStore) -> None:
    """Nothing has happened to what it watches, so that compaction has taken nothing from it."""
    async with asyncio.timeout(10), aclosing(store.watch("//pods/", 0)) as changes:
        waiting = asyncio.create_task(anext(changes))
        for revision in range(3):
            await store.commit(KEYS[3], revision, b"v")
        await store.compact(store.revision)
        await store.commit(KEYS[0], 0, b"v")
        assert (await waiting).key == KEYS[0]


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
    assert store._file is not None
    connection = store._file._writing
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    results = await asyncio.gather(
        store.commit(KEYS[0], 1, b"x" * 100_000), store.commit(KEYS[1], 0, b"small"), return_exceptions=True
    )
    assert [type(r) for r in results] == [StoreError, StoreError]
    assert "full" in str(results[0])
    assert store.revision == 1 and store.get(KEYS[1]) is None
    connection.execute("PRAGMA max_page_count = 1000000")
    assert (await store.commit(KEYS[0], 1, b"room again")).revision == 2


def on_disk(path: pathlib.Path) -> int:
    """Bytes of the store and its journal."""
    return sum(found.stat().st_size for name in ("", "-wal") if (found := path.with_name(path.name + name)).exists())


async def test_compaction_gives_room_back(store: SqliteStore, tmp_path: pathlib.Path) -> None:
    revision = 0
    for _ in range(300):
        revision = (await store.commit(KEYS[0], revision, b"x" * 20_000)).revision
    await store.compact(store.revision)
    assert on_disk(tmp_path / "store.db") < 3 * 20_000
    assert store.list("//pods/").entries[0].revision == 300


async def test_a_store_that_churns_takes_no_more_than_three_times_its_objects(tmp_path: pathlib.Path) -> None:
    objects, size, rounds = 100, 4000, 100
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    try:
        keys = [f"//pods/a/{number}" for number in range(objects)]
        for turn in range(rounds):
            values = [(key, store.get(key)) for key in keys]
            await asyncio.gather(*(store.commit(k, e.revision if e else 0, b"%d" % turn * size) for k, e in values))
            assert path.stat().st_size < 3 * objects * size * 2
        await store.compact(store.revision)
        assert on_disk(path) < 1.5 * objects * size * 2
        assert {entry.value for entry in store.list("//pods/").entries} == {b"99" * size}
    finally:
        await store.close()
