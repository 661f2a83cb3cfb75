"""An index is the same on every machine, and one of another archive is taken in only when it finds what the catalogue has."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from test_search_index import catalogue, recording

import fonoteca.search.indexing as indexing
from fonoteca.edges.disk import DiskBlobs, DiskStaging
from fonoteca.model.errors import StoreError, TrustError, UsageError
from fonoteca.search import SearchIndex
from fonoteca.search.indexing import Entry

NAME = "2026-11-22"


def index_in(folder: Path) -> SearchIndex:
    return SearchIndex(DiskBlobs(folder / "search"), DiskStaging(folder / "staging"))


def contents(index: SearchIndex) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in index.files()}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    index = index_in(tmp_path_factory.mktemp("origin"))
    index.build(catalogue(), NAME)
    return index


@pytest.fixture
def arrived(origin: SearchIndex, tmp_path: Path) -> Path:
    """Return a folder below staging in which the files of the index arrived."""
    folder = DiskStaging(tmp_path / "staging").folder("follow-search")
    for name, path in origin.files():
        shutil.copy(path, folder / name)
    return folder


def test_the_same_recordings_give_the_same_files_even_where_segments_were_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "BATCH_DOCUMENTS", 40)
    indexes = [index_in(tmp_path / name) for name in ("one", "other")]
    for index in indexes:
        index.build((recording(f"song {n} of {n % 7}", f"artist {n % 50}", "", n + 1) for n in range(1200)), NAME)
    one, other = (contents(index) for index in indexes)
    assert one == other
    assert len(json.loads(one["meta.json"])["segments"]) < 1200 / 40, "some were merged"
    for index in indexes:
        assert next(iter(index.search("song 77 of 0"))).title == "song 77 of 0"
    mirror, folder = index_in(tmp_path / "mirror"), DiskStaging(tmp_path / "mirror" / "staging").folder("came")
    for name, path in indexes[0].files():
        shutil.copy(path, folder / name)
    mirror.adopt(folder, NAME, 1200, [])
    assert contents(mirror) == one


def test_an_index_that_came_is_used_as_it_is(origin: SearchIndex, arrived: Path, tmp_path: Path) -> None:
    mirror = index_in(tmp_path)
    mirror.adopt(arrived, NAME, 317, catalogue())
    assert (mirror.snapshot(), contents(mirror)) == (NAME, contents(origin))
    assert mirror.search("sigur rós") == origin.search("sigur rós")
    assert mirror.folder_with(list(contents(origin))) is not None
    assert mirror.folder_with(["meta.json", f"{'0' * 32}.pos"]) is None
    assert not arrived.exists()


def _first(folder: Path, ending: str) -> Path:
    return next(path for path in sorted(folder.iterdir()) if path.name.endswith(ending))


def _edited(folder: Path, edit: Callable[[dict[str, object]], object]) -> None:
    meta = json.loads((folder / "meta.json").read_bytes())
    edit(meta)
    (folder / "meta.json").write_text(json.dumps(meta))


LIES: dict[str, Callable[[Path], object]] = {
    "a byte changed": lambda folder: _first(folder, ".term").write_bytes(_first(folder, ".term").read_bytes()[:-1] + b"x"),
    "a file more": lambda folder: (folder / "more").write_bytes(b"x"),
    "a folder more": lambda folder: (folder / "more").mkdir(),
    "a file gone": lambda folder: _first(folder, ".pos").unlink(),
    "a link": lambda folder: (_first(folder, ".pos").unlink(), (folder / "x").symlink_to("/etc/passwd")),
    "no list": lambda folder: (folder / "meta.json").unlink(),
    "a list of nothing": lambda folder: (folder / "meta.json").write_bytes(b"[]"),
    "a segment above": lambda folder: _edited(folder, lambda meta: meta["segments"][0].update(segment_id="../../x")),  # type: ignore[index]
    "documents made up": lambda folder: _edited(folder, lambda meta: meta["segments"][0].update(max_doc=9999)),  # type: ignore[index]
}


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_is_not_what_it_says_is_refused(lie: str, arrived: Path, tmp_path: Path) -> None:
    LIES[lie](arrived)
    mirror = index_in(tmp_path)
    with pytest.raises((TrustError, StoreError)):
        mirror.adopt(arrived, NAME, 317, catalogue())
    assert mirror.current() is None


def test_an_index_of_another_catalogue_is_refused(arrived: Path, tmp_path: Path) -> None:
    mirror = index_in(tmp_path)
    for count, sample in ((100_000, []), (317, [recording("Nobody sang this", "Ever", "", 3)])):
        with pytest.raises(TrustError):
            mirror.adopt(arrived, NAME, count, sample)
    lie = replace(catalogue()[300], artist="Another")
    with pytest.raises(TrustError, match="not found as the catalogue has it"):
        mirror.adopt(arrived, NAME, 317, [lie])
    with pytest.raises(TrustError, match="not a snapshot's name"):
        mirror.adopt(arrived, "../x", 317, [])
    with pytest.raises(UsageError):
        mirror.files()


def _odd(place: int, value: object) -> Callable[[Entry], list[object]]:
    return lambda entry: [value if number == place else each for number, each in enumerate(_plain(entry))]


def _plain(entry: Entry) -> list[object]:
    return [entry.kind, entry.id, entry.title, entry.artist, entry.release, entry.rank, entry.share, entry.held]


ODD: dict[str, Callable[[Entry], object]] = {
    "no list": lambda entry: {"title": entry.title},
    "too short": lambda entry: _plain(entry)[:-1],
    "a title that is none": _odd(2, ["x"]),
    "a lone surrogate": _odd(2, "\ud800"),
    "a rank in words": _odd(5, "first"),
    "a share that is no number": _odd(6, float("nan")),
    "an unknown kind": _odd(0, "person"),
    "too deep": lambda _: json.loads("[" * 900 + "]" * 900),
}


@pytest.mark.parametrize("oddity", ODD)
def test_an_entry_that_another_archive_wrote_oddly_is_an_error_in_words(
    oddity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_in(tmp_path)
    monkeypatch.setattr(indexing, "astuple", ODD[oddity])
    monkeypatch.setattr(indexing.json, "dumps", lambda found, **_: json.JSONEncoder(ensure_ascii=True).encode(found))
    index.build([recording("same words", "one", "", 1), recording("same words", "other", "", 2)], NAME)
    monkeypatch.undo()
    with pytest.raises(StoreError, match=r"not as this version writes it|not a valid|surrogates"):
        index.search("same words")
