"""`fonoteca acquire plan` as people and programs see it, over a host on loopback."""

from __future__ import annotations

import re
from pathlib import Path

from cli_world import Fonoteca, tone

from fonoteca.testing.source_answers import BY, put_list
from fonoteca.testing.source_hosts import source_host

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


def test_a_plan_is_acquired_and_says_where_its_wants_stand(archive: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    lines = [f"k{number},Song {number},The Tones,{60 + number},{BY}" for number in range(3)]
    (tmp_path / "label.csv").write_text("\n".join(["key,title,artist,seconds,licence", *lines, ""]))
    (tmp_path / "label.toml").write_text(MAPPING)
    here = ("--archive", archive)
    said = fonoteca("acquire", "plan", *here)
    assert (said.status, "there is none" in said.err) == (2, True)
    for words in (
        ("catalogue", "import", "table", tmp_path / "label.csv", "--mapping", tmp_path / "label.toml"),
        ("catalogue", "build"),
        ("plan", "--budget", "70MB", "--as-offered"),
    ):
        assert fonoteca(*words, *here).status == 0
    with source_host() as host:
        host.put("/0.wav", tone(tmp_path / "0.wav").read_bytes())
        rows = [{"url": f"{n}.wav", "licence": BY if n == 0 else "", "title": f"song {n}", "artist": "the tones"} for n in range(2)]
        rows = [{**row, "item": row["title"]} for row in rows]
        address = put_list(host, rows)
        settings = archive / "fonoteca.toml"
        text = (
            settings.read_text()
            .replace("own_networks = false", "own_networks = true")
            .replace("per_second = 1.0", "per_second = 500")
        )
        settings.write_text(text.replace("places = []", f'places = ["http {address}"]'))
        dry = fonoteca("acquire", "plan", "--dry-run", "--json", *here).answer
        assert [(each["addresses"], each["wants"]) for each in dry["hosts"]] == [([address], 3)]
        assert "asks robots.txt" in fonoteca("acquire", "http", address, "--dry-run", *here).out
        assert not host.requests
        done = fonoteca("acquire", "plan", "--json", *here)
        assert done.status == 3
        assert {each["title"]: each["state"] for each in done.answer["wants"]} == {
            "Song 0": "held",
            "Song 1": "review",
            "Song 2": "not-found",
        }
        assert done.answer["fetched_bytes"] == len((tmp_path / "0.wav").read_bytes())
        asked = len(host.requests)
        status = fonoteca("acquire", "plan", "--status", "--json", *here).answer
        assert (status["want_count"], status["states"]["held"], status["states"]["wanted"]) == (3, 1, 0)
        words = " ".join(fonoteca("acquire", "plan", "--status", *here).out.split())
        assert re.search(r"for review \d\. Song 1 by The Tones no-evidence", words)
        assert "fetched 0 B with 0 requests" in fonoteca("acquire", "plan", *here).out
        assert len(host.requests) == asked
    for words in (("acquire", "plan", "x"), ("acquire", "folder"), ("acquire", "folder", "x", "--status")):
        assert fonoteca(*words, *here).status == 2
