"""Words of curators: recordings merged and split whatever the rules find, taken back, and never lost or contradicted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flows_world import Quiet, make_anew, make_archive, opened, put_item, serving, take, track

from fonoteca.catalogue import TableMapping
from fonoteca.deskroom import desk_rooms
from fonoteca.flows.catalogue import refresh
from fonoteca.flows.docket import carry_out, put_and_do, undoing, work
from fonoteca.flows.words import words_of
from fonoteca.formats.words import merging_order, splitting_order
from fonoteca.model.desk import Entry, EntryState, Order
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import RecordingId
from fonoteca.people import Role
from fonoteca.wiring import Archive, catalogue_rooms

A, B, C, D = (f"0000000{n}-1111-4222-8333-444444444444" for n in (1, 2, 3, 4))
TITLES = {A: "Night Music", B: "Serenade No. 13", C: "Rondo", D: "Rondo"}
COPY = RecordingId.of("label", "rondo")
WHY = "the same matrix number"


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    put_item(folder / "music", "one", {"01 a.flac": track(1, title="Eine kleine Nachtmusik", artist="Orch.")})
    return folder / "music"


@pytest.fixture
def archive(tmp_path: Path, music: Path) -> Iterator[Archive]:
    """Return an archive with one track, and a catalogue of four recordings, one of which a label has, too."""
    rows: list[dict[str, Any]] = [
        {"id": one, "title": title, "artist": "Orchestra" if one != D else "Another", "duration_ms": 200_000}
        for one, title in TITLES.items()
    ]
    with opened(make_archive(tmp_path / "archive")) as archive:
        take(archive, music)
        put_table(archive, tmp_path, "base", rows)
        put_table(archive, tmp_path, "label", [{"key": "rondo", "title": "Rondo", "artist": "Orchestra", "duration_ms": 201_000}])
        build(archive)
        yield archive


def put_table(archive: Archive, folder: Path, name: str, rows: list[dict[str, Any]], kind: str = "recordings") -> None:
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    columns = {field: field for field in rows[0]}
    mapping = TableMapping(name=name, rows=kind, licence="CC0", attribution="t", date="2026-01-01", columns=columns)
    archive.catalogue.import_table([path], mapping)


def build(archive: Archive) -> str:
    return refresh(catalogue_rooms(archive, Quiet())).name


def say(archive: Archive, order: Order) -> Entry:
    return put_and_do(desk_rooms(archive, Quiet()), order)


def undo(archive: Archive, entry: Entry) -> Entry:
    return say(archive, undoing(archive.people.docket, entry.number, "a mistake"))


def leads(archive: Archive, *ids: str) -> list[str]:
    """Return the recordings that these ids lead to."""
    found = [archive.catalogue.recording(one) for one in ids]
    return [each.id if each else "" for each in found]


def held(archive: Archive) -> RecordingId:
    row = next(archive.register.held_tracks())
    return row.recording


def test_a_merge_leads_old_ids_to_what_stays_until_it_is_taken_back(archive: Archive, tmp_path: Path) -> None:
    mine = held(archive)
    assert leads(archive, A, B, C, COPY, mine) == [A, B, C, C, mine]
    before = archive.catalogue.snapshot()
    entry = say(archive, merging_order(A, [B, COPY], WHY))
    assert leads(archive, B) == [B], "it counts from the next build on"
    held_word = say(archive, merging_order(A, [mine], "by ear"))
    build(archive)
    assert leads(archive, A, B, C, COPY, mine) == [A, A, A, A, A]
    found = archive.catalogue.recording(A)
    assert found is not None
    assert (found.held, found.title) == (True, "Night Music")
    assert {(row.id, row.rule) for row in archive.catalogue.rows_of(found)} == {
        *((A, ""), (B, "word"), (C, "word"), (COPY, "name"), (mine, "word"))
    }
    with serving(archive) as address, httpx.Client(base_url=address) as client:
        for one in (A, B, mine):
            answer = client.get(f"/tracks/{one}")
            assert (answer.status_code, answer.headers["location"]) == (302, "/tracks/urn:fonoteca:audio:folder:one/01%20a.flac")
    # Rules, imports and the register made anew change nothing of it.
    make_anew(archive)
    put_table(archive, tmp_path, "moved", [{"id": B, "into": D}], "redirects")
    put_table(archive, tmp_path, "late", [{"id": B, "title": "Serenade", "artist": "Orchestra", "duration_ms": 100_000}])
    build(archive)
    assert leads(archive, A, D, C) == [A, A, A], "what B is now is A, too"
    for name in ("moved", "late"):
        archive.blobs("catalogue").delete(f"imports/{name}")
    undo(archive, entry)
    undo(archive, held_word)
    build(archive)
    assert leads(archive, A, B, C, COPY, mine) == [A, B, C, C, mine]
    after = archive.catalogue.snapshot()
    assert before is not None
    assert after is not None
    assert before.files == after.files, "as if nothing had been said, to the byte"


def test_what_is_split_no_rule_and_no_redirect_takes_back(archive: Archive, tmp_path: Path) -> None:
    entry = say(archive, splitting_order(C, [COPY], "another take"))
    put_table(archive, tmp_path, "more", [{"key": "r", "title": "Rondo", "artist": "Orchestra", "duration_ms": 200_500}])
    build(archive)
    more = RecordingId.of("more", "r")
    assert leads(archive, C, COPY, more) == [C, COPY, C]
    with pytest.raises(UsageError, match=f"entry {entry.number} of .* says that they are two: another take"):
        say(archive, merging_order(C, [COPY], WHY))
    # Also by way of a third: D is the copy, so it is not C.
    say(archive, merging_order(COPY, [D], WHY))
    with pytest.raises(UsageError, match="are two"):
        say(archive, merging_order(C, [D], WHY))
    undo(archive, entry)
    build(archive)
    assert leads(archive, C, COPY, more, D) == [C, C, C, C], "the rules find them one, and D is one with them by a word"
    # The recording's own id can go as well as any other.
    with pytest.raises(UsageError, match=r"entry \d+ of .* says that they are one"):
        say(archive, splitting_order(C, [D], "contradicts a merge"))
    own = say(archive, splitting_order(C, [C], "the copy is right"))
    build(archive)
    assert leads(archive, C, D)[0] == C
    assert len(set(leads(archive, C, COPY))) == 2
    assert [word.entry for word in words_of(archive.register)][-1] == own.number


def test_a_word_that_makes_no_sense_is_refused_and_says_why(archive: Archive) -> None:
    unknown = "99999999-1111-4222-8333-444444444444"
    cases: list[tuple[Order, str]] = [
        (merging_order(A, [unknown], WHY), f"{unknown}: the catalogue has no recording"),
        (merging_order(A, ["no id"], WHY), "not the id of a recording"),
        (merging_order(A, [B, B], WHY), "named twice"),
        (merging_order(A, [A], WHY), "named twice"),
        (merging_order(C, [COPY], WHY), f"has it as {C} already"),
        (merging_order(A, [B], " "), "no reason"),
        (merging_order(A, [], WHY), "expected 1 to"),
        (splitting_order(C, [B], WHY), f"no row of {C} has this id"),
        (splitting_order(C, [C, COPY], WHY), "nothing would be left"),
    ]
    for order, problem in cases:
        with pytest.raises(UsageError, match=problem):
            say(archive, order)
    first = say(archive, merging_order(A, [B], WHY))
    say(archive, merging_order(B, [D], WHY))
    for order in (merging_order(B, [A], WHY), merging_order(D, [A], WHY)):
        with pytest.raises(UsageError, match="says that they are one"):
            say(archive, order)
    assert len(words_of(archive.register)) == 2
    undo(archive, first)
    with pytest.raises(UsageError, match="already"):
        undo(archive, first)
    # Killed after it was said and before the docket knew: once more does no harm.
    again = archive.people.docket.put(merging_order(A, [C], WHY), None, archive.people.docket.seen())
    rooms = desk_rooms(archive, Quiet())
    assert [carry_out(rooms, again).state for _ in range(2)] == [EntryState.DONE] * 2
    assert len(words_of(archive.register)) == 2


def test_words_about_what_no_import_has_any_more_wait_for_it(archive: Archive, tmp_path: Path) -> None:
    say(archive, merging_order(A, [B], WHY))
    put_table(archive, tmp_path, "base", [{"id": A, "title": "Night Music", "artist": "Orchestra", "duration_ms": 200_000}])
    build(archive)
    stored = archive.catalogue.stored_snapshot()
    assert stored is not None
    assert (stored.unused["words"], leads(archive, A, B)) == (1, [A, ""])
    put_table(archive, tmp_path, "other", [{"id": B, "title": "Found Again", "artist": "X", "duration_ms": 1000}])
    build(archive)
    assert leads(archive, A, B) == [A, A]


def test_the_desk_suggests_what_a_held_track_is_and_takes_an_answer(archive: Archive, tmp_path: Path) -> None:
    mine, song = held(archive), "Eine kleine Nachtmusik"
    other = "00000005-1111-4222-8333-444444444444"
    rows = [{"id": other, "title": f"{song} (Remastered)", "artist": "Orch.", "duration_ms": 5_500}]
    put_table(archive, tmp_path, "late", rows)
    put_table(archive, tmp_path, "later", [{"key": "k", "title": song, "artist": "Orch.", "duration_ms": 5_000}])
    build(archive)
    later = RecordingId.of("later", "k")
    (track,) = archive.catalogue.unmatched()
    assert track.id == mine
    candidates = [each for one in (other, later, A) if (each := archive.catalogue.recording(one))]
    suggestions = archive.catalogue.suggestions(track, "", candidates)
    assert [each.recording.id for each in suggestions] == [later, other, A]
    assert 1 >= suggestions[0].score > suggestions[1].score > 0.01 > suggestions[2].score
    assert dict(suggestions[0].reasons) == {"title": "equal", "artist": "equal", "duration": "4.5 s apart", "isrc": "unknown"}
    assert dict(suggestions[2].reasons)["title"] == "differs"
    curator = archive.people.add("Cleo", "correct horse battery", Role.CURATOR)
    bearer = {"Authorization": f"Bearer {archive.people.add_key(curator.number, 'test').text}"}
    with serving(archive) as address, httpx.Client(base_url=address, headers=bearer, timeout=30) as client:
        page = client.get("/desk/matches")
        assert page.status_code == 200
        assert page.text.index(later) < page.text.index(other)
        assert "title equal, artist equal, duration 4.5 s apart, isrc unknown" in page.text
        form = {"track": mine, "why": "90 %", "after": "0", "seen": "0"}
        assert client.post("/desk/matches", data={**form, "other": later, "answer": "other"}).status_code == 303
        assert other not in client.get("/desk/matches").text, "what waits to be carried out is not asked again"
        assert client.post("/desk/matches", data={**form, "other": other, "answer": "same"}).status_code == 409
        assert [each.state for each in work(desk_rooms(archive, Quiet()))] == [EntryState.DONE]
        text = client.get("/desk/matches").text
        assert (other in text, later in text) == (True, False)
        assert client.post("/desk/matches", data={**form, "other": other, "answer": "same", "seen": "1"}).status_code == 303
        assert [each.state for each in work(desk_rooms(archive, Quiet()))] == [EntryState.DONE]
    make_anew(archive)
    build(archive)
    found = archive.catalogue.recording(other)
    assert found is not None
    assert (leads(archive, mine), found.held, archive.catalogue.unmatched()) == ([other], True, [])
