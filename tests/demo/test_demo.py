"""The demo's one run, looked at from all sides: what it says, what it leaves, and what it does when it is run again."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from demo_checks import (
    FORMS,
    SUMMARY_KEYS,
    assert_all_healed,
    assert_curve_rises,
    assert_drops_are_in_order,
    assert_figures_are_true,
    assert_mirror_is_the_same,
    assert_payload_is_whole,
    assert_valid_ocfl,
    copy_payload,
    payloads,
    whole_shares,
)

import fonoteca.cli.commands  # noqa: F401  (importing it makes every command join)
from fonoteca.cli.app import run
from fonoteca.frontage import serve_rooms
from fonoteca.register import Register
from fonoteca.serve import create_app
from fonoteca.wiring import open_archive

if TYPE_CHECKING:
    from conftest import DemoRun

Run = Callable[..., subprocess.CompletedProcess[str]]
REPOSITORY = Path(__file__).resolve().parents[2]
PROTECTED, UNCLEAR = "folder:demo-protected", "folder:unknown-"
PLACES = ("archive", "mirror")
_EVENTS_MAX = 10_000


def place(demo_run: DemoRun, name: str) -> Path:
    return {"archive": demo_run.archive, "mirror": demo_run.mirror}[name]


# What it says


def test_summary_has_every_key_and_says_what_is_there(demo_run: DemoRun) -> None:
    summary = demo_run.summary
    assert summary.keys() >= SUMMARY_KEYS
    assert (summary["archive"], summary["mirror"]) == (str(demo_run.archive), str(demo_run.mirror))
    assert_figures_are_true(summary)
    assert_curve_rises(summary["coverage"])
    assert len(summary["coverage"]) > 100
    assert_drops_are_in_order(summary["drops"])
    assert_all_healed(summary["damage"])
    assert summary["items"] >= 4
    assert summary["bytes"] <= 10_000_000, "the sample is at most 10 MB"
    assert 0 < summary["seconds"] < 180


def test_one_item_is_refused_and_one_held_with_reasons_and_neither_is_stored(demo_run: DemoRun, run_fonoteca: Run) -> None:
    assert (demo_run.summary["refused"], demo_run.summary["held"]) == (1, 1)
    told = json.loads(run_fonoteca("rights", "review", "--refused", "--json", "-A", demo_run.archive).stdout)["decisions"]
    assert sorted(row["outcome"] for row in told) == ["hold", "refusal"]
    held, refused = sorted(told, key=lambda row: row["outcome"])
    assert refused["item"] == PROTECTED
    assert refused["id"].endswith("protected.m4a")
    assert "sample entry enca" in refused["reason"]
    assert held["item"].startswith(UNCLEAR)
    assert "nothing says under which terms" in held["reason"]
    assert all(row["next"] for row in told)
    inventories = [json.loads(p.read_bytes())["id"] for p in (demo_run.archive / "store").glob("*/*/*/*/inventory.json")]
    assert not [each for each in inventories if PROTECTED in each or UNCLEAR in each]


def test_search_finds_what_is_held(demo_run: DemoRun) -> None:
    found = demo_run.summary["search"]
    assert found["query"]
    assert any(hit["held"] for hit in found["hits"])


# What it leaves


@pytest.mark.parametrize("name", PLACES)
def test_ocfl_py_finds_no_error_and_no_warning_but_w004(demo_run: DemoRun, name: str) -> None:
    assert_valid_ocfl(place(demo_run, name) / "store")


@pytest.mark.parametrize("name", PLACES)
def test_libtorrent_finds_every_drop_whole_as_hybrid_v1_and_v2(demo_run: DemoRun, name: str, tmp_path: Path) -> None:
    assert_payload_is_whole(place(demo_run, name), demo_run.summary["drops"], tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_libtorrent_misses_the_one_piece_that_is_damaged(demo_run: DemoRun, form: str, tmp_path: Path) -> None:
    """Without this, a check that looks at nothing would pass the test above."""
    whole = payloads(demo_run.archive, [demo_run.summary["drops"][-1]])[0]
    copy = copy_payload(whole, tmp_path / "copy")
    longest = max(copy.files(), key=lambda path: path.stat().st_size)
    content = bytearray(longest.read_bytes())
    content[len(content) // 2] ^= 1
    longest.write_bytes(content)
    share = whole_shares([copy], form, tmp_path)[0]
    assert 0 < share < 1


def test_mirror_has_the_same_bytes(demo_run: DemoRun) -> None:
    assert_mirror_is_the_same(demo_run.archive, demo_run.mirror, demo_run.summary["drops"])


def test_mirror_can_be_followed_in_turn(demo_run: DemoRun, run_fonoteca: Run, tmp_path: Path) -> None:
    followed = json.loads(run_fonoteca("follow", demo_run.mirror, "--archive", tmp_path / "third", "--json").stdout)
    assert followed["drops"] == [drop["id"] for drop in demo_run.summary["drops"]]
    assert followed["verified"] == sum(drop["files"] for drop in demo_run.summary["drops"])
    audited = json.loads(run_fonoteca("audit", "--archive", tmp_path / "third", "--json").stdout)
    assert (audited["damaged"], audited["root_files"]) == ([], [])
    assert_mirror_is_the_same(demo_run.archive, tmp_path / "third", demo_run.summary["drops"])
    assert_valid_ocfl(tmp_path / "third" / "store")


@pytest.mark.parametrize("name", PLACES)
def test_register_made_anew_from_the_store_says_the_same(demo_run: DemoRun, name: str, run_fonoteca: Run, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(place(demo_run, name), folder)
    before = what_a_register_says(folder)
    for path in folder.glob("register.sqlite*"):
        path.unlink()
    run_fonoteca("rebuild", "--archive", folder, "--json")
    after = what_a_register_says(folder)
    for what, rows in before.items():
        assert rows == after[what], what
    assert before["held and published"]


def what_a_register_says(archive: Path) -> dict[str, list[Any]]:
    with Register.open(archive / "register.sqlite") as register:
        # Not when: a decision that is taken again is dated anew, and told once.
        decisions = [(row.item, row.subject, row.outcome, row.rule, row.reason, row.remedy) for row in register.decisions()]
        return {
            "held and published": list(register.natural_rows()),
            "decisions": sorted(decisions),
            "events": sorted((e.at, e.what, e.subject, e.facts) for e in register.events(_EVENTS_MAX)),
        }


def test_a_reader_that_goes_away_is_no_failure(demo_run: DemoRun, fonoteca_command: Sequence[str]) -> None:
    words = [*fonoteca_command, "plan", "--budget", "100GB", "--json", "--archive", str(demo_run.archive)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert command.stdout.read(1) == b"{"
        command.stdout.close()
        assert command.stderr.read() == b""
        assert command.wait(60) == 0


# Synthetic listening is labelled wherever its shares are shown


def test_summary_says_that_the_listening_is_synthetic(demo_run: DemoRun) -> None:
    assert demo_run.summary["coverage_synthetic"] is True


@pytest.mark.parametrize("words", ["coverage", "plan --budget 5GB", "search wesnoth", "torrents", "catalogue stats"])
@pytest.mark.parametrize("name", PLACES)
def test_commands_that_show_listening_say_that_it_is_synthetic(
    demo_run: DemoRun, name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = ("--archive", str(place(demo_run, name)))
    assert run([*words.split(), *archive]) == 0
    assert "synthetic" in capsys.readouterr().out
    assert run([*words.split(), *archive, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.get("synthetic") is True or any(source["synthetic"] for source in told["sources"])


@pytest.mark.parametrize("name", PLACES)
def test_pages_that_show_listening_say_that_it_is_synthetic(demo_run: DemoRun, name: str) -> None:
    pages = ("/", "/coverage", "/drops")
    answers = asyncio.run(asked(place(demo_run, name), (*pages, "/api/coverage", "/coverage.png")))
    for address in pages:
        assert "of all listening" in answers[address].text, address
        assert "synthetic" in answers[address].text, address
    assert "made-up listening history" in answers["/coverage"].text
    assert answers["/api/coverage"].json()["synthetic"] is True
    assert answers["/coverage.png"].content.startswith(b"\x89PNG")


async def asked(folder: Path, addresses: Sequence[str]) -> dict[str, httpx.Response]:
    """Return the site's answer at each address."""
    with open_archive(folder) as archive:
        transport = httpx.ASGITransport(create_app(serve_rooms(archive)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return {address: await client.get(address) for address in addresses}


# Run again, by make


def test_make_demo_again_prints_one_object_and_leaves_the_same_drops(demo_run: DemoRun) -> None:
    # As from a person's shell, not as a part of the `make test` that may have called us.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "TEST_ARGS"))}
    arguments = f"DEMO_ARGS={demo_run.folder} --no-serve --json"
    done = subprocess.run(
        ["make", "-s", "demo", arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    again = json.loads(done.stdout)
    assert done.stdout.startswith("{")
    assert done.stdout.endswith("}\n")
    assert again["drops"] == demo_run.summary["drops"]
    assert again["mirror_bytes_fetched"] == 0
    same = ("items", "files", "bytes", "audio_seconds", "refused", "held", "coverage", "mirror_files", "mirror_verified", "search")
    assert {name: again[name] for name in same} == {name: demo_run.summary[name] for name in same}
    assert_all_healed(again["damage"])
    assert_figures_are_true(again)
    for name in PLACES:
        assert_valid_ocfl(place(demo_run, name) / "store")
