"""Suggestions: which recording a held file is, how likely and why; and what accepting one does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flows_world import Quiet, audio, make_archive, opened, put_item, take, track

import fonoteca.cli.commands  # noqa: F401  (every command joins)
from fonoteca.catalogue import TableMapping
from fonoteca.cli.app import run
from fonoteca.deskroom import desk_rooms
from fonoteca.flows.catalogue import refresh
from fonoteca.flows.correct import changes_to
from fonoteca.flows.docket import put_and_do
from fonoteca.flows.suggesting import suggested
from fonoteca.formats.corrections import correcting_order
from fonoteca.model.catalogue import Suggested
from fonoteca.wiring import Archive, catalogue_rooms

ONE, SONG = audio("one"), "01 a.flac"
RIGHT, LIVE, OTHER = (f"{number}1111111-1111-4111-8111-111111111111" for number in "abc")
ROWS = (
    {"id": RIGHT, "title": "Regen über Nacht", "artist": "The Generators", "ms": 500},
    {"id": LIVE, "title": "Regen über Nacht (live)", "artist": "The Generators", "ms": 290_000},
    {"id": OTHER, "title": "Regen", "artist": "Somebody Else", "ms": 180_000},
)


def listed(archive: Archive, folder: Path, rows: tuple[dict[str, object], ...]) -> None:
    """Import a list, and build the catalogue with what is held."""
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"id": "id", "title": "title", "artist": "artist", "duration_ms": "ms"}
    mapping = TableMapping(name="list", rows="recordings", licence="CC0", attribution="t", date="2026-01-01", columns=columns)
    archive.catalogue.import_table([path], mapping)
    refresh(catalogue_rooms(archive, Quiet()))


def of_song(archive: Archive) -> Suggested:
    return suggested(archive.catalogue, archive.search, archive.register.files(ONE)[0])


def test_what_a_file_is_most_likely_comes_first_and_accepted_it_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_item(tmp_path / "music", "one", {SONG: track(1, title="REGEN: Uber Nacht", artist="The Generatros")})
    folder = make_archive(tmp_path / "archive")
    with opened(folder) as archive:
        take(archive, tmp_path / "music")
        assert of_song(archive) == Suggested(None, ()), "before the first build nothing is known"
        listed(archive, tmp_path, ROWS)
        before = of_song(archive)
        assert before.taken_for is not None
        assert before.taken_for.id.made_here
        best = before.others[0]
        assert (best.recording.id, best.recording.held, best.score > 0.9) == (RIGHT, False, True)
        assert dict(best.reasons) == {"title": "equal", "artist": "equal", "duration": "0.0 s apart", "isrc": "unknown"}
        assert sum(each.score for each in before.others) <= 1.001
        assert all(each.score < 0.1 for each in before.others[1:])
        held_before = archive.catalogue.coverage().held_count
    assert run(["correct", ONE, "--suggest", "--archive", str(folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["files"][0]
    assert (said["file"], said["may_be"][0]["recording"]) == (SONG, RIGHT)
    with opened(folder) as archive:
        order = correcting_order(ONE, changes_to(archive.store, ONE, {(SONG, "recording_mbid"): RIGHT}), "the match")
        put_and_do(desk_rooms(archive, Quiet()), order)
        refresh(catalogue_rooms(archive, Quiet()))
        after = of_song(archive)
        assert after.taken_for is not None
        assert (after.taken_for.id, after.taken_for.held) == (RIGHT, True)
        assert all(each.recording.id != RIGHT for each in after.others)
        assert archive.catalogue.coverage().held_count == held_before
