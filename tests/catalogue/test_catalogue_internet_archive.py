"""Answers of the Internet Archive: which file is a recording, what is left out, and what broken answers get."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from desk_world import Laid, lay
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.catalogue.archive_items import ItemReader, UnfitItemError, seconds_of
from fonoteca.catalogue.kinds.internet_archive import KIND
from fonoteca.model.errors import SourceError, UsageError

CC_BY = "http://creativecommons.org/licenses/by/4.0/"


def item(*files: Mapping[str, Any], identifier: str = "gd77", **fields: Any) -> dict[str, Any]:
    metadata = {"identifier": identifier, "mediatype": "etree", "title": "Live", "creator": "The Band", **fields}
    return {"created": 1769817600, "metadata": metadata, "files": list(files)}


def file(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "source": "derivative" if "original" in fields else "original", **fields}


def laid(tmp_path: Path, *answers: object) -> Laid:
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    return lay(KIND, [path], tmp_path / "scratch")


def test_an_original_with_what_was_made_of_it_is_one_recording(tmp_path: Path) -> None:
    found = laid(
        tmp_path,
        item(
            file(
                "d1/01 Kino & co.flac", title="Kino", track="01/12", length="215.35", size="100", format="Flac", creator="A Guest"
            ),
            file("d1/01 Kino & co.mp3", original="d1/01 Kino & co.flac", length="03:35", size="10"),
            file("d1/01 Kino & co_64kb.mp3", original="d1/01 Kino & co.mp3", length="03:35", size="5"),
            file("d1/01 Kino & co.png", original="d1/01 Kino & co.flac"),
            file("gd77_64kb.m3u", format="64Kbps M3U"),
            file("gd77.ffp", format="Flac FingerPrint"),
            date="1977-05-08T00:00:00Z",
            licenseurl=CC_BY,
        ),
    )
    assert found.rows == [
        {
            "file": "answers.jsonl",
            "line": 1,
            "key": "gd77/d1/01 Kino & co.flac",
            "title": "Kino",
            "artist": "A Guest",
            "release": "Live",
            "release_id": "gd77",
            "track": "1",
            "year": "1977",
            "duration_s": "215.35",
            "licence": CC_BY,
            "source_uri": "https://archive.org/download/gd77/d1/01%20Kino%20%26%20co.flac",
            "file_bytes": "100",
        }
    ]
    assert (found.heading.date, found.heading.licence) == ("2026-01-31", "")
    assert found.facts == {"items": 1, "recordings": 1}


def test_a_private_original_leaves_what_is_public_and_its_tags(tmp_path: Path) -> None:
    found = laid(
        tmp_path,
        item(
            file("1.shn", title="Minglewood", track="3", private="true", size="900"),
            file("1.mp3", original="1.shn", length="06:21", size="30"),
            file("1.ogg", original="1.shn", length="381.1", size="20"),
            file("2.wav", private="true"),
            file("gone_64kb.mp3", original="gone.wav", size="1"),
            file("gone.mp3", original="gone.wav", size="2", title="Gone"),
        ),
    )
    rows = [(row["key"], row["title"], row.get("track"), row.get("duration_s")) for row in found.rows]
    assert rows == [("gd77/1.mp3", "Minglewood", "3", "381.0"), ("gd77/gone.mp3", "Gone", None, None)]
    assert found.facts["recordings_private"] == 1


def test_files_that_name_each_other_as_originals_end_somewhere(tmp_path: Path) -> None:
    loop = [file("a.mp3", original="b.mp3"), file("b.mp3", original="a.mp3"), file("c.mp3", original="c.mp3")]
    chain = [file(f"{n}.mp3", original=f"{n + 1}.mp3") for n in range(50)]
    found = laid(tmp_path, item(*loop), item(*chain, identifier="long"))
    assert [row["key"] for row in found.rows][:2] == ["gd77/a.mp3", "gd77/c.mp3"]


def test_fields_may_be_texts_numbers_or_lists(tmp_path: Path) -> None:
    found = laid(
        tmp_path,
        item(
            file(["x.mp3"], track=7, size=12, length=61, genre=["Rock", "Pop"]),
            creator=["One", "Two", "One"],
            title=["Live", "Again"],
            year=1971,
            licenseurl=[CC_BY],
        ),
        item(file("y.mp3"), creator=None, title={"odd": 1}, date=True, identifier="odd"),
    )
    row = found.row("gd77/x.mp3")
    named = {
        name: row[name] for name in ("title", "artist", "release", "track", "year", "duration_s", "genre", "file_bytes", "licence")
    }
    assert named == {
        "title": "x",
        "artist": "One, Two",
        "release": "Live",
        "track": "7",
        "year": "1971",
        "duration_s": "61",
        "genre": "Rock",
        "file_bytes": "12",
        "licence": CC_BY,
    }
    assert found.row("odd/y.mp3").keys() == {"file", "line", "key", "title", "release_id", "source_uri"}


@pytest.mark.parametrize(
    ("length", "seconds"),
    [
        ("215.35", "215.35"),
        ("3:35", 215),
        ("1:02:03.5", 3723.5),
        ("-3:00", -180),
        ("-5", "-5"),
        ("NaN", "NaN"),
        ("long", None),
        ("", None),
    ],
)
def test_lengths_are_read_or_left_to_the_rules(length: str, seconds: object) -> None:
    assert seconds_of(length) == seconds


def test_what_can_never_be_taken_is_left_out_by_reason(tmp_path: Path) -> None:
    one = file("1.mp3")
    found = laid(
        tmp_path,
        item(one, **{"access-restricted-item": "true"}),
        item(one, **{"access-restricted-item": [True]}),
        item(one, noindex="true"),
        item(one, collection=["GratefulDead", "stream_only"]),
        item(one, collection="samples_only"),
        item(one, mediatype="movies"),
        {**item(one), "is_dark": True},
        {"is_dark": True, "server": "ia1"},
        {},
        item(one, identifier="free", noindex="false", collection=["opensource_audio"], mediatype="audio"),
    )
    assert [row["key"] for row in found.rows] == ["free/1.mp3"]
    assert found.rejects == []
    assert found.facts == {
        "items": 1,
        "recordings": 1,
        "items_restricted": 2,
        "items_unindexed": 1,
        "items_to_stream_only": 2,
        "items_of_other_media": 1,
        "items_dark": 2,
        "items_missing": 1,
    }


def test_a_listed_item_is_one_row_until_its_metadata_is_there(tmp_path: Path) -> None:
    docs = [
        {
            "identifier": "a b",
            "mediatype": "audio",
            "title": "T",
            "creator": ["C"],
            "licenseurl": CC_BY,
            "date": "1999-01-01T00:00:00Z",
        },
        {"identifier": "gd77", "mediatype": "etree", "title": "Live", "creator": "The Band"},
        {"identifier": "film", "mediatype": "movies", "title": "T", "creator": "C"},
        {"identifier": "bare"},
        {"identifier": "lent", "mediatype": "audio", "title": "T", "creator": "C", "access-restricted-item": "true"},
        {"mediatype": "audio", "title": "T", "creator": "C"},
        "odd",
    ]
    search = tmp_path / "search.json"
    search.write_text(json.dumps({"responseHeader": {}, "response": {"numFound": 6, "docs": docs}}, indent=1))
    scrape = tmp_path / "scrape.json"
    scrape.write_text(json.dumps({"items": [{"identifier": "s", "mediatype": "audio", "title": "S", "creator": "C"}], "total": 1}))
    lines = tmp_path / "items.jsonl"
    lines.write_text(
        json.dumps({"identifier": "l", "mediatype": "audio", "title": "L", "creator": "C"}) + "\n" + json.dumps(item(file("1.mp3")))
    )
    found = lay(KIND, [search, scrape, lines], tmp_path / "scratch")
    assert [row["key"] for row in found.rows] == ["gd77/1.mp3", "a b", "s", "l"]
    assert found.row("a b") == {
        "file": "3 files",
        "line": 1,
        "key": "a b",
        "title": "T",
        "artist": "C",
        "release": "T",
        "release_id": "a b",
        "year": "1999",
        "licence": CC_BY,
        "source_uri": "https://archive.org/details/a%20b",
    }
    assert [(bad.file, bad.reason) for bad in found.rejects] == [
        ("search.json", "no identifier"),
        ("search.json", "expected an item as an object"),
    ]
    assert found.facts["items_without_files"] == 4
    assert found.facts["items_told_too_little_of"] == 1


def test_real_answers_without_a_recording_are_refused_with_counts(fixtures: Path, tmp_path: Path) -> None:
    folder = fixtures / "internet-archive"
    names = ("metadata", "nasa_meta.json", "advanced_search_response.json", "scrape_response.json")
    counts = "items of other media: 52, items told too little of: 100"
    with pytest.raises(UsageError, match=f"holds no recording that could be held; {counts}"):
        lay(KIND, [folder / name for name in names], tmp_path / "scratch")
    for other in ("s3_status_check.json", "nasa_meta.xml", "LICENSE"):
        with pytest.raises(UsageError, match="answers of the Internet Archive"):
            lay(KIND, [folder / other], tmp_path / "scratch")


def test_a_bad_line_is_set_aside_with_its_number_and_reason(tmp_path: Path) -> None:
    good = json.dumps(item(file("1.mp3"))).encode()
    bad = [
        b'{"metadata": {"identifier": "\xff"}}',
        b'{"metadata": {"identifier": "x"}, "created": NaN}',
        b'{"metadata": [}',
        b"[1]",
        b"7",
        b'{"a":' * 100_000,
        b'{"error": "Couldn\'t locate item"}',
        b'{"hello": 1}',
        b'{"metadata": {"mediatype": "audio"}, "files": []}',
        b'{"metadata": {"identifier": "x"}, "files": 7}',
        b'{"metadata": {"identifier": "\\ud800"}, "files": [{"name": "1.mp3"}]}',
    ]
    path = tmp_path / "answers.jsonl.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + good + b"\n\n" + b"\n".join(bad) + b"\n"))
    found = lay(KIND, [path], tmp_path / "scratch")
    assert [row["key"] for row in found.rows] == ["gd77/1.mp3"]
    reasons = [(bad.line, bad.reason[:24]) for bad in found.rejects]
    assert reasons == [
        (3, "not UTF-8 at byte 29"),
        (4, "not JSON: NaN is no JSON"),
        (5, "not JSON: Expecting valu"),
        (6, "expected an object"),
        (7, "expected an object"),
        (8, "the JSON is nested too d"),
        (9, "the Archive answered: Co"),
        (10, "expected answers of the "),
        (11, "no identifier"),
        (12, "expected a list of files"),
        (13, "not UTF-8"),
    ]


def test_a_first_line_may_be_bad_too(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"metadata": {"identifier": "\xff"}}\n' + json.dumps(item(file("1.mp3"))).encode() + b"\n")
    found = lay(KIND, [path], tmp_path / "scratch")
    assert ([bad.line for bad in found.rejects], len(found.rows)) == ([1], 1)


def test_a_folder_stands_for_the_answers_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    (folder / "more").mkdir(parents=True)
    for name, identifier in (("b.json", "b"), ("a.jsonl", "a"), ("more/c.json", "c")):
        (folder / name).write_text(json.dumps(item(file("1.mp3"), identifier=identifier)))
    (folder / "README").write_text("not an answer")
    found = lay(KIND, [folder], tmp_path / "scratch")
    assert [(row["file"], row["key"]) for row in found.rows] == [("3 files", f"{name}/1.mp3") for name in "abc"]
    with pytest.raises(UsageError, match="a folder without a file named"):
        lay(KIND, [tmp_path / "scratch"], tmp_path / "scratch")


def test_what_ends_early_fails_the_import(tmp_path: Path) -> None:
    one = json.dumps(item(file("1.mp3")))
    pretty = json.dumps(item(file("1.mp3")), indent=2)
    path = tmp_path / "answer.json"
    for cut in (one[:-20], one[:-20] + "\n", pretty[:-20], pretty[:-20] + "\n", one + "\n" + one[:-20], one[: one.rindex("}")]):
        path.write_text(cut)
        with pytest.raises(SourceError, match=r"answer\.json:\d: ends early or is broken: not JSON: .* line \d+ column \d+"):
            lay(KIND, [path], tmp_path / "scratch")
    path.write_bytes(gzip.compress(one.encode() * 1000)[:-40])
    with pytest.raises(SourceError, match="cannot be unpacked"):
        lay(KIND, [path], tmp_path / "scratch")
    path.write_bytes(gzip.compress(b'{"a": "' + b" " * (80 << 20)))
    with pytest.raises(SourceError, match=r"unpacks to more than|a line of more than"):
        lay(KIND, [path], tmp_path / "scratch")
    for empty in (b"", b"\n\n", b"null\n"):
        path.write_bytes(empty)
        with pytest.raises(UsageError, match="expected JSON"):
            lay(KIND, [path], tmp_path / "scratch")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "original", "title", "length", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["identifier", "mediatype", "title", "creator", "date", "collection", "noindex"]), _JSON),
    st.lists(
        st.dictionaries(st.sampled_from(["name", "original", "title", "length", "track", "size", "private"]), _JSON, max_size=5),
        max_size=4,
    ),
)
def test_no_shape_of_fields_breaks_the_reading(metadata: dict[str, Any], files: list[dict[str, Any]]) -> None:
    try:
        rows = ItemReader().rows({"metadata": metadata, "files": files})
        ItemReader().row_of_listing(metadata)
    except UnfitItemError:
        return
    assert all(row[0] for row in rows)
