"""The MusicBrainz dump, read as it is published."""

from __future__ import annotations

import bz2
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from musicbrainz_dump import Dump, escaped, gid, lay, packed, tar_of, write_dump

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.desk import INFLATED_FREE_BYTES, RECORDINGS, REDIRECTS
from fonoteca.catalogue.kinds.musicbrainz import CC0, CC_BY_NC_SA, KIND
from fonoteca.catalogue.musicbrainz import copytext
from fonoteca.catalogue.musicbrainz.copytext import batches, unescaped
from fonoteca.catalogue.musicbrainz.joins import cyclic
from fonoteca.catalogue.musicbrainz.schema import tables_of
from fonoteca.catalogue.tars import members
from fonoteca.model.errors import SourceError, UsageError

TABLES = tables_of(31)
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60)


def small_dump() -> Dump:
    dump = Dump().credit(1, ("Ana", "")).recording(1, "One").recording(2, "Two").recording(3, "Alone")
    dump.release(1, "Album", [(2001, 5, None)]).medium(1, 1, [1, 2])
    return dump.add("isrc", recording=1, isrc="GBAYE0601498").add("recording_gid_redirect", gid=gid("old", 1), new_id=2)


def recordings(tmp_path: Path, dump: Dump) -> dict[str, dict[str, Any]]:
    laid = lay(KIND, tmp_path / "scratch", write_dump(tmp_path, dump, "mbdump.tar"))
    return {row["title"]: row for row in laid.rows(RECORDINGS)}


def rows_of(content: bytes, table: str = "recording") -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    rejects: list[tuple[int, str]] = []
    found = batches(io.BytesIO(content), TABLES[table], lambda line, reason, _: rejects.append((line, reason)))
    return [row for batch in found for row in batch.to_pylist()], rejects


def recording_line(number: int, **cells: Any) -> bytes:
    row = {"id": number, "gid": gid("recording", number), "name": f"Title {number}", "artist_credit": 1, "length": None, **cells}
    return "\t".join(escaped(row.get(column, "x")) for column in TABLES["recording"].columns).encode() + b"\n"


def test_a_recording_has_the_place_and_year_of_its_earliest_official_release(tmp_path: Path) -> None:
    dump = Dump().credit(1, ("A", "")).recording(1, "Song")
    dump.release(1, "Reissue", [(2005, None, None)]).release(2, "First", [(1999, None, None), (1998, 11, 2)])
    dump.release(3, "Bootleg", [(1970, 1, 1)], status=3).release(4, "Undated").release(5, "Same year", [(1998, None, None)])
    dump.medium(1, 1, [1]).medium(2, 2, [9, 1], position=2).medium(3, 3, [1]).medium(4, 4, [1]).medium(5, 5, [1])
    found = recordings(tmp_path, dump.recording(9, "Other"))["Song"]
    assert (found["release"], found["release_id"], found["disc"], found["track"], found["year"]) == (
        *("First", gid("release", 2)),
        *(2, 2, 1998),
    )


def test_a_recording_without_an_official_release_has_its_earliest_other_one_and_may_have_none(tmp_path: Path) -> None:
    dump = small_dump().recording(4, "Taped").release(2, "Bootleg", [(1970, 0, 0)], status=3).medium(2, 2, [4])
    found = recordings(tmp_path, dump)
    assert (found["Taped"]["release"], found["Taped"]["year"]) == ("Bootleg", 1970)
    assert [found["Alone"][field] for field in ("release", "release_id", "disc", "track", "year")] == [None] * 5


def test_of_equal_dates_the_smaller_release_id_is_taken(tmp_path: Path) -> None:
    dump = Dump().credit(1, ("A", "")).recording(1, "Song")
    for number in range(1, 6):
        dump.release(number, str(number), [(1990, 1, 1)]).medium(number, number, [1])
    assert recordings(tmp_path, dump)["Song"]["release_id"] == min(gid("release", number) for number in range(1, 6))


def test_a_date_of_zeros_is_no_date_and_an_absurd_one_is_set_aside(tmp_path: Path) -> None:
    dump = small_dump().release(2, "Zero", [(0, 0, 0)]).release(3, "Absurd", [(9999, 1, 1)])
    laid = lay(
        KIND,
        tmp_path / "scratch",
        write_dump(tmp_path, dump.recording(4, "Z").recording(5, "B").medium(2, 2, [4]).medium(3, 3, [5])),
    )
    years = {row["title"]: row["year"] for row in laid.rows(RECORDINGS)}
    assert (years["Z"], years["B"]) == (None, None)
    assert laid.reasons == [("mbdump/release_country", 3, "date_year: expected 1000 to 2200, found 9999")]


def test_a_credit_is_joined_from_its_names_unless_some_are_missing(tmp_path: Path) -> None:
    dump = small_dump().credit(2, ("m-flo", " ♥ "), ("BoA", "")).recording(4, "the Love Bug", 2)
    dump.credit(3, ("Half", " & "), artist_count=2).recording(5, "Half", 3)
    dump.tables["artist_credit"][-1]["name"] = "Half & Whole"
    found = recordings(tmp_path, dump)
    assert found["the Love Bug"]["artist"] == "m-flo ♥ BoA"
    assert found["Half"]["artist"] == "Half & Whole"


def test_a_recordings_own_licence_comes_before_its_releases_and_one_in_force_before_an_ended_one(tmp_path: Path) -> None:
    dump = small_dump().licence("release", 1, "https://cc/by-nc").licence("recording", 1, "https://a-ended", ended="t")
    dump.licence("recording", 1, "https://cc/by-sa").licence("recording", 1, "https://cc/by").add(
        "url", id=99, url="https://ana.example"
    )
    dump.add("link", id=99, link_type=1).add("l_recording_url", link=99, entity0=3, entity1=99)
    found = recordings(tmp_path, dump)
    assert [found[title]["licence"] for title in ("One", "Two", "Alone")] == ["https://cc/by", "https://cc/by-nc", None]


def test_all_isrcs_of_a_recording_are_kept_in_order(tmp_path: Path) -> None:
    dump = small_dump().add("isrc", recording=1, isrc="FRAAA0000001").add("isrc", recording=1, isrc="GBAYE0601498")
    assert recordings(tmp_path, dump)["One"]["isrc"] == "FRAAA0000001 GBAYE0601498"


def test_a_genre_is_the_tag_with_most_votes_that_names_one_and_brings_the_licence_of_tags(tmp_path: Path) -> None:
    core = small_dump().add("genre", name="rock").add("genre", name="jazz").release(2, "Later", [(2002, 1, 1)], release_group=7)
    core.medium(2, 2, [3])
    derived = Dump().add("tag", id=1, name="rock").add("tag", id=2, name="jazz").add("tag", id=3, name="seen live")
    for tag, count in ((1, 2), (2, 3), (3, 9)):
        derived.add("recording_tag", recording=1, tag=tag, count=count)
    derived.add("recording_tag", recording=2, tag=1, count=-1).add("release_group_tag", release_group=7, tag=1, count=1)
    derived.tables["release_status"] = []
    paths = write_dump(tmp_path, core), write_dump(tmp_path, derived, "mbdump-derived.tar.bz2")
    both, alone = lay(KIND, tmp_path / "both", *paths), lay(KIND, tmp_path / "alone", paths[0])
    assert {row["title"]: row["genre"] for row in both.rows(RECORDINGS)} == {"One": "jazz", "Two": None, "Alone": "rock"}
    assert {row["genre"] for row in alone.rows(RECORDINGS)} == {None}
    assert (both.heading.licence, alone.heading.licence) == (CC_BY_NC_SA, CC0)
    assert lay(KIND, tmp_path / "folder", tmp_path).rows(RECORDINGS) == both.rows(RECORDINGS)


def test_titles_are_as_written(tmp_path: Path) -> None:
    titles = ['"', '"quoted" half', "C:\\N", "\\N", "tab\there", "two\nlines", " blank ", "日本語", "a\u2028b", "\\", "''"]
    dump = Dump().credit(1, ("A", ""))
    for number, title in enumerate(titles, 1):
        dump.recording(number, title)
    assert set(recordings(tmp_path, dump)) == set(titles)


def test_the_heading_and_facts_are_those_of_the_dump(tmp_path: Path) -> None:
    laid = lay(KIND, tmp_path / "scratch", write_dump(tmp_path, small_dump()))
    assert (laid.heading.name, laid.heading.date, laid.heading.synthetic) == ("musicbrainz", "2026-05-20", False)
    assert {k: laid.desk.facts[k] for k in ("schema_sequence", "replication_sequence", "rows_recording", "rows_track")} == {
        "schema_sequence": 31,
        "replication_sequence": 180_001,
        "rows_recording": 3,
        "rows_track": 2,
    }
    assert laid.rejects == []


@pytest.mark.parametrize("name", ["mbdump.tar.bz2", "mbdump.tar.xz", "mbdump.tar.zst", "mbdump.tar", "unpacked", "unpacked/mbdump"])
def test_every_packing_of_a_dump_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = write_dump(tmp_path, small_dump(), name.partition("/")[0])
    laid = lay(KIND, tmp_path / "scratch", path / "mbdump" if "/" in name else path)
    one, two, alone = (gid("recording", number) for number in (1, 2, 3))
    assert [(row["id"], row["line"], row["track"]) for row in laid.rows(RECORDINGS)] == [(one, 1, 1), (two, 2, 2), (alone, 3, None)]
    assert laid.rows(REDIRECTS) == [{"line": 1, "id": gid("old", 1), "into": two}]


def test_the_same_dump_gives_the_same_bytes(tmp_path: Path) -> None:
    dump = Dump().credit(1, ("A", ""))
    for number in range(1, 400):
        dump.recording(number, f"Title {number % 50}").add("isrc", recording=number, isrc=f"GBAYE{number:07}")
        dump.release(number, f"Release {number % 9}", [(1990 + number % 20, 1, 1)]).medium(
            number, number, [number, 1 + number * 7 % 399]
        )
    path = write_dump(tmp_path, dump)
    first, second = ([table.path.read_bytes() for table in lay(KIND, tmp_path / name, path).desk.tables] for name in ("a", "b"))
    assert first == second


BAD_LINES = [
    (recording_line(7)[:-1] + b"\tmore\n", "expected 9 columns, found 10"),
    (b"7\tshort\n", "expected 9 columns, found 2"),
    (b"\n", "an empty line"),
    (recording_line(7, name="x\0y"), "a NUL character"),
    (recording_line(7).replace(b"Title", b"T\rtle"), "a bare carriage return"),
    (recording_line(7).replace(b"Title", b"T\xfftle"), "not UTF-8"),
    (recording_line(7, comment="c").replace(b"\tc\t", b"\t\xc3\t"), "not UTF-8"),
    (recording_line(7, length="NaN"), "length: expected a whole number of 32 bits, found 'NaN'"),
    (recording_line(7, length=2**31), "length: expected a whole number of 32 bits, found '2147483648'"),
    (recording_line(7, artist_credit=""), "artist_credit: expected a whole number of 32 bits, found ''"),
    (recording_line(7, artist_credit=None), "artist_credit: empty"),
    (recording_line(7, gid="7"), "gid: expected a UUID, found '7'"),
    (recording_line(7, gid="g" * 36), f"gid: expected a UUID, found '{'g' * 36}'"),
    (recording_line(7, gid=None), "gid: empty"),
    (recording_line(7, name=None), "name: empty"),
    (recording_line(7).replace(b"Title", rb"T\000tle"), "name: a NUL character"),
    (recording_line(7).replace(b"Title", rb"T\377tle"), "name: an escape that is not UTF-8"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES, ids=[reason for _, reason in BAD_LINES])
def test_a_bad_line_is_set_aside_with_its_number_and_the_others_stay(line: bytes, reason: str) -> None:
    rows, rejects = rows_of(b"".join([recording_line(1), line, recording_line(3), line, recording_line(5)]))
    assert rejects == [(2, reason), (4, reason)]
    assert [(row["line"], row["id"], row["name"]) for row in rows] == [(n, n, f"Title {n}") for n in (1, 3, 5)]


@pytest.mark.parametrize("chunk_bytes", [200, 333, 4096])
def test_line_numbers_are_exact_wherever_chunks_end(monkeypatch: pytest.MonkeyPatch, chunk_bytes: int) -> None:
    lines = [recording_line(number) for number in range(1, 120)]
    bad = {line: BAD_LINES[line % len(BAD_LINES)] for line in range(5, 119, 7)}
    content = b"".join(bad[number][0] if number in bad else line for number, line in enumerate(lines, 1))
    monkeypatch.setattr(copytext, "CHUNK_BYTES", chunk_bytes)
    rows, rejects = rows_of(content)
    assert sorted(rejects) == [(number, reason) for number, (_, reason) in bad.items()]
    assert [(row["line"], row["id"]) for row in rows] == [(n, n) for n in range(1, 120) if n not in bad]


def test_a_line_without_end_is_set_aside_without_being_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copytext, "CHUNK_BYTES", 256)
    rows, rejects = rows_of(recording_line(1) + b"x" * 5000 + b"\n" + recording_line(3))
    assert rejects == [(2, "a line of more than 256 bytes")]
    assert [row["line"] for row in rows] == [1, 3]


def test_a_table_cut_within_a_line_fails_the_import(tmp_path: Path) -> None:
    path = write_dump(tmp_path, small_dump(), "unpacked")
    file = path / "mbdump" / "recording"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(SourceError, match=r"mbdump/recording:3: ends within a line"):
        lay(KIND, tmp_path / "scratch", path)


@given(TEXT)
def test_any_text_survives_copy_text(text: str) -> None:
    assert unescaped(escaped(text)) == (text, "")


@given(st.lists(TEXT, min_size=1, max_size=8))
def test_any_titles_survive_a_table(titles: list[str]) -> None:
    rows, rejects = rows_of(b"".join(recording_line(number, name=title) for number, title in enumerate(titles, 1)))
    assert ([row["name"] for row in rows], rejects) == (titles, [])


@pytest.mark.parametrize(
    ("raw", "text"),
    [(r"\b\f\n\r\t\v", "\b\f\n\r\t\v"), (r"\\N", r"\N"), (r"\101\x42\x4g", "AB\x04g"), (r"\.\q\8", ".q8"), (r"\303\251", "é")],
)
def test_escapes_mean_what_postgresql_says(raw: str, text: str) -> None:
    assert unescaped(raw) == (text, "")


def test_the_end_mark_of_a_terminal_is_no_row() -> None:
    rows, rejects = rows_of(recording_line(1) + b"\\.\n")
    assert (len(rows), rejects) == (1, [])


def test_what_names_nothing_or_repeats_a_key_is_set_aside(tmp_path: Path) -> None:
    dump = small_dump().recording(4, "Nobody's", 77).recording(1, "Again").medium(2, 55, [1]).medium(3, 1, [66], position=2)
    dump.add("isrc", recording=88, isrc="GBAYE0601499").release(1, "Twice")
    laid = lay(KIND, tmp_path / "scratch", write_dump(tmp_path, dump))
    assert sorted(laid.reasons) == [
        ("mbdump/isrc", 2, "recording: no recording 88"),
        ("mbdump/medium", 2, "release: no release 55"),
        ("mbdump/recording", 4, "artist_credit: no artist_credit 77"),
        ("mbdump/recording", 5, "id: 1 was in line 1"),
        ("mbdump/release", 2, "id: 1 was in line 1"),
        ("mbdump/track", 3, "medium: no medium 2"),
        ("mbdump/track", 4, "recording: no recording 66"),
    ]
    assert [row["title"] for row in laid.rows(RECORDINGS)] == ["One", "Two", "Alone"]


def test_redirects_that_lead_nowhere_or_round_are_set_aside(tmp_path: Path) -> None:
    dump = small_dump()
    for old, new in ((gid("old", 2), 99), (gid("recording", 1), 2), (gid("recording", 2), 1), (gid("recording", 3), 3)):
        dump.add("recording_gid_redirect", gid=old, new_id=new)
    dump.recording(4, "Still here").add("recording_gid_redirect", gid=gid("recording", 4), new_id=1)
    laid = lay(KIND, tmp_path / "scratch", write_dump(tmp_path, dump))
    assert [(line, reason) for _, line, reason in laid.reasons] == [
        (2, "redirects to nothing: no recording 99"),
        (3, "cyclic redirect"),
        (4, "cyclic redirect"),
        (5, "redirects to itself"),
        (6, "redirects a recording that is still there"),
    ]
    assert [row["id"] for row in laid.rows(REDIRECTS)] == [gid("old", 1)]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), max_size=8))
def test_a_redirect_is_cyclic_if_following_it_comes_back(redirects: dict[str, str]) -> None:
    def comes_back(start: str) -> bool:
        at = redirects[start]
        for _ in redirects:
            if at == start:
                return True
            at = redirects.get(at, "")
        return False

    assert cyclic(redirects) == {start for start in redirects if comes_back(start)}


def test_schema_30_has_another_column_in_isrc(tmp_path: Path) -> None:
    dump = small_dump()
    dump.schema = 30
    assert "source" in tables_of(30)["isrc"].columns
    assert recordings(tmp_path, dump)["One"]["isrc"] == "GBAYE0601498"


@pytest.mark.parametrize(("schema", "remedy"), [(32, "Use a newer Fonoteca"), (29, "Fetch a newer dump")])
def test_another_schema_is_refused_with_what_to_do(tmp_path: Path, schema: int, remedy: str) -> None:
    dump = small_dump()
    dump.schema = schema
    with pytest.raises(SourceError, match=f"SCHEMA_SEQUENCE: expected schema 30 and 31, found {schema}. {remedy}"):
        lay(KIND, tmp_path / "scratch", write_dump(tmp_path, dump))


def test_tables_without_a_schema_sequence_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mbdump.tar"
    path.write_bytes(tar_of({name: text for name, text in small_dump().files().items() if name != "SCHEMA_SEQUENCE"}))
    with pytest.raises(SourceError, match="expected a number before mbdump/artist_credit, found none"):
        lay(KIND, tmp_path / "scratch", path)


def test_archives_of_different_dumps_do_not_mix(tmp_path: Path) -> None:
    derived = Dump(replication=180_002).add("tag", id=1, name="rock")
    paths = write_dump(tmp_path, small_dump()), write_dump(tmp_path, derived, "mbdump-derived.tar.bz2")
    with pytest.raises(SourceError, match="REPLICATION_SEQUENCE: expected 180001 as in the other archive, found 180002"):
        lay(KIND, tmp_path / "scratch", *paths)


def test_wrong_uses_say_what_to_name(tmp_path: Path) -> None:
    core = write_dump(tmp_path, small_dump())
    derived = write_dump(tmp_path, Dump().add("tag", id=1, name="rock"), "derived.tar.xz")
    (tmp_path / "empty").mkdir()
    for paths, problem in (
        ([derived], "found no artist_credit and no recording"),
        ([core, core], "mbdump/artist_credit was already in"),
        ([tmp_path / "empty"], "holds neither mbdump/ nor mbdump.tar.bz2"),
        ([tmp_path / "mbdump.zip"], "expected a folder or a name ending in"),
        ([tmp_path / "gone.tar"], "cannot be read"),
    ):
        with pytest.raises(UsageError, match=problem):
            lay(KIND, tmp_path / "scratch", *paths)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("ending", ["tar", "tar.bz2", "tar.xz", "tar.zst"])
def test_a_cut_archive_fails_with_the_place(tmp_path: Path, ending: str, share: float) -> None:
    path = tmp_path / f"mbdump.{ending}"
    files = small_dump().files()
    bare = tar_of(files).rstrip(b"\0") + b"\0" * 100 if ending == "tar" else tar_of(files)
    whole = packed(bare, path.name)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SourceError, match=r"mbdump.tar[.a-z0-9]*: byte \d+"):
        lay(KIND, tmp_path / "scratch", path)


@pytest.mark.parametrize("place", [0, 100, 148, 2048, 5 * 1024 + 124])
def test_a_damaged_header_is_never_taken_for_the_end(tmp_path: Path, place: int) -> None:
    path = write_dump(tmp_path, small_dump(), "mbdump.tar")
    content = bytearray(path.read_bytes())
    content[place] ^= 0x55
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"mbdump.tar: byte \d+ unpacked: (is no tar archive|the header of a member is damaged)"):
        lay(KIND, tmp_path / "scratch", path)


def test_a_bomb_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "mbdump.tar.bz2"
    packer = bz2.BZ2Compressor()
    blank = b"\0" * (1 << 20)
    header = tar_of({"bomb": b""})[:512].replace(b"00000000000", b"07777777777", 1)
    header = header[:148] + f"{sum(header[:148]) + sum(header[156:]) + 8 * 32:06o}\0 ".encode() + header[156:]
    parts = [packer.compress(header)] + [packer.compress(blank) for _ in range((INFLATED_FREE_BYTES >> 20) + 16)]
    path.write_bytes(b"".join([*parts, packer.flush()]))
    with pytest.raises(SourceError, match="unpacks to more than 1000 times its size"):
        lay(KIND, tmp_path / "scratch", path)


NAMES = st.text("abcxyzé_", min_size=1, max_size=150).map(lambda name: f"folder/{name}")


@given(
    st.dictionaries(NAMES, st.binary(max_size=1200), max_size=5),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.randoms(use_true_random=False),
)
def test_members_are_those_that_tarfile_gives(files: dict[str, bytes], archive_format: int, chance: Any) -> None:
    found = {}
    for member in members(io.BytesIO(tar_of(files, archive_format)), "test.tar"):
        share = chance.random()
        found[member.name] = member.stream.read() if share < 0.7 else member.stream.read(3)
    assert set(found) == set(files)
    assert all(files[name].startswith(content) for name, content in found.items())


def test_uuids_are_packed_as_the_standard_library_packs_them() -> None:
    rows, _ = rows_of(b"".join(recording_line(number) for number in range(50)))
    assert [str(row["gid"]) for row in rows] == [gid("recording", number) for number in range(50)]
    assert pa.uuid() == copytext.schema_of(TABLES["recording"]).field("gid").type


def test_an_import_is_all_or_nothing_and_twice_changes_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    dump = small_dump().recording(4, "Backwards", length=-5).recording(5, "").add("isrc", recording=2, isrc="no ISRC")
    path = write_dump(tmp_path, dump)
    first = catalogue.import_kind(KIND, [path])
    files = {file: file.read_bytes() for file in (tmp_path / "catalogue").rglob("*") if file.is_file()}
    assert (first.name, first.date, first.row_count, first.quarantined_count) == ("musicbrainz", "2026-05-20", 4, 2)
    (quarantine,) = (content.decode() for file, content in files.items() if file.name == "quarantine.jsonl")
    assert [(bad["file"], bad["line"], bad["reason"]) for bad in map(json.loads, quarantine.splitlines()) if not bad["kept"]] == [
        ("mbdump/recording", 4, "duration_ms: expected 0 to a week, found '-5'"),
        ("mbdump/recording", 5, "title: empty"),
    ]
    assert catalogue.import_kind(KIND, [path]) == first
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SourceError):
        catalogue.import_kind(KIND, [path])
    assert {file: file.read_bytes() for file in (tmp_path / "catalogue").rglob("*") if file.is_file()} == files
    assert list((tmp_path / "staging").iterdir()) == []
