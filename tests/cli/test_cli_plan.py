"""`fonoteca plan` as people and programs see it, and what it says to a question that cannot be answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_world import Fonoteca

BY, ND, NC = (f"https://creativecommons.org/licenses/{name}/4.0/" for name in ("by", "by-nd", "by-nc"))
MAPPING = """
name = "label"
rows = "recordings"
licence = "CC0"
attribution = "the tests"
date = "2026-01-01"

[columns]
key = "key"
title = "title"
artist = "artist"
duration_s = "seconds"
licence = "licence"
"""


@pytest.fixture
def label(archive: Path, fonoteca: Fonoteca, tmp_path: Path) -> Path:
    """An archive whose catalogue has a hundred recordings: 40 free, 30 not to be changed, 30 that nothing is said of."""
    licences = [BY] * 40 + [ND] * 30 + [""] * 30
    lines = [f"k{i},Title {i},Artist {i % 7},{60 + i},{licence}" for i, licence in enumerate(licences)]
    (tmp_path / "label.csv").write_text("\n".join(["key,title,artist,seconds,licence", *lines, ""]))
    (tmp_path / "label.toml").write_text(MAPPING)
    table = ("catalogue", "import", "table", tmp_path / "label.csv", "--mapping", tmp_path / "label.toml")
    for words in (table, ("catalogue", "build")):
        assert fonoteca(*words, "--archive", archive).status == 0
    return archive


def test_a_plan_says_in_words_what_it_keeps_and_what_it_is_held_against(label: Path, fonoteca: Fonoteca) -> None:
    said = fonoteca("plan", "--budget", "70MB", "--phase", "15MB", "--archive", label)
    assert (said.status, said.err) == (0, "")
    words = " ".join(said.out.split())
    for part in ("plan for 70 MB", "more wants", "phases of up to 15 MB", "kept by then", "wants ", "as-offered", "opus-75"):
        assert part in words
    assert "plain popularity order keeps" in words
    assert "no plan in these bytes can keep more than" in words
    assert "left out: 30 recordings that rights would refuse or ask a person about" in words


def test_a_plan_in_json_is_whole(label: Path, fonoteca: Fonoteca) -> None:
    told = fonoteca("plan", "--budget", "40MB", "--phase", "15MB", "--json", "--archive", label).answer
    assert told["budget_bytes"] == 40_000_000
    assert told["by_popularity_share"] <= told["kept_share"] <= told["bound_share"]
    assert told["kept_value"] <= told["bound_value"]
    assert 0 <= told["gap"] <= 0.01
    assert told["left_out"] == 30
    assert told["candidate_count"] == 70
    assert sum(part["bytes"] for part in told["phases"]) == told["plan_bytes"] <= 40_000_000
    assert sum(part["wants"] for part in told["by_encoding"]) == told["want_count"] == len(told["wants"])
    assert [want["place"] for want in told["wants"]] == list(range(1, told["want_count"] + 1))
    assert told["encodings"] == [{"name": "opus-75", "bits_per_second": 75_000, "value": 0.98, "source": ""}]
    # CC BY-ND 4.0 section 2(a)(4): another format is no change of the work.
    assert {want["licence"] for want in told["wants"] if want["encoding"] == "opus-75"} == {BY, ND}


def test_as_offered_wants_the_sources_own_files_alone(label: Path, fonoteca: Fonoteca) -> None:
    told = fonoteca("plan", "--budget", "40MB", "--as-offered", "--json", "--archive", label).answer
    assert {want["encoding"] for want in told["wants"]} == {"as-offered"}
    assert told["kept_share"] == told["kept_value"]


def test_an_encoding_of_ones_own_is_planned_with(label: Path, fonoteca: Fonoteca) -> None:
    words = ("--encoding", "opus-96", "--encoding", "mp3-64@label=64k:0.8", "--json", "--archive", label)
    told = fonoteca("plan", "--budget", "30MB", *words).answer
    assert [encoding["name"] for encoding in told["encodings"]] == ["opus-96", "mp3-64"]
    assert {want["encoding"] for want in told["wants"]} <= {"as-offered", "opus-96", "mp3-64"}


def test_what_the_operator_declines_is_left_out(label: Path, fonoteca: Fonoteca) -> None:
    settings = label / "fonoteca.toml"
    settings.write_text(settings.read_text().replace("refuse_noderivatives = false", "refuse_noderivatives = true"))
    told = fonoteca("plan", "--budget", "400MB", "--json", "--archive", label).answer
    assert told["left_out"] == 60
    assert {want["licence"] for want in told["wants"]} == {BY}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_plan_is_written_to_a_file_whole(ending: str, label: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    out = tmp_path / f"plan.{ending}"
    out.write_bytes(b"what was here before")
    before = sorted(path.name for path in tmp_path.iterdir())
    told = fonoteca("plan", "--budget", "40MB", "--out", out, "--json", "--archive", label).answer
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    if ending == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert [row["title"] for row in rows] == [want["title"] for want in told["wants"]]
    else:
        assert out.stat().st_size > 1000


WRONG = {
    "no bytes": (["--budget", "0"], "a budget of 0 bytes", "such as 300TB"),
    "too many bytes": (["--budget", "20PB"], "a budget of", "to 9 PB"),
    "less than nothing": (["--budget", "-1GB"], "not an amount of bytes", "such as 300TB"),
    "less than anything takes": (["--budget", "10kB"], "the smallest recording takes", "a larger budget"),
    "no phase": (["--budget", "1GB", "--phase", "0"], "a phase of 0 bytes", "such as 300TB"),
    "phases without number": (["--budget", "1GB", "--phase", "1B"], "would be over 10000", "or more"),
    "an encoding that is not known": (["--budget", "1GB", "--encoding", "wax"], "not known", "opus-75=75k:0.98"),
    "an encoding that keeps more than there is": (
        ["--budget", "1GB", "--encoding", "x=75k:2"],
        "keeps 2.0 of a listen",
        "at most 1",
    ),
    "an encoding named twice": (["--budget", "1GB", *["--encoding", "opus-75"] * 2], "encodings opus-75, opus-75", "each once"),
    "both": (["--budget", "1GB", "--as-offered", "--encoding", "opus-75"], "named with --encoding", "one of the two"),
    "a kind of file that is not known": (["--budget", "1GB", "--out", "plan.xls"], "not a kind of file", ".parquet, .csv, .jsonl"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_question_that_cannot_be_answered_is_refused_with_what_to_do(case: str, label: Path, fonoteca: Fonoteca) -> None:
    words, problem, remedy = WRONG[case]
    said = fonoteca("plan", *words, "--archive", label)
    assert (said.status, said.out) == (2, "")
    text = " ".join(said.err.split())
    assert problem in text
    assert remedy in text
    assert not (label / "catalogue" / "plans").exists()


def test_without_a_snapshot_one_is_asked_for(fonoteca: Fonoteca, tmp_path: Path) -> None:
    assert fonoteca("init", tmp_path / "new").status == 0
    said = fonoteca("plan", "--budget", "1GB", "--archive", tmp_path / "new")
    assert said.status == 2
    assert "fonoteca catalogue build" in said.err


def test_where_nothing_may_be_wanted_that_is_said(archive: Path, fonoteca: Fonoteca) -> None:
    said = fonoteca("plan", "--budget", "1GB", "--archive", archive)
    assert said.status == 0
    assert "nothing to want" in said.out
    told = fonoteca("plan", "--budget", "1GB", "--json", "--archive", archive).answer
    assert (told["want_count"], told["kept_share"]) == (0, told["held_share"])
