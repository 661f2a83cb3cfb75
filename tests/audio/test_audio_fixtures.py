"""Other projects' files, every one of them: a verdict, never an uncaught exception."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from fonoteca.audio import Examined, Protected, artwork_type, examine, read_tags
from fonoteca.model.errors import AudioError

with (Path(__file__).parent / "verdicts.tsv").open(newline="") as _table:
    VERDICTS = list(csv.DictReader(_table, delimiter="\t"))
"""Grain: a file of fixtures/audio, in order of path; container, codec and duration only where it is sound."""


def test_the_table_names_every_file(fixtures: Path) -> None:
    folder = fixtures / "audio"
    assert [row["file"] for row in VERDICTS] == sorted(str(p.relative_to(folder)) for p in folder.glob("*/*") if p.is_file())


@pytest.mark.parametrize("row", VERDICTS, ids=lambda row: row["file"])
def test_every_file_has_its_verdict(row: dict[str, str], fixtures: Path) -> None:
    path = fixtures / "audio" / row["file"]
    try:
        found: Examined | Protected | AudioError = examine(path, row["file"])
    except AudioError as error:
        found = error
    assert type(found).__name__ == row["verdict"]
    if isinstance(found, Examined):
        probe = found.probe
        assert (probe.container, probe.codec, str(probe.duration_ms)) == (row["container"], row["codec"], row["duration_ms"])
        assert found.tags == read_tags(path)
    elif isinstance(found, AudioError):
        assert found.subject == row["file"]


@pytest.mark.parametrize("row", VERDICTS, ids=lambda row: row["file"])
def test_tags_of_any_file_are_read_or_refused(row: dict[str, str], fixtures: Path) -> None:
    path = fixtures / "audio" / row["file"]
    try:
        tags = read_tags(path)
    except AudioError:
        return
    for texts in tags.other.values():
        assert all(text.encode() for text in texts)


def test_pictures_are_told_by_their_first_bytes(fixtures: Path) -> None:
    folder = fixtures / "audio"
    kinds = {path.name: artwork_type(path.read_bytes()[:12]) for path in folder.glob("*/*")}
    assert {name for name, kind in kinds.items() if kind == "image/png"} == {"image-2x3.png"}
    assert {name for name, kind in kinds.items() if kind == "image/jpeg"} == {
        *("abbey.jpg", "abbey-similar.jpg", "abbey-different.jpg", "image-2x3.jpg", "only-magic-bytes.jpg", "image.jpg")
    }
    assert artwork_type(b"RIFF\0\0\0\0WEBPVP8 ") == "image/webp"
    assert artwork_type(b"GIF89a\1\0\1\0\0\0") == "image/gif"
    assert artwork_type(b"RIFF\0\0\0\0WAVEfmt ") is None
    assert artwork_type(b"") is None
