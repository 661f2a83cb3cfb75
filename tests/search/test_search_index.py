from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fonoteca.edges.disk import DiskBlobs, DiskStaging
from fonoteca.model.catalogue import Popularity, Recording
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.ids import RecordingId
from fonoteca.search import HitKind, IndexReader, SearchIndex
from fonoteca.search.indexing import write_index
from fonoteca.search.reading import LIMIT_MAX


def recording(title: str, artist: str = "Nobody", release: str = "", rank: int = 1000, held: bool = False) -> Recording:
    key = f"{title}/{artist}/{release}/{rank}"
    return Recording(
        id=RecordingId.of("test", key.encode("utf-8", "replace").decode()),
        title=title,
        artist=artist,
        release=release,
        release_id=f"release:{release}" if release else "",
        year=None,
        duration_ms=0,
        isrcs=(),
        licence_uri="",
        source_uri="",
        source="test",
        file_bytes=0,
        held=held,
        popularity=Popularity(1 / rank, 0.0, 1.0, rank, True),
    )


def catalogue() -> list[Recording]:
    source = random.Random(7)
    syllables = ["ka", "lo", "mi", "ten", "zur", "pel", "vod", "rin", "sta", "que"]
    made = [
        recording(
            " ".join("".join(source.choices(syllables, k=3)) for _ in range(2)), f"Maker {i % 20}", f"Record {i % 40}", 100 + i
        )
        for i in range(300)
    ]
    return [
        *made,
        recording("Svefn-g-englar", "Sigur Rós", "Ágætis byrjun", 2, held=True),
        recording("Starálfur", "Sigur Rós", "Ágætis byrjun", 3),
        recording("Sigur", "Someone Else", "Ros Album", 4),
        recording("Щелкунчик: Вальс цветов", "Пётр Чайковский", "Балеты", 5),
        recording("戦場のメリークリスマス", "坂本龍一", "戦メリ", 6),
        recording("Don't Stop the Music", "The Dancers", "Dance", 7),
        recording("Dont Look Now", "The Dancers", "Dance", 8),
        recording("Anthem", "Well Known Band", "First", 1),
        recording("Anthem", "Little Known Band", "Second", 900),
        recording("Anthem for Nobody", "Third Band", "Third", 9),
        recording("Arthropod", "Insects", "Bugs", 10),
        recording("Art", "Insects", "Bugs", 11),
        recording("", "", "", 12),
        recording("", "Silent Artist", "", 13),
        recording("Broken \ud800 surrogate", "X\ud800Y", "Z", 14),
        recording("word " * 500, "Long", "Long", 15),
        recording("x" * 5000, "Longer", "Longer", 16),
    ]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> IndexReader:
    folder = tmp_path_factory.mktemp("index")
    write_index(folder, catalogue())
    return IndexReader(folder)


@pytest.fixture
def index(tmp_path: Path) -> SearchIndex:
    return SearchIndex(DiskBlobs(tmp_path / "search"), DiskStaging(tmp_path / "staging"))


def titles(reader: IndexReader, words: str, kind: HitKind = HitKind.TRACK) -> list[str]:
    return [hit.title for hit in reader.search(words) if hit.kind is kind]


@pytest.mark.parametrize("words", ["sigur rós", "SIGUR ROS", "Sigur Ro", "sigur r", "ros sigur", "Sigur Ro\u0301s"])
def test_an_artist_is_found_first_however_the_name_is_typed(reader: IndexReader, words: str) -> None:
    first = reader.search(words)[0]
    assert (first.kind, first.id, first.title, first.held) == (HitKind.ARTIST, "Sigur Rós", "Sigur Rós", True)
    assert first.share == pytest.approx(1 / 2 + 1 / 3)


def test_tracks_artists_and_releases_are_found_in_one_box(reader: IndexReader) -> None:
    hits = reader.search("agaetis byrjun")
    assert hits[0].kind is HitKind.RELEASE
    assert (hits[0].id, hits[0].title, hits[0].artist) == ("release:Ágætis byrjun", "Ágætis byrjun", "Sigur Rós")
    assert {hit.title for hit in hits if hit.kind is HitKind.TRACK} == {"Svefn-g-englar", "Starálfur"}
    track = next(hit for hit in hits if hit.title == "Svefn-g-englar")
    assert (track.artist, track.release, track.held, track.share) == ("Sigur Rós", "Ágætis byrjun", True, 0.5)


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("чайковский вальс", "Щелкунчик: Вальс цветов"),
        ("ЧАЙКОВСКИЙ", "Щелкунчик: Вальс цветов"),
        ("петр щелк", "Щелкунчик: Вальс цветов"),
        ("坂本龍一", "戦場のメリークリスマス"),
        ("メリー", "戦場のメリークリスマス"),
        ("dont stop", "Don't Stop the Music"),
        ("don’t stop", "Don't Stop the Music"),
        ("svefn g englar sigur", "Svefn-g-englar"),
        ("x" * 5000, "x" * 5000),
        ("broken surrogate", "Broken ? surrogate"),
    ],
)
def test_scripts_punctuation_and_oddities_are_found(reader: IndexReader, words: str, title: str) -> None:
    assert titles(reader, words)[0] == title


def test_equal_matches_are_in_order_of_popularity_and_better_matches_come_before(reader: IndexReader) -> None:
    assert [(hit.title, hit.artist) for hit in reader.search("anthem")][:3] == [
        ("Anthem", "Well Known Band"),
        ("Anthem", "Little Known Band"),
        ("Anthem for Nobody", "Third Band"),
    ]
    assert titles(reader, "art")[:2] == ["Art", "Arthropod"]


def test_quoted_words_must_stand_together_and_all_words_must_be_there(reader: IndexReader) -> None:
    assert titles(reader, '"look now"') == ["Dont Look Now"]
    assert titles(reader, '"now look"') == []
    assert titles(reader, "anthem arthropod") == []


def test_one_typing_error_is_forgiven_when_nothing_else_is_found(reader: IndexReader) -> None:
    assert titles(reader, "anthme well knwn ")[0] == "Anthem"
    assert titles(reader, "artropo")[0] == "Arthropod"
    assert titles(reader, "zzzzzzzzzz") == []


def test_two_typing_errors_are_forgiven_in_long_words_only(reader: IndexReader) -> None:
    assert titles(reader, "artropad ")[0] == "Arthropod"
    assert titles(reader, "atrm ") == []


def test_no_words_find_nothing(reader: IndexReader) -> None:
    for words in ("", "   ", "!?", '"', "♥"):
        assert reader.search(words) == ()


def test_order_is_the_same_each_time_and_limits_cut_it(reader: IndexReader) -> None:
    all_of_them = reader.search("record", 500)
    assert len(all_of_them) == 340
    assert reader.search("record", 500) == all_of_them
    assert reader.search("record", 7) == all_of_them[:7]
    scores = [hit.score for hit in all_of_them]
    assert scores == sorted(scores, reverse=True)
    for limit in (0, -1, LIMIT_MAX + 1):
        with pytest.raises(UsageError):
            reader.search("record", limit)


def test_the_same_recordings_give_the_same_answers_from_another_build(reader: IndexReader, tmp_path: Path) -> None:
    write_index(tmp_path, catalogue())
    again = IndexReader(tmp_path)
    for words in ("record", "m", "ka", "sigur", "anthem"):
        assert again.search(words, 100) == reader.search(words, 100)


HOSTILE = [
    '"',
    '""" "" "',
    "title:",
    "AND OR NOT",
    "(((((((",
    "*",
    "?a*",
    "/.*/",
    "[a TO",
    "a^999999999999",
    "a~9",
    "\\",
    "\0",
    "a\0b",
    "\ud800",
    "'; DROP TABLE tracks; --",
    "<script>alert(1)</script>",
    "%00%ff",
    "a " * 50_000,
    "a" * 100_000,
    '"' * 100_000,
    "é" * 100_000,
    "\u202e" + "reversed",
    "\N{COMBINING ACUTE ACCENT}" * 3000,
    "𝕬𝖓𝖙𝖍𝖊𝖒",
    "龍" * 3000,
]


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_no_query_is_an_error_and_none_takes_long(reader: IndexReader, words: str) -> None:
    start = time.monotonic()
    reader.search(words)
    assert time.monotonic() - start < 2


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80) | st.lists(st.sampled_from(["sigur", "ros", '"', "an", "thm", "'", "本", "-", "é"])).map(" ".join))
@example('"a b" c"')
def test_any_text_is_answered(reader: IndexReader, words: str) -> None:
    assert len(reader.search(words, 5)) <= 5


def test_searching_before_the_first_build_says_what_to_do(index: SearchIndex) -> None:
    with pytest.raises(UsageError, match="no index yet"):
        index.search("x")
    assert index.current() is None


def test_a_build_is_taken_into_use_and_the_one_before_is_kept_until_the_next(index: SearchIndex, tmp_path: Path) -> None:
    other = SearchIndex(DiskBlobs(tmp_path / "search"), DiskStaging(tmp_path / "staging-2"))
    assert index.build([recording("First")], "2026-01-01") == 2
    assert not list((tmp_path / "search").rglob(".*.lock"))
    assert [hit.title for hit in other.search("first")] == ["First"]
    index.build([recording("Second")], "2026-01-02")
    assert [hit.title for hit in other.search("second")] == ["Second"]
    assert other.search("first ") == ()
    assert folders(tmp_path) == {"2026-01-01", "2026-01-02"}
    index.build([recording("Third")], "2026-01-02")
    assert index.current() == "2026-01-02-2"
    assert folders(tmp_path) == {"2026-01-02", "2026-01-02-2"}
    assert [hit.title for hit in other.search("third")] == ["Third"]
    assert not list((tmp_path / "staging").iterdir())


def test_a_build_that_fails_leaves_the_index_in_use(index: SearchIndex, tmp_path: Path) -> None:
    def broken() -> Iterator[Recording]:
        yield recording("Half")
        raise StoreError("catalogue", "the disk is gone")

    index.build([recording("First")], "a")
    with pytest.raises(StoreError, match="the disk is gone"):
        index.build(broken(), "b")
    assert [hit.title for hit in index.search("first")] == ["First"]
    assert folders(tmp_path) == {"a"}
    for name in ("", "..", "a/b", "current", "x" * 65, ".hidden"):
        with pytest.raises(UsageError):
            index.build([], name)


def test_an_empty_catalogue_makes_an_index_that_finds_nothing(index: SearchIndex) -> None:
    assert index.build([], "empty") == 0
    assert index.search("x") == ()


@pytest.mark.parametrize("harm", ["no-index", "no-meta", "bad-meta", "cut-store", "bad-pointer"])
def test_a_damaged_index_is_a_store_error(index: SearchIndex, tmp_path: Path, harm: str) -> None:
    index.build(catalogue(), "a")
    folder = tmp_path / "search" / "a"
    if harm == "no-index":
        folder.rename(tmp_path / "gone")
    elif harm == "no-meta":
        (folder / "meta.json").unlink()
    elif harm == "bad-meta":
        (folder / "meta.json").write_text("{")
    elif harm == "cut-store":
        for path in folder.glob("*.store"):
            path.write_bytes(path.read_bytes()[:20])
    else:
        (tmp_path / "search" / "current").write_bytes(b"../../\xff")
    with pytest.raises(StoreError, match=r"[Bb]uild"):
        index.search("sigur")


def folders(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "search").iterdir() if path.is_dir()}
