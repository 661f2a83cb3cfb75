"""What the synthetic catalogue promises: its shape, its truth, and that the same settings give the same bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogue_world import Interrupted

from fonoteca.catalogue.mapping import TableMapping
from fonoteca.catalogue.synth.queries import QuerySettings, Questions, write_queries
from fonoteca.catalogue.synth.rows import Facts
from fonoteca.catalogue.synth.settings import PEER_ARTISTS, PEER_ISRCS, PEER_RELEASES, PEER_TRACKS, SynthSettings
from fonoteca.catalogue.synth.world import World
from fonoteca.catalogue.synth.writing import write_held_out, write_synthetic

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
    assert one(duck, "SELECT count(mbid) - count(DISTINCT mbid) FROM c") == 0
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


def test_titles_are_as_long_as_those_of_ccmusic(made: Any, fixtures: Path) -> None:
    duck, _, _ = made
    real = f"SELECT trim(title) AS t FROM read_csv('{fixtures}/ccmusic/tracks.csv', all_varchar = true)"
    words = "list_aggregate(string_split_regex(t, '\\s+'), 'count')"
    for measure, most in ((words, 0.15), ("len(t)", 0.15)):
        wanted = one(duck, f"SELECT avg({measure}) FROM ({real})")
        latin = "SELECT title AS t FROM c WHERE NOT regexp_matches(title, '[\\x{{0370}}-\\x{{1FFF}}\\x{{2E80}}-\\x{{D7FF}}]')"
        assert one(duck, f"SELECT avg({measure}) FROM ({latin.format()})") == pytest.approx(wanted, rel=most), measure


def test_lengths_peak_at_two_three_and_four_minutes(made: Any) -> None:
    duck, _, _ = made
    counts = dict(duck.execute("SELECT duration_ms // 10_000 AS s, count(*) FROM c GROUP BY s").fetchall())
    for minute in (2, 3, 4):
        peak = max(counts[6 * minute - 1], counts[6 * minute])
        assert peak > max(counts[6 * minute - 3], counts[6 * minute + 3]), minute


def test_copies_can_be_found_again_and_namesakes_told_apart(made: Any) -> None:
    duck, _, _ = made
    guest = "'[ (\\[]*(feat\\.|ft\\.|featuring)\\s.*$', ''"
    marks = "'[^\\w\\p{{L}}\\p{{N}}]+', ' ', 'g'"
    name = f"trim(regexp_replace(regexp_replace(lower(strip_accents({{}})), {guest}), {marks}))"
    duck.execute(
        f"""CREATE OR REPLACE TABLE x AS SELECT uuid, recording AS r, {name.format("title")} AS t, {name.format("artist")} AS a,
        nullif(isrc, '') AS isrc, duration_ms AS ms FROM told"""
    )
    named = "x.t = y.t AND x.a = y.a AND abs(x.ms - y.ms) <= 2000"
    pairs = "FROM x JOIN x AS y ON x.r = y.r AND x.uuid < y.uuid"
    assert one(duck, f"SELECT avg(coalesce(x.isrc = y.isrc OR ({named}), {named})::INT) {pairs}") > 0.97
    assert one(duck, f"SELECT avg(coalesce(x.isrc = y.isrc, false)::INT) {pairs}") < 0.9
    wrong = one(duck, f"SELECT count(*) FROM x JOIN x AS y ON {named} AND x.r <> y.r AND x.uuid < y.uuid")
    assert wrong < 0.002 * one(duck, f"SELECT count(*) {pairs}")
    far = "x.t = y.t AND x.a = y.a AND x.r <> y.r AND abs(x.ms - y.ms) >= 5000"
    assert one(duck, f"SELECT count(*) FROM x JOIN x AS y ON {far}") > TRACKS // 200
    assert one(duck, "SELECT count(*) FROM x JOIN x AS y ON x.isrc = y.isrc AND x.t <> y.t AND x.r <> y.r") > TRACKS // 1000


def test_two_sets_of_listeners_agree_on_the_true_shares(made: Any, tmp_path: Path) -> None:
    duck, truth, _ = made
    total = write_held_out(SynthSettings(TRACKS, seed=3), tmp_path, writer, Quiet())
    assert total == pytest.approx(TRACKS * 4, rel=0.05)
    duck.execute(f"CREATE OR REPLACE VIEW held_out AS FROM '{tmp_path}/held-out.parquet'")
    totals = "sum(listens) / (SELECT sum(listens) FROM told), sum(other) / (SELECT sum(listens) FROM held_out)"
    assert (
        one(duck, "SELECT count(*) FROM held_out ANTI JOIN told ON id = coalesce(mbid, told.uuid) AND held_out.uuid = told.uuid")
        == 0
    )
    shares = f"""SELECT sum(share), {totals} FROM (
        SELECT recording, any_value(share) AS share, sum(told.listens) AS listens, sum(h.listens) AS other
        FROM told LEFT JOIN held_out h USING (uuid) GROUP BY recording ORDER BY share DESC LIMIT 2000)"""
    share, seen, other = one(duck, shares)
    assert seen == pytest.approx(share, rel=0.05)
    assert other == pytest.approx(share, rel=0.05)
    assert truth["listens"] > 20 * truth["listeners"]


def test_a_right_answer_has_the_recording_that_the_question_names(made: Any, tmp_path: Path) -> None:
    duck, _, _ = made
    path = tmp_path / "questions.parquet"
    answered = write_queries(Questions(SynthSettings(TRACKS, seed=3), QuerySettings(50_000), path), writer, Quiet())
    duck.execute(f"CREATE OR REPLACE VIEW q AS FROM '{path}'")
    assert one(duck, "SELECT count(*), count(truth_uuid), count(truth_recording) FROM q") == (50_000, answered, answered)
    assert answered == pytest.approx(0.95 * 50_000, rel=0.01)
    joined = "FROM q JOIN told ON uuid = truth_uuid"
    assert one(duck, f"SELECT count(*) {joined} WHERE recording = truth_recording") == answered
    assert one(duck, f"SELECT avg((lower(q.title) = lower(told.title))::INT) {joined}") < 0.8
    assert one(duck, "SELECT count(*) FROM q JOIN told USING (title, artist) WHERE truth_uuid IS NULL") == 0
    assert one(duck, "SELECT count(duration_ms) / count(*) FROM q") == pytest.approx(0.7, abs=0.02)


def test_ids_lead_back_to_their_recordings(made: Any) -> None:
    duck, _, _ = made
    rows = duck.execute("SELECT uuid, mbid, recording, row_number() OVER () - 1 FROM told").fetchall()
    rows = [rows[number] for number in range(0, TRACKS, 997)]
    world = World(SynthSettings(TRACKS, seed=3))

    def recordings_of(ids: list[UUID]) -> list[int]:
        pairs = np.frombuffer(b"".join(each.bytes for each in ids), np.uint64).reshape(-1, 2)
        return [int(each) for each in Facts(world).recordings_of_ids(pairs)]

    assert recordings_of([row[0] for row in rows]) == [row[2] for row in rows]
    assert recordings_of([row[1] for row in rows if row[1]]) == [row[2] for row in rows if row[1]]
    assert recordings_of([UUID(int=7 << 96)])[0] >= TRACKS, "an id of nobody's"


def test_mapping_says_that_it_is_synthetic(made: Any) -> None:
    _, _, folder = made
    mapping = TableMapping.from_toml((folder / "catalogue.toml").read_bytes(), "catalogue.toml")
    assert mapping.synthetic
    duck, _, _ = made
    assert set(mapping.columns.values()) == {name for name, *_ in duck.execute("DESCRIBE c").fetchall()}
    for path in folder.rglob("*.parquet"):
        assert b"made up" in pq.read_metadata(path).metadata[b"synthetic"]


def test_nothing_works_on_when_writing_was_cut_short(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        write_synthetic(SynthSettings(1000, seed=3), tmp_path, writer, Interrupted("writing the synthetic catalogue"))
    assert caught.tb, "which keeps what the writing held"
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")] == []
