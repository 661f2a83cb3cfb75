"""Matching: who is found, who is not, and what a score promises."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from fonoteca.catalogue.matching import RULES, Answers, QuestionFile, Sought, answered, find, ids_of, write_answers
from fonoteca.catalogue.matching.questions import columns_of
from fonoteca.catalogue.matching.sieve import Sieve
from fonoteca.catalogue.matching.signatures import Signed
from fonoteca.model.errors import SourceError, UsageError

sys.path.append(str(Path(__file__).resolve().parents[2]))
from bench.match_world import Noise, Row, id_of, named, real_rows, without_some, write_snapshot

ROWS = (
    Row("Recórcholis", "The Northern Band", 201_000, "QZAAA0000001"),
    Row("Recórcholis (Live)", "The Northern Band", 260_000, "QZAAA0000002"),
    Row("Symphony No. 5: I. Allegro", "Some Orchestra", 430_000),
    Row("Symphony No. 6: I. Allegro", "Some Orchestra", 431_000),
    Row("春が来た", "合唱団", 120_000),
    Row("!!!", "Signs", 99_000),
    Row("Home", "Anna & Berta", 180_000),
    Row("Home", "Carla Dietrich", 240_000),
)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_snapshot(tmp_path_factory.mktemp("snapshot"), ROWS, [(3, Row("Fifth Symphony, 1st movement", "Some Orchestra"))])


@pytest.fixture(scope="module")
def real() -> list[Row]:
    return real_rows()


@pytest.fixture(scope="module")
def real_snapshot(real: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a snapshot of all real rows but every tenth, so that those have no right answer."""
    return write_snapshot(tmp_path_factory.mktemp("real"), without_some(real)[0])


def _rank(snapshot: Path, *asked: Row) -> list[int]:
    return find(Sought(snapshot), named(asked)).ranks.tolist()


@pytest.mark.parametrize(
    ("asked", "rank"),
    [
        (Row("RECORCHOLIS", "northern band", 200_000), 1),
        (Row("Recorcolis", "The Northern Band", 201_500), 1),
        (Row("Recórcholis (feat. Somebody)", "Northern Band, The", 201_000), 1),
        (Row("Something else", "Somebody else", 0, "QZAAA0000001"), 0),
        (Row("Recorcholis Live", "", 0, "QZAAA0000002"), 2),
        (Row("", "", 0, "QZAAA0000002"), 2),
        (Row("Recórcholis - Live", "The Northern Band"), 2),
        (Row("Symphony no 6 - I - allegro", "Some Orchestra"), 4),
        (Row("Symphony no 7 - I - allegro", "Some Orchestra"), 0),
        (Row("Fifth symphony 1st movement", "some orchestra"), 3),
        (Row("春が来た", "合唱団"), 5),
        (Row("春か来た", "合唱団", 120_000), 5),
        (Row("!!!", "signs"), 6),
        (Row("Home", "Berta and Anna"), 7),
        (Row("Home", "Emil"), 0),
        (Row("Home", ""), 0),
        (Row("", ""), 0),
        (Row("Not there", "Nobody"), 0),
    ],
)
def test_a_row_is_found_as_others_write_it_or_not_at_all(snapshot: Path, asked: Row, rank: int) -> None:
    assert _rank(snapshot, asked) == [rank]


def test_answers_name_recording_score_and_rule(snapshot: Path) -> None:
    asked = named([ROWS[0], replace(ROWS[0], isrc=""), Row("Recorcolis", "Northern Bend", 201_000), Row("None", "Nobody")])
    answers = find(Sought(snapshot), asked)
    assert [RULES[rule] for rule in answers.rules[:3]] == ["isrc", "names", "alike"]
    assert (answers.scores[:2] > 0.9).all()
    assert ids_of(snapshot, answers.ranks).to_pylist() == [id_of(1), id_of(1), id_of(1), None]


def test_neither_order_nor_threads_nor_turns_change_an_answer(real: list[Row], real_snapshot: Path) -> None:
    noise = Noise(3)
    asked = [noise.spoilt(row) for row in real[:400]]
    once = find(Sought(real_snapshot), named(asked))
    backwards = find(Sought(real_snapshot, threads=1, questions_max=150), named(asked[::-1]))
    assert once.ranks.tolist() == backwards.ranks[::-1].tolist()
    assert once.scores.tolist() == pytest.approx(backwards.scores[::-1].tolist(), abs=1e-4)


def test_noisy_rows_of_real_names_are_found_and_strangers_are_not(real: list[Row], real_snapshot: Path) -> None:
    noise = Noise(1)
    answers = find(Sought(real_snapshot, score_min=0), named([noise.spoilt(row) for row in real]))
    truth = without_some(real)[1]
    given = answers.at_least(0.8).ranks
    right = given == truth
    assert right.sum() >= 0.95 * (truth > 0).sum()
    assert right.sum() >= 0.99 * (given > 0).sum()


def test_a_score_is_the_share_of_right_answers(real: list[Row], real_snapshot: Path) -> None:
    """Four turns of noise: of answers with a score near p, p are right, within what chance and other noise allow."""
    ranks, scores = [], []
    for seed in range(10, 14):
        noise = Noise(seed)
        answers = find(Sought(real_snapshot, score_min=0), named([noise.spoilt(row) for row in real]))
        ranks.append(answers.ranks)
        scores.append(answers.scores)
    right = np.concatenate(ranks) == np.tile(without_some(real)[1], 4)
    score = np.concatenate(scores)
    for low, high in ((0.8, 0.95), (0.95, 0.99), (0.99, 1.1)):
        inside = (score >= low) & (score < high)
        assert inside.sum() > 50
        assert right[inside].mean() == pytest.approx(score[inside].mean(), abs=0.06)


def test_a_title_that_all_share_gives_the_most_heard_and_takes_no_longer(tmp_path: Path) -> None:
    rows = [Row("Intro", "Various Artists", 60_000 + 20 * number) for number in range(5_000)]
    answers = find(Sought(write_snapshot(tmp_path, rows), score_min=0), named([Row("Intro", "Various Artists")]))
    assert answers.ranks.tolist() == [1]
    assert answers.scores[0] < 0.2


def test_an_empty_snapshot_and_no_questions_give_no_answers(snapshot: Path, tmp_path: Path) -> None:
    assert _rank(write_snapshot(tmp_path, []), ROWS[0]) == [0]
    assert find(Sought(snapshot), named([])).ranks.tolist() == []


def test_the_sieve_finds_every_question_of_a_signature_and_no_other() -> None:
    chance = np.random.default_rng(5)
    keys = np.repeat(chance.integers(0, 2**63, 50, np.uint64) << np.uint64(1), chance.integers(1, 40, 50))
    rows = chance.permutation(len(keys))
    sieve = Sieve.of([Signed(keys, rows)])
    wanted = np.concatenate([np.unique(keys), chance.integers(0, 2**63, 1000, np.uint64)])
    which, places = sieve.found(wanted)
    assert which.tolist() == list(range(50))
    whose, asked = sieve.questions(places)
    for number, key in enumerate(np.unique(keys)):
        assert sorted(asked[whose == number].tolist()) == sorted(rows[keys == key].tolist())


CSV = """n,Track Name,Artist,Length,ISRC
1,"RECORCHOLIS, ",northern band,3:21,
2,Home,"Anna, Berta",180,qz-aaa-00-00009
3,What,Ever,x,
"""


def _answers(path: Path, snapshot: Path) -> list[dict[str, object]]:
    questions = QuestionFile(path)
    found = find(Sought(snapshot), questions.named())
    return list(answered(questions, found, ids_of(snapshot, found.ranks)).read_all().to_pylist())


def test_every_format_gives_the_same_answers_and_carries_other_columns(snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    rows = duckdb.sql(f"SELECT * FROM read_csv('{tmp_path}/a.csv', all_varchar = true)")
    rows.write_parquet(f"{tmp_path}/a.parquet")
    rows.to_csv(f"{tmp_path}/a.tsv", sep="\t")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows.to_arrow_table().to_pylist()))
    found = {suffix: _answers(tmp_path / f"a.{suffix}", snapshot) for suffix in ("csv", "tsv", "parquet", "jsonl")}
    assert [row["match_rank"] for row in found["csv"]] == [1, 7, None]
    assert [row["match_id"] for row in found["csv"]] == [id_of(1), id_of(7), None]
    for rows_found in found.values():
        assert [(str(row["n"]), row["match_rank"]) for row in rows_found] == [("1", 1), ("2", 7), ("3", None)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_answers_are_written_in_every_format_and_can_be_matched_again(snapshot: Path, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    questions = QuestionFile(tmp_path / "a.csv")
    found = find(Sought(snapshot), questions.named())
    write_answers(answered(questions, found, ids_of(snapshot, found.ranks)), tmp_path / f"out{suffix}")
    again = _answers(tmp_path / f"out{suffix}", snapshot)
    assert [row["match_rank"] for row in again] == [1, 7, None]
    assert len(again[0]) == 9


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        (("200", "210"), [200_000, 210_000]),
        (("200000", "210500.4"), [200_000, 210_500]),
        (("3:20", "1:00:00"), [200_000, 3_600_000]),
        (("-3", "nan"), [0, 0]),
        (("1e300", "abc"), [0, 0]),
        (("", "200"), [0, 200_000]),
    ],
)
def test_durations_are_read_in_seconds_milliseconds_or_of_a_clock(
    tmp_path: Path, written: tuple[str, ...], milliseconds: list[int]
) -> None:
    (tmp_path / "a.csv").write_text("title,artist,duration\n" + "".join(f"a,b,{text}\n" for text in written))
    assert QuestionFile(tmp_path / "a.csv").named().duration_ms.tolist() == milliseconds


def test_columns_are_known_by_their_names() -> None:
    assert columns_of(["Duration (ms)", "Track Name", "ARTIST"], "x").unit_ms == 1
    assert columns_of(["title", "name", "artist"], "x").title == "title"
    assert columns_of(["isrc"], "x").title == ""
    with pytest.raises(UsageError, match="expected columns title and artist, or isrc, found foo, bar"):
        columns_of(["foo", "bar"], "x")


def test_what_is_no_table_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        QuestionFile(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="cannot tell"):
        QuestionFile(tmp_path / "none.doc")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(SourceError, match="cannot be read"):
        QuestionFile(tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text('{"title": "a", "artist": "b"}\n{"title": "a", \n')
    with pytest.raises(SourceError, match="cannot be read"):
        QuestionFile(tmp_path / "a.jsonl").named()
    (tmp_path / "a.csv").write_bytes(b"title,artist\n\xff\xfe,b\n")
    with pytest.raises(SourceError, match="cannot be read"):
        QuestionFile(tmp_path / "a.csv").named()


def test_a_file_that_changes_while_it_is_matched_is_an_error(snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    questions = QuestionFile(tmp_path / "a.csv")
    with pytest.raises(SourceError, match="changed"):
        answered(questions, Answers.none(2), pa.nulls(2, pa.large_string())).read_all()
