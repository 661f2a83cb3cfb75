"""Further versions of an object: what changed is stored, what stayed is shared, and `show --versions` tells which is which."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flows_world import NOW, StoppedClock, audio, check, make_archive, opened, put_item, take, track

import fonoteca.cli.commands  # noqa: F401  (importing it makes every command join)
from fonoteca.cli.app import run
from fonoteca.formats.ocfl import object_path

BY, BY_SA = 'licence = "CC-BY-4.0"', 'licence = "CC-BY-SA-4.0"'
TRACKS = {f"{n:02} x.flac": track(n) for n in (1, 2)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, validate: Callable[[Path], None]) -> Path:
    """Return an archive with an object of five versions: made, a file added, a title, the rights, a tag corrected."""
    scratch = tmp_path_factory.mktemp("versions")
    archive_folder, music = make_archive(scratch / "archive"), scratch / "music"
    item = put_item(music, "one", TRACKS, BY)
    steps: list[Callable[[], object]] = [
        lambda: None,
        lambda: (item / "03 y.flac").write_bytes(track(3)),
        lambda: _edit(item, 'title = "Item one"', 'title = "The first item"'),
        lambda: _edit(item, BY, BY_SA),
        lambda: (item / "01 x.flac").write_bytes(track(1, title="Its right title")),
    ]
    for day, step in enumerate(steps):
        step()
        with opened(archive_folder, clock=StoppedClock(NOW + timedelta(days=day))) as archive:
            (outcome,) = take(archive, music)
            assert (outcome.version, outcome.made) == (day + 1, True)  # type: ignore[union-attr]
            assert check(archive).sound
    validate(archive_folder / "store")
    return archive_folder


def _edit(item: Path, old: str, new: str) -> None:
    text = (item / "rights.toml").read_text()
    assert old in text
    (item / "rights.toml").write_text(text.replace(old, new))


def _content(folder: Path, name: str) -> list[bytes]:
    root = folder / "store" / object_path(audio("one"))
    return [path.read_bytes() for path in sorted((root / name / "content").iterdir())]


def test_a_version_stores_what_changed_and_nothing_twice(folder: Path) -> None:
    audio_in = [sum(content[:4] == b"fLaC" for content in _content(folder, f"v{n}")) for n in range(1, 6)]
    assert audio_in == [2, 1, 0, 0, 1]
    versions = [content for n in range(1, 6) for content in _content(folder, f"v{n}")]
    digests = Counter(hashlib.sha256(content).hexdigest() for content in versions)
    assert max(digests.values()) == 1


def test_earlier_versions_stay_readable(folder: Path) -> None:
    with opened(folder) as archive:
        for version, licence in enumerate(["by", "by", "by", "by-sa", "by-sa"], 1):
            assert f"/{licence}/" in archive.store.rights(audio("one"), version).licence_uri
        titles = [archive.store.metadata(audio("one"), version).title for version in range(1, 6)]
        assert titles == ["Item one", "Item one", "The first item", "The first item", "The first item"]
        tracks = [len(archive.store.read(audio("one"), version).files) for version in range(1, 6)]
        assert tracks == [2, 3, 3, 3, 3]


def test_show_tells_the_versions_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", audio("one"), "--versions", "--json", "--archive", str(folder)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["object"] == audio("one")
    versions = answer["versions"]
    assert [v["version"] for v in versions] == [1, 2, 3, 4, 5]
    assert [v["created_at"][:10] for v in versions] == [f"2026-03-0{day}" for day in range(1, 6)]
    assert all(v["message"] == "Acquire" for v in versions)
    described = ["metadata.json"]
    assert versions[0]["added"] == ["01 x.flac", "02 x.flac", "metadata.json", "rights.json"]
    assert (versions[1]["added"], versions[1]["changed"]) == (["03 y.flac"], described)
    assert (versions[2]["added"], versions[2]["changed"]) == ([], [*described, "rights.json"])  # the attribution names the title
    assert "rights.json" in versions[3]["changed"]
    assert "01 x.flac" in versions[4]["changed"]
    assert all(v["removed"] == [] for v in versions)
    assert [v["content_files"] for v in versions] == [4, *(len(v["added"]) + len(v["changed"]) for v in versions[1:])]
    root = folder / "store" / object_path(audio("one"))
    sizes = [sum(p.stat().st_size for p in (root / f"v{n}").rglob("*") if p.is_file()) for n in range(1, 6)]
    assert [v["bytes"] for v in versions] == sizes


def test_show_prints_the_versions_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", audio("one"), "--versions", "--archive", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "v2 + 03 y.flac" in out
    assert "v5 ~ 01 x.flac" in out
    assert "v1 +" not in out  # all of it is there in the table's first row
    assert run(["show", "urn:fonoteca:audio:folder:unknown", "--versions", "--archive", str(folder)]) == 2
