"""`fonoteca torrents check`: a verdict with reasons on any torrent file, and the exit status that says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_world import Fonoteca

FIXTURES = "torrents-webtorrent/fixtures"


def test_sound_torrents_end_with_zero_and_say_what_is_unwise(fonoteca: Fonoteca, fixtures: Path) -> None:
    said = fonoteca("torrents", "check", fixtures / FIXTURES / "alice.torrent", fixtures / FIXTURES / "bunny.torrent", "--json")
    assert said.status == 0
    assert said.answer["sound"] is True
    alice, bunny = said.answer["torrents"]
    assert (alice["name"], alice["version"], alice["bytes"], alice["infohash_v2"]) == ("alice.txt", "v1", 163783, None)
    assert {f["code"] for f in bunny["findings"]} == {"version.v1", "private.set", "webseed.plain"}
    assert {f["level"] for f in bunny["findings"]} == {"unwise"}


def test_one_that_is_refused_among_sound_ones_ends_with_five_and_its_reason(fonoteca: Fonoteca, fixtures: Path) -> None:
    words = ["torrents", "check", fixtures / FIXTURES / "alice.torrent", fixtures / FIXTURES / "corrupt.torrent"]
    said = fonoteca(*words, "--json")
    assert said.status == 5
    assert [each["sound"] for each in said.answer["torrents"]] == [True, False]
    (reason,) = said.answer["torrents"][1]["findings"]
    assert (reason["code"], reason["place"]) == ("field.missing", "info")
    shown = fonoteca(*words)
    assert shown.status == 5
    assert "corrupt.torrent: refused" in shown.out
    assert "expected a string as 'name', found nothing" in shown.out
    assert "1 sound, 1 refused" in shown.out


def test_a_name_cannot_write_on_the_terminal(fonoteca: Fonoteca, tmp_path: Path) -> None:
    name = b"\x1b[31mx\x07\xe2\x80\xae"
    info = b"d6:lengthi1e4:name%d:%b12:piece lengthi16384e6:pieces20:%be" % (len(name), name, bytes(20))
    (tmp_path / "x.torrent").write_bytes(b"d4:info" + info + b"e")
    said = fonoteca("torrents", "check", tmp_path / "x.torrent")
    assert said.status == 5
    assert "name.characters" in said.out
    assert all(character.isprintable() or character == "\n" for character in said.out)


@pytest.mark.parametrize("name", ["gone.torrent", "", "/dev/zero"])
def test_what_is_no_file_is_wrong_use(name: str, fonoteca: Fonoteca, tmp_path: Path) -> None:
    said = fonoteca("torrents", "check", tmp_path / name)
    assert said.status == 2
    assert "there is no such file" in said.err


def test_the_drops_of_an_archive_are_sound_and_not_unwise(fonoteca: Fonoteca, prepared: Path) -> None:
    torrents = sorted((prepared / "editions").rglob("*.torrent"))
    said = fonoteca("torrents", "check", *torrents, "--json")
    assert said.status == 0
    assert torrents
    assert [each["findings"] for each in said.answer["torrents"]] == [[]] * len(torrents)
    assert {each["version"] for each in said.answer["torrents"]} == {"hybrid"}
