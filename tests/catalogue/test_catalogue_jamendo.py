"""The MTG-Jamendo dataset: ids where there are no names, names and licences where they are given, and bad lines."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from desk_world import Laid, lay
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fonoteca.catalogue import desk as desk_module
from fonoteca.catalogue.kinds import jamendo
from fonoteca.catalogue.kinds.jamendo import KIND
from fonoteca.model.errors import SourceError, UsageError

HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\n"
NAMES_HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tTRACK_NAME\tARTIST_NAME\tALBUM_NAME\tRELEASEDATE\tURL\n"
LICENCES = """14/214.mp3
Anything by Anyone from Jamendo: http://www.jamendo.com/track/214
Available under a Creative Commons Attribution-NonCommercial-ShareAlike license: http://creativecommons.org/licenses/by-nc-sa/2.0/

16/216.low.mp3
Of a path by 99/99.mp3 from Jamendo: http://www.jamendo.com/track/216
Available under a Free Art license: http://artlibre.org/licence/lal.
"""


def track(number: int, *tags: str, duration: str = "124.6") -> str:
    return (
        "\t".join([f"track_{number:07}", "artist_000014", "album_000031", f"{number % 100:02}/{number}.mp3", duration, *tags])
        + "\n"
    )


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def laid(tmp_path: Path, text: str, *others: Path) -> Laid:
    return lay(KIND, [write(tmp_path / "raw.tsv", text), *others], tmp_path / "scratch")


def test_the_real_table_gives_a_row_a_track_with_ids_for_names(fixtures: Path, tmp_path: Path) -> None:
    found = lay(KIND, [fixtures / "jamendo"], tmp_path / "scratch")
    assert (len(found.rows), found.rejects, found.facts) == (55_525, [], {"tracks": 55_525})
    assert found.heading.licence == "https://creativecommons.org/licenses/by-nc-sa/4.0/"
    assert found.row("track_0000214") == {
        "file": "tracks_union.tsv.gz",
        "line": 2,
        "key": "track_0000214",
        "title": "track_0000214",
        "artist": "artist_000014",
        "release": "album_000031",
        "release_id": "album_000031",
        "duration_s": "124.6",
        "source_uri": "https://www.jamendo.com/track/214",
        "genre": "punkrock",
    }


def test_names_and_licences_come_from_their_own_files_in_any_order(tmp_path: Path) -> None:
    names = NAMES_HEADER + (
        'track_0000214\tartist_000014\talbum_000031\tA "lone quote\tThe Artist\tThe Album\t2004-09-16\thttp://www.jamendo.com/track/214\n'
        "track_0000215\tartist_000014\talbum_000031\tTab too many\t\tThe Artist\tThe Album\t0000-00-00\thttp://x\n"
    )
    given = [write(tmp_path / "audio_licenses.txt", LICENCES), write(tmp_path / "raw.meta.tsv", names)]
    tags = ("instrument---piano", "genre---rock", "genre---pop")
    text = HEADER + track(214, *tags) + track(215) + track(216)
    found = lay(KIND, [*given, write(tmp_path / "raw.tsv", text)], tmp_path / "scratch")
    first, second, third = found.rows
    assert (first["title"], first["artist"], first["release"], first["year"]) == (
        'A "lone quote',
        "The Artist",
        "The Album",
        "2004",
    )
    assert first["licence"] == "http://creativecommons.org/licenses/by-nc-sa/2.0/"
    assert first["genre"] == "rock"
    assert (second["title"], second["artist"], second.get("licence")) == ("Tab too many", "The Artist", None)
    assert (third["title"], third["artist"], third["licence"]) == (
        "track_0000216",
        "artist_000014",
        "http://artlibre.org/licence/lal",
    )
    assert found.facts == {"tracks": 3, "names": 2, "licences": 2}


def test_a_track_that_an_earlier_file_had_is_counted_and_not_laid_again(tmp_path: Path) -> None:
    later = write(tmp_path / "autotagging_moodtheme.tsv", HEADER + track(214, "mood/theme---sad") + track(300))
    found = laid(tmp_path, HEADER + track(214, "genre---rock") + track(214), later)
    assert [(row["file"], row["key"]) for row in found.rows] == [
        ("raw.tsv", "track_0000214"),
        ("raw.tsv", "track_0000214"),
        ("autotagging_moodtheme.tsv", "track_0000300"),
    ]
    assert found.facts == {"tracks": 2, "repeats": 1}


def test_lines_may_be_ragged_and_end_as_they_like(tmp_path: Path) -> None:
    text = (
        "\ufeff"
        + HEADER
        + track(1)
        + "\n"
        + track(2, *(f"genre---{n}" for n in range(300))).replace("\n", "\r\n")
        + track(3).strip()
    )
    found = laid(tmp_path, text)
    assert [(row["line"], row.get("genre")) for row in found.rows] == [(2, None), (4, "0"), (5, None)]


def test_a_bad_line_is_set_aside_with_its_number_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "raw.tsv"
    bad = [
        b"track_0000001\tartist_1\n",
        b"trak_1\ta\tb\tc\t1.0\n",
        b"track_2\ta\tb\tc\xff\t1.0\n",
        b"track_99999999999999\ta\tb\tc\t1\n",
    ]
    path.write_bytes(HEADER.encode() + track(9).encode() + b"".join(bad))
    found = lay(KIND, [path], tmp_path / "scratch")
    assert [(bad.file, bad.line, bad.reason) for bad in found.rejects] == [
        ("raw.tsv", 3, "expected at least 5 columns, found 2"),
        ("raw.tsv", 4, "expected track_ and a number, found 'trak_1'"),
        ("raw.tsv", 5, "not UTF-8 at byte 13"),
        ("raw.tsv", 6, "expected track_ and a number, found 'track_99999999999999'"),
    ]
    assert [row["key"] for row in found.rows] == ["track_0000009"]


@pytest.mark.parametrize("duration", ["-1", "1e9", "NaN", "inf", "long", "1\x002"])
def test_odd_durations_and_nuls_are_left_to_the_rules(tmp_path: Path, duration: str) -> None:
    assert laid(tmp_path, HEADER + track(1, duration=duration)).rows[0]["duration_s"] == duration


def test_what_gives_no_tracks_is_refused_in_words(tmp_path: Path) -> None:
    names = write(tmp_path / "raw.meta.tsv", NAMES_HEADER)
    licences = write(tmp_path / "audio_licenses.txt", LICENCES)
    with pytest.raises(UsageError, match="holds no table of tracks"):
        lay(KIND, [names, licences], tmp_path / "scratch")
    for text in ("", "title\tartist\n", "{}\n", "\x00\x01"):
        with pytest.raises(UsageError, match="expected a file of the MTG-Jamendo dataset"):
            laid(tmp_path, text)


def test_what_is_cut_off_or_built_to_exhaust_fails_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "raw.tsv.gz"
    whole = gzip.compress((HEADER + "".join(track(n, f"genre---{n}") for n in range(50_000))).encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"byte \d+ packed, \d+ unpacked: cannot be unpacked"):
        lay(KIND, [path], tmp_path / "scratch")
    path.write_bytes(gzip.compress(HEADER.encode() + b"\n" * (80 << 20)))
    with pytest.raises(SourceError, match="unpacks to more than"):
        lay(KIND, [path], tmp_path / "scratch")
    path.write_bytes(whole)
    monkeypatch.setattr(jamendo, "TRACKS_MAX", 1000)
    with pytest.raises(SourceError, match="more than 1000 tracks"):
        lay(KIND, [path], tmp_path / "scratch")
    monkeypatch.setattr(desk_module, "LINE_BYTES_MAX", 1000)
    with pytest.raises(SourceError, match=r"raw\.tsv:2: a line of more than 1000 bytes"):
        laid(tmp_path, HEADER + "x" * 2000)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_every_line_becomes_a_row_or_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "raw.tsv"
    path.write_bytes(HEADER.encode() + track(9).encode() + content)
    found = lay(KIND, [path], tmp_path / "scratch")
    full = [line for line in content.split(b"\n") if line.strip() and not line.startswith(b"TRACK_ID\t")]
    assert len(found.rows) + len(found.rejects) == 1 + len(full)
