"""What -f names is read in order, and what can't be read is told with its file."""

import pathlib

import pytest

from naru.manifests import ManifestError, read


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "deep").mkdir()
    for name in ("b.yaml", "a.yml", "c.json", "notes.txt", "deep/d.yaml"):
        (tmp_path / name).write_text(f'{{"from": "{name}"}}')
    (tmp_path / "b.yaml").write_text("from: b1\n---\n# nothing\n---\nfrom: b2\n")
    return tmp_path


def came_from(documents: list[dict[str, str]]) -> list[str]:
    return [document["from"] for document in documents]


def test_a_folder_is_read_by_name_and_those_below_only_when_asked(folder: pathlib.Path) -> None:
    assert came_from(read([str(folder)])) == ["a.yml", "b1", "b2", "c.json"]
    assert came_from(read([str(folder)], recursive=True)) == ["a.yml", "b1", "b2", "c.json", "deep/d.yaml"]


def test_several_files_keep_the_order_in_which_they_are_named(folder: pathlib.Path) -> None:
    assert came_from(read([str(folder / "c.json"), str(folder / "a.yml")])) == ["c.json", "a.yml"]


def test_a_file_is_read_whatever_it_is_called(folder: pathlib.Path) -> None:
    assert came_from(read([str(folder / "notes.txt")])) == ["notes.txt"]


def test_a_bad_file_is_told_with_its_own_line(folder: pathlib.Path) -> None:
    (folder / "b.yaml").write_text("a: 1\nb: [\n")
    with pytest.raises(ManifestError, match=r"b\.yaml: error converting YAML to JSON: yaml: line 2: "):
        read([str(folder)])


def test_a_folder_with_nothing_to_read_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ManifestError, match=r"has no \.yaml, \.yml or \.json file"):
        read([str(tmp_path)])
