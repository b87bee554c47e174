"""The documents kept honest: what they tell to type can be typed, what they link to exists, both languages tell the same."""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Iterator

import pytest

from naru.cli import COMMANDS, parser_for

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
TYPED = re.compile(
    rf"^ {{4}}(?:\$ )?naru (?:{'|'.join(COMMANDS)})\b.*"
)  # a line of a block, with or without the prompt
SPOKEN = re.compile(rf"`(naru (?:{'|'.join(COMMANDS)})\b[^`]*)`")  # within a sentence
AFTER = re.compile(r" {2,}| [#&|>]")  # where a command ends: its explanation, the signs of the shell


def commands(text: str) -> Iterator[list[str]]:
    """The words of each `naru …` in a document, in order."""
    for line in text.splitlines():
        typed = [line.strip().removeprefix("$ ")] if TYPED.match(line) else SPOKEN.findall(line)
        for one in typed:
            yield shlex.split(AFTER.split(one, maxsplit=1)[0])


def chapters(path: pathlib.Path) -> list[str]:
    """A document's parts, from one `##` heading to the next."""
    return re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]


def in_english(words: list[str]) -> list[str]:
    """A command without the choice of language, which is all that two translations may differ in."""
    return shlex.split(shlex.join(words).replace(" --language ko", ""))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_command_that_a_document_tells_is_one_that_the_program_takes(document: pathlib.Path) -> None:
    refused = []
    for _, command, *arguments in commands(document.read_text()):
        try:
            parser_for(command).parse_args(arguments)
        except SystemExit:  # argparse's way to refuse
            refused.append(shlex.join([command, *arguments]))
    assert not refused


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_file_that_a_document_links_to_exists(document: pathlib.Path) -> None:
    targets = [link.partition("#")[0] for link in LINK.findall(document.read_text()) if "://" not in link]
    assert [target for target in targets if target and not (document.parent / target).exists()] == []


def test_the_layers_are_told_in_the_same_chapters_in_both_languages() -> None:
    english, korean = chapters(ROOT / "docs/layers.md"), chapters(ROOT / "docs/layers.ko.md")
    assert [chapter[:3] for chapter in english] == [f"{number}. " for number in range(1, 9)]
    assert [chapter[:3] for chapter in korean] == [chapter[:3] for chapter in english]
    for ours, theirs in zip(english, korean, strict=True):
        assert [in_english(words) for words in commands(theirs)] == [in_english(words) for words in commands(ours)]


def test_every_chapter_of_the_layers_has_a_command_and_what_it_printed() -> None:
    for path in (ROOT / "docs/layers.md", ROOT / "docs/layers.ko.md"):
        for chapter in chapters(path):
            assert re.search(r"^ {4}\$ .*\n {4}[^$\s]", chapter, re.MULTILINE), chapter.partition("\n")[0]


def test_the_korean_first_page_has_the_same_sections_and_only_numbers_that_the_english_one_has() -> None:
    english, korean = ROOT / "README.md", ROOT / "README.ko.md"
    assert len(chapters(korean)) == len(chapters(english))
    rows = [line for line in korean.read_text().splitlines() if line.startswith("| ")]
    numbers = set(re.findall(r"\d[\d,.]*", " ".join(rows)))
    assert numbers and numbers <= set(re.findall(r"\d[\d,.]*", english.read_text()))
