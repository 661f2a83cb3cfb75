"""What can be imported is listed; a made-up catalogue is imported, built, matched and drawn, all by commands."""

from __future__ import annotations

import json
from pathlib import Path

from cli_world import Fonoteca


def test_kinds_are_listed_with_what_they_read(fonoteca: Fonoteca) -> None:
    kinds = {each["kind"]: each["about"] for each in fonoteca("catalogue", "kinds", "--json").answer["kinds"]}
    assert {"musicbrainz", "musicbrainz-json", "listenbrainz", "discogs", "internet-archive", "jamendo", "table", "store"} <= set(
        kinds
    )
    assert all(kinds.values())
    assert "listens" in fonoteca("catalogue", "kinds").out


def test_a_made_up_catalogue_is_imported_matched_and_drawn(fonoteca: Fonoteca, tmp_path: Path) -> None:
    dump, archive = tmp_path / "dump", tmp_path / "archive"
    made = fonoteca("catalogue", "synth", dump, "--tracks", "20000", "--questions", "500", "--json").answer
    assert (made["tracks"], made["synthetic"]) == (20000, True)
    assert fonoteca("init", archive).status == 0
    tables = sorted(dump.glob("catalogue-*.parquet"))
    imported = fonoteca(
        "catalogue", "import", "table", *tables, "--mapping", dump / "catalogue.toml", "--json", "-A", archive
    ).answer
    assert [(s["rows"], s["quarantined"], s["synthetic"]) for s in imported["sources"]] == [(20000, 0, True)]
    built = fonoteca("catalogue", "build", "--json", "-A", archive).answer
    assert made["recordings"] * 0.95 < built["recordings"] < 20000
    found = fonoteca("catalogue", "match", dump / "questions.parquet", "--json", "-A", archive).answer
    assert found["rows"] == 500
    assert found["found"] > 400
    drawn = fonoteca("catalogue", "stats", "--html", tmp_path / "pictures", "--json", "-A", archive).answer
    assert drawn["merged"]["isrc"] > 0
    assert {"index.html", "coverage.png", "durations.png"} <= {path.name for path in (tmp_path / "pictures").iterdir()}
    assert json.loads((tmp_path / "pictures" / "coverage.vl.json").read_bytes())
    assert "made up" in (tmp_path / "pictures" / "index.html").read_text().lower()


def test_a_kind_says_what_it_wants(fonoteca: Fonoteca, tmp_path: Path) -> None:
    assert fonoteca("init", tmp_path / "a").status == 0
    assert fonoteca("catalogue", "import", "discogs", "-A", tmp_path / "a").status == 2
    assert fonoteca("catalogue", "import", "discogs", tmp_path / "none.xml", "-A", tmp_path / "a").status == 2
    assert fonoteca("catalogue", "synth", tmp_path / "a", "--tracks", "10").status == 2


def test_a_curator_says_which_recordings_are_one(fonoteca: Fonoteca, tmp_path: Path) -> None:
    archive, one, other = tmp_path / "archive", *(f"0000000{n}-1111-4222-8333-444444444444" for n in (1, 2))
    (tmp_path / "t.csv").write_text(f"id,title,artist\n{one},Rain,A\n{other},Snow,B\n")
    columns = 'id = "id"\ntitle = "title"\nartist = "artist"'
    (tmp_path / "t.toml").write_text(
        f'name = "t"\nrows = "recordings"\ndate = "2026-01-31"\nlicence = "CC0"\nattribution = "t"\n[columns]\n{columns}'
    )
    assert fonoteca("init", archive).status == 0
    assert fonoteca("catalogue", "import", "table", tmp_path / "t.csv", "--mapping", tmp_path / "t.toml", "-A", archive).status == 0
    assert fonoteca("catalogue", "build", "--json", "-A", archive).answer["recordings"] == 2
    assert fonoteca("catalogue", "merge", one, other, "-A", archive).status == 2, "a reason is asked for"
    said = fonoteca("catalogue", "merge", one, other, "--reason", "\x1b[31mby ear", "--json", "-A", archive).answer
    assert (said["action"], said["state"]) == ("merge", "done")
    (word,) = fonoteca("catalogue", "words", "--json", "-A", archive).answer["words"]
    assert (word["entry"], word["word"], word["recording"], word["ids"]) == (said["number"], "merge", one, [other])
    assert "\x1b" not in fonoteca("catalogue", "words", "-A", archive).out
    assert fonoteca("catalogue", "split", one, other, "--reason", "no", "-A", archive).status == 2, "it is no row of it yet"
    assert fonoteca("catalogue", "build", "--json", "-A", archive).answer["recordings"] == 1
    against = fonoteca("catalogue", "split", one, other, "--reason", "no", "-A", archive)
    assert (against.status, "are one" in against.err) == (2, True)
