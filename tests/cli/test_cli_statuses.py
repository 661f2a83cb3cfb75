"""Exit statuses: 0 done, 1 failed, 2 wrong use, 3 refused by rights, 4 damage, 5 not to be trusted; and what errors say."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from cli_world import OPEN, Fonoteca, item

from fonoteca.wiring import open_archive

LICENCE = "https://creativecommons.org/licenses/by-sa/4.0/"
UNKNOWN_ID = "urn:fonoteca:audio:folder:unknown"


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def test_done_is_0(tmp_path: Path, fonoteca: Fonoteca) -> None:
    said = fonoteca("init", tmp_path / "My Jazz!", "--title", "Jazz", "--json")
    assert (said.status, said.err) == (0, "")
    assert said.answer == {"archive": str(tmp_path / "My Jazz!"), "name": "my-jazz", "store": "store"}


def test_what_is_held_refused_held_for_review_and_failed_is_told_apart(archive: Path, music: Path, fonoteca: Fonoteca) -> None:
    said = fonoteca("acquire", "folder", music, "--archive", archive, "--json")
    assert (said.status, said.err) == (1, "")  # a failure weighs more than a refusal
    outcomes = {each["item"].removeprefix("folder:").split(":")[0]: each for each in said.answer["outcomes"]}
    assert {name: each["outcome"] for name, each in outcomes.items()} == {
        "broken": "failed",
        "good": "held",
        "locked": "refused",
        "unknown": "held-for-review",
    }
    assert outcomes["good"]["new"] is False
    assert outcomes["locked"]["rule"] == "protected"
    assert set(outcomes["broken"]["error"]) == {"code", "subject", "problem", "remedy"}


@pytest.mark.parametrize(("name", "status"), [("good", 0), ("broken", 1), ("unknown", 3), ("locked", 3)])
def test_acquire_ends_with_what_became_of_the_item(name: str, status: int, archive: Path, music: Path, fonoteca: Fonoteca) -> None:
    said = fonoteca("acquire", "folder", music / name, "--archive", archive)
    assert said.status == status
    assert name in said.out


def test_a_failure_is_1_and_names_what_to_do(archive: Path, music: Path, fonoteca: Fonoteca) -> None:
    said = fonoteca("acquire", "folder", music / "broken", "--archive", archive)
    assert said.status == 1
    assert "song.wav" in said.out
    assert "Offer at least one sound file" in " ".join(said.out.split())


def test_two_at_once_is_1_and_names_the_process(archive: Path, music: Path, fonoteca: Fonoteca) -> None:
    with open_archive(archive, writing=True):
        said = fonoteca("acquire", "folder", music / "good", "--archive", archive)
        in_json = fonoteca("publish", "--archive", archive, "--json")
        read = fonoteca("torrents", "--archive", archive, "--json")
    assert said.status == in_json.status == 1
    assert f"process {os.getpid()} (" in said.err
    assert "Wait until it has ended, then run the same command again." in " ".join(said.err.split())
    assert in_json.answer["error"]["code"] == "usage.busy"
    assert read.status == 0  # reading is for any number at once
    assert fonoteca("acquire", "folder", music / "good", "--archive", archive).status == 0


WRONG = {
    "no archive": (["publish", "--archive", "{none}"], "no archive there: fonoteca.toml is missing", "fonoteca init DIR"),
    "an archive already": (["init", "{archive}"], "is an archive already", "Use it as it is, or name another folder."),
    "not an archive's name": (["init", "{none}", "--name", "A B"], "not a name for an archive", "lower-case letters"),
    "an unknown kind of source": (["acquire", "tape", "x", "-A", "{archive}"], "not a kind of source", "Known kinds are"),
    "a missing folder": (["acquire", "folder", "{none}", "-A", "{archive}"], "no such folder", "Check the path"),
    "an unknown kind of catalogue": (["catalogue", "import", "x", "-A", "{archive}"], "not a kind of import", "Known kinds are"),
    "a table without its mapping": (["catalogue", "import", "table", "x.csv", "-A", "{archive}"], "wrong arguments", "--mapping"),
    "no id": (["show", "good", "-A", "{archive}"], "not the id of an object", "urn:fonoteca:audio:folder:name"),
    "an id that is not held": (["show", UNKNOWN_ID, "-A", "{archive}"], "nothing is held under this id", "fonoteca search"),
    "rights of nothing": (["rights", "show", UNKNOWN_ID, "-A", "{archive}"], UNKNOWN_ID, ""),
    "a budget that is none": (["plan", "--budget", "lots", "-A", "{archive}"], "lots", "TB"),
    "no mirror": (["repair", "--from", "nowhere", "-A", "{archive}"], "not a mirror", "HOST:PORT"),
    "an address that is none": (["follow", "ftp://x/", "-A", "{none}"], "not an http or https address", "https://"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_2_and_names_the_thing_the_trouble_and_the_next_step(
    case: str, archive: Path, tmp_path: Path, fonoteca: Fonoteca
) -> None:
    words, problem, remedy = WRONG[case]
    places = {"archive": archive, "none": tmp_path / "none"}
    filled = [word.format(**places) for word in words]
    said = fonoteca(*filled)
    assert said.status == 2
    assert said.out == ""
    assert problem in " ".join(said.err.split())
    assert remedy in " ".join(said.err.split())
    in_json = fonoteca(*filled, "--json")
    assert in_json.status == 2
    error = in_json.answer["error"]
    assert error["code"].startswith("usage")
    assert problem in error["problem"] or problem in error["subject"]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "words", [["acquire"], ["plan"], ["audit", "--sample", "-1"], ["serve", "--port", "99999"], ["nothing"], ["init", "a", "--no"]]
)
def test_a_command_line_that_cannot_be_read_is_2_too(words: list[str], fonoteca: Fonoteca) -> None:
    said = fonoteca(*words)
    assert (said.status, said.out) == (2, "")
    assert said.err


def test_no_command_at_all_shows_help(fonoteca: Fonoteca) -> None:
    said = fonoteca()
    assert said.status == 2
    assert "Commands" in said.out + said.err


def test_a_settings_file_that_is_wrong_is_named_with_its_key(archive: Path, fonoteca: Fonoteca) -> None:
    path = archive / "fonoteca.toml"
    path.write_text(path.read_text() + "\n[rigths]\nown_works = true\n")
    said = fonoteca("publish", "--archive", archive)
    assert said.status == 2
    assert "rigths" in said.err


def test_refused_by_rights_is_3_until_a_person_rules(archive: Path, music: Path, fonoteca: Fonoteca) -> None:
    assert fonoteca("acquire", "folder", music / "unknown", "--archive", archive).status == 3
    (waiting,) = fonoteca("rights", "review", "--archive", archive, "--json").answer["decisions"]
    assert (waiting["id"], waiting["outcome"], waiting["rule"]) == (UNKNOWN_ID, "hold", "licence-unknown")
    words = ("rights", "set", UNKNOWN_ID, "--licence", LICENCE, "--archive", archive)
    assert fonoteca(*words, "--reason", " ").status == 2
    ruled = fonoteca(*words, "--reason", "they told us so", "--json")
    assert (ruled.status, ruled.err) == (0, "")
    assert ruled.answer == {"object": UNKNOWN_ID, "licence": LICENCE, "entry": 1}
    assert fonoteca("acquire", "folder", music / "unknown", "--archive", archive).status == 0
    assert fonoteca("rights", "review", "--archive", archive, "--json").answer == {"decisions": []}
    assert fonoteca("rights", "show", UNKNOWN_ID, "--archive", archive, "--json").answer["licence"] == LICENCE


def test_damage_is_4_until_it_is_healed(archive: Path, fonoteca: Fonoteca) -> None:
    assert fonoteca("audit", "--archive", archive).status == 0
    damaged = next((archive / "store").rglob("*-02-two.wav"))
    _flip(damaged)
    found = fonoteca("audit", "--archive", archive, "--json")
    assert (found.status, found.err) == (4, "")
    (damage,) = found.answer["damaged"]
    assert damage["path"] == str(damaged.relative_to(archive / "store"))
    assert {"expected", "found", "pieces", "kind"} <= set(damage)
    in_words = fonoteca("audit", "--archive", archive)
    assert in_words.status == 4
    assert "fonoteca repair --from MIRROR" in in_words.out
    assert fonoteca("audit", "--sample", "1000", "--archive", archive).status == 4


@pytest.mark.xdist_group("swarm")
def test_a_mirror_is_followed_healed_from_and_seeded(archive: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    mirror = tmp_path / "mirror"
    followed = fonoteca("follow", archive, "--archive", mirror, "--json")
    assert (followed.status, followed.err) == (0, "")
    assert followed.answer["edition"] == 1
    assert [one.split("-")[0] for one in followed.answer["drops"]] == ["metadata", "search", "audio"]
    assert fonoteca("follow", archive, "--archive", mirror).status == 0
    _flip(next((archive / "store").rglob("*-01-one.wav")))
    assert fonoteca("audit", "--archive", archive).status == 4
    repaired = fonoteca("repair", "--from", mirror, "--archive", archive, "--json")
    assert (repaired.status, repaired.err) == (0, "")
    assert (len(repaired.answer["healed"]), repaired.answer["left"], repaired.answer["pieces"]) == (1, {}, 1)
    assert fonoteca("audit", "--archive", archive).status == 0


def test_what_no_mirror_has_stays_4(archive: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    item(tmp_path / "later", OPEN)
    assert fonoteca("acquire", "folder", tmp_path / "later", "--archive", archive).status == 0
    _flip(next((archive / "store").rglob("*-song.wav")))
    assert fonoteca("audit", "--archive", archive).status == 4
    said = fonoteca("repair", "--from", "127.0.0.1:9", "--archive", archive, "--json")
    assert said.status == 4
    assert "in no drop" in str(said.answer["left"])


def test_an_edition_that_lies_is_5(archive: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    for torrent in (archive / "editions" / "drops").iterdir():
        _flip(torrent)
    said = fonoteca("follow", archive, "--archive", tmp_path / "mirror")
    assert (said.status, said.out) == (5, "")
    assert "expected" in said.err
    assert "found" in said.err
    in_json = fonoteca("follow", archive, "--archive", tmp_path / "mirror", "--json")
    assert in_json.status == 5
    assert in_json.answer["error"]["code"] == "trust"


def test_what_strangers_name_cannot_write_on_the_terminal(archive: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    item(tmp_path / "odd", OPEN, ("\x1b[2J\u202e evil [bold]x[red].wav",))
    assert fonoteca("acquire", "folder", tmp_path / "odd", "--archive", archive).status == 0
    said = fonoteca("show", "urn:fonoteca:audio:folder:odd", "--archive", archive)
    assert "\x1b[2J" not in said.out
    assert "\u202e" not in said.out
    assert "[bold]" in "".join(said.out.split())
    shown = fonoteca("show", "urn:fonoteca:audio:folder:odd", "--archive", archive, "--json").answer
    assert shown["files"][0]["path"] == "\x1b[2J\u202e evil [bold]x[red].wav"


def test_words_that_are_no_text_are_told_and_not_choked_on(tmp_path: Path, fonoteca: Fonoteca) -> None:
    strange = f"{tmp_path}/\udcff"
    said = fonoteca("publish", "--archive", strange)
    assert said.status == 2
    in_json = fonoteca("publish", "--archive", strange, "--json")
    assert in_json.status == 2
    assert json.loads(in_json.out.encode("utf-8"))["error"]["code"] == "usage"


def test_an_archive_that_was_moved_works_where_it_is(archive: Path, tmp_path: Path, music: Path, fonoteca: Fonoteca) -> None:
    shutil.move(archive, tmp_path / "elsewhere")
    assert (
        fonoteca("acquire", "folder", music / "good", "--archive", tmp_path / "elsewhere", "--json").answer["outcomes"][0]["new"]
        is False
    )
    assert fonoteca("publish", "--archive", tmp_path / "elsewhere", "--json").answer["new"] is False


def test_what_is_alike_is_shown_and_then_decided_in_one_entry(archive: Path, music: Path, fonoteca: Fonoteca) -> None:
    fonoteca("acquire", "folder", music / "unknown", "--archive", archive)
    known = fonoteca("rights", "review", UNKNOWN_ID, "--archive", archive, "--json").answer
    (said,) = known["evidence"]
    in_words = fonoteca("rights", "review", UNKNOWN_ID, "--archive", archive)
    assert f"text={said['text']}" in in_words.out
    where = ("rights", "set", "--where", "rule=licence-unknown", "--where", f"text={said['text']}", "--archive", archive)
    shown = fonoteca(*where, "--dry-run", "--json").answer
    assert (shown["objects"], shown["rest"]) == ([UNKNOWN_ID], 0)
    assert shown["as_shown"] in fonoteca(*where, "--dry-run").out
    decided = ("--licence", LICENCE, "--reason", "the label wrote")
    for wrong in (("--as-shown", "0" * 16), ("--where", "colour=red"), ("--stays-out",), (UNKNOWN_ID,)):
        assert fonoteca(*where, *decided, *wrong).status == 2, wrong
    assert fonoteca("rights", "set", "--where", "source=folder", *decided, "--archive", archive).status == 2
    done = fonoteca(*where, *decided, "--as-shown", shown["as_shown"], "--json").answer
    assert done == {"objects": [UNKNOWN_ID], "licence": LICENCE, "entry": 1}
    listed = fonoteca("desk", "list", "--archive", archive, "--json").answer["entries"]
    assert [(each["number"], each["state"], each["by"]) for each in listed] == [(1, "done", None)]
    assert fonoteca("desk", "show", 1, "--archive", archive).status == 0
    assert fonoteca("desk", "work", "--archive", archive).out == "nothing waits\n"
    assert fonoteca("desk", "retry", 1, "--archive", archive).status == 2
    assert fonoteca("desk", "undo", 1, "--reason", "no", "--archive", archive, "--json").answer["state"] == "done"
    assert fonoteca("rights", "review", "--archive", archive, "--json").answer["decisions"]
    assert fonoteca("desk", "drop", 99, "--archive", archive).status == 2
