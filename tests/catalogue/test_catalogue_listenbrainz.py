"""Listens: every file of ListenBrainz's test data, the formats it has no file of, hostile ones, and who listened is not kept."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from desk_world import Counted, Laid, lay
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listening_verdicts import VERDICTS, Refused

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.desk import Desk
from fonoteca.catalogue.kinds.listenbrainz import CC0, KIND
from fonoteca.catalogue.listening_files import jsonlines, ledger
from fonoteca.model.errors import FonotecaError, SourceError, UsageError

NEWEST = 1_577_836_800  # 2020-01-01
MBID = "c7d0bf6e-b2aa-4ffa-bded-2448415b39b0"
OTHER = "20ddea3a-1ad2-4036-9ca7-5f3383ad31c1"
TOP = "listenbrainz-listens-dump-1-20200101-000000-full"


def listen(
    user: Any = None, at: Any = NEWEST, artist: Any = "A", title: Any = "T", mbid: Any = None, **more: Any
) -> dict[str, Any]:
    """Return a listen as the dump has it."""
    about: dict[str, Any] = {
        "artist_name": artist,
        "track_name": title,
        "additional_info": {"recording_mbid": mbid} if mbid else {},
    }
    who = {} if user is None else {"user_id": user, "user_name": f"name-of-{user}"}
    return {**who, "listened_at": at, "track_metadata": about, **more}


def jsonl(entries: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def written(path: Path, content: bytes | str | Any) -> Path:
    if not isinstance(content, bytes | str):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def tar_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{TOP}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def dump_of(lines: bytes, **more: bytes) -> bytes:
    about = {"TIMESTAMP": b"2020-01-02 03:04:05.678", "SCHEMA_SEQUENCE": b"1", "COPYING": b"placed into the Public Domain (CC0)"}
    return tar_of({**about, "listens/2019/12.listens": lines, **more})


def counts(laid: Laid) -> dict[Any, tuple[int, int]]:
    """Return listens and listeners by MBID or (artist, title)."""
    return {
        str(row["id"]) if "id" in row else (row["artist"], row["title"]): (int(row["listens"]), int(row["listeners"]))
        for row in laid.rows
    }


@pytest.fixture
def reading(tmp_path: Path) -> Callable[..., Laid]:
    def read(*contents: Any, name: str = "given") -> Laid:
        paths = [written(tmp_path / f"{number}-{name}", content) for number, content in enumerate(contents)]
        return lay(KIND, paths, tmp_path / "scratch")

    return read


# --- the test data of listenbrainz-server


@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_each_file_of_listenbrainz_is_read_or_refused_as_its_content_says(name: str, fixtures: Path, tmp_path: Path) -> None:
    verdict = VERDICTS[name]
    path = fixtures / "listenbrainz" / name
    if isinstance(verdict, Refused):
        with pytest.raises(verdict.error) as refusal:
            lay(KIND, [path], tmp_path / "scratch")
        assert verdict.reason in str(refusal.value)
        assert type(refusal.value) is verdict.error
        return
    laid = lay(KIND, [path], tmp_path / "scratch")
    assert laid.heading.name == verdict.name
    assert (laid.heading.licence, laid.heading.date != "") == ("", True)
    found = counts(laid)
    assert (sum(listens for listens, _ in found.values()), len(found)) == (verdict.listens, verdict.rows)
    assert {listeners for _, listeners in found.values()} == {1}
    assert tuple((bad.line, bad.reason) for bad in laid.rejects if not bad.kept) == verdict.aside
    assert sum(bad.kept for bad in laid.rejects) == verdict.unfit_mbids == laid.facts["unfit mbids"]
    assert sum(int(count) for fact, count in laid.facts.items() if fact.startswith("left out")) == verdict.left
    assert laid.facts["repeated listens"] == verdict.repeated


def test_every_file_of_the_fixtures_has_a_verdict(fixtures: Path) -> None:
    assert {path.name for path in (fixtures / "listenbrainz").iterdir()} == set(VERDICTS)


def test_an_mbid_of_the_mapping_stands_where_none_was_submitted(fixtures: Path, tmp_path: Path) -> None:
    laid = lay(KIND, [fixtures / "listenbrainz" / "listenbrainz_listens.jsonl"], tmp_path / "scratch")
    assert counts(laid) == {MBID: (1, 1), OTHER: (1, 1)}


# --- dumps


def naive(listens: Sequence[tuple[int, int, str, str, str | None]]) -> dict[Any, tuple[int, int]]:
    """Count listens (user, second, artist, title, MBID) the plain way."""
    once: dict[tuple[int, int, str, str], str] = {}
    for user, at, artist, title, mbid in listens:
        once[user, at, artist, title] = max(once.get((user, at, artist, title), ""), mbid or "")
    plays: Counter[Any] = Counter()
    people: dict[Any, set[int]] = defaultdict(set)
    for (user, _, artist, title), mbid in once.items():
        plays[mbid or (artist, title)] += 1
        people[mbid or (artist, title)].add(user)
    return {key: (plays[key], len(people[key])) for key in plays}


PLAYS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.integers(NEWEST - 3, NEWEST),
        st.sampled_from(["A", "B", "Ünï", "0", "[x]", "true", "-1"]),
        st.sampled_from(["T", "U", "今堀恒雄", "1979", "{y}"]),
        st.sampled_from([None, None, MBID, OTHER]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plays=PLAYS, spill=st.sampled_from([5, 10_000]))
def test_lines_columns_and_a_plain_count_agree_with_and_without_spilling(
    plays: Any, spill: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "SPILL_PLAYS", spill)
    monkeypatch.setattr(jsonlines, "_BLOCK_BYTES", 997)
    tmp_path = tmp_path_factory.mktemp("plays")
    lines = jsonl(listen(user, at, artist, title, mbid) for user, at, artist, title, mbid in plays)
    dump = written(tmp_path / "dump.tar.zst", zstandard.compress(dump_of(lines)))
    spark = written(tmp_path / "spark.tar", tar_of({"TIMESTAMP": b"2020-01-02", "0.parquet": parquet_of(plays)}))
    first, second = lay(KIND, [dump], tmp_path / "a"), lay(KIND, [spark], tmp_path / "b")
    assert counts(first) == counts(second) == naive(plays)
    assert first.facts["listeners"] == second.facts["listeners"] == len({play[0] for play in plays})
    assert first.facts["listens"] == sum(listens for listens, _ in naive(plays).values())


def parquet_of(plays: Any, **changes: Any) -> bytes:
    """Return the Parquet of the Spark dump. changes: columns in place of what it has."""
    users, ats, artists, titles, mbids = zip(*plays, strict=True)
    columns: dict[str, Any] = {
        "listened_at": pa.array([at * 1000 for at in ats], pa.timestamp("ms")),
        "user_id": pa.array(users, pa.int64()),
        "recording_msid": pa.array(["m"] * len(plays)),
        "artist_name": pa.array(artists),
        "release_name": pa.array([None] * len(plays), pa.string()),
        "recording_name": pa.array(titles),
        "recording_mbid": pa.array(mbids, pa.string()),
        "artist_credit_mbids": pa.array([None] * len(plays), pa.list_(pa.string())),
        **changes,
    }
    packed = io.BytesIO()
    pq.write_table(pa.table(columns), packed)
    return packed.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_a_dump_says_its_date_and_licence_in_any_packing(pack: Any, reading: Callable[..., Laid]) -> None:
    laid = reading(pack(dump_of(jsonl([listen(1), listen(2)]))), name="anything")
    assert (laid.heading.name, laid.heading.date, laid.heading.licence) == ("listenbrainz", "2020-01-02", CC0)
    assert counts(laid) == {("A", "T"): (2, 2)}
    assert laid.facts["schema_sequence"] == 1


def test_a_dump_without_the_public_domain_notice_of_listenbrainz_has_no_licence(reading: Callable[..., Laid]) -> None:
    assert reading(dump_of(jsonl([listen(1)]), COPYING=b"All rights reserved")).heading.licence == ""


def test_a_full_dump_and_its_increment_are_one_source_and_count_once(reading: Callable[..., Laid]) -> None:
    full, more = [listen(1), listen(2, NEWEST - 9)], [listen(1), listen(1, NEWEST - 5)]
    increment = tar_of({"END_TIMESTAMP": b"2020-01-05 00:00:00", "listens/2020/1.listens": jsonl(more)})
    laid = reading(dump_of(jsonl(full)), increment)
    assert counts(laid) == {("A", "T"): (3, 2)}
    assert (laid.heading.date, laid.facts["repeated listens"]) == ("2020-01-05", 1)


def test_a_dump_that_was_unpacked_to_a_folder_is_read_like_the_archive(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(dump_of(jsonl([listen(1), listen(2)])))) as tar:
        tar.extractall(tmp_path / "folder", filter="data")
    laid = lay(KIND, [tmp_path / "folder"], tmp_path / "scratch")
    assert (laid.heading.date, laid.heading.licence, counts(laid)) == ("2020-01-02", CC0, {("A", "T"): (2, 2)})


def test_what_was_heard_after_the_dump_is_set_aside(reading: Callable[..., Laid]) -> None:
    laid = reading(dump_of(jsonl([listen(1), listen(1, NEWEST + 4 * 86_400)])))
    assert [(bad.line, bad.reason, bad.file) for bad in laid.rejects] == [
        (2, "time: in the future", f"{TOP}/listens/2019/12.listens")
    ]


def test_what_was_heard_after_the_day_of_the_import_is_set_aside(tmp_path: Path) -> None:
    path = written(tmp_path / "own.jsonl", jsonl([listen(), listen(at=NEWEST + 86_400), listen(at=NEWEST + 3 * 86_400)]))
    rejects: list[Any] = []
    desk = Desk(tmp_path, Counted(), rejects.append, today="2020-01-01")
    KIND.read([path], desk)
    assert [bad.line for bad in rejects] == [3]


def test_times_of_parquet_are_read_in_their_own_unit(reading: Callable[..., Laid]) -> None:
    plays = [(1, NEWEST, "A", "T", None)] * 4
    for unit, per_second in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        times = pa.array([NEWEST * per_second, 10 * per_second, None, (NEWEST + 1) * per_second], pa.timestamp(unit))
        laid = reading(parquet_of(plays, listened_at=times))
        assert counts(laid) == {("A", "T"): (2, 1)}
        assert [bad.reason for bad in laid.rejects] == ["time: before 2002-10-01, when scrobbling began", "time: empty"]
        assert (laid.heading.name, laid.heading.date) == ("listenbrainz", "2020-01-01")


def test_odd_columns_of_parquet_spoil_rows_or_the_file_and_nothing_else(reading: Callable[..., Laid]) -> None:
    plays = [(1, NEWEST + number, "A", "T", None) for number in range(3)]
    absurd = pa.array([2**63 - 1, -(2**63), NEWEST * 1000], pa.timestamp("ms"))
    assert counts(reading(parquet_of(plays, listened_at=absurd))) == {("A", "T"): (1, 1)}
    seconds = pa.array([float("nan"), float("inf"), NEWEST])
    laid = reading(parquet_of(plays, listened_at=seconds))
    assert [bad.reason for bad in laid.rejects] == ["time: expected a finite number"] * 2
    no_text = pa.array([b"\xff", b"B", b"C"]).view(pa.binary())
    raw = pa.StringArray.from_buffers(3, no_text.buffers()[1], no_text.buffers()[2])
    laid = reading(parquet_of(plays, artist_name=raw))
    assert [(bad.line, bad.reason) for bad in laid.rejects] == [(1, "not UTF-8")]
    with pytest.raises(SourceError, match="not sound Parquet"):
        reading(parquet_of(plays, artist_name=pa.array([["list"], None, None])))
    with pytest.raises(UsageError, match="no listens"):
        reading(pq_bytes({"x": [1]}))


def pq_bytes(columns: dict[str, Any]) -> bytes:
    packed = io.BytesIO()
    pq.write_table(pa.table(columns), packed)
    return packed.getvalue()


# --- popularity

COUNTS = [
    {"recording_mbid": MBID, "total_listen_count": 1000, "total_user_count": 10},
    {"recording_mbid": OTHER, "total_listen_count": None, "total_user_count": None},
]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(COUNTS),
        json.dumps(COUNTS, indent=2),
        jsonl(COUNTS),
        gzip.compress(jsonl(COUNTS)),
        pq_bytes({name: [row[name] for row in COUNTS] for name in COUNTS[0]}),
        f"recording_mbid,total_listen_count,total_user_count\n{MBID},1000,10\n{OTHER},,\n",
    ],
    ids=["list", "pretty", "lines", "gzip", "parquet", "csv"],
)
def test_popularity_is_taken_as_it_is_counted(content: Any, reading: Callable[..., Laid]) -> None:
    laid = reading(content)
    assert (laid.heading.name, laid.heading.licence, laid.heading.date) == ("listenbrainz-popularity", CC0, "")
    assert counts(laid) == {MBID: (1000, 10)}
    assert laid.facts == {"recordings without counts": 1}


def test_counts_of_no_text_are_set_aside_and_not_taken_for_unknown_ones(reading: Callable[..., Laid]) -> None:
    raw = pa.array([MBID.encode(), b"\xff", OTHER.encode()]).view(pa.binary())
    mbids = pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2])
    laid = reading(pq_bytes({"recording_mbid": mbids, "total_listen_count": [1000, 7, None], "total_user_count": [10, 1, None]}))
    assert counts(laid) == {MBID: (1000, 10)}
    assert [(bad.line, bad.reason) for bad in laid.rejects] == [(2, "not UTF-8")]
    assert laid.facts == {"recordings without counts": 1}


def test_odd_counts_are_left_for_the_rules_of_all_imports(tmp_path: Path, catalogue: Catalogue) -> None:
    rows: list[dict[str, Any]] = [
        {"recording_mbid": MBID, "total_listen_count": 5, "total_user_count": 2},
        {"recording_mbid": "no mbid", "total_listen_count": 5, "total_user_count": 2},
        {"recording_mbid": OTHER, "total_listen_count": float("nan"), "total_user_count": 2},
        {"recording_mbid": OTHER, "total_listen_count": -1, "total_user_count": 2},
        {"recording_mbid": OTHER, "total_listen_count": 10**30, "total_user_count": 2},
    ]
    source = catalogue.import_kind(KIND, [written(tmp_path / "popularity.jsonl", jsonl(rows))])
    assert (source.row_count, source.quarantined_count) == (1, 4)


# --- personal exports that the test data has no file of

TRACK = {"artist": {"#text": "A"}, "name": "T", "album": {"#text": "R"}, "mbid": MBID, "url": "https://www.last.fm/music/A/_/T"}
AT = {"date": {"uts": str(NEWEST), "#text": "01 Jan 2020, 00:00"}}
NOW = {"@attr": {"nowplaying": "true"}}
GHAN = "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lastfm", {"recenttracks": {"track": [{**TRACK, **NOW}, {**TRACK, **AT}], "@attr": {"user": "somebody"}}}),
        ("lastfm", [{"track": [{**TRACK, **AT}], "@attr": {"page": "1"}}, {"track": {**TRACK, **AT}}]),
        ("lastfm", [[{**TRACK, **AT}], [{**TRACK, **AT}]]),
        ("lastfm", [{**TRACK, **AT}]),
        ("librefm", {"recenttracks": {"track": [{**TRACK, **AT, "url": "https://libre.fm/artist/A/track/T"}]}}),
        ("lastfm", f'{GHAN}"{NEWEST}","01 Jan 2020, 00:00","A","","R","","T","{MBID}"\n'),
        ("lastfm", "A,R,T,01 Jan 2020 00:00\nA,R,T,01 Jan 2020 00:00\n"),
        ("lastfm", f"{NEWEST}\tT\tA\tR\t{MBID}\t\t\n"),
        ("librefm", f"\ufeffArtist\tTrack\tAlbum\tTime\r\nA\tT\tR\t{NEWEST}\r\n"),
        ("spotify", [{"endTime": "2020-01-01 00:00", "artistName": "A", "trackName": "T", "msPlayed": 30_000}]),
        ("maloja", {"maloja": {}, "scrobbles": [{"time": NEWEST, "track": {"artists": ["A"], "title": "T"}}]}),
        ("listenbrainz", [listen()]),
        ("listenbrainz", jsonl([listen()])),
        ("listenbrainz", {"payload": {"count": 1, "user_id": "somebody", "listens": [listen(7)]}}),
        ("panoscrobbler", jsonl([{"timeMs": NEWEST * 1000, "artist": "A", "track": "T"}, {"timeMs": 5, "event": "love"}])),
        ("scrobbler-log", f"#AUDIOSCROBBLER/1.0\n#TZ/UTC\nA\tR\tT\t1\t200\tL\t{NEWEST}\n"),
    ],
)
def test_a_person_s_own_history_is_one_listener(name: str, content: Any, reading: Callable[..., Laid]) -> None:
    laid = reading(content)
    assert laid.heading.name == f"my-listens-{name}"
    assert (laid.heading.licence, counts(laid), laid.facts["listeners"]) == ("", {("A", "T"): (1, 1)}, 1)
    assert laid.heading.date == "2020-01-01"
    assert laid.rejects == []


def test_a_zip_of_listenbrainz_gives_its_listens_alone(tmp_path: Path, reading: Callable[..., Laid]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("user.json", json.dumps({"user_id": 7, "username": "somebody"}))
        archive.writestr("listens/2019/12.jsonl", jsonl([listen(at=NEWEST - 9), listen(at=NEWEST - 8)]))
        archive.writestr("listens/2020/1.jsonl", jsonl([listen()]))
        archive.writestr("feedback.jsonl", jsonl([{"recording_mbid": MBID, "score": 1}] * 2))
        archive.writestr("picture.png", b"\x89PNG")
    laid = reading(packed.getvalue(), name="listenbrainz_somebody_1.zip")
    assert counts(laid) == {("A", "T"): (3, 1)}
    assert laid.facts["members passed over"] == 2


@pytest.mark.parametrize(
    ("played", "length", "counts_as"),
    [(None, 220, 1), (240, 1000, 1), (239, 1000, 0), (50, 100, 1), (49, 100, 0), (5, None, 1)],
)
def test_half_of_a_track_or_four_minutes_are_a_listen(
    played: Any, length: Any, counts_as: int, reading: Callable[..., Laid]
) -> None:
    sound = {"time": NEWEST - 500, "track": {"artists": ["B"], "title": "U"}}
    asked = {"time": NEWEST, "track": {"artists": ["A"], "title": "T", "length": length}, "duration": played}
    assert len(counts(reading({"maloja": {}, "scrobbles": [sound, asked]}))) == 1 + counts_as


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ms_played": 30_000}, ""),
        ({"ms_played": 29_999}, "played for less than 30 seconds"),
        ({"ms_played": 5_000, "reason_end": "trackdone"}, ""),
        ({"ms_played": 5_000, "reason_end": "trackdone", "skipped": True}, "skipped"),
        ({"ms_played": 239_999, "skipped": True}, "skipped"),
        ({"ms_played": 239_999, "reason_end": "fwdbtn"}, "skipped"),
        ({"ms_played": 240_000, "skipped": True}, ""),
        ({"ms_played": 300_000, "incognito_mode": True}, "in a private session"),
        ({"ms_played": 300_000, "master_metadata_track_name": None, "episode_name": "E"}, "no music"),
    ],
)
def test_a_play_of_spotify_s_is_a_listen_by_what_its_export_says(changes: Any, why: str, reading: Callable[..., Laid]) -> None:
    entry = {"master_metadata_track_name": "T", "master_metadata_album_artist_name": "A", "username": "somebody"}
    sound = {**entry, "ts": "2019-12-31T00:00:00Z", "ms_played": 300_000}
    laid = reading([sound, {**entry, "ts": "2020-01-01T00:00:00Z", **changes}])
    assert counts(laid) == {("A", "T"): (1 if why else 2, 1)}
    assert laid.facts.get(f"left out, {why}", 0) == (1 if why else 0)


@pytest.mark.parametrize("played", [None, "5", True, -1, float("nan"), float("inf"), []])
def test_a_play_that_does_not_say_how_long_is_set_aside(played: Any, reading: Callable[..., Laid]) -> None:
    entry = {"ts": "2020-01-01T00:00:00Z", "master_metadata_track_name": "T", "master_metadata_album_artist_name": "A"}
    laid = reading([{**entry, "ms_played": 300_000}, {**entry, "ms_played": played}])
    assert [(bad.line, bad.reason.split(":")[0]) for bad in laid.rejects] == [(2, "ms_played")]


# --- bad rows


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"artist": ""}, "artist: empty"),
        ({"artist": " \t\n"}, "artist: empty"),
        ({"title": None}, "title: empty"),
        ({"title": 20}, "title: expected text"),
        ({"artist": ["A", "B"]}, "artist: expected text"),
        ({"artist": {"name": "A"}}, "artist: expected text"),
        ({"title": True}, "title: expected text"),
        ({"title": float("nan")}, "title: expected text"),
        ({"title": "a\0b"}, "title: a NUL character"),
        ({"title": "x" * 4097}, "title: more than 4096 characters"),
        ({"at": None}, "time: empty"),
        ({"at": ""}, "time: empty"),
        ({"at": "soon"}, "time: expected seconds since 1970 or an ISO time"),
        ({"at": True}, "time: expected seconds since 1970 or an ISO time"),
        ({"at": float("nan")}, "time: expected a finite number"),
        ({"at": float("inf")}, "time: expected a finite number"),
        ({"at": NEWEST * 1000}, "time: in milliseconds or smaller units, expected seconds"),
        ({"at": NEWEST * 10**9}, "time: in milliseconds or smaller units, expected seconds"),
        ({"at": 10**400}, "time: expected a finite number"),
        ({"at": -5}, "time: before 2002-10-01, when scrobbling began"),
        ({"at": 1_033_430_399}, "time: before 2002-10-01, when scrobbling began"),
        ({"at": 5_000_000_000}, "time: in the future"),
    ],
)
def test_a_bad_listen_is_set_aside_alone_in_lines_and_in_documents(changes: Any, reason: str, reading: Callable[..., Laid]) -> None:
    listens = [listen(at=1_033_430_400), listen(**changes), listen(at=str(NEWEST)), listen(at="2019-01-01T00:00:00Z")]
    for content in (jsonl(listens), listens, {"listen_type": "import", "payload": listens}):
        laid = reading(content)
        assert counts(laid) == {("A", "T"): (3, 1)}
        [bad] = laid.rejects
        assert bad.line == 2
        assert bad.reason.startswith(reason.split(", found")[0]) or bad.reason.split(":")[0] == reason.split(":")[0]


@pytest.mark.parametrize("mbid", ["no", "", MBID[:-1], MBID + "0", "00000000-0000-0000-0000-000000000000", "{" + MBID + "}"])
def test_a_listen_with_an_unfit_mbid_is_kept_by_its_names(mbid: str, reading: Callable[..., Laid]) -> None:
    about = {**listen()["track_metadata"], "additional_info": {"recording_mbid": mbid}}
    laid = reading(jsonl([{"listened_at": NEWEST, "track_metadata": about}]))
    assert counts(laid) == {("A", "T"): (1, 1)}
    assert [bad.kept for bad in laid.rejects] == [True] * bool(mbid)


def test_an_mbid_in_capitals_is_the_same_recording(reading: Callable[..., Laid]) -> None:
    assert counts(reading(jsonl([listen(mbid=MBID.upper()), listen(at=NEWEST - 9, mbid=f" {MBID} ")]))) == {MBID: (2, 1)}


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"not json",
        b'{"a":1}{"b":2}',
        b"[1]",
        b"null",
        b"12",
        b'{"track_metadata":[]}',
        b"\xff\xfe",
        b'{"a":"\x00"}',
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_listen_is_set_aside_and_not_shown(line: bytes, reading: Callable[..., Laid]) -> None:
    sound = jsonl([listen(1)])
    laid = reading(sound + line + b"\n" + b"\r\n\n" + sound)
    assert counts(laid) == {("A", "T"): (1, 1)}
    assert [(bad.line, bad.row) for bad in laid.rejects] == [(2, "(not shown: it may name a listener)")]


@pytest.mark.parametrize("block_bytes", [1 << 10, 1 << 25])
def test_a_line_of_a_megabyte_is_set_aside_without_being_held(
    block_bytes: int, reading: Callable[..., Laid], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonlines, "_BLOCK_BYTES", block_bytes)
    long = jsonl([listen(1, title="x" * (3 << 20))])
    fitting = jsonl([listen(1, extra="x" * 900_000)])
    laid = reading(jsonl([listen(1)]) + long + fitting + long + jsonl([listen(2)]).rstrip())
    assert counts(laid) == {("A", "T"): (2, 2)}
    assert [(bad.line, bad.reason) for bad in laid.rejects] == [(line, "a line of more than 1048576 bytes") for line in (2, 4)]


@pytest.mark.parametrize("first", ["x" * 900_000, "a\u2028b\u0085c"])
def test_a_first_line_that_is_long_or_has_odd_ends_still_tells_the_file(first: str, reading: Callable[..., Laid]) -> None:
    line = json.dumps(listen(extra=first), ensure_ascii=False).encode()
    assert counts(reading(line)) == counts(reading(line + b"\n" + line)) == {("A", "T"): (1, 1)}


def test_rows_with_other_columns_are_set_aside(reading: Callable[..., Laid]) -> None:
    laid = reading(f"Artist,Track,Time\nA,T,{NEWEST}\nA,T\nA,T,x,y\nA,T,never\n\n")
    assert [(bad.line, bad.reason.split(":")[0]) for bad in laid.rejects] == [
        (3, "expected 3 columns, found 2"),
        (4, "expected 3 columns, found 4"),
        (5, "time"),
    ]
    laid = reading(f"#AUDIOSCROBBLER/1.1\nA\tR\tT\t1\t2\tL\t{NEWEST}\t\nA\tR\nA\tR\tT\t1\t2\tX\t{NEWEST}\t\n")
    assert [(bad.line, bad.reason) for bad in laid.rejects] == [(3, "expected 8 columns, found 2"), (4, "rating: expected L or S")]


def test_a_cell_over_several_lines_keeps_the_lines_right(reading: Callable[..., Laid]) -> None:
    laid = reading(f'Artist,Track,Time\n"A\nB",T,{NEWEST}\nA,,{NEWEST}\n'.encode() + b"\xff,T,1577836800\n")
    assert [(bad.line, bad.reason) for bad in laid.rejects] == [(4, "title: empty"), (5, "not UTF-8")]


# --- broken and hostile files


def broken(content: bytes, reading: Callable[..., Laid]) -> FonotecaError:
    with pytest.raises((SourceError, UsageError)) as error:
        reading(content)
    return error.value


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
@pytest.mark.parametrize("archive", [True, False])
def test_a_packed_file_that_ends_early_fails_with_its_position(pack: Any, archive: bool, reading: Callable[..., Laid]) -> None:
    chance = random.Random(1)
    lines = jsonl(listen(1, NEWEST - n, title=str(chance.random())) for n in range(20_000))
    packed = pack(dump_of(lines) if archive else lines)
    for cut in (len(packed) // 2, len(packed) - 1):
        error = broken(packed[:cut], reading)
        assert isinstance(error, SourceError)
        assert "byte" in error.subject


def test_a_tar_that_ends_early_or_is_damaged_fails_with_its_position(reading: Callable[..., Laid]) -> None:
    content = dump_of(jsonl(listen(1, NEWEST - n) for n in range(5_000)), LAST=b"x" * 2048)
    boundary = content.rindex(b"LAST") - len(TOP) - 1
    for cut in (boundary, len(content) // 2, boundary + 100):
        assert "byte" in broken(content[:cut], reading).subject
    damaged = bytearray(content)
    damaged[boundary + 3] ^= 1
    assert "damaged" in str(broken(bytes(damaged), reading))


def test_a_bomb_is_stopped(reading: Callable[..., Laid]) -> None:
    zeros = bytes(100 << 20)
    assert "times its size" in str(broken(gzip.compress(dump_of(zeros), 9), reading))
    assert "times its size" in str(broken(zstandard.compress(jsonl([listen()]) + zeros, 3), reading))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("listens/1.jsonl", jsonl([listen()]) + zeros)
    assert "times its size" in str(broken(packed.getvalue(), reading))


def test_zips_that_are_damaged_encrypted_or_absurd_fail(reading: Callable[..., Laid], monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", jsonl(listen(at=NEWEST - n, title=str(n)) for n in range(500)))
    whole = packed.getvalue()
    assert isinstance(broken(whole[:-30], reading), SourceError)
    flipped = bytearray(whole)
    flipped[200] ^= 0xFF
    assert isinstance(broken(bytes(flipped), reading), SourceError)
    locked = bytearray(whole)
    locked[6] |= 1
    locked[whole.rindex(b"PK\x01\x02") + 8] |= 1
    assert "cannot be unpacked" in str(broken(bytes(locked), reading))
    monkeypatch.setattr("fonoteca.catalogue.listening_files.zips._UNPACKED_BYTES_MAX", 10)
    assert "no person's own data" in str(broken(whole, reading))
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    assert "has no file of listens" in str(broken(empty.getvalue(), reading))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n\n", "no line names columns"),
        ("hello".encode("utf-16"), "UTF-16"),
        (b"{}", "no listens of a format that is known"),
        (b"[]", "no listens of a format that is known"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"recenttracks":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply"),
        (b'{"payload": [', "not JSON"),
        (b'{"payload": "\xff"}', "not UTF-8"),
        (b"PAR1" + b"x" * 100, "not sound Parquet"),
        (b'Artist,Track,Time\nA,"T,1\n', "a row does not end"),
        (bytes(range(256)) * 20, "no line names columns"),
    ],
)
def test_a_file_that_is_no_history_says_so(content: bytes, problem: str, reading: Callable[..., Laid]) -> None:
    assert problem in str(broken(content, reading))


def test_parquet_cut_or_flipped_anywhere_fails_or_is_read(reading: Callable[..., Laid]) -> None:
    content = parquet_of([(1, NEWEST - number, "A", f"T{number}", None) for number in range(300)])
    for cut in range(4, len(content), max(1, len(content) // 12)):
        assert isinstance(broken(content[:cut], reading), SourceError)
    chance = np.random.default_rng(1)
    for at in chance.integers(4, len(content), 20):
        flipped = bytearray(content)
        flipped[at] ^= 0x55
        try:
            reading(bytes(flipped))
        except (SourceError, UsageError):
            continue


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(alphabet='[]{}",:\n\\ue0aArtistTrackTime1577836800', max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    with pytest.raises((SourceError, UsageError)):
        lay(KIND, [written(folder / "any", content)], folder / "scratch")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["artist_name", "track_name", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=st.lists(st.fixed_dictionaries({"listened_at": JSON, "track_metadata": JSON, "user_id": JSON}), max_size=20))
def test_lines_and_documents_judge_any_listens_alike(odd: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("odd")
    entries = [listen(1), *odd]
    lines = lay(KIND, [written(folder / "lines", jsonl(entries))], folder / "a")
    document = lay(KIND, [written(folder / "document", entries)], folder / "b")
    assert [bad.line for bad in lines.rejects] == [bad.line for bad in document.rejects]
    assert counts(lines).keys() == counts(document).keys()


def test_files_of_two_sources_are_not_mixed(fixtures: Path, tmp_path: Path) -> None:
    folder = fixtures / "listenbrainz"
    with pytest.raises(UsageError, match=r"is my-listens-librefm, but .*maloja.json is my-listens-maloja"):
        lay(KIND, [folder / "maloja.json", folder / "librefm.csv"], tmp_path / "scratch")
    with pytest.raises(UsageError, match="no file"):
        lay(KIND, [], tmp_path / "scratch")


# --- who listened

SECRET = "somebody-s-name"


def secretive(kind: str) -> tuple[str, bytes]:
    """Return a file name and a history of one sound and some bad rows, in which somebody is named wherever the format can."""
    bad = {**listen(SECRET, at=5), "user_name": SECRET}
    unfit = {**listen(SECRET, NEWEST - 7, mbid="unfit"), "user_name": SECRET}
    entry = {
        "username": SECRET,
        "ip_addr": SECRET,
        "ts": "2020-01-01T00:00:00Z",
        "master_metadata_track_name": "T",
        "ms_played": 3e5,
    }
    track = {**TRACK, **AT, "user": SECRET}
    lines = jsonl([{**listen(SECRET), "user_name": SECRET}, bad, unfit]) + b'{"user_name": "' + SECRET.encode() + b"\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{SECRET}/1.jsonl", lines)
    files: dict[str, tuple[str, bytes]] = {
        "lines": (f"{SECRET}.jsonl", lines),
        "dump": (f"{SECRET}.tar", dump_of(lines)),
        "zip": (f"listenbrainz_{SECRET}_1.zip", packed.getvalue()),
        "spotify": (f"{SECRET}.json", json.dumps([{**entry, "master_metadata_album_artist_name": "A"}, entry]).encode()),
        "lastfm": (f"{SECRET}.json", json.dumps([{**track}, {**track, "name": ""}]).encode()),
        "librefm": (f"{SECRET}.csv", f"userid,Artist,Track,Time\n{SECRET},A,T,{NEWEST}\n{SECRET},A,,1\n{SECRET},A\n".encode()),
        "spark": (
            f"{SECRET}.parquet",
            parquet_of([(1, NEWEST, "A", "T", None), (2, 5, "A", "T", None)], user_id=pa.array([SECRET, SECRET])),
        ),
    }
    return files[kind]


@pytest.mark.parametrize("kind", ["lines", "dump", "zip", "spotify", "lastfm", "librefm", "spark"])
def test_who_listened_is_kept_nowhere(kind: str, tmp_path: Path, catalogue: Catalogue) -> None:
    name, content = secretive(kind)
    source = catalogue.import_kind(KIND, [written(tmp_path / name, content)])
    assert source.row_count == 1
    kept = [path for folder in ("catalogue", "staging") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    quarantine = [path for path in kept if path.name == "quarantine.jsonl"]
    assert quarantine
    assert quarantine[0].stat().st_size
    for path in kept:
        assert SECRET.encode() not in path.read_bytes(), path
        assert SECRET not in str(path.relative_to(tmp_path))
        if path.suffix == ".parquet":
            assert SECRET not in str(pq.read_table(path).to_pydict())


def test_nothing_of_a_listener_is_left_in_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "SPILL_PLAYS", 2)
    path = written(tmp_path / "lines.jsonl", jsonl(listen(n % 3, NEWEST - n) for n in range(50)))
    lay(KIND, [path], tmp_path / "scratch")
    left = [found for found in (tmp_path / "scratch").rglob("*") if found.is_file()]
    assert {found.name for found in left} <= {"heard-by-id.parquet", "heard-by-title.parquet"}


def test_the_same_listens_give_the_same_bytes(tmp_path: Path, catalogue: Catalogue) -> None:
    listens = [listen(n % 3, NEWEST - n, title=f"T{n % 5}") for n in range(50)]

    def imported(entries: Any) -> list[bytes]:
        catalogue.import_kind(KIND, [written(tmp_path / "lines.jsonl", jsonl(entries))])
        return sorted(path.read_bytes() for path in (tmp_path / "catalogue").rglob("*.parquet"))

    first = imported(listens)
    assert first
    assert imported(listens) == first
    assert imported([*reversed(listens), listens[7]]) == first
