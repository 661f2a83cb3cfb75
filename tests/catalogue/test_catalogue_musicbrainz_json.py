"""MusicBrainz' JSON: the dump of one entity a line, and answers of the web service."""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from musicbrainz_dump import TIMESTAMP, Laid, gid, lay, packed, tar_of

from fonoteca.catalogue.desk import RECORDINGS
from fonoteca.catalogue.kinds import musicbrainz_json
from fonoteca.catalogue.kinds.musicbrainz import CC0, CC_BY_NC_SA
from fonoteca.catalogue.kinds.musicbrainz_json import KIND
from fonoteca.catalogue.musicbrainz.entities import FIELDS, ORDER, UnfitError, entity_rows
from fonoteca.catalogue.musicbrainz.schema import RECORDING_LICENCE, RELEASE_LICENCE
from fonoteca.model.errors import SourceError, UsageError


def credit(*names: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "joinphrase": phrase, "artist": {"id": gid("artist", 1), "name": name}} for name, phrase in names]


def recording(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": gid("recording", number),
        "title": f"Title {number}",
        "length": 180_000,
        "video": False,
        "disambiguation": "",
        "artist-credit": credit(("Ana", "")),
        **fields,
    }


def licensed(url: str, link_type: str, ended: bool = False) -> dict[str, Any]:
    return {"type": "license", "type-id": link_type, "target-type": "url", "ended": ended, "url": {"id": "x", "resource": url}}


def release(number: int, recordings: Sequence[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    tracks = [
        {"id": gid("track", n), "number": str(n), "position": n, "title": "as on the sleeve", "length": 181_000, "recording": found}
        for n, found in enumerate(recordings, 1)
    ]
    return {
        "id": gid("release", number),
        "title": f"Release {number}",
        "status": "Official",
        "date": "2001-07-04",
        "text-representation": {"language": None, "script": None},
        "media": [{"position": 1, "format": "CD", "track-count": len(tracks), "track-offset": 0, "tracks": tracks}],
        **fields,
    }


def dump(folder: Path, entity: str, entities: Sequence[Any], schema: int = 1) -> Path:
    """Write an archive as JSONDump.pm does: lines joined, so that the last has no end, and the schema's number behind them."""
    small = {"TIMESTAMP": TIMESTAMP, "COPYING": "CC0", "README": "", "REPLICATION_SEQUENCE": "7", "SCHEMA_SEQUENCE": "31"}
    lines = "\n".join(found if isinstance(found, str) else json.dumps(found, ensure_ascii=False) for found in entities)
    files = {**small, f"mbdump/{entity}": lines, "JSON_DUMPS_SCHEMA_NUMBER": f"{schema}\n"}
    path = folder / f"{entity}.tar.xz"
    path.write_bytes(packed(tar_of({name: text.encode() for name, text in files.items()}), path.name))
    return path


def answer(folder: Path, document: Any, name: str = "answer.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def rows(laid: Laid) -> list[dict[str, Any]]:
    assert laid.rejects == []
    return laid.rows(RECORDINGS)


def test_a_dump_gives_standalone_recordings_and_those_of_each_release(tmp_path: Path) -> None:
    paths = dump(tmp_path, "recording", [recording(1)]), dump(tmp_path, "release", [release(1, [recording(2), recording(3)])])
    laid = lay(KIND, tmp_path / "scratch", *paths)
    found = {row["id"]: row for row in rows(laid)}
    assert set(found) == {gid("recording", n) for n in (1, 2, 3)}
    third = found[gid("recording", 3)]
    assert third == {
        "line": 1,
        "id": gid("recording", 3),
        "title": "Title 3",
        "artist": "Ana",
        "release": "Release 1",
        "genre": None,
        "release_id": gid("release", 1),
        "disc": "1",
        "track": "2",
        "year": "2001-07-04",
        "duration_ms": "180000",
        "isrc": "",
        "licence": None,
        "source_uri": f"https://musicbrainz.org/recording/{gid('recording', 3)}",
    }
    assert found[gid("recording", 1)]["release"] is None
    assert (laid.heading.name, laid.heading.date, laid.heading.licence) == ("musicbrainz-json", "2026-05-20", CC0)
    assert laid.desk.facts == {"schema_sequence": 31, "replication_sequence": 7, "json_dumps_schema_number": 1}


def test_of_a_recordings_rows_that_of_its_earliest_official_release_comes_first(tmp_path: Path) -> None:
    found = [
        release(1, [recording(1)], date="2005"),
        release(2, [recording(1)], date="1970-01-01", status="Bootleg"),
        release(3, [recording(1)], date="1998"),
        release(4, [recording(1)], date="1998-11-02"),
        release(5, [recording(1)], date=""),
        release(6, [recording(1)], date="0000-01-01"),
    ]
    laid = lay(KIND, tmp_path / "scratch", dump(tmp_path, "release", found))
    assert [row["release"] for row in rows(laid)][:3] == ["Release 4", "Release 3", "Release 1"]
    assert rows(laid)[-1]["release"] == "Release 2"


def test_credits_isrcs_genres_and_licences_are_read(tmp_path: Path) -> None:
    whole = recording(
        1,
        **{"artist-credit": credit(("m-flo", " ♥ "), ("BoA", ""))},
        isrcs=["JPA600102450", {"id": "GBAYE0601498"}],
        genres=[{"name": "j-pop", "count": 2}, {"name": "electronic", "count": 2}, {"name": "rock", "count": 0}],
        tags=[{"name": "seen live", "count": 9}],
        relations=[licensed("https://cc/old", RECORDING_LICENCE, ended=True), licensed("https://cc/new", RECORDING_LICENCE)],
    )
    plain = recording(2, length=None, **{"artist-credit": []})
    on = release(
        1, [whole, plain], relations=[licensed("https://cc/release", RELEASE_LICENCE)], **{"artist-credit": credit(("VA", ""))}
    )
    laid = lay(KIND, tmp_path / "scratch", dump(tmp_path, "release", [on]))
    first, second = rows(laid)
    assert [first[field] for field in ("artist", "isrc", "genre", "licence")] == [
        *("m-flo ♥ BoA", "JPA600102450 GBAYE0601498", "electronic", "https://cc/new"),
    ]
    assert [second[field] for field in ("artist", "duration_ms", "licence")] == ["VA", "181000", "https://cc/release"]
    assert laid.heading.licence == CC_BY_NC_SA


def test_hidden_and_data_tracks_are_tracks(tmp_path: Path) -> None:
    found = release(1, [recording(2)])
    found["media"][0]["pregap"] = {"position": 0, "recording": recording(1)}
    found["media"][0]["data-tracks"] = [{"position": 2, "recording": recording(3)}]
    laid = lay(KIND, tmp_path / "scratch", dump(tmp_path, "release", [found]))
    assert [(row["title"], row["track"]) for row in rows(laid)] == [("Title 1", "0"), ("Title 2", "1"), ("Title 3", "2")]


def test_answers_of_the_web_service_are_read(tmp_path: Path) -> None:
    # A look-up, a browse, a search and a look-up of a release, as documented at musicbrainz.org/doc/MusicBrainz_API.
    searched = recording(3, releases=[{"id": gid("release", 9), "title": "Found", "status": "Official", "date": "1993"}])
    searched["releases"][0]["media"] = [{"position": 2, "track": [{"id": "t", "number": "7", "title": "x"}], "track-offset": 6}]
    documents = [
        recording(1, **{"first-release-date": "1987-07-27"}, releases=[]),
        {"recording-count": 1, "recording-offset": 0, "recordings": [recording(2)]},
        {"created": "2026-03-12T16:40:31.107Z", "count": 1, "offset": 0, "recordings": [searched]},
        release(1, [recording(4)]),
        {"release-count": 1, "release-offset": 0, "releases": [release(2, [recording(5)])]},
        [recording(6)],
    ]
    paths = [answer(tmp_path, json.dumps(found, indent=1), f"{number}.json") for number, found in enumerate(documents)]
    laid = lay(KIND, tmp_path / "scratch", *paths)
    found = {row["title"]: row for row in rows(laid)}
    assert sorted(found) == [f"Title {n}" for n in range(1, 7)]
    assert found["Title 1"]["year"] == "1987-07-27"
    assert [found["Title 3"][field] for field in ("release", "disc", "track", "year")] == ["Found", "2", "7", "1993"]
    assert (laid.heading.date, laid.heading.licence) == ("2026-03-12", CC0)
    whole = lay(KIND, tmp_path / "folder", tmp_path)
    assert sorted(map(str, rows(whole))) == sorted(map(str, rows(laid)))


@pytest.mark.parametrize("name", ["answers.jsonl", "answers.json", "answers.ndjson.xz", "recording"])
def test_one_entity_a_line_is_read_under_any_name(tmp_path: Path, name: str) -> None:
    text = "".join(json.dumps(recording(number)) + "\n" for number in (1, 2, 3)).encode()
    (tmp_path / name).write_bytes(lzma.compress(text) if name.endswith("xz") else text)
    laid = lay(KIND, tmp_path / "scratch", tmp_path / name)
    assert sorted((row["line"], row["id"]) for row in rows(laid)) == [(n, gid("recording", n)) for n in (1, 2, 3)]


BAD_LINES = [
    ("{", "no JSON: "),
    ('{"id": NaN}', "no JSON: NaN is no number"),
    ("[" * 100_000, "no JSON: nested too deeply"),
    ("7", "the document: expected an object, found int"),
    (json.dumps(recording(1, title=["x"])), "title: expected text or a number, found list"),
    (json.dumps(recording(1, length=True)), "length: expected text or a number, found bool"),
    (json.dumps(recording(1, isrcs="GBAYE0601498")), "isrcs: expected a list, found str"),
    (json.dumps(recording(1, **{"artist-credit": [7]})), "artist-credit: expected an object, found int"),
    (json.dumps(recording(1, genres=[{"name": "x", "count": 10**9}])), "count: expected a whole number, found '1000000000'"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES, ids=[reason for _, reason in BAD_LINES])
def test_a_bad_line_is_set_aside_with_its_number(tmp_path: Path, line: str, reason: str) -> None:
    path = answer(tmp_path, "\n".join([json.dumps(recording(1)), line, "", json.dumps(recording(4)), ""]), "recording")
    laid = lay(KIND, tmp_path / "scratch", path)
    assert [row["line"] for row in laid.rows(RECORDINGS)] == [1, 4]
    assert [(bad.file, bad.line) for bad in laid.rejects] == [("recording", 2)]
    assert laid.rejects[0].reason.startswith(reason)


def test_text_that_is_no_unicode_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    lines = [json.dumps(recording(n)).encode() for n in (1, 2, 3)]
    path.write_bytes(b"\n".join([lines[0], lines[1].replace(b"Title", b"T\xff"), lines[2].replace(b"Title", rb"T\ud800"), b""]))
    laid = lay(KIND, tmp_path / "scratch", path)
    assert [row["line"] for row in laid.rows(RECORDINGS)] == [1]
    assert laid.reasons == [("recording", 2, "not UTF-8"), ("recording", 3, "not UTF-8")]


@pytest.mark.parametrize("name", ["recording", "answers.jsonl", "answer.json"])
def test_a_file_cut_within_a_line_fails_the_import(tmp_path: Path, name: str) -> None:
    path = answer(tmp_path, "\n".join([json.dumps(recording(1)), json.dumps(recording(2))[:-9]]), name)
    with pytest.raises(SourceError, match=f"{name}:2: ends within a line"):
        lay(KIND, tmp_path / "scratch", path)


def test_broken_files_say_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = dump(tmp_path, "recording", [recording(n) for n in range(50)])
    cut.write_bytes(cut.read_bytes()[:-200])
    newer = dump(tmp_path, "release", [release(1, [recording(1)])], schema=2)
    empty = tmp_path / "empty"
    empty.mkdir()
    for path, error, problem in (
        (cut, SourceError, r"byte \d+ packed"),
        (newer, SourceError, "expected schema 1, found 2"),
        (answer(tmp_path, "<html>", "page.json"), SourceError, "page.json: is no JSON"),
        (empty, UsageError, "holds neither mbdump/ nor an archive"),
        (tmp_path / "x.xml", UsageError, "expected a name ending in"),
    ):
        with pytest.raises(error, match=problem):
            lay(KIND, tmp_path / "scratch", path)
    monkeypatch.setattr(musicbrainz_json, "DOCUMENT_BYTES_MAX", 100)
    with pytest.raises(SourceError, match="a document of more than 100 bytes"):
        lay(KIND, tmp_path / "scratch", answer(tmp_path, recording(1)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "title", "media", "tracks", "recording", "recordings", "releases", "length", "isrcs", "genres"]),
            inner,
        )
    ),
    max_leaves=15,
)


@given(JSON, st.sampled_from(["", "recording", "release"]))
def test_any_document_gives_whole_rows_or_a_reason(document: Any, entity: Any) -> None:
    try:
        found = list(entity_rows(document, entity))
    except UnfitError:
        return
    assert {len(row) for row in found} <= {len(FIELDS) + len(ORDER)}
    assert {type(cell) for row in found for cell in row} <= {str, int, float, type(None)}


def test_real_ids_of_listenbrainz_answers_are_kept(tmp_path: Path, fixtures: Path) -> None:
    known = json.loads((fixtures / "listenbrainz" / "mb_lookup_metadata_example.json").read_text())
    found = {
        "id": known["recording_mbid"],
        "title": known["recording_name"],
        "length": 214_000,
        "artist-credit": [{"name": known["artist_credit_name"], "joinphrase": ""}],
        "releases": [{"id": known["release_mbid"], "title": known["release_name"], "status": "Official", "date": "1987"}],
    }
    (row,) = rows(lay(KIND, tmp_path / "scratch", answer(tmp_path, found)))
    assert [row[field] for field in ("id", "title", "artist", "release", "release_id")] == [
        *(known["recording_mbid"], "Never Gonna Give You Up", "Rick Astley", "Red Hot", known["release_mbid"]),
    ]
