"""What the synthetic catalogue promises: its shape, its truth, and that the same settings give the same bytes."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pytest

from fonoteca.catalogue.synth.settings import PEER_ARTISTS, PEER_ISRCS, PEER_RELEASES, PEER_TRACKS, SynthSettings
from fonoteca.catalogue.synth.writing import write_synthetic

TRACKS = 300_000


class Quiet:
    @contextmanager
    def task(self, label: str, total: int | None, unit: str = "") -> Iterator[Callable[[int], None]]:
        yield lambda count: None

    def note(self, text: str) -> None: ...


@contextmanager
def writer(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        yield stream


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[duckdb.DuckDBPyConnection, dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("synth")
    truth = write_synthetic(SynthSettings(TRACKS, seed=3), folder, writer, Quiet())
    duck = duckdb.connect()
    duck.execute(f"CREATE VIEW c AS FROM '{folder}/catalogue-*.parquet'")
    duck.execute(
        f"CREATE TABLE told AS FROM (FROM '{folder}/catalogue-*.parquet') POSITIONAL JOIN (FROM '{folder}/truth/truth-*.parquet')"
    )
    return duck, truth, folder


def one(duck: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = duck.execute(sql).fetchone()
    assert row
    return row[0] if len(row) == 1 else row


def test_shape_is_that_of_the_largest_known(made: Any) -> None:
    duck, truth, _ = made
    rows, releases, isrcs = one(duck, "SELECT count(*), count(DISTINCT release_id), count(DISTINCT nullif(isrc, '')) FROM c")
    assert rows == TRACKS
    assert releases == round(TRACKS * PEER_RELEASES / PEER_TRACKS)
    assert truth["artists"] == round(TRACKS * PEER_ARTISTS / PEER_TRACKS)
    assert isrcs / rows == pytest.approx(PEER_ISRCS / PEER_TRACKS, rel=0.01)


def test_ids_are_uuids_and_a_recording_has_one_mbid_at_most(made: Any) -> None:
    duck, _, _ = made
    assert {t for _, t, *_ in duck.execute("DESCRIBE SELECT mbid, uuid, release_id FROM c").fetchall()} == {"UUID"}
    assert one(duck, "SELECT count(DISTINCT uuid) FROM c") == TRACKS
    assert one(duck, "SELECT max(n) FROM (SELECT count(DISTINCT mbid) n FROM told GROUP BY recording)") == 1
    assert one(duck, "SELECT max(n) FROM (SELECT count(DISTINCT recording) n FROM told WHERE mbid IS NOT NULL GROUP BY mbid)") == 1
    assert one(duck, "SELECT count(mbid) / count(*) FROM c") == pytest.approx(0.15, abs=0.01)


def test_few_recordings_carry_nearly_all_listening(made: Any) -> None:
    duck, _, _ = made
    duck.execute("CREATE OR REPLACE TABLE r AS SELECT recording, any_value(share) AS share FROM told GROUP BY recording")
    assert one(duck, "SELECT sum(share) FROM r") == pytest.approx(1, abs=0.001)
    top = "SELECT sum(share) FROM (FROM r ORDER BY share DESC LIMIT (SELECT (0.336 * count(*))::BIGINT FROM r))"
    assert one(duck, top) == pytest.approx(0.996, abs=0.004)
    assert one(duck, "SELECT avg((share * (SELECT count(*) FROM r) * 22600 < 1000)::INT) FROM r") > 0.68


def test_unseen_share_is_what_the_unheard_recordings_have(made: Any) -> None:
    duck, truth, _ = made
    unseen = one(duck, "SELECT sum(s) FROM (SELECT any_value(share) s FROM told GROUP BY recording HAVING sum(listens) = 0)")
    assert truth["unseen_share"] == pytest.approx(unseen, abs=0.001)
    assert one(duck, "SELECT count(*) FROM c WHERE listeners > listens OR (listens = 0) <> (listeners = 0)") == 0


def test_same_settings_give_the_same_bytes(made: Any, tmp_path: Path) -> None:
    _, _, folder = made
    write_synthetic(SynthSettings(TRACKS, seed=3), tmp_path, writer, Quiet())
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        other = tmp_path / path.relative_to(folder)
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest(), path.name


def test_mapping_says_that_it_is_synthetic(made: Any) -> None:
    _, _, folder = made
    assert tomllib.loads((folder / "catalogue.toml").read_text())["synthetic"] is True
