"""Snapshots: deterministic, ranked, honest about what is made up, and never half there."""

from __future__ import annotations

import errno
import hashlib
import json
import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from catalogue_world import Interrupted, StillClock, held_track, listening_of, mapping_of, recordings_csv

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.building import build_errors
from fonoteca.catalogue.writing import UNKNOWN_DURATION_MS
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.catalogue import Permit, PlanQuestion
from fonoteca.model.errors import StoreError
from fonoteca.model.ids import RecordingId


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """The starter and 30 held tracks under a synthetic history, built."""
    folder = tmp_path_factory.mktemp("archive")
    for name in ("catalogue", "staging"):
        (folder / name).mkdir()
    with Catalogue(DiskBlobs(folder / "catalogue"), DiskStaging(folder / "staging"), StillClock()) as catalogue:
        catalogue.import_starter()
        catalogue.import_store([held_track(i) for i in range(30)])
        catalogue.import_synthetic_history(seed=7, listener_count=10_000)
        catalogue.build()
        yield catalogue


def test_rows_come_by_rank_and_shares_add_up_to_one(starter: Catalogue) -> None:
    rows = list(starter.rows())
    assert len(rows) == 10_789 == len({row.id for row in rows})
    assert [row.popularity.rank for row in rows] == list(range(1, len(rows) + 1))
    shares = [row.popularity.share for row in rows]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0
    for row in rows:
        assert 0 <= row.popularity.share_low <= row.popularity.share <= row.popularity.share_high <= 1
        assert row.popularity.synthetic


def test_what_is_made_up_says_so_everywhere(starter: Catalogue) -> None:
    catalogue = starter
    snapshot = catalogue.snapshot()
    assert snapshot
    assert snapshot.synthetic
    assert catalogue.coverage().synthetic
    assert catalogue.plan(PlanQuestion(10**9), lambda _licence: Permit.ANY_FORMAT).synthetic
    files = dict(catalogue.snapshot_files())
    assert json.loads(files["snapshot.json"].read_bytes())["synthetic"] is True
    for name in ("recordings/00000.parquet", "releases/00000.parquet", "artists/00000.parquet"):
        assert pq.read_table(files[name]).column("synthetic").unique().to_pylist() == [True]


def test_what_is_held_is_spread_over_the_ranks(starter: Catalogue) -> None:
    ranks = sorted(row.popularity.rank for row in starter.rows() if row.held)
    assert len(ranks) == 30
    assert 1 < ranks[0] < 100
    assert ranks[-1] > 3000


def test_digests_in_snapshot_json_are_those_of_the_files(starter: Catalogue) -> None:
    snapshot = starter.snapshot()
    assert snapshot
    files = dict(starter.snapshot_files())
    assert set(files) == {path for path, _ in snapshot.files} | {"snapshot.json"}
    for path, digest in snapshot.files:
        assert hashlib.sha256(files[path].read_bytes()).hexdigest() == digest
    assert [source.licence for source in snapshot.sources if source.name == "starter"]


def test_pages_follow_one_another(starter: Catalogue) -> None:
    first = starter.recordings(0, 100)
    second = starter.recordings(first[-1].popularity.rank, 100)
    assert [r.popularity.rank for r in first + second] == list(range(1, 201))
    assert starter.recordings(10_789, 10) == []
    assert starter.recording(first[3].id) == first[3]
    found = starter.standings([first[3].id, "no id", RecordingId.of("no", "such")])
    assert found == {first[3].id: (first[3].popularity.share, 4)}


def test_threads_may_ask_at_once(starter: Catalogue) -> None:
    catalogue = starter
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda n: catalogue.recordings(n * 100, 100), range(40)))
    assert [r.popularity.rank for page in pages for r in page] == list(range(1, 4001))


def test_releases_and_artists_sum_up_their_recordings(starter: Catalogue) -> None:
    catalogue = starter
    releases, artists = list(catalogue.releases()), list(catalogue.artists())
    assert sum(artist.track_count for artist in artists) == 10_789
    assert sum(artist.share for artist in artists) == pytest.approx(1)
    assert [r.best_rank for r in releases] == sorted(r.best_rank for r in releases)
    held = next(r for r in releases if r.held_count)
    tracks = catalogue.release_recordings(held.id)
    assert (len(tracks), held.track_count, held.title) == (30, 30, "Held Together")
    assert held.share == pytest.approx(sum(track.popularity.share for track in tracks))


def test_the_same_imports_give_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        for part in ("catalogue", "staging"):
            (folder / part).mkdir(parents=True)
        with Catalogue(DiskBlobs(folder / "catalogue"), DiskStaging(folder / "staging"), StillClock()) as catalogue:
            tracks = [held_track(i) for i in range(5)]
            catalogue.import_store(tracks if name == "one" else reversed(tracks))
            catalogue.import_starter()
            catalogue.import_synthetic_history(seed=3, listener_count=100)
            catalogue.build()
            found.append({path: file.read_bytes() for path, file in catalogue.snapshot_files()})
    assert found[0] == found[1]


def test_a_build_without_news_gives_the_snapshot_in_force(catalogue: Catalogue, tmp_path: Path, clock: StillClock) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 5)], mapping_of())
    first = catalogue.build()
    clock.time = clock.time.replace(month=3)
    assert catalogue.build() == first
    assert first.name == "2026-01-31"


def test_a_second_snapshot_of_a_day_is_numbered_and_the_first_stays(catalogue: Catalogue, tmp_path: Path) -> None:
    names = []
    for count in (5, 6, 7, 5):
        catalogue.import_table([recordings_csv(tmp_path / "a.csv", count)], mapping_of())
        names.append(catalogue.build().name)
    assert names == ["2026-01-31", "2026-01-31-2", "2026-01-31-3", "2026-01-31"]
    assert len(list((tmp_path / "catalogue").glob("2026-*"))) == 3


@pytest.mark.parametrize("label", ["reading rows", "writing the snapshot"])
def test_nothing_works_on_when_a_build_has_failed(label: str, catalogue: Catalogue, tmp_path: Path) -> None:
    files = [recordings_csv(tmp_path / f"{n}.csv", 20, f"Of {n}") for n in range(8)]
    catalogue.import_table(files, mapping_of())
    with pytest.raises(KeyboardInterrupt, match=label) as caught:
        catalogue.build(Interrupted(label))
    assert caught.tb, "which keeps what the build held"
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")] == []
    assert list((tmp_path / "staging").iterdir()) == []


@contextmanager
def _disk_with_room_for(file_bytes: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: what the system then refuses, it refuses as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("file_bytes", [10_000, 50_000], ids=["columns", "parts"])
def test_a_disk_without_room_fails_the_build_in_words(file_bytes: int, catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 5)], mapping_of())
    snapshot = catalogue.build()
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 4000)], mapping_of())
    with _disk_with_room_for(file_bytes), pytest.raises(StoreError, match="catalogue: cannot be built: File too large"):
        catalogue.build()
    assert catalogue.snapshot() == snapshot
    assert list((tmp_path / "staging").iterdir()) == []
    assert catalogue.build().recording_count == 4000


def test_a_full_disk_is_called_that() -> None:
    with pytest.raises(StoreError, match=r"the disk is full\. Free space"), build_errors():
        raise OSError(errno.ENOSPC, "Error writing bytes to file")


def test_columns_have_their_place_on_the_disk_before_a_row_is_gathered(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / f"{n}.csv", 20_000, f"Of {n}") for n in range(2)], mapping_of())
    taken: list[bool] = []

    class Looking(Interrupted):
        def _step(self, label: str) -> None:
            columns = [path.stat() for path in (tmp_path / "staging").rglob("*.npy")]
            taken.append(bool(columns) and all(column.st_blocks * 512 >= column.st_size for column in columns))
            super()._step(label)

    with pytest.raises(KeyboardInterrupt):
        catalogue.build(Looking("reading rows"))
    assert taken == [True]


def test_ties_are_ranked_in_order_of_import(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 50)], mapping_of())
    catalogue.build()
    rows = list(catalogue.rows())
    assert [row.title for row in rows] == [f"Title {i}" for i in range(50)]
    assert {row.popularity.share for row in rows} == {1 / 50}
    assert not any(row.popularity.synthetic for row in rows)


def test_listeners_of_several_sources_speak_and_the_never_heard_have_a_share(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 4)], mapping_of("music"))
    one = listening_of(tmp_path / "one.csv", {"k0": (6, 3), "k1": (9, 9)})
    two = listening_of(tmp_path / "two.csv", {"k0": (5, 1)})
    catalogue.import_table([one], mapping_of("one", "listening", key_source="music"))
    catalogue.import_table([two], mapping_of("two", "listening", key_source="music", synthetic=True))
    catalogue.build()
    rows = list(catalogue.rows())
    # Nine who heard a track once say more than four who heard another eleven times.
    assert [row.title for row in rows[:2]] == ["Title 1", "Title 0"]
    assert 0 < rows[2].popularity.share == rows[3].popularity.share < rows[1].popularity.share
    assert all(row.popularity.synthetic for row in rows)


@pytest.mark.parametrize("counts", [{"k0": (6, 3), "k1": (5, 0)}, {"k0": (6, 0), "k1": (5, 0)}], ids=["some", "all"])
def test_what_was_heard_by_no_listener_is_ranked_all_the_same(
    counts: dict[str, tuple[int, int]], catalogue: Catalogue, tmp_path: Path
) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 30)], mapping_of("music"))
    heard = listening_of(tmp_path / "h.csv", counts | {f"k{n}": (1, counts["k0"][1] and 1) for n in range(2, 30)})
    catalogue.import_table([heard], mapping_of("heard", "listening", key_source="music"))
    catalogue.build()
    first = catalogue.recordings(limit=2)
    assert {row.title for row in first} == {"Title 0", "Title 1"}
    stored = catalogue.stored_snapshot()
    assert stored
    assert [source.listeners_counted for source in stored.basis.sources] == [counts["k0"][1] > 0]


def test_listens_of_a_source_that_knows_none_of_the_recordings_are_counted(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 3)], mapping_of("music"))
    catalogue.import_table([listening_of(tmp_path / "l.csv", {"nowhere": (7, 1)})], mapping_of("heard", "listening"))
    catalogue.build()
    stored = catalogue.stored_snapshot()
    assert stored
    assert (stored.basis.heard, stored.basis.unmatched_listens) == (False, 7)


def test_repeated_plays_of_one_listener_widen_the_interval(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 4)], mapping_of("music"))
    widths = []
    for listeners in (100, 10):
        heard = listening_of(tmp_path / "h.csv", {"k0": (100, listeners), "k1": (100, listeners)})
        catalogue.import_table([heard], mapping_of("heard", "listening", key_source="music"))
        catalogue.build()
        popularity = catalogue.recordings(limit=1)[0].popularity
        widths.append(popularity.share_high - popularity.share_low)
    assert widths[1] > 1.5 * widths[0]


def test_bytes_are_estimated_from_duration_where_no_source_knows_them(catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("key,title,artist,duration,size\na,A,A,100,\nb,B,B,,\nc,C,C,100,77\n")
    columns = {"key": "key", "title": "title", "artist": "artist", "duration_s": "duration", "file_bytes": "size"}
    catalogue.import_table([path], mapping_of(columns=columns))
    catalogue.build()
    found = {row.title: row.file_bytes for row in catalogue.rows()}
    assert found == {"A": 100 * 24_000, "B": UNKNOWN_DURATION_MS * 24, "C": 77}


class CopyingBlobs(DiskBlobs):
    """Blobs that are not files, as on S3."""

    def local_path(self, key: str) -> None:
        return None


def test_blobs_that_are_not_files_are_read_too(tmp_path: Path) -> None:
    for name in ("catalogue", "staging"):
        (tmp_path / name).mkdir()
    with Catalogue(CopyingBlobs(tmp_path / "catalogue"), DiskStaging(tmp_path / "staging"), StillClock()) as catalogue:
        catalogue.import_table([recordings_csv(tmp_path / "a.csv", 5)], mapping_of())
        catalogue.build()
        assert len(list(catalogue.rows())) == 5


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": "fonoteca-catalogue/1"}', b"\xff"])
def test_a_spoilt_snapshot_is_named_in_the_error(content: bytes, catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 5)], mapping_of())
    name = catalogue.build().name
    (tmp_path / "catalogue" / name / "snapshot.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"snapshot\.json"):
        catalogue.snapshot()


def test_a_spoilt_parquet_file_is_named_in_the_error(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 5)], mapping_of())
    path = tmp_path / "catalogue" / catalogue.build().name / "recordings" / "00000.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match=r"00000\.parquet"):
        catalogue.recordings()
