"""What a mirror with little space is told of the swarm."""

from __future__ import annotations

from pathlib import Path

from cli_world import OPEN, Fonoteca, item

from fonoteca.formats.metainfo import parse_torrent
from fonoteca.formats.settings import FILE_NAME
from fonoteca.testing.tracker import tracking


def test_explain_says_how_many_seeds_the_tracker_knows_and_null_for_what_it_does_not(tmp_path: Path, fonoteca: Fonoteca) -> None:
    origin = tmp_path / "origin"
    with tracking() as tracker:
        assert fonoteca("init", origin).status == 0
        settings = (origin / FILE_NAME).read_text()
        (origin / FILE_NAME).write_text(settings.replace("trackers = []", f'trackers = ["{tracker.url}"]'))
        for words in (["acquire", "folder", item(tmp_path / "music" / "good", OPEN)], ["publish"]):
            assert fonoteca(*words, "-A", origin).status == 0
        torrents = {path.stem: path.read_bytes() for path in (origin / "editions" / "drops").iterdir()}
        audio = next(name for name in torrents if name.startswith("audio"))
        v1 = bytes.fromhex(parse_torrent(torrents[audio]).infohash_v1)
        tracker.whole[v1] = {b"one", b"two", b"three"}
        explain = ("follow", origin, "--space", "1GB", "--explain", "-A", tmp_path / "mirror")
        said = {drop["id"]: drop["seeds"] for drop in fonoteca(*explain, "--json").answer["drops"]}
        assert said == {name: 3 if name == audio else None for name in torrents}
        assert tracker.questions == [2 * len(torrents)], "one question for all"
        assert "?" in fonoteca(*explain).out
    gone = fonoteca(*explain, "--json")
    assert gone.status == 0
    assert {drop["seeds"] for drop in gone.answer["drops"]} == {None}
