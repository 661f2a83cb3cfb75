from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_world import Fonoteca

ROWS = 40


@pytest.fixture
def catalogued(fonoteca: Fonoteca, tmp_path: Path) -> Path:
    """Return an archive with two snapshots of the catalogue."""
    archive = tmp_path / "archive"
    assert fonoteca("init", archive).status == 0
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        'name = "label"\nrows = "recordings"\nlicence = "CC0"\nattribution = "us"\ndate = "2026-01-01"\n'
        '[columns]\nkey = "key"\ntitle = "title"\nartist = "artist"\nduration_s = "seconds"\n'
    )
    for count in (ROWS, ROWS + 3):
        lines = [f"k{i},Title {i},Artist {i % 5},{60 + i}" for i in range(count)]
        (tmp_path / "t.csv").write_text("\n".join(["key,title,artist,seconds", *lines, ""]))
        for words in (["import", "table", tmp_path / "t.csv", "--mapping", mapping], ["build"]):
            assert fonoteca("catalogue", *words, "-A", archive, "--json").status == 0
    return archive


def snapshots(archive: Path) -> list[str]:
    return sorted(path.parent.name for path in (archive / "catalogue").glob("*/snapshot.json"))


@pytest.mark.parametrize("form", ["parquet", "sqlite", "jsonl"])
def test_an_export_is_made_and_read_a_row_at_a_time(fonoteca: Fonoteca, catalogued: Path, tmp_path: Path, form: str) -> None:
    place = tmp_path / "export"
    made = fonoteca("catalogue", "export", place, "--format", form, "-A", catalogued, "--json").answer
    assert made["recordings"] == ROWS + 3
    assert made["id"].startswith("urn:fonoteca:catalogue:")
    assert {file["path"] for file in made["files"]} >= {"CITATION.cff", "data-dictionary.md", "datacite.json", "snapshot.json"}
    row = fonoteca("catalogue", "export", place, "--row", 2, "--rows", 2, "--json").answer["rows"]
    assert [found["rank"] for found in row] == [2, 3]
    again = fonoteca("catalogue", "export", place, "--id", row[0]["id"], "--json").answer["rows"]
    assert again == row[:1]
    assert row[0]["title"] in fonoteca("catalogue", "export", place, "--row", 2).out
    assert fonoteca("catalogue", "export", place, "--row", 1000).status == 2
    assert fonoteca("catalogue", "export", place, "--row", 1, "--id", row[0]["id"]).status == 2


def test_an_export_takes_no_place_that_is_taken(fonoteca: Fonoteca, catalogued: Path, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "mine").write_text("mine")
    assert fonoteca("catalogue", "export", tmp_path / "export", "-A", catalogued).status == 2
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["mine"]
    assert fonoteca("catalogue", "export", tmp_path / "other", "--format", "xml", "-A", catalogued).status == 2
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_delta_goes_from_one_archive_to_another(fonoteca: Fonoteca, catalogued: Path, tmp_path: Path) -> None:
    old, new = snapshots(catalogued)
    said = fonoteca("catalogue", "diff", old, new, "-A", catalogued, "--json").answer
    assert (said["added"], said["removed"], said["merged"], said["changed"]) == (3, 0, 0, 0)
    assert fonoteca("catalogue", "diff", old, new, "--into", tmp_path / "delta", "-A", catalogued).status == 0
    made = fonoteca("catalogue", "apply", tmp_path / "delta", "--into", tmp_path / "made", "-A", catalogued)
    assert made.status == 0
    wanted = catalogued / "catalogue" / new
    for path in wanted.rglob("*"):
        if path.is_file():
            assert (tmp_path / "made" / path.relative_to(wanted)).read_bytes() == path.read_bytes()
    other = tmp_path / "other"
    assert fonoteca("init", other).status == 0
    back = fonoteca("catalogue", "diff", new, old, "--into", tmp_path / "back", "-A", catalogued, "--json").answer
    assert back["removed"] == 3
    applied = fonoteca("catalogue", "apply", tmp_path / "back", "--to", wanted, "-A", other, "--json")
    assert applied.status == 0
    assert (other / "catalogue" / "current").read_text().strip() == old
    assert fonoteca("catalogue", "stats", "-A", other, "--json").answer["recordings"] == ROWS


def test_a_delta_of_another_snapshot_is_wrong_use(fonoteca: Fonoteca, catalogued: Path, tmp_path: Path) -> None:
    old, new = snapshots(catalogued)
    assert fonoteca("catalogue", "diff", old, new, "--into", tmp_path / "delta", "-A", catalogued).status == 0
    assert fonoteca("catalogue", "apply", tmp_path / "delta", "--to", new, "-A", catalogued).status == 2
    assert fonoteca("catalogue", "apply", tmp_path, "-A", catalogued).status == 2
    assert fonoteca("catalogue", "diff", old, "1999-01-01", "-A", catalogued).status == 2
    facts = json.loads((tmp_path / "delta" / "delta.json").read_text())
    assert facts["format"] == "fonoteca-delta/1"
