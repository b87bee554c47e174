"""What becomes of answered commits when machines and disks misbehave: they are there, or their loss is said.

A torn write leaves the journal whole up to somewhere behind the last sync, whatever follows: no answered commit is in that
part. Damage to what was synced is another thing: then the store must not open as if nothing had been. A killed process
loses nothing at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from controlplane.admission.chain import Admission
from controlplane.apiserver.server import ApiServer
from controlplane.store import StoreError
from controlplane.store.file import DamagedError, LogFile
from controlplane.store.mark import Mark
from controlplane.store.sqlite import SqliteStore
from kubeapi.client.transport import Request
from kubeapi.clock import SystemClock
from kubeapi.registry import load

SAMPLED, DOZENS = 150, 36
HEADER = 100  # bytes, of a database file
State = dict[str, bytes]


class Recorded(NamedTuple):
    """A store's files with a journal, and by revision: what stood then, how long the journal was once it was answered."""

    path: Path
    states: list[State]
    lengths: list[int]

    @property
    def journal(self) -> bytes:
        return self.path.with_name("store.db-wal").read_bytes()

    def answered(self, length: int) -> int:
        """The last revision that was answered before the journal grew beyond this length."""
        return max(revision for revision, end in enumerate(self.lengths) if end <= length)


async def record(folder: Path, *, checkpointed: bool = False, groups: int = 0) -> Recorded:
    """Single commits, groups, deletions and a large value, copied while the store is open; its journal is whole.

    Then so many group commits more, each of two changes and sometimes a deletion.
    """
    live = folder / "live" / "store.db"
    store = await SqliteStore.open(live)
    states, lengths = [State()], [0]

    async def put(*values: tuple[str, bytes | None]) -> None:
        commits = []
        for key, value in values:
            present = store.get(key)
            commits.append(store.commit(key, present.revision if present else 0, value))
        await asyncio.gather(*commits)
        for key, value in values:
            changed = {**states[-1], key: value or b""}
            states.append(changed if value is not None else {k: v for k, v in changed.items() if k != key})
            lengths.append(live.with_name("store.db-wal").stat().st_size)

    await put(("//pods/a/x", b"1"))
    await put(("//pods/a/y", b"2"), ("//pods/a/z", b"3"), ("/apps/deployments/a/x", b"4"))
    await put(("//pods/a/x", b"5" * 9000))
    await put(("//pods/a/y", None))
    await put(("//pods/a/x", b"6"), ("//pods/a/y", b"7"))
    for number in range(groups):
        gone = number % 5 == 4
        await put(("//pods/a/x", b"%d" % number), (f"//pods/a/{number % 4}", None if gone else b"%d" % number * 40))
    kept = folder / "kept" / "store.db"
    if checkpointed:
        await store.close()
    shutil.copytree(live.parent, kept.parent, ignore=shutil.ignore_patterns("*-shm"))
    if not checkpointed:
        await store.close()
    return Recorded(kept, states, lengths)


def reopened(path: Path) -> tuple[int, State]:
    """The revision and the entries of the store as it is read now."""
    file = LogFile(path)
    try:
        rows = file.load()
        present: State = {}
        for row in rows:
            if row.value is None:
                present.pop(row.key)
            else:
                present[row.key] = row.value
        return max(rows[-1].revision if rows else 0, file.compacted), present
    finally:
        file.close()


def variants(recorded: Recorded, name: str, scratch: Path, offsets: Iterator[int]) -> Iterator[tuple[int, Path]]:
    """For each offset a fresh copy of the store, whose file `name` (left out here) the caller then writes."""
    scratch.mkdir()
    contents = {file.name: file.read_bytes() for file in recorded.path.parent.iterdir() if file.name != name}
    for offset in offsets:
        for file in scratch.iterdir():
            file.unlink()
        for other, content in contents.items():
            (scratch / other).write_bytes(content)
        yield offset, scratch / name


def offsets(length: int, every: bool) -> Iterator[int]:
    """Every offset, or a sample that is the same each time."""
    return iter(range(length) if every else sorted(random.Random(1).sample(range(length), SAMPLED)))


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory, where a sync costs nothing: what it would have kept is chosen by hand here."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


each = pytest.mark.parametrize(
    "every", [False, pytest.param(True, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])], ids=["sampled", "every"]
)


@each
@pytest.mark.parametrize("rest", ["missing", "garbage", "zeros"])
def test_a_torn_write_at_any_byte_of_the_journal_loses_no_answered_commit(memory: Path, rest: str, every: bool) -> None:
    recorded = asyncio.run(record(memory, groups=DOZENS * every))
    whole, rng = recorded.journal, random.Random(2)
    for offset, journal in variants(recorded, "store.db-wal", memory / "torn", offsets(len(whole), every)):
        lost = len(whole) - offset
        journal.write_bytes(
            whole[:offset] + {"missing": b"", "garbage": rng.randbytes(lost), "zeros": bytes(lost)}[rest]
        )
        answered = recorded.answered(offset)
        mark = Mark(Mark.beside(journal.with_name("store.db")))
        mark.revision = answered
        mark.close()
        revision, present = reopened(journal.with_name("store.db"))
        assert revision >= answered, offset
        assert present == recorded.states[revision], offset


@each
def test_damage_to_what_was_synced_is_said_wherever_it_is_in_the_journal(memory: Path, every: bool) -> None:
    recorded = asyncio.run(record(memory, groups=DOZENS * every))
    at = offsets(recorded.lengths[-1], every)
    assert damaged_at_each(recorded, "store.db-wal", memory / "damaged", at) > SAMPLED / 2


@each
def test_damage_is_said_wherever_it_is_in_the_file(memory: Path, every: bool) -> None:
    recorded = asyncio.run(record(memory, checkpointed=True, groups=DOZENS * every))
    assert not recorded.path.with_name("store.db-wal").exists()
    at = offsets(recorded.path.stat().st_size, every)
    assert damaged_at_each(recorded, "store.db", memory / "damaged", at) > SAMPLED / 20


def test_damage_of_the_file_s_header_is_said(memory: Path) -> None:
    recorded = asyncio.run(record(memory, checkpointed=True))
    assert damaged_at_each(recorded, "store.db", memory / "damaged", iter(range(HEADER))) > HEADER / 3


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log SET value = CAST(value AS TEXT)",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET name = CAST(x'c6' AS TEXT), sql = 'x'",
    ],
    ids=["a value that is text", "a schema that is no text"],
)
def test_what_no_store_writes_is_said_to_be_damage(memory: Path, damage: str) -> None:
    recorded = asyncio.run(record(memory, checkpointed=True))
    with contextlib.closing(sqlite3.connect(recorded.path)) as connection:
        connection.executescript(damage)
    with pytest.raises(DamagedError, match="naru restore"):
        reopened(recorded.path)


def damaged_at_each(recorded: Recorded, name: str, scratch: Path, at: Iterator[int]) -> int:
    """Change one byte, at these offsets: the store says that it is damaged (how often is returned), or all is there."""
    whole, said = recorded.path.with_name(name).read_bytes(), 0
    for offset, file in variants(recorded, name, scratch, at):
        file.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0xA5]) + whole[offset + 1 :])
        try:
            found = reopened(scratch / "store.db")
        except StoreError as error:
            assert "naru restore" in str(error) or "use the version that wrote it" in str(error)
            said += 1
        else:
            assert found == (len(recorded.states) - 1, recorded.states[-1]), offset
    print(f"{name}: {len(whole)} bytes, damage said at {said} of those that were tried")
    return said


def test_a_journal_that_is_gone_is_said(tmp_path: Path) -> None:
    recorded = asyncio.run(record(tmp_path))
    recorded.path.with_name("store.db-wal").unlink()
    with pytest.raises(StoreError, match=r"its last revision is 0, and 8 was answered already.*naru restore"):
        reopened(recorded.path)


WRITER = """
import asyncio, os, pathlib, sys
from controlplane.store.sqlite import SqliteStore
from kubeapi.client.transport import Request
from kubeapi.clock import SystemClock
from kubeapi.registry import load

async def client(store, key, counter):
    while True:
        counter += 1
        present = store.get(key)
        await store.commit(key, present.revision if present else 0, None if counter % 5 == 0 else b"%d" % counter)
        os.write(1, f"{key} {counter}\\n".encode())

async def main(path, *counters):
    store = await SqliteStore.open(pathlib.Path(path))
    async with asyncio.TaskGroup() as group:
        for number, counter in enumerate(counters):
            group.create_task(client(store, f"//pods/a/{number}", int(counter)))

asyncio.run(main(*sys.argv[1:]))
"""
CLIENTS = 30


@pytest.mark.parametrize(
    "rounds", [5, pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])], ids=["some", "many"]
)
def test_kill_9_in_the_middle_of_group_commits_loses_no_answered_one(tmp_path: Path, rounds: int) -> None:
    """Each client makes its key count, and deletes it at every fifth step: the last answered is there, or one more."""
    path, rng, answered = tmp_path / "store.db", random.Random(), [0] * CLIENTS

    def stands(counter: int) -> bytes | None:
        return None if counter % 5 == 0 else b"%d" % counter

    for _ in range(rounds):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), *map(str, answered)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        left = rng.randint(1, 2000)
        for line in writer.stdout:
            left -= 1
            if left == 0:
                os.kill(writer.pid, 9)
            key, counter = line.split()
            answered[int(key.rpartition("/")[2])] = int(counter)
        assert writer.wait() == -9
        _, present = reopened(path)
        for number, counter in enumerate(answered):
            found = present.get(f"//pods/a/{number}")
            assert found in (stands(counter), stands(counter + 1)), f"{number}: answered {counter}, found {found!r}"
            answered[number] += found != stands(counter)


async def test_damage_found_while_it_runs_ends_writing_and_what_is_in_memory_is_read_on(tmp_path: Path) -> None:
    path, registry = tmp_path / "store.db", load()
    store = await SqliteStore.open(path)
    try:
        server = ApiServer(store, registry, SystemClock(), random.Random(1), Admission(store, random.Random(1)))

        async def ask(method: str, where: str, body: object = None) -> tuple[int, str]:
            sent = orjson.dumps(body) if body else b""
            answer = await server.send(Request(method, where, (), {"content-type": "application/json"}, sent))
            return answer.status, answer.body.decode()

        names = "/api/v1/namespaces"
        assert (await ask("POST", names, {"metadata": {"name": "one"}}))[0] == 201
        assert (await ask("POST", names, {"metadata": {"name": "two"}}))[0] == 201
        await store.compact(0)  # empties the journal
        assert await ask("GET", "/readyz") == (200, "ok")
        header = 4096
        with path.open("r+b") as file:
            file.seek(header)
            file.write(bytes(path.stat().st_size - header))

        page = Request("GET", names, (("resourceVersion", "1"), ("resourceVersionMatch", "Exact")), {})
        answer = await server.send(page)
        told = orjson.loads(answer.body)
        assert (answer.status, told["kind"], told["reason"]) == (500, "Status", "InternalError")
        assert "naru restore" in told["message"]
        code, said = await ask("GET", "/readyz")
        assert code == 500 and "[-]store failed" in said and "naru restore" in said
        assert (await ask("GET", "/livez"))[0] == 200
        assert (await ask("GET", f"{names}/two"))[0] == 200
        code, said = await ask("POST", names, {"metadata": {"name": "three"}})
        assert code == 500 and "naru restore" in said
    finally:
        await store.close()
