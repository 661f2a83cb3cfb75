"""`correct` and `upload` at the command line: what they print, as JSON and for people, and how they refuse."""

from __future__ import annotations

from pathlib import Path

from cli_world import Fonoteca

GOOD = "urn:fonoteca:audio:folder:good"


def test_a_correction_is_shown_made_and_taken_back(archive: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    here = ("--archive", archive)
    words = ("correct", GOOD, "title=Tones, mended", "01 one.wav:track_number=7")
    shown = fonoteca(*words, "--dry-run", "--json", *here)
    assert [(each["file"], each["value"]) for each in shown.answer["changes"]] == [("", "Tones, mended"), ("01 one.wav", "7")]
    assert fonoteca(*words, *here).status == 2, "without a reason"
    (entry,) = fonoteca(*words, "--reason", "the label says so", "--json", *here).answer["entries"]
    assert (entry["state"], entry["subjects"]) == ("done", [GOOD])
    assert fonoteca("show", GOOD, "--json", *here).answer["title"] == "Tones, mended"
    table = tmp_path / "right.csv"
    table.write_text(f'id,file,field,value\n{GOOD},,title,"One, two"\n{GOOD},02 two.wav,genre,Tones\n')
    said = fonoteca("correct", "--from", table, "--reason", "a list", *here)
    assert (said.status, "2 fields corrected in version 3" in said.out) == (0, True)
    table.write_text("id,title\n")
    assert "expected the columns id, file, field, value" in fonoteca("correct", "--from", table, "--reason", "x", *here).err
    assert "expected FIELD=VALUE" in fonoteca("correct", GOOD, "title", "--reason", "x", *here).err
    assert fonoteca("desk", "undo", "2", "--reason", "no", *here).status == 0
    assert fonoteca("show", GOOD, "--json", *here).answer["title"] == "Tones, mended"


def test_an_upload_is_held_or_refused_whole(archive: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    here, song = ("--archive", archive), next((archive / "store").rglob("*.wav"))
    words = ("upload", song, "--title", "Brought", "--licence", "CC0-1.0", "--why", "I made it")
    answer = fonoteca(*words, "--json", *here).answer
    assert answer["state"] == "done"
    assert fonoteca("show", answer["object"], "--json", *here).answer["title"] == "Brought"
    assert "two files are called" in fonoteca("upload", song, song, *words[2:], *here).err
    assert "no such file" in fonoteca("upload", tmp_path / "nothing.wav", *words[2:], *here).err
    assert "expected a licence" in fonoteca("upload", song, "--title", "x", "--why", "x", *here).err
    assert "the upload has none" in fonoteca("upload", song, "--licence", "CC0-1.0", "--why", "x", *here).err
    refused = fonoteca("upload", song, "--title", "x", "--licence", "LicenseRef-Mine", "--why", "x", *here)
    assert (refused.status, "waits for review by the rule licence-unknown" in refused.err) == (2, True)
    assert not any((archive / "uploads").iterdir())
