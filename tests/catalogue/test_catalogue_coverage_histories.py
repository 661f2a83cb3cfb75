"""The curve from a snapshot's files, and what a ranking by one history is worth on another."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from popularity_world import make_world

from fonoteca.catalogue import coverage as coverage_module
from fonoteca.catalogue.coverage import coverage_of
from fonoteca.catalogue.coverage_histories import History, read_history
from fonoteca.catalogue.coverage_trial import evaluate_files
from fonoteca.catalogue.popularity_basis import ListeningBasis
from fonoteca.catalogue.popularity_shares import estimate
from fonoteca.model.errors import SourceError, StoreError, UsageError

COUNT = 5_000


@pytest.fixture(scope="module")
def basis() -> ListeningBasis:
    return _listened()[1]


def _listened() -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ListeningBasis]:
    world = make_world(np.random.default_rng(1), COUNT)
    found = estimate([world.counts(np.random.default_rng(2), 20_000).source("heard")], world.groups, COUNT)
    return np.sort(found.share)[::-1], found.parameters


def _files(folder: Path, rows: pa.Table, *cuts: int) -> list[Path]:
    """Write rows to files that end at these rows."""
    paths = []
    for number, (start, stop) in enumerate(pairwise((0, *cuts, len(rows)))):
        paths.append(folder / f"{number:05}.parquet")
        pq.write_table(rows.slice(start, stop - start), paths[-1])
    return paths


def _rows(held: int = 40) -> pa.Table:
    share, _ = _listened()
    chance = np.random.default_rng(3)
    kept = np.zeros(COUNT, np.bool_)
    kept[chance.permutation(COUNT)[:held]] = True
    return pa.table({"share": share, "file_bytes": chance.integers(10**6, 10**7, COUNT), "held": kept})


@pytest.mark.parametrize("cuts", [(), (1,), (1000, 1001, 4999), tuple(range(7, COUNT, 311))])
@pytest.mark.parametrize("points", [2, 3, 50, 200])
def test_the_curve_adds_up_wherever_files_end(cuts: tuple[int, ...], points: int, basis: ListeningBasis, tmp_path: Path) -> None:
    rows = _rows()
    coverage = coverage_of(_files(tmp_path, rows, *cuts), basis, points)
    share, weight, held = (rows[name].to_numpy() for name in ("share", "file_bytes", "held"))
    assert 2 <= len(coverage.points) <= points
    for point in coverage.points:
        first = round(point.share_of_recordings * COUNT)
        assert point.share_of_listening == pytest.approx(share[:first].sum())
        assert point.curve_bytes == weight[:first].sum()
        assert 0 <= point.listening_low <= point.share_of_listening <= point.listening_high <= 1
    assert coverage.points[0].listening_high == 0
    assert coverage.points[-1].listening_low == coverage.points[-1].share_of_listening == 1
    assert coverage.held_count == 40
    assert coverage.held_share == pytest.approx(share[held].sum())
    assert 0 < coverage.held_share_low < coverage.held_share < coverage.held_share_high


def test_nothing_held_and_everything_held_are_sure(basis: ListeningBasis, tmp_path: Path) -> None:
    for held, expected in ((0, 0.0), (COUNT, 1.0)):
        found = coverage_of(_files(tmp_path, _rows(held)), basis, 2)
        assert (found.held_share, found.held_share_low, found.held_share_high) == (expected,) * 3


def test_files_that_are_not_the_snapshots_are_an_error(basis: ListeningBasis, tmp_path: Path) -> None:
    files = _files(tmp_path, _rows(), 2000)
    with pytest.raises(StoreError, match="5000 recordings"):
        coverage_of(files[:1], basis, 10)
    with pytest.raises(StoreError, match="5000 recordings"):
        coverage_of([*files, files[0]], basis, 10)
    files[1].write_bytes(files[1].read_bytes()[:-100])
    with pytest.raises(StoreError):
        coverage_of(files, basis, 10)
    with pytest.raises(UsageError):
        coverage_of(files, basis, 1)


def _read(path: Path) -> History:
    with duckdb.connect() as duck:
        return read_history(duck, path)


def _written(path: Path, content: str) -> Path:
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "item,listens,listeners\nx,5,2\ny,7,3\nz,0,0\n"),
        ("a.tsv", "listeners\tlistens\trecording_mbid\n2\t5\tx\n3\t7\ty\n"),
        ("a.dat", "userID\tartistID\tweight\n1\tx\t4\n2\tx\t1\n2\ty\t1\n3\ty\t2\n1\ty\t4\n"),
        ("a.csv.gz", "user;recording_id\n" + "1;x\n" * 4 + "2;x\n" + "2;y\n" + "3;y\n" * 2 + "1;y\n" * 4),
        ("a.jsonl", '{"track_id": "x", "plays": 5, "users": 2}\n{"track_id": "y", "plays": 7, "users": 3}\n'),
    ],
)
def test_a_history_is_read_by_the_names_of_its_columns(name: str, content: str, tmp_path: Path) -> None:
    history = _read(_written(tmp_path / name, content))
    assert history.items.to_pylist() == ["x", "y"]
    assert history.listens.tolist() == [5, 7]
    assert history.listeners is not None
    assert history.listeners.tolist() == [2, 3]
    assert not history.bad_rows
    assert history.people == (3 if "user" in content.splitlines()[0] and "plays" not in content else None)


def test_a_history_in_parquet_without_listeners_says_so(tmp_path: Path) -> None:
    pq.write_table(pa.table({"uuid": ["b", "a"], "Listen_Count": [3, 4]}), tmp_path / "h.parquet")
    history = _read(tmp_path / "h.parquet")
    assert (history.items.to_pylist(), history.listens.tolist(), history.listeners) == (["a", "b"], [4, 3], None)


def test_bad_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        b"u\ta\t13",
        b"u\t\t5",
        b"v\ta\tNaN",
        b"v\tb\t-1",
        b"w\tc",
        b"x\td\t3\t9",
        b"y\t\xff\xfe\t1",
        b"z\tb\x00c\t1",
        b"\te\t2",
    ]
    path = tmp_path / "h.tsv"
    path.write_bytes(b"\n".join((b"listener\titem\tlistens", *rows)) + b"\n")
    history = _read(path)
    assert (history.items.to_pylist(), history.listens.tolist(), history.people) == (["a"], [13], 1)
    assert dict(history.bad_rows) == {
        "no item": 1,
        "no listener": 1,
        "listens are not a whole number from 0": 2,
        "a NUL in the item": 1,
        "missing columns": 1,
        "too many columns": 1,
        "invalid encoding": 1,
    }


def test_bad_lines_of_json_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = [
        '{"item": 7, "listens": 1}',
        '{"item": "7", "listens": "2"}',
        '{"item": {"a": 1}, "listens": 1.5}',
        '{"item": "y", "lis',
    ]
    history = _read(_written(tmp_path / "h.ndjson", "\n".join(lines)))
    assert (history.items.to_pylist(), history.listens.tolist()) == (["7"], [3])
    assert dict(history.bad_rows) == {"listens are not a whole number from 0": 1, "no item": 1}


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.csv", "foo,bar\n1,2\n", UsageError),
        ("a.csv", "item,bar\n1,2\n", UsageError),
        ("a.xls", "item,listens\n1,2\n", UsageError),
        ("a.csv", "item,listens\n", SourceError),
        ("a.csv", "item,listens\nx,minus one\n", SourceError),
        ("a.jsonl", '{"item": "", "listens": 1}\n{"item": "y", "lis', SourceError),
        ("a.parquet", "PAR1", SourceError),
    ],
)
def test_a_file_that_is_no_history_is_an_error(name: str, content: str, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        _read(_written(tmp_path / name, content))
    with pytest.raises(UsageError):
        _read(tmp_path / "missing.csv")


def test_a_ranking_by_one_half_of_real_listeners_is_measured_on_the_other(fixtures: Path, tmp_path: Path) -> None:
    heading, *rows = (fixtures / "listens/hetrec/user_artists.dat").read_text().splitlines()
    odd = [int(row.split("\t")[0]) % 2 == 1 for row in rows]
    for name, half in (("train.dat", True), ("test.dat", False)):
        kept = [row for row, is_odd in zip(rows, odd, strict=True) if is_odd is half]
        (tmp_path / name).write_text("\n".join([heading, *kept]) + "\n")
    trial = evaluate_files(tmp_path / "train.dat", tmp_path / "test.dat")
    assert trial.item_count == 17_632
    assert trial.log_loss < trial.smoothed_log_loss
    assert trial.unheard_share == pytest.approx(trial.unheard_truth, rel=0.2)
    for point in trial.points[:3]:
        assert point.by_listens < point.by_share < point.best
        assert point.low < point.promised < point.high
    assert trial.points[-1].by_share == pytest.approx(1)
    for before, after in pairwise(trial.curve):
        assert before.by_share <= after.by_share
    # Nobody ranks by the test history better than the test history.
    assert all(point.best >= point.by_share for point in trial.curve)


def test_the_module_says_how_few_points_make_a_curve() -> None:
    assert coverage_module.curve_ranks(10, coverage_module.POINTS_MIN) == [10]
