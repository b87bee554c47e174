"""The file of a backup is taken whole or not at all, and refused unless every byte of it is what was written."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import random
import tarfile
from pathlib import Path

import pytest

from controlplane.store import StoreError
from controlplane.store.copies import inspect
from controlplane.store.sqlite import SqliteStore
from naru import backups
from naru.backups import IDENTITY, Backup, BackupError
from naru.cli import main


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A data directory with two objects, as one whose control plane is down has it."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)

    async def fill() -> None:
        store = await SqliteStore.open(folder / "store.db")
        for name in "xy":
            await store.commit(f"//configmaps/default/{name}", 0, os.urandom(3000))
        await store.close()

    asyncio.run(fill())
    for name in IDENTITY:
        (folder / name).write_text(name)
    settings = {"id": "ab12", "port": 6443, "pod_range": "10.1.0.0/16", "service_range": "10.2.0.0/16", "node": "n"}
    (folder / "cluster.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture
def backup(cluster: Path, tmp_path: Path) -> Path:
    backups.make(cluster, tmp_path / "cluster.backup")
    return tmp_path / "cluster.backup"


def unpacked(file: Path, folder: Path) -> Backup:
    folder.mkdir()
    return backups.unpack(file, folder)


def repacked(file: Path, *members: tuple[str, bytes]) -> None:
    with tarfile.open(file, "w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_what_is_written_is_read_again_and_is_its_owners_alone(cluster: Path, backup: Path, tmp_path: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    said = unpacked(backup, tmp_path / "out")
    assert (said.cluster, said.revision, said.objects, said.lost) == ("ab12", 2, 2, 0)
    for name in IDENTITY:
        assert (tmp_path / "out" / name).read_bytes() == (cluster / name).read_bytes()
        assert (tmp_path / "out" / name).stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cluster.backup", "data", "out"]


def test_a_file_that_is_there_is_not_overwritten(cluster: Path, backup: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(BackupError, match="is there already"):
        backups.make(cluster, backup)
    assert backup.read_bytes() == before


def test_a_change_anywhere_is_noticed_or_changes_nothing(backup: Path, tmp_path: Path) -> None:
    whole, said, refused = backup.read_bytes(), unpacked(backup, tmp_path / "out"), 0
    changed = tmp_path / "changed.backup"
    for number, offset in enumerate(random.Random(1).sample(range(len(whole)), 60)):
        changed.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x42]) + whole[offset + 1 :])
        try:
            assert unpacked(changed, tmp_path / f"out-{number}") == said
        except BackupError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 50


def test_a_file_that_was_cut_short_is_refused(backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    for number, length in enumerate((0, 5, 100, len(whole) // 2, len(whole) - 1)):
        backup.write_bytes(whole[:length])
        with pytest.raises(BackupError, match=r"damaged|no backup of Naru's"):
            unpacked(backup, tmp_path / f"out-{number}")


def test_other_files_are_refused_by_what_they_are(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"apiVersion: v1\n")
    with pytest.raises(BackupError, match="no backup of Naru's"):
        unpacked(other, tmp_path / "1")
    other.write_bytes(gzip.compress(b"apiVersion: v1\n"))
    with pytest.raises(BackupError, match="damaged"):
        unpacked(other, tmp_path / "2")
    repacked(other, ("etc/passwd", b"root"))
    with pytest.raises(BackupError, match="no backup of Naru's"):
        unpacked(other, tmp_path / "3")
    repacked(other, ("naru-backup.json", b'{"format": 2}'))
    with pytest.raises(BackupError, match=r"format 2.*use the version that wrote it"):
        unpacked(other, tmp_path / "4")
    with pytest.raises(BackupError, match="No such file"):
        unpacked(tmp_path / "nowhere", tmp_path / "5")


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    other = tmp_path / "other"
    repacked(other, ("naru-backup.json", b'{"format": 1}'), ("../escaped", b"here"))
    with pytest.raises(BackupError, match=r"'\.\./escaped'"):
        unpacked(other, tmp_path / "out")
    assert not (tmp_path / "escaped").exists()


def test_a_backup_is_not_restored_over_another_cluster(
    cluster: Path, backup: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = json.loads((cluster / "cluster.json").read_text())
    (cluster / "cluster.json").write_text(json.dumps(settings | {"id": "cd34"}))
    before = (cluster / "store.db").read_bytes()
    assert main(["restore", "--data-dir", str(cluster), str(backup)]) == 1
    assert "is of cluster ab12, and" in capsys.readouterr().err
    assert (cluster / "store.db").read_bytes() == before


def test_restored_where_nothing_is_it_is_the_cluster_and_where_it_is_its_keys_stay(
    cluster: Path, backup: Path, tmp_path: Path
) -> None:
    assert main(["restore", "--data-dir", str(tmp_path / "new"), str(backup)]) == 0
    assert {*IDENTITY, "store.db"} <= {file.name for file in (tmp_path / "new").iterdir()}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    (cluster / "token").write_text("another since")
    (cluster / ".restore").mkdir()  # as one that was killed leaves it
    (cluster / ".restore" / "store.db").touch()
    (cluster / "ca.key").unlink()
    assert main(["restore", "--data-dir", str(cluster), str(backup)]) == 0
    assert (cluster / "token").read_text() == "another since"
    assert (cluster / "ca.key").read_text() == "ca.key"
    assert not (cluster / ".restore").exists()


def test_what_is_left_of_a_store_that_lost_changes_is_kept_by_backup_and_restore(
    cluster: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As one that was put back by hand: without what came after, its revisions would be given out a second time."""
    left = str(tmp_path / "left.backup")
    (cluster / "store.db.answered").write_text("9".zfill(20))
    with pytest.raises(StoreError, match=r"its last revision is 2, and 9 was answered already.*naru backup LEFT"):
        inspect(cluster / "store.db")
    assert main(["backup", "--data-dir", str(cluster), left]) == 3
    assert "7 later changes were answered" in capsys.readouterr().err
    assert main(["restore", "--data-dir", str(cluster), left]) == 0
    assert inspect(cluster / "store.db").revision > 9


def test_without_a_cluster_there_is_nothing_to_back_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", "--data-dir", str(tmp_path), str(tmp_path / "b")]) == 1
    assert "there is no store in" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
