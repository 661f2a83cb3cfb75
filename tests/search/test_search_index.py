"""What an index finds, in which order, page after page, and how it is built, taken into use and kept."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from search_world import NAME, Place, catalogue, contents, recording

from fonoteca.edges.workers import ProcessWorkers
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.search import Hit, HitKind, SearchIndex
from fonoteca.search.reading import LIMIT_MAX


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    place = Place(tmp_path_factory.mktemp("index"))
    place.index().build(place.tables(catalogue()))
    return place.index()


@pytest.fixture
def here(tmp_path: Path) -> Place:
    return Place(tmp_path)


def titles(index: SearchIndex, words: str, kind: HitKind = HitKind.TRACK) -> list[str]:
    return [hit.title for hit in index.search(words, 100) if hit.kind is kind]


@pytest.mark.parametrize("words", ["sigur rós", "SIGUR ROS", "Sigur Ro", "sigur r", "ros sigur", "Sigur Ro\u0301s"])
def test_an_artist_is_found_first_however_the_name_is_typed(index: SearchIndex, words: str) -> None:
    first = index.search(words)[0]
    assert (first.kind, first.id, first.title, first.held) == (HitKind.ARTIST, "Sigur Rós", "Sigur Rós", True)
    assert first.share == pytest.approx(1 / 2 + 1 / 3)


def test_tracks_artists_and_releases_are_found_in_one_box(index: SearchIndex) -> None:
    hits = index.search("agaetis byrjun")
    assert hits[0].kind is HitKind.RELEASE
    assert (hits[0].title, hits[0].artist) == ("Ágætis byrjun", "Sigur Rós")
    assert {hit.title for hit in hits if hit.kind is HitKind.TRACK} == {"Svefn-g-englar", "Starálfur"}
    track = next(hit for hit in hits if hit.title == "Svefn-g-englar")
    assert (track.artist, track.release, track.held, track.share) == ("Sigur Rós", "Ágætis byrjun", True, 0.5)


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("чайковский вальс", "Щелкунчик: Вальс цветов"),
        ("ЧАЙКОВСКИЙ", "Щелкунчик: Вальс цветов"),
        ("chaykovskiy val", "Щелкунчик: Вальс цветов"),
        ("петр щелк", "Щелкунчик: Вальс цветов"),
        ("坂本龍一", "戦場のメリークリスマス"),
        ("メリー", "戦場のメリークリスマス"),
        ("merikurisumasu", "戦場のメリークリスマス"),
        ("鄧麗君", "月亮代表我的心"),
        ("月亮", "月亮代表我的心"),
        ("denglijun", "月亮代表我的心"),
        ("deng li jun yue liang", "月亮代表我的心"),
        ("방탄소년단", "봄날"),
        ("bangtan", "봄날"),
        ("فيروز", "نسم علينا الهوى"),
        ("nsm lyn", "نسم علينا الهوى"),
        ("הזהב ירושלים", "ירושלים של זהב"),
        ("yrvslym", "ירושלים של זהב"),
        ("ΠΕΙΡΑΙΑΣ", "Πειραιάς"),
        ("paidia peiraia", "Τα παιδιά του Πειραιά"),
        ("dont stop", "Don't Stop the Music"),
        ("don’t stop", "Don't Stop the Music"),
        ("svefn g englar sigur", "Svefn-g-englar"),
        ("x" * 5000, "x" * 5000),
    ],
)
def test_every_script_is_found_by_itself_and_by_latin_letters(index: SearchIndex, words: str, title: str) -> None:
    assert titles(index, words)[:1] == [title]


def test_equal_matches_are_in_order_of_popularity_and_better_matches_come_before(index: SearchIndex) -> None:
    assert [(hit.title, hit.artist) for hit in index.search("anthem")][:3] == [
        ("Anthem", "Well Known Band"),
        ("Anthem", "Little Known Band"),
        ("Anthem for Nobody", "Third Band"),
    ]
    assert titles(index, "art")[:2] == ["Art", "Arthropod"]


def test_quoted_words_must_stand_together_and_all_words_must_be_there(index: SearchIndex) -> None:
    assert titles(index, '"look now"') == ["Dont Look Now"]
    assert titles(index, '"now look"') == []
    assert titles(index, "anthem arthropod") == []


def test_typing_errors_are_forgiven_when_nothing_else_is_found_two_of_them_in_long_words_only(index: SearchIndex) -> None:
    assert titles(index, "anthme well knwn ")[0] == "Anthem"
    assert titles(index, "artropo")[0] == "Arthropod"
    assert titles(index, "artropad ")[0] == "Arthropod"
    assert titles(index, "atrm ") == titles(index, "zzzzzzzzzz") == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("artist:sigur", {"Svefn-g-englar", "Starálfur"}),
        ("title:sigur", {"Sigur"}),
        ("sigur", {"Svefn-g-englar", "Starálfur", "Sigur"}),
        ('artist:"sigur ros" star', {"Starálfur"}),
        ("release:byrjun", {"Svefn-g-englar", "Starálfur"}),
        ("album:ros", {"Sigur"}),
        ("year:1990..1991", {"Don't Stop the Music", "Dont Look Now"}),
        ("dont year:1991", {"Dont Look Now"}),
        ("year:..1983", {"戦場のメリークリスマス"}),
        ("year:2004..", {"Sigur"}),
        ("licence:by", {"Svefn-g-englar"}),
        ("license:cc0", {"Starálfur"}),
        ("sigur licence:other", {"Sigur"}),
        ("licence:any", {"Svefn-g-englar", "Starálfur", "Sigur"}),
        ("held:yes", {"Svefn-g-englar"}),
        ("sigur held:no", {"Starálfur", "Sigur"}),
        ("kind:artist sigur", set()),
        ("year:soon", set()),
        ("held:maybe", set()),
    ],
)
def test_filters_say_what_hits_must_be(index: SearchIndex, words: str, found: set[str]) -> None:
    assert set(titles(index, words)) == found


@pytest.mark.parametrize("words", ["record", "year:1..9999", "maker kind:track", "record maker 1"])
def test_pages_together_are_the_whole_answer_whatever_their_size(index: SearchIndex, words: str) -> None:
    whole = index.page(words, LIMIT_MAX)
    assert whole.after == ""
    assert len({(hit.kind, hit.id) for hit in whole.hits}) == len(whole.hits) > 5
    for size in (7, 50):
        together: list[Hit] = []
        after = ""
        for _ in range(LIMIT_MAX):
            page = index.page(words, size, after)
            together += page.hits
            after = page.after
            if not after:
                break
            assert len(page.hits) == size
        assert together == list(whole.hits)


@pytest.mark.parametrize("words", ["maker 1", "record maker 1", "maker ka", "mak record 2", "maker r", "record 3 s", "mxker reco"])
def test_a_begun_word_finds_the_same_whether_the_index_or_the_cards_tell(
    index: SearchIndex, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    def pages() -> list[tuple[Hit, ...]]:
        found, after = [], ""
        while True:
            page = index.page(words, 7, after)
            found.append(page.hits)
            if not (after := page.after):
                return found

    asked = pages()
    assert len(asked) > 1
    monkeypatch.setattr("fonoteca.search.reading._BEGUN_WORDS_MAX", -1)  # so that too many begin so, whatever it is
    assert pages() == asked


def test_a_cursor_is_of_its_query_and_of_nothing_else(index: SearchIndex) -> None:
    after = index.page("record", 5).after
    for words, cursor in (("maker", after), ("record", after[:-3]), ("record", "x"), ("record", "é" * 300), ("record", "W10")):
        with pytest.raises(UsageError):
            index.page(words, 5, cursor)


def test_facets_count_what_matches(index: SearchIndex) -> None:
    facets = index.facets("sigur")
    assert facets.whole
    assert facets.kinds == {"track": 3, "artist": 1, "release": 1}
    assert facets.decades == {1990: 3, 2000: 1}
    assert facets.licences == {"by": 1, "cc0": 1, "other": 1}
    assert facets.held == {"yes": 3, "no": 2}
    assert index.facets("").kinds == {}


def test_no_words_find_nothing(index: SearchIndex) -> None:
    for words in ("", "   ", "!?", '"', "♥"):
        assert index.search(words) == ()


def test_order_is_the_same_each_time_and_limits_cut_it(index: SearchIndex) -> None:
    all_of_them = index.search("record", 500)
    assert len(all_of_them) == 340
    assert index.search("record", 500) == all_of_them
    assert index.search("record", 7) == all_of_them[:7]
    for limit in (0, -1, LIMIT_MAX + 1):
        with pytest.raises(UsageError):
            index.search("record", limit)


HOSTILE = [
    '"',
    '""" "" "',
    "title:",
    "year:..",
    "year:99999999..",
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
    "ab " * 50_000,
    "a" * 100_000,
    '"' * 100_000,
    "é" * 100_000,
    "\u202e" + "reversed",
    "\N{COMBINING ACUTE ACCENT}" * 3000,
    "𝕬𝖓𝖙𝖍𝖊𝖒",
    "龍" * 3000,
]


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_no_query_is_an_error_and_none_takes_long(index: SearchIndex, words: str) -> None:
    start = time.monotonic()
    index.search(words)
    index.facets(words)
    assert time.monotonic() - start < 5


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=80) | st.lists(st.sampled_from(["sigur", "ros", '"', "an", "thm", "'", "本", "-", "é", "year:"])).map(" ".join)
)
@example('"a b" c"')
def test_any_text_is_answered(index: SearchIndex, words: str) -> None:
    assert len(index.search(words, 5)) <= 5


def test_searching_before_the_first_build_says_what_to_do(here: Place) -> None:
    with pytest.raises(UsageError, match="no index yet"):
        here.index().search("x")
    assert here.index().current() is None


def test_a_build_is_taken_into_use_and_the_one_before_is_kept_until_the_next(here: Place) -> None:
    index, other = here.index(), here.index()
    assert index.build(here.tables([recording("First")], "2026-01-01")) == 2
    assert not list((here.folder / "search").rglob(".*.lock"))
    assert titles(other, "first") == ["First"]
    index.build(here.tables([recording("Second")], "2026-01-02"))
    assert (titles(other, "second"), titles(other, "first ")) == (["Second"], [])
    assert folders(here) == {"2026-01-01", "2026-01-02"}
    index.build(here.tables([recording("Third")], "2026-01-02"))
    assert index.current() == "2026-01-02-2"
    assert folders(here) == {"2026-01-02", "2026-01-02-2"}
    assert titles(other, "third") == ["Third"]
    assert not list((here.folder / "staging").iterdir())


def test_a_build_that_fails_leaves_the_index_in_use(here: Place) -> None:
    index = here.index()
    index.build(here.tables([recording("First")], "a"))
    tables = here.tables([recording("Half", "Somebody")], "b")
    tables.files["artists"][0].path.unlink()
    with pytest.raises((StoreError, OSError)):
        index.build(tables)
    assert titles(index, "first") == ["First"]
    assert folders(here) == {"a"}
    assert not list((here.folder / "staging").iterdir())
    for name in ("", "..", "a/b", "current", "x" * 65, ".hidden"):
        with pytest.raises(UsageError):
            index.build(here.tables([], name))


def test_a_begun_word_is_found_in_a_catalogue_of_one(here: Place) -> None:
    here.index().build(here.tables([recording("Anthem", "Somebody")]))
    for words in ("an", "anth", "somebody a", "anthem som", '"anth'):
        assert titles(here.index(), words) == ["Anthem"]


def test_an_empty_catalogue_makes_an_index_that_finds_nothing(here: Place) -> None:
    assert here.index().build(here.tables([], "empty")) == 0
    assert here.index().search("x") == ()
    assert here.index().facets("x").kinds == {"track": 0, "artist": 0, "release": 0}


def test_a_delta_makes_the_shards_that_changed_and_gives_the_index_of_a_full_build_byte_for_byte(tmp_path: Path) -> None:
    rows = sorted(catalogue(), key=lambda one: one.popularity.rank)
    later = [*rows[:200], *(recording(f"new {n}", "Newcomer", "", 1000 + n) for n in range(50)), *rows[200:]]
    delta, full = Place(tmp_path / "delta"), Place(tmp_path / "full")
    delta.index().build(delta.tables(rows, "a", file_rows=64))
    before = {path.stat().st_ino: name for name, path in delta.index().files()}
    delta.index().build(delta.tables(later, "b", file_rows=64))
    full.index().build(full.tables(later, "b", file_rows=64))
    assert contents(delta.index()) == contents(full.index())
    kept = {name.split("/")[0] for name, path in delta.index().files() if path.stat().st_ino in before}
    assert {"recordings-00", "recordings-01"} <= kept < {name.split("/")[0] for name, _ in full.index().files()}
    with ProcessWorkers(2) as workers:
        spread = Place(tmp_path / "spread")
        spread_index = SearchIndex(spread.index()._blobs, spread.index()._staging, workers=lambda: workers)
        spread_index.build(spread.tables(later, "b", file_rows=64))
        assert contents(spread_index) == contents(full.index())


HARMS = ["no-index", "no-manifest", "bad-manifest", "cut-cards", "odd-cards", "cut-terms", "bad-meta", "bad-pointer"]


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_index_is_a_store_error(here: Place, harm: str) -> None:
    here.index().build(here.tables(catalogue()))
    folder = here.folder / "search" / NAME
    shard = folder / "recordings-00"
    cards = shard / f"{0:032x}.cards"
    if harm == "no-index":
        folder.rename(here.folder / "gone")
    elif harm == "no-manifest":
        (folder / "index.json").unlink()
    elif harm == "bad-manifest":
        (folder / "index.json").write_text("{")
    elif harm == "cut-cards":
        cards.write_bytes(cards.read_bytes()[:40])
    elif harm == "odd-cards":
        cards.write_bytes(cards.read_bytes()[:-9] + b"not these")
    elif harm == "cut-terms":
        for path in shard.glob("*.term"):
            path.write_bytes(path.read_bytes()[:20])
    elif harm == "bad-meta":
        (shard / "meta.json").write_text("{")
    else:
        (here.folder / "search" / "current").write_bytes(b"../../\xff")
    with pytest.raises(StoreError, match=r"[Bb]uild"):
        here.index().search("year:1..9999 kind:track" if harm != "odd-cards" else "maker", 500)


def folders(here: Place) -> set[str]:
    return {path.name for path in (here.folder / "search").iterdir() if path.is_dir()}
