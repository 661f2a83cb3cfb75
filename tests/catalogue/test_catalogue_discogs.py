"""Discogs' dumps: what becomes of tracklists, credits and positions, and what broken or hostile files get."""

from __future__ import annotations

import gzip
import json
import resource
import time
from pathlib import Path

import pytest
from desk_world import Laid, lay
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.discogs import xmlitems
from fonoteca.catalogue.discogs.tracks import Place, place_of, seconds_of, year_of
from fonoteca.catalogue.kinds.discogs import KIND
from fonoteca.model.errors import SourceError, UsageError

NAME = "discogs_20260101_releases.xml"


def artist(name: str, variation: str = "", join: str = "") -> str:
    return f"<artist><id>7</id><name>{name}</name><anv>{variation}</anv><join>{join}</join><role/><tracks/></artist>"


def track(position: str, title: str, duration: str = "", more: str = "") -> str:
    return f"<track><position>{position}</position><title>{title}</title><duration>{duration}</duration>{more}</track>"


def release(tracks: str, number: str = "5", more: str = "<released>1999-03-00</released>") -> str:
    return (
        f'<release id="{number}" status="Accepted"><images><image type="primary" uri=""/></images>'
        f"<artists>{artist('Someone (2)')}</artists><title>An Album</title><genres><genre>Rock</genre><genre>Pop</genre></genres>"
        f"<notes>not kept</notes>{more}<tracklist>{tracks}</tracklist></release>\n"
    )


def dump(folder: Path, *releases: str, name: str = NAME) -> Path:
    path = folder / name
    text = "<releases>\n" + "".join(releases) + "</releases>\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def laid(tmp_path: Path, *releases: str) -> Laid:
    return lay(KIND, [dump(tmp_path, *releases)], tmp_path / "scratch")


def test_the_real_dump_gives_a_row_a_track(fixtures: Path, tmp_path: Path) -> None:
    found = lay(KIND, [fixtures / "discogs"], tmp_path / "scratch")
    assert len(found.rows) == 9174
    assert found.rejects == []
    counted = {"releases": 1000, "tracks": 9174, "headings": 186, "index_tracks": 57, "isrcs": 7}
    assert found.facts == {**counted, "masters": 1000, "artists": 1000, "labels": 1000}
    assert found.heading.date == "2020-08-06"
    assert found.row("1586402-A1") == {
        "file": "discogs_20200806_releases.xml.gz",
        "line": found.row("1586402-A2")["line"],
        "key": "1586402-A1",
        "title": "Things To Come (Virtua's Mix)",
        "artist": "Tropicana Feat. DJ Bart",
        "release": "Things To Come",
        "release_id": "1586402",
        "disc": "1",
        "track": "1",
        "year": "2001",
        "duration_s": "342.0",
        "isrc": "ITJ040100240",
        "genre": "Electronic",
        "source_uri": "https://www.discogs.com/release/1586402",
    }
    assert len({row["key"] for row in found.rows}) == 9174
    assert len(found.progress.advanced) == 4


@pytest.mark.parametrize(
    ("position", "place"),
    [
        ("A1", Place(None, "A", 1)),
        ("b12", Place(None, "B", 12)),
        ("A", Place(None, "A", None)),
        ("AA2", Place(None, "AA", 2)),
        ("A.1", Place(None, "A", 1)),
        ("B. 2", Place(None, "B", 2)),
        ("A..3", Place(None, "A", 3)),
        ("A1a", Place(None, "A", 1)),
        ("A1 (b)", Place(None, "A", 1)),
        ("7", Place(None, "", 7)),
        ("07", Place(None, "", 7)),
        ("7c", Place(None, "", 7)),
        ("1-2", Place(1, "", 2)),
        ("2.05", Place(2, "", 5)),
        ("1/2", Place(1, "", 2)),
        ("CD1-3", Place(1, "", 3)),
        ("CD 2 - 3", Place(2, "", 3)),
        ("CD-3", Place(None, "", 3)),
        ("CD3", Place(None, "", 3)),
        ("DVD-12", Place(None, "", 12)),
        ("DVD2-1", Place(2, "", 1)),
        ("MP3-4", Place(None, "", 4)),
        ("LP-B4", Place(None, "B", 4)),
        ("LP2-C1", Place(None, "C", 1)),
        ("CD1-Video", Place(None, "", None)),
        ("Video", Place(None, "", None)),
        ("", Place(None, "", None)),
        ("99999", Place(None, "", None)),
    ],
)
def test_a_position_says_what_it_says(position: str, place: Place) -> None:
    assert place_of(position) == place


def test_a_position_in_an_index_track_is_in_that_track() -> None:
    assert place_of("1-5.3", True) == Place(1, "", 5)
    assert place_of("7.2", True) == Place(None, "", 7)


@given(st.text(max_size=20))
def test_no_position_duration_or_date_breaks_the_reading(text: str) -> None:
    place = place_of(text)
    assert place.track is None or 0 < place.track <= 32767
    assert place.disc is None or 0 < place.disc <= 999
    seconds_of(text)
    assert year_of(text) == "" or len(year_of(text)) == 4


def test_sides_make_discs_and_tracks_go_on_over_both(tmp_path: Path) -> None:
    sides = "".join(track(position, position) for position in ("A1", "A2", "B1", "C1a", "C1b", "D"))
    found = laid(
        tmp_path,
        release(sides),
        release(track("X1", "x") + track("Y1", "y"), "6"),
        release(track("A", "a") + track("AA", "b"), "7"),
    )
    places = {row["key"]: (row["disc"], row["track"]) for row in found.rows}
    assert places == {
        "5-A1": ("1", "1"),
        "5-A2": ("1", "2"),
        "5-B1": ("1", "3"),
        "5-C1a": ("2", "1"),
        "5-C1b": ("2", "1"),
        "5-D": ("2", "2"),
        "6-X1": ("1", "1"),
        "6-Y1": ("1", "2"),
        "7-A": ("1", "1"),
        "7-AA": ("1", "2"),
    }


def test_credits_are_written_as_on_the_release(tmp_path: Path) -> None:
    artists = [
        artist("Prince (2)") + artist("The Band (3)"),
        artist("Prince", "P.", ",") + artist("Duo", "", "Feat.") + artist("MC (Ok)", "", "ignored"),
        artist("A", "Name (2)", "&amp;") + artist("B (12)"),
        "",
    ]
    entries = [track(str(n), "t", more=f"<artists>{a}</artists>") for n, a in enumerate(artists)]
    found = laid(tmp_path, release("".join(entries)))
    assert [row["artist"] for row in found.rows] == ["Prince, The Band", "P., Duo Feat. MC (Ok)", "Name (2) & B", "Someone"]


def test_headings_are_no_tracks_and_index_tracks_stand_for_their_parts(tmp_path: Path) -> None:
    def parts(*tracks: str) -> str:
        return f"<sub_tracks>{''.join(tracks)}</sub_tracks>"

    entries = [
        track("", "This Side"),
        track("1", "First"),
        track("", "Sonata", more=parts(track("2", "Adagio", "1:00"), track("3", "", "2:00"))),
        track("4", "Whole", "9:00", parts(track("", "Intro"), track("", "Outro"))),
        track("", "Medley", "5:00", parts(track("5.1", "One"), track("5.2", "Two"))),
        track("", "Hidden", "0:30"),
        track("", "Empty", more=parts()),
    ]
    found = laid(tmp_path, release("".join(entries)))
    rows = [(row["key"], row["title"], row.get("track"), row.get("duration_s")) for row in found.rows]
    assert rows == [
        ("5-1", "First", "1", None),
        ("5-2", "Sonata: Adagio", "2", "60.0"),
        ("5-3", "Sonata", "3", "120.0"),
        ("5-4", "Whole", "4", "540.0"),
        ("5-5.1", "Medley", "5", "300.0"),
        ("5-#6", "Hidden", None, "30.0"),
        ("5-#7", "Empty", None, None),
    ]
    assert (found.facts["headings"], found.facts["index_tracks"]) == (1, 4)


def test_a_release_without_positions_has_tracks_all_the_same_and_positions_may_repeat(tmp_path: Path) -> None:
    found = laid(tmp_path, release(track("", "a") + track("", "b")), release(track("1", "a") + track("1", "b"), "6"))
    assert [row["key"] for row in found.rows] == ["5-#1", "5-#2", "6-1", "6-#2"]


@pytest.mark.parametrize(
    ("released", "year"),
    [
        ("1999-03-00", "1999"),
        ("1989", "1989"),
        ("0000", None),
        ("0000-00-00", None),
        ("19??", None),
        ("?", None),
        ("12345", None),
        ("", None),
    ],
)
def test_years_are_read_from_whatever_date_there_is(tmp_path: Path, released: str, year: str | None) -> None:
    found = laid(tmp_path, release(track("1", "t"), more=f"<released>{released}</released>"))
    assert found.rows[0].get("year") == year


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("3:45", 225),
        ("1:02:03", 3723),
        ("(0:30)", 30),
        ("3:45.5", 225.5),
        ("99:59:59", 359999),
        ("-3:45", -225),
        ("long", None),
        ("3'45", None),
    ],
)
def test_durations_are_read_or_counted_and_left_to_the_rules(tmp_path: Path, duration: str, seconds: float | None) -> None:
    assert seconds_of(duration) == seconds
    found = laid(tmp_path, release(track("1", "t", duration)))
    assert found.facts.get("durations_unreadable", 0) == (seconds is None)


def test_isrcs_go_to_the_tracks_they_name(tmp_path: Path) -> None:
    given = [
        ("Track A1", "IT-J04-01-00240"),
        ("a02", "US RC1 76 07839"),
        ("Track 9", "DEQY41700004"),
        ("", "DEQY41700005"),
        ("Track A1", "X"),
    ]
    given.append(("The Second", "DEQY41700006"))
    more = (
        "".join(f'<identifier type="ISRC" description="{d}" value="{v}"/>' for d, v in given)
        + '<identifier type="Barcode" value="1"/>'
    )
    tracks = track("A1", "The First") + track("A2", "The Second")
    lone = '<identifiers><identifier type="ISRC" value="DEQY41700004"/></identifiers>'
    found = laid(tmp_path, release(tracks, more=f"<identifiers>{more}</identifiers>"), release(track("1", "t"), "6", lone))
    assert found.row("5-A1")["isrc"] == "ITJ040100240 X"
    assert found.row("5-A2")["isrc"] == "USRC17607839 DEQY41700006"
    assert found.row("6-1")["isrc"] == "DEQY41700004"
    assert (found.facts["isrcs"], found.facts["isrcs_of_no_track"]) == (5, 2)


def test_masters_give_the_year_of_releases_that_have_none(tmp_path: Path) -> None:
    masters = tmp_path / "discogs_20260101_masters.xml"
    masters.write_text('<masters><master id="9"><year>1971</year></master><master id="x"><year>1</year></master></masters>')
    with_master = "<released></released><master_id>9</master_id>"
    releases = dump(
        tmp_path, release(track("1", "t"), more=with_master), release(track("1", "t"), "6", "<master_id>900</master_id>")
    )
    found = lay(KIND, [releases, masters], tmp_path / "scratch")
    assert [row.get("year") for row in found.rows] == ["1971", None]
    assert found.facts["years_from_masters"] == 1
    assert [(bad.file, bad.line) for bad in found.rejects] == [(masters.name, 1)]


def test_files_that_give_no_rows_are_refused_in_words(fixtures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no releases"):
        lay(KIND, [fixtures / "discogs" / "discogs_20200806_labels.xml.gz"], tmp_path / "scratch")
    other = tmp_path / "other.xml"
    for content, found in (
        (b"<feed><a/></feed>", "found <feed>"),
        (b"", "found no XML"),
        (b"\x00\x01", "invalid token"),
        (b"{}", "invalid token"),
    ):
        other.write_bytes(content)
        with pytest.raises(UsageError, match=found):
            lay(KIND, [other], tmp_path / "scratch")
    with pytest.raises(UsageError, match="cannot be read"):
        lay(KIND, [tmp_path / "missing.xml.gz"], tmp_path / "scratch")


def test_a_release_that_lacks_what_is_needed_is_set_aside_with_its_line(tmp_path: Path) -> None:
    found = laid(
        tmp_path,
        release(track("1", "t")),
        release(""),
        release(track("1", "t"), "abc"),
        release(track("", "t", more="<sub_tracks/>"), "8"),
    )
    assert [(bad.file, bad.line, bad.reason) for bad in found.rejects] == [
        (NAME, 3, "no tracks"),
        (NAME, 4, "expected a number as id, found 'abc'"),
    ]
    assert [row["line"] for row in found.rows] == [2, 5]


def test_rows_that_break_the_rules_are_quarantined_and_a_second_import_changes_nothing(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    odd = (
        track("1", "fine", "3:45")
        + track("2", "")
        + track("3", "t", "-3:45")
        + track("4", "t", "999:59:59")
        + track("5", "x" * 5000)
    )
    path = dump(tmp_path, release(odd), release(track("1", "t"), "6", "<released>9999</released>"), release("", "7"))
    first = catalogue.import_kind(KIND, [path])
    assert (first.row_count, first.quarantined_count, first.kind) == (1, 6, "discogs")
    (quarantine,) = (tmp_path / "catalogue" / "imports" / "discogs").rglob("quarantine.jsonl")
    bad = {(line["line"], line["reason"].split(":")[0]) for line in map(json.loads, quarantine.read_text().splitlines())}
    assert bad == {(2, "title"), (2, "duration_s"), (3, "year"), (4, "no tracks")}
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "catalogue").rglob("*")}
    assert catalogue.import_kind(KIND, [path]) == first
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "catalogue").rglob("*")} == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b"<releases><release id='1'><title>a</artist></release></releases>",
            r"byte \d+, line 1: is not sound XML: mismatched tag",
        ),
        (
            b"<releases>\n<release id='1'><title>\xff</title></release></releases>",
            r"byte \d+, line 2: is not sound XML: .*invalid token",
        ),
        (b"<releases><release id='1'><title>&bomb;</title></release></releases>", "undefined entity"),
        (b"<releases><release id='1'><title>a\x00b</title></release></releases>", "invalid token"),
        (b"<releases><release id='1'><title>a</title></release>", "no element found"),
        (b"<releases></releases><releases></releases>", "junk after document element"),
    ],
)
def test_broken_xml_fails_with_position_and_cause(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / NAME
    path.write_bytes(content)
    with pytest.raises(SourceError, match=says):
        lay(KIND, [path], tmp_path / "scratch")


def test_entities_of_a_files_own_making_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    external = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    for doctype in (bomb, external, "<!DOCTYPE releases>"):
        path = tmp_path / NAME
        path.write_text(f"{doctype}<releases>{release(track('1', 't'))}</releases>")
        with pytest.raises((SourceError, UsageError), match="has a DOCTYPE"):
            lay(KIND, [path], tmp_path / "scratch")


@pytest.mark.parametrize("fill", ["<a>", "<image uri='x'/>", "x", "<track><title>t</title></track>"])
def test_an_item_without_end_is_refused_before_it_fills_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: str) -> None:
    monkeypatch.setattr(xmlitems, "ITEM_BYTES_MAX", 1 << 20)
    path = tmp_path / (NAME + ".gz")
    with gzip.open(path, "wb") as stream:
        stream.write(b"<releases><release id='1'><tracklist>" + fill.encode() * ((4 << 20) // len(fill)))
    with pytest.raises(SourceError, match=r"no item ends in|nest more than"):
        lay(KIND, [path], tmp_path / "scratch")


def test_a_cut_or_damaged_gzip_and_a_bomb_fail_with_position(tmp_path: Path) -> None:
    whole = dump(tmp_path, *(release(track("1", f"title {n}"), str(n)) for n in range(20_000)), name=NAME + ".gz")
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match=r"byte \d+ packed, \d+ unpacked: cannot be unpacked: Compressed file ended"):
        lay(KIND, [whole], tmp_path / "scratch")
    for damaged in (content[:1000] + b"\xff" * 64 + content[1064:], content[:22] + b"\xff" * 64 + content[86:]):
        whole.write_bytes(damaged)
        with pytest.raises(SourceError, match=r"byte \d+.*(cannot be unpacked|is not sound XML)"):
            lay(KIND, [whole], tmp_path / "scratch")
    whole.write_bytes(gzip.compress(b"<releases>" + b" " * (80 << 20)))
    with pytest.raises(SourceError, match=r"unpacks to more than|no item ends in"):
        lay(KIND, [whole], tmp_path / "scratch")


def test_memory_stays_flat_however_long_the_dump_is(tmp_path: Path) -> None:
    one = "".join(track(f"A{n}", f"a title of usual length {n}", "3:45") for n in range(12))
    batch = "".join(release(one, str(n)) for n in range(2000)).encode()
    path = tmp_path / (NAME + ".gz")
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(b"<releases>\n")
        for _ in range(16):
            stream.write(batch)
        stream.write(b"</releases>\n")
    unpacked_mb = 16 * len(batch) / 1e6
    with gzip.open(path) as stream:
        for item in xmlitems.items(stream, "warm", frozenset()):
            if item.line > 2000:
                break
    before_kb, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with gzip.open(path) as stream:
        assert sum(1 for _ in xmlitems.items(stream, "whole", frozenset())) == 32_000
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    assert unpacked_mb > 40
    assert grown_mb < 8
    assert unpacked_mb / (time.process_time() - started) > 5, "MB/s on a busy machine; some 40 on a quiet one"
